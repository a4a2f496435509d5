"""SOAP messages that the suite writes and reads: SOAP 1.2 with WS-Addressing, whole or as an MTOM package (ITI TF-2
Appendix V), and SOAP 1.1 without."""

from __future__ import annotations

import email
import email.policy
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote
from xml.sax.saxutils import escape

import httpx
from lxml import etree

from conformance.suite.check import Failed
from conformance.suite.session import Session

SOAP11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12: Final = "http://www.w3.org/2003/05/soap-envelope"
WSA: Final = "http://www.w3.org/2005/08/addressing"
XOP: Final = "http://www.w3.org/2004/08/xop/include"
ANONYMOUS: Final = f"{WSA}/anonymous"
_BOUNDARY: Final = "vnaconformance"
_ROOT: Final = "root@conformance"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer taken apart; `parts` are the attachments by Content-ID, `is_package` says that it came as MTOM."""

    status: int
    envelope: etree._Element
    parts: Mapping[str, bytes] = field(default_factory=dict)
    is_package: bool = False

    @property
    def body(self) -> etree._Element:
        """What the Body holds."""
        found = self.envelope.find(f"{{{etree.QName(self.envelope).namespace}}}Body")
        if found is None or len(found) != 1:
            raise Failed("the Body of the answer does not hold one element")
        return found[0]

    def header(self, name: str) -> etree._Element | None:
        """A header block of WS-Addressing."""
        return self.envelope.find(f"{{{SOAP12}}}Header/{{{WSA}}}{name}")

    def fault(self) -> tuple[str, str]:
        """Code and subcode of a fault, without their prefixes; Failed where the answer is none."""
        namespace = etree.QName(self.envelope).namespace
        if etree.QName(self.body) != etree.QName(namespace, "Fault"):
            raise Failed(f"the answer is no fault but {etree.QName(self.body).localname}")
        if namespace == SOAP11:
            return _local(self.body.findtext("faultcode")), ""
        code = f"{{{SOAP12}}}Code/"
        value, inner = f"{{{SOAP12}}}Value", f"{{{SOAP12}}}Subcode/{{{SOAP12}}}Value"
        if not self.body.findtext(f"{{{SOAP12}}}Reason/{{{SOAP12}}}Text"):
            raise Failed("the fault has no Reason")
        return _local(self.body.findtext(code + value)), _local(self.body.findtext(code + inner))

    def content(self, element: etree._Element) -> bytes:
        """The attachment that an element includes; Failed where there is none."""
        include = element.find(f"{{{XOP}}}Include")
        if include is None:
            raise Failed(f"{etree.QName(element).localname} has no xop:Include")
        name = unquote(include.get("href", "").removeprefix("cid:"))
        if name not in self.parts:
            raise Failed(f"no part of the package has the Content-ID {name}")
        return self.parts[name]


def _local(name: str | None) -> str:
    return (name or "").strip().rpartition(":")[2]


def message(
    action: str, body: str, *, to: str = "", message_id: str = "", header: str = "", reply_to: str = ANONYMOUS
) -> bytes:
    """A SOAP 1.2 message with the headers of WS-Addressing; no wsa:Action where `action` is empty."""
    said = f'<wsa:Action soap:mustUnderstand="1">{escape(action)}</wsa:Action>' if action else ""
    return (
        f'<soap:Envelope xmlns:soap="{SOAP12}" xmlns:wsa="{WSA}"><soap:Header>{said}'
        f"<wsa:MessageID>{message_id or uuid.uuid4().urn}</wsa:MessageID>"
        f"<wsa:ReplyTo><wsa:Address>{reply_to}</wsa:Address></wsa:ReplyTo><wsa:To>{escape(to)}</wsa:To>"
        f"{header}</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()


def package(root: bytes, attached: Mapping[str, bytes], media_type: str) -> tuple[bytes, str]:
    """A message with its attachments by Content-ID as an MTOM package, and its Content-Type."""
    kind = 'application/xop+xml; charset=UTF-8; type="application/soap+xml"'
    parts = [_part(_ROOT, kind, root), *(_part(name, media_type, data) for name, data in attached.items())]
    start = f'type="application/xop+xml"; start="<{_ROOT}>"; start-info="application/soap+xml"'
    return b"".join([*parts, f"--{_BOUNDARY}--\r\n".encode()]), f"multipart/related; {start}; boundary={_BOUNDARY}"


def _part(name: str, kind: str, data: bytes) -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{name}>\r\n\r\n"
    return head.encode() + data + b"\r\n"


def post(session: Session, url: str, content: bytes, content_type: str, **headers: str) -> Reply:
    """Send a message; the answer."""
    return read(session.web.post(url, content, headers={"Content-Type": content_type, **headers}))


def tell(session: Session, url: str, action: str, body: str, **said: str) -> Reply:
    """Send a SOAP 1.2 message as it is."""
    return post(session, url, message(action, body, to=url, **said), "application/soap+xml; charset=UTF-8")


def tell_packed(
    session: Session, url: str, action: str, body: str, attached: Mapping[str, bytes] | None = None, **said: str
) -> Reply:
    """Send a SOAP 1.2 message as an MTOM package."""
    media_type = said.pop("media_type", "text/plain")
    return post(session, url, *package(message(action, body, to=url, **said), attached or {}, media_type))


def read(answer: httpx.Response) -> Reply:
    """Take an answer apart; Failed where it is no SOAP message."""
    kind = answer.headers.get("Content-Type", "")
    if not kind.lower().startswith("multipart/related"):
        return Reply(answer.status_code, _parsed(answer))
    whole = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + answer.content, policy=_POLICY)
    parts = [
        (str(part.get("Content-ID", "")).strip().strip("<>"), part.get_payload(decode=True) or b"")
        for part in whole.iter_parts()
    ]
    if not parts:
        raise Failed("the package has no parts")
    by_id = {name: bytes(data) for name, data in parts}
    start = str(whole.get_param("start") or "").strip("<>")
    root = by_id.get(start, bytes(parts[0][1]))
    return Reply(answer.status_code, _xml(root, answer.status_code), by_id, is_package=True)


_POLICY: Final = email.policy.HTTP


def _parsed(answer: httpx.Response) -> etree._Element:
    return _xml(answer.content, answer.status_code)


def _xml(content: bytes, status: int) -> etree._Element:
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))
    except etree.XMLSyntaxError as exc:
        raise Failed(f"the answer ({status}) is no XML: {exc}") from exc
    if etree.QName(root).localname != "Envelope" or etree.QName(root).namespace not in (SOAP11, SOAP12):
        raise Failed(f"the answer ({status}) is no SOAP message but {etree.QName(root).localname}")
    return root
