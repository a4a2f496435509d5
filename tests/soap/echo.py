"""A small service that sends back what it gets; also a program, to be watched from outside."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from lxml import etree
from starlette.applications import Starlette

from vna.model.access import Actor
from vna.model.errors import Conflict, NotAuthorized, OutOfResources
from vna.security.http import HttpRules, local
from vna.soap.exchange import Rules
from vna.soap.faults import sender
from vna.soap.limits import Limits
from vna.soap.message import Attachment, Content, Message, Reply, include, new_content_id
from vna.soap.service import Service

ECHO = "urn:example:echo"
BROKEN = "urn:example:broken"
NAMESPACE = "urn:example:echo:types"
PATH = "/echo"
ERRORS = {
    "conflict": Conflict("it is there already"),
    "denied": NotAuthorized("store is denied"),
    "full": OutOfResources("no space left"),
    "fault": sender("a rule says no"),
    "bug": ZeroDivisionError("patient Doe"),
}


def pieces(attachment: Attachment) -> Iterator[bytes]:
    with attachment.open() as file:
        while piece := file.read(256 << 10):
            yield piece


def echo(message: Message, actor: Actor) -> Reply:
    """The body again; each `document` in it as an attachment, with its size and digest beside it."""
    wanted = message.body.findtext(f"{{{NAMESPACE}}}error")
    if wanted:
        raise ERRORS[wanted]
    answer = etree.Element(f"{{{NAMESPACE}}}echoed", nsmap={"e": NAMESPACE})
    etree.SubElement(answer, f"{{{NAMESPACE}}}actor").text = actor.name
    etree.SubElement(answer, f"{{{NAMESPACE}}}text").text = message.body.findtext(f"{{{NAMESPACE}}}text")
    contents = []
    for document in message.body.iterchildren(f"{{{NAMESPACE}}}document"):
        attachment = message.content(document)
        identifier = new_content_id()
        contents.append(
            Content(
                identifier,
                attachment.media_type or "application/octet-stream",
                lambda attachment=attachment: pieces(attachment),  # type: ignore[misc]  # mypy cannot infer it
                attachment.size,
            )
        )
        element = etree.SubElement(answer, f"{{{NAMESPACE}}}document", sha1=attachment.sha1, size=str(attachment.size))
        include(element, identifier)
    return Reply(f"{ECHO}Response", answer, contents)


def broken(message: Message, _actor: Actor) -> Reply:
    """A content that fails after as many bytes as the text says."""
    good = int(message.body.findtext(f"{{{NAMESPACE}}}text") or "0")

    def failing() -> Iterator[bytes]:
        yield bytes(good)
        raise OutOfResources("the blob cannot be read")

    body = etree.Element(f"{{{NAMESPACE}}}echoed")
    include(etree.SubElement(body, f"{{{NAMESPACE}}}document"), "c@x")
    return Reply(f"{BROKEN}Response", body, [Content("c@x", "text/plain", failing, 5_000_000)])


def service(spool_folder: Path, limits: Limits | None = None) -> Service:
    return Service(PATH, Rules({ECHO: echo, BROKEN: broken}), spool_folder, limits=limits or Limits())


def application(spool_folder: Path, limits: Limits | None = None) -> Starlette:
    app = Starlette(routes=service(spool_folder, limits).routes())
    return local(app, HttpRules())  # type: ignore[return-value]


if __name__ == "__main__":
    uvicorn.run(application(Path(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
