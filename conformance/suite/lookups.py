"""SOAP 1.1 messages of the look-ups by accession number, as the suite asks them (docs/sgk.md)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape

from lxml import etree

from conformance.suite.check import Failed
from conformance.suite.session import Session
from conformance.suite.soap import SOAP11, Reply, post

NAMESPACE: Final = "urn:vna:sgk:goruntu-paylasim:1"
CONTENT_TYPE: Final = "text/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer says: its texts by name, its rows by the name of the element that is repeated."""

    texts: Mapping[str, str]
    rows: Mapping[str, list[Mapping[str, str]]]

    @property
    def code(self) -> str:
        """The result."""
        return self.texts.get("sonucKodu", "")


def foreigner() -> str:
    """A national number of nobody: those of foreigners begin with 99, and have no checksum."""
    return f"99{secrets.randbelow(10**9):09}"


def question(operation: str, fields: Mapping[str, Any]) -> bytes:
    """A message; what is None is left out."""
    inside = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in fields.items() if value is not None)
    return enveloped(
        f'<s:{operation} xmlns:s="{NAMESPACE}"><{operation}Giris>{inside}</{operation}Giris></s:{operation}>'
    )


def enveloped(body: str) -> bytes:
    """Any body."""
    return f'<soap:Envelope xmlns:soap="{SOAP11}"><soap:Body>{body}</soap:Body></soap:Envelope>'.encode()


def send(session: Session, content: bytes, action: str = '""') -> Reply:
    """A message as it is."""
    return post(session, session.targets.sgk, content, CONTENT_TYPE, SOAPAction=action)


def ask(session: Session, operation: str, **fields: Any) -> Answer:
    """A look-up by our facility, unless it is said otherwise; Failed where no answer of the contract comes."""
    said = {"saglikTesisKodu": session.caller.facility, **fields}
    return answered(send(session, question(operation, said)), operation)


def answered(reply: Reply, operation: str) -> Answer:
    """What an answer says."""
    response = reply.body
    if etree.QName(response) != etree.QName(NAMESPACE, f"{operation}Response"):
        raise Failed(f"the Body of the answer holds {etree.QName(response).localname}")
    if reply.status != 200 or len(response) != 1 or response[0].tag != f"{operation}Cevap":
        raise Failed(f"the answer ({reply.status}) does not hold one unqualified {operation}Cevap")
    texts: dict[str, str] = {}
    rows: dict[str, list[Mapping[str, str]]] = {}
    for one in response[0]:
        if len(one):
            rows.setdefault(one.tag, []).append({child.tag: child.text or "" for child in one})
        else:
            texts[one.tag] = one.text or ""
    if not texts.get("sonucKodu") or not texts.get("sonucMesaji"):
        raise Failed("the answer has no sonucKodu, or no sonucMesaji")
    return Answer(texts, rows)
