"""Messages written by hand, as the wire carries them, and what is answered to them."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from lxml import etree

from tests.soap.conftest import Live
from tests.soap.echo import ECHO, NAMESPACE
from vna.xml.namespaces import SOAP12, WSA, XOP

TYPE11, TYPE12 = "text/xml; charset=utf-8", "application/soap+xml; charset=utf-8"
ACTION = f'<a:Action xmlns:a="{WSA}" s:mustUnderstand="1">{ECHO}</a:Action>'
MESSAGE_ID = f'<a:MessageID xmlns:a="{WSA}">urn:uuid:1</a:MessageID>'
ADDRESSED = ACTION + MESSAGE_ID


def envelope(inside: str = "", *, headers: str = ADDRESSED, namespace: str = SOAP12, text: str = "hello") -> str:
    """An envelope that asks for an echo; `inside` goes into its body element."""
    body = f'<e:echo xmlns:e="{NAMESPACE}" xmlns:x="{XOP}"><e:text>{text}</e:text>{inside}</e:echo>'
    return f'<s:Envelope xmlns:s="{namespace}"><s:Header>{headers}</s:Header><s:Body>{body}</s:Body></s:Envelope>'


def document(href: str) -> str:
    """A document that is an attachment."""
    return f'<e:document><x:Include href="{href}"/></e:document>'


def multipart(*parts: tuple[str, bytes], boundary: str = "b") -> bytes:
    """Parts, each by its header fields (one a line) and its bytes."""
    return (
        b"".join(
            b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary.encode(), fields.replace("\n", "\r\n").encode(), content)
            for fields, content in parts
        )
        + b"--%b--\r\n" % boundary.encode()
    )


ROOT = 'Content-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\nContent-ID: <root>'
MTOM = 'multipart/related; type="application/xop+xml"; start="<root>"; start-info="application/soap+xml"; boundary="b"'


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, read without the code that is tested."""

    status: int
    headers: httpx.Headers
    envelope: etree._Element

    @property
    def namespace(self) -> str:
        return str(etree.QName(self.envelope).namespace)

    def header(self, name: str) -> str | None:
        return self.envelope.findtext(f"{{{self.namespace}}}Header/{{{WSA}}}{name}")

    @property
    def body(self) -> etree._Element:
        return self.envelope[-1][0]

    @property
    def is_fault(self) -> bool:
        return etree.QName(self.body).localname == "Fault"

    @property
    def codes(self) -> list[str]:
        """The code and its subcodes, without their prefixes."""
        names = (f"{{{SOAP12}}}Value", "faultcode")
        return [str(found.text).rpartition(":")[2] for found in self.body.iter(*names)]

    @property
    def reason(self) -> str:
        (found,) = self.body.iter(f"{{{SOAP12}}}Text", "faultstring")
        return str(found.text)


def post(live: Live, content: bytes | str, content_type: str = TYPE12, **headers: str) -> Answered:
    """Send bytes and read the envelope of what comes, which is the first part where there are several."""
    fields = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    answer = httpx.post(live.url, content=content, headers=fields, timeout=30)
    return Answered(answer.status_code, answer.headers, etree.fromstring(root_of(answer)))


def root_of(answer: httpx.Response) -> bytes:
    """The envelope of a plain or multipart answer."""
    if not answer.headers["content-type"].startswith("multipart/"):
        return answer.content
    return answer.content.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]
