"""Messages: what came, with its attachments spooled, and what is answered, with its contents streamed."""

import base64
import binascii
import hashlib
import io
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from types import TracebackType
from typing import BinaryIO
from urllib.parse import quote, unquote

from lxml import etree

from storage.scratch import Scratch
from vna.model.file_range import BodyPiece
from vna.soap.faults import sender
from vna.soap.versions import Version
from vna.xml.namespaces import XOP, qname

INCLUDE = qname(XOP, "Include")


class Packaging(Enum):
    """How an envelope travels."""

    PLAIN = auto()
    XOP = auto()
    """MTOM: the envelope is `application/xop+xml` and refers to the other parts (XOP 4.1)."""
    ATTACHMENTS = auto()
    """SOAP with Attachments: the envelope as it is, and other parts."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One MIME part beside the root, out of its transfer encoding; it can be read until its message is closed.

    `sha1` is in small hexadecimal letters.
    """

    content_id: str
    media_type: str
    size: int
    sha1: str
    opened: Callable[[], BinaryIO] = field(repr=False, compare=False)

    def open(self) -> BinaryIO:
        """Its bytes, to read and seek; each call begins anew."""
        return self.opened()


@dataclass(frozen=True, slots=True)
class Message:
    """An envelope that came; `body` is the first child of Body.

    `headers` are the header blocks that are not WS-Addressing's. `action`, `message_id`, `relates_to` and `reply_to`
    are empty where they were not said. Close it, or use it in a `with`: its attachments go with it.
    """

    version: Version
    action: str
    message_id: str
    body: etree._Element
    attachments: Mapping[str, Attachment] = field(default_factory=dict)
    headers: Sequence[etree._Element] = ()
    relates_to: str = ""
    reply_to: str = ""
    packaging: Packaging = Packaging.PLAIN
    scratch: Scratch | None = field(default=None, repr=False, compare=False)

    def content(self, element: etree._Element) -> Attachment:
        """What an element of xs:base64Binary holds: the part that its xop:Include names, or its own text.

        SoapFault where there is no such part, or the text is no base64.
        """
        name = etree.QName(element).localname
        children = list(element)
        text = "".join(map(str, element.itertext())).strip()
        if children:
            if len(children) > 1 or children[0].tag != INCLUDE or text:
                raise sender(f"the element {name} holds something else than one xop:Include or base64")
            return self._part(children[0].get("href", ""), name)
        if text[:4].lower() == "cid:":
            return self._part(text, name)
        return _inline(text, name)

    def _part(self, href: str, name: str) -> Attachment:
        """By a `cid:` URL (RFC 2392 2), which is escaped by some and not by others."""
        if href[:4].lower() != "cid:":
            raise sender(f"the element {name} refers to something else than a part of the message: no cid: address")
        wanted = href[4:].strip()
        found = self.attachments.get(wanted) or self.attachments.get(unquote(wanted))
        if found is None:
            unescaped = unquote(wanted)
            found = next((part for key, part in self.attachments.items() if unquote(key) == unescaped), None)
        if found is None:
            held = f"it has {len(self.attachments)} of other names" if self.attachments else "it has none"
            raise sender(f"the element {name} refers to an attachment that the message does not have; {held}")
        return found

    def close(self) -> None:
        """Let go of the attachments."""
        if self.scratch is not None:
            self.scratch.close()

    def __enter__(self) -> "Message":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that go out beside the envelope; `pieces` is called once, when it is their turn."""

    content_id: str
    media_type: str
    pieces: Callable[[], Iterator[BodyPiece]]
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; `body` refers to its contents by `include`. Bytes are an element that was written before, in
    UTF-8 and with its own namespace declarations."""

    action: str
    body: etree._Element | bytes
    contents: Sequence[Content] = ()


def new_content_id() -> str:
    """One that no other part has, of characters that need no escape."""
    return f"{uuid.uuid4()}@vna"


def include(element: etree._Element, content_id: str) -> None:
    """Make an element stand for a content of the message (XOP 2.1)."""
    etree.SubElement(element, INCLUDE, {"href": f"cid:{quote(content_id, safe='@')}"}, nsmap={"xop": XOP})


def _inline(text: str, name: str) -> Attachment:
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise sender(f"the element {name} holds neither an xop:Include nor base64") from exc
    digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    return Attachment("", "", len(data), digest, lambda: io.BytesIO(data))
