"""A Document Repository: Provide and Register Document Set-b, Retrieve Document Set (ITI TF-2 3.41, 3.43)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import partial
from typing import Final

from conformance.suite.check import Failed, NotApplicable, Target, check
from conformance.suite.session import Session
from conformance.suite.sharing import (
    SUCCESS,
    by_unique_id,
    contents,
    entries,
    partly,
    provide,
    refused,
    response,
    retrieve,
    slot,
    succeeded,
)
from conformance.suite.soap import Reply
from conformance.suite.submissions import Document, cx, document, sha1, submission

PROVIDE, RETRIEVE = ("ITI-41",), ("ITI-43",)
DOOR: Final = Target.XDS_REPOSITORY
REGISTRY: Final = (Target.XDS_REGISTRY,)
_OF_SOURCE: Final = {"hash": "", "size": "", "repository": ""}
"""What a source need not say: the repository finds it out."""


@dataclass(frozen=True, slots=True)
class Held:
    """A document that the repository took, with the OID by which the registry says where it is."""

    document: Document
    repository: str


def held(session: Session) -> Held:
    """The document that is retrieved."""

    def put() -> Held:
        one = document(session, cx(session, "Y1"), **_OF_SOURCE)
        succeeded(provide(session, submission(session, [one]), [one]), "the submission")
        return Held(one, _repository(session, one))

    return session.once("the provided document", put)


def _repository(session: Session, one: Document) -> str:
    found = entries(by_unique_id(session, one.unique_id))
    if one.unique_id not in found:
        raise Failed("the registry does not know of the document")
    return slot(found[one.unique_id], "repositoryUniqueId")


def _came(session: Session, one: Document) -> None:
    found = contents(retrieve(session, _repository(session, one), one.unique_id))
    if found.get(one.unique_id, ("", b""))[1] != one.content:
        raise Failed("other bytes come than were provided")


@check(
    "xds.repository.provide.success",
    "ITI TF-2 3.41.4.1.3.2",
    "A document that is provided is kept and registered with its hash, its size and the repository's OID",
    DOOR,
    also=REGISTRY,
    covers=PROVIDE,
)
def success(session: Session) -> None:
    one = document(session, cx(session, "Y2"), **_OF_SOURCE)
    reply = provide(session, submission(session, [one]), [one])
    succeeded(reply, "the submission")
    entry = entries(by_unique_id(session, one.unique_id)).get(one.unique_id)
    if entry is None:
        raise Failed("the registry does not know of the document")
    said = slot(entry, "hash").lower(), slot(entry, "size")
    if said != (sha1(one.content), str(len(one.content))):
        raise Failed(f"hash and size of the entry are {said}")
    if not slot(entry, "repositoryUniqueId"):
        raise Failed("the entry has no repositoryUniqueId")


@check(
    "xds.repository.provide.package",
    "ITI TF-2 3.41.4.2.2",
    "The answer to a package is an MTOM package",
    DOOR,
    covers=PROVIDE,
)
def answer_is_package(session: Session) -> None:
    one = document(session, cx(session, "Y2"), **_OF_SOURCE)
    reply = provide(session, submission(session, [one]), [one])
    succeeded(reply, "the submission")
    if not reply.is_package:
        raise Failed("the answer is no multipart/related")


@check(
    "xds.repository.provide.inline",
    "ITI TF-2 3.41.4.1.2",
    "A document that comes in the message itself, as base64, is taken",
    DOOR,
    also=REGISTRY,
    covers=PROVIDE,
)
def inline(session: Session) -> None:
    one = document(session, cx(session, "Y2"), **_OF_SOURCE)
    text = base64.b64encode(one.content).decode()
    succeeded(provide(session, submission(session, [one]), [one], inline=text), "the submission")
    _came(session, one)


def _of_size(size: int, session: Session) -> None:
    whole = bytes(range(256)) * (size // 256 + 1)
    content = (session.uid().encode() + b"\r\n--vna\r\n\0" + whole)[:size]
    one = document(session, cx(session, "Y3"), content=content, **_OF_SOURCE)
    succeeded(provide(session, submission(session, [one]), [one]), "the submission")
    _came(session, one)


for _size in (1, 8 << 10, 64 << 10, 1 << 20):
    check(
        f"xds.repository.provide.bytes.{_size}",
        "ITI TF-2 3.43.4.2.3",
        f"A document of {_size} bytes comes back byte for byte",
        DOOR,
        also=REGISTRY,
        covers=(*PROVIDE, *RETRIEVE),
    )(partial(_of_size, _size))


def _other(name: str, value: str, session: Session) -> None:
    one = document(session, cx(session, "Y2"), **{**_OF_SOURCE, name: value})
    reply = provide(session, submission(session, [one]), [one])
    refused(reply, f"a document of another {name}", "XDSRepositoryMetadataError")


for _name, _value in (("hash", "0" * 40), ("size", "1")):
    check(
        f"xds.repository.provide.other-{_name}",
        "ITI TF-2 3.41.4.1.3",
        f"A document whose {_name} is not the one that is told is refused: XDSRepositoryMetadataError",
        DOOR,
        covers=PROVIDE,
    )(partial(_other, _name, _value))


@check(
    "xds.repository.provide.no-document",
    "ITI TF-2 3.41.4.1.3",
    "An entry whose document did not come is refused with XDSMissingDocument, where it is",
    DOOR,
    covers=PROVIDE,
)
def no_document(session: Session) -> None:
    one = document(session, cx(session, "Y2"), **_OF_SOURCE)
    _where_refused(provide(session, submission(session, [one]), []), "an entry alone", "XDSMissingDocument")


@check(
    "xds.repository.provide.no-entry",
    "ITI TF-2 3.41.4.1.3",
    "A document that no entry describes is refused with XDSMissingDocumentMetadata, where it is",
    DOOR,
    covers=PROVIDE,
)
def no_entry(session: Session) -> None:
    patient = cx(session, "Y2")
    one, other = (document(session, patient, **_OF_SOURCE) for _ in range(2))
    reply = provide(session, submission(session, [one]), [one, other])
    _where_refused(reply, "a document alone", "XDSMissingDocumentMetadata")


def _where_refused(reply: Reply, what: str, code: str) -> None:
    """Refusing it is not demanded; the code is."""
    if response(reply).get("status") == SUCCESS:
        raise NotApplicable(f"{what} is taken")
    refused(reply, what, code)


@check(
    "xds.repository.provide.refused",
    "ITI TF-2 3.41.4.1.3.2",
    "What the registry refuses is refused, with the registry's error: XDSUnknownPatientId",
    DOOR,
    also=(Target.HL7,),
    covers=PROVIDE,
)
def registry_refuses(session: Session) -> None:
    one = document(session, cx(session, "Y2").replace("Y2^", "NOBODY^", 1), **_OF_SOURCE)
    refused(provide(session, submission(session, [one]), [one]), "an unknown patient's document", "XDSUnknownPatientId")


@check(
    "xds.repository.retrieve.success",
    "ITI TF-2 3.43.4.2.2",
    "A document is retrieved by the registry's identifiers, with its media type, and the same bytes",
    DOOR,
    also=REGISTRY,
    covers=RETRIEVE,
)
def retrieve_success(session: Session) -> None:
    one = held(session)
    reply = retrieve(session, one.repository, one.document.unique_id)
    succeeded(reply, "the request")
    found = contents(reply)
    if found != {one.document.unique_id: ("text/plain", one.document.content)}:
        raise Failed(f"these came: {[(name, kind, len(data)) for name, (kind, data) in found.items()]}")


@check(
    "xds.repository.retrieve.package",
    "ITI TF-2 3.43.5",
    "The answer is an MTOM package that includes the document as an attachment",
    DOOR,
    also=REGISTRY,
    covers=RETRIEVE,
)
def retrieve_package(session: Session) -> None:
    one = held(session)
    reply = retrieve(session, one.repository, one.document.unique_id)
    succeeded(reply, "the request")
    if not reply.is_package or one.document.content not in reply.parts.values():
        raise Failed("the document is no attachment of a package")


@check(
    "xds.repository.retrieve.unknown",
    "ITI TF-3 4.2.4",
    "A document that is not there fails: XDSDocumentUniqueIdError, and nothing comes",
    DOOR,
    also=REGISTRY,
    covers=RETRIEVE,
)
def unknown(session: Session) -> None:
    reply = retrieve(session, held(session).repository, session.uid())
    refused(reply, "an unknown document", "XDSDocumentUniqueIdError")
    if contents(reply):
        raise Failed("a document came")


@check(
    "xds.repository.retrieve.unknown-repository",
    "ITI TF-3 4.2.4",
    "A document of another repository fails: XDSUnknownRepositoryId",
    DOOR,
    also=REGISTRY,
    covers=RETRIEVE,
)
def unknown_repository(session: Session) -> None:
    reply = retrieve(session, session.uid(), held(session).document.unique_id)
    refused(reply, "another repository's document", "XDSUnknownRepositoryId")


@check(
    "xds.repository.retrieve.partial",
    "ITI TF-3 4.2.4",
    "Of a document that is there and one that is not the first comes: PartialSuccess",
    DOOR,
    also=REGISTRY,
    covers=RETRIEVE,
)
def partial_success(session: Session) -> None:
    one = held(session)
    reply = retrieve(session, one.repository, one.document.unique_id, session.uid())
    partly(reply, "a request half of which is there")
    if list(contents(reply)) != [one.document.unique_id]:
        raise Failed("another document came, or none")
