"""Who asks, by WS-Security: a UsernameToken with its password as text (WSS UsernameToken Profile 1.0, 3.1)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from lxml import etree

from vna.soap.faults import FaultCode, SoapFault, sender
from vna.xml.namespaces import WSSE, qname

SECURITY = qname(WSSE, "Security")
_TOKEN = qname(WSSE, "UsernameToken")
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_PASSED_OVER = frozenset({qname(_WSU, "Timestamp")})
_TEXT = "#PasswordText"


@dataclass(frozen=True, slots=True)
class UsernameToken:
    """A name and what it is shown by; `is_text` says that the password came as it is, and not as a digest."""

    name: str
    password: str = field(repr=False)
    is_text: bool = True


def username_token(headers: Iterable[etree._Element]) -> UsernameToken | None:
    """The token among these header blocks; SoapFault for security that is not understood, or for two of them."""
    tokens: list[UsernameToken] = []
    for block in headers:
        if block.tag != SECURITY:
            continue
        for part in block:
            if part.tag == _TOKEN:
                tokens.append(_read(part))
            elif part.tag not in _PASSED_OVER:
                sentence = "the wsse:Security header has something else than a UsernameToken"
                raise SoapFault(FaultCode.MUST_UNDERSTAND, sentence, blocks=(SECURITY,))
    if len(tokens) > 1:
        raise sender("the message has two UsernameTokens")
    return tokens[0] if tokens else None


def _read(element: etree._Element) -> UsernameToken:
    name, password = element.find(qname(WSSE, "Username")), element.find(qname(WSSE, "Password"))
    is_text = password is None or password.get("Type", _TEXT).endswith(_TEXT)
    texts = [one.text or "" if one is not None else "" for one in (name, password)]
    return UsernameToken(texts[0].strip(), texts[1], is_text)
