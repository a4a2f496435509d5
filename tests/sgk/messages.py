"""Messages of the look-ups, written by hand, and what their answers say."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

NAMESPACE = "urn:vna:sgk:goruntu-paylasim:1"
PATH = "/sgk/goruntu-paylasim"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
PASSWORD_TEXT = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"


def message(operation: str, *, header: str = "", **fields: Any) -> bytes:
    """An operation with these children; a list gives a child more than once, None leaves it out."""
    several = ((name, one) for name, value in fields.items() for one in (value if isinstance(value, list) else [value]))
    children = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in several if value is not None)
    return enveloped(
        f'<s:{operation} xmlns:s="{NAMESPACE}"><{operation}Giris>{children}</{operation}Giris></s:{operation}>', header
    )


def enveloped(body: str, header: str = "") -> bytes:
    """Any body."""
    head = f"<soap:Header>{header}</soap:Header>" if header else ""
    return f'<soap:Envelope xmlns:soap="{SOAP}">{head}<soap:Body>{body}</soap:Body></soap:Envelope>'.encode()


def token(name: str, password: str, kind: str = PASSWORD_TEXT) -> str:
    """A header block."""
    return (
        f'<w:Security xmlns:w="{WSSE}" soap:mustUnderstand="1"><w:UsernameToken><w:Username>{name}</w:Username>'
        f'<w:Password Type="{kind}">{password}</w:Password></w:UsernameToken></w:Security>'
    )


def said(content: bytes) -> dict[str, Any]:
    """What an answer says: text by name, lists of rows for what is repeated."""
    body = etree.fromstring(content).find(f"{{{SOAP}}}Body")
    assert body is not None, content
    (response,) = body
    assert etree.QName(response).namespace == NAMESPACE, content
    (answer,) = response
    plain: dict[str, Any] = {}
    for element in answer:
        if len(element):
            plain.setdefault(element.tag, []).append(_row(element))
        else:
            assert element.tag not in plain
            plain[element.tag] = element.text
    return plain


def _row(element: etree._Element) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for child in element:
        if child.tag == "modality":
            row.setdefault("modality", []).append(child.text)
        else:
            assert child.tag not in row
            row[child.tag] = child.text
    return row


def fault(content: bytes) -> tuple[str, str]:
    """Code and words of a fault."""
    found = etree.fromstring(content).find(f"{{{SOAP}}}Body/{{{SOAP}}}Fault")
    assert found is not None, content
    return (found.findtext("faultcode") or "").partition(":")[2], found.findtext("faultstring") or ""
