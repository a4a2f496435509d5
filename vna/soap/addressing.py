"""WS-Addressing headers: read, judged, and written (WS-Addressing 1.0 Core 3, SOAP Binding 6; ITI TF-2 Appendix V)."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from vna.soap.faults import addressing_fault
from vna.soap.versions import Version
from vna.xml.namespaces import WSA, qname

ANONYMOUS = f"{WSA}/anonymous"
FAULT_ACTION = f"{WSA}/soap/fault"
ADDRESSING_FAULT_ACTION = f"{WSA}/fault"
UNSPECIFIED = f"{WSA}/unspecified"
_ONCE = ("To", "From", "ReplyTo", "FaultTo", "Action", "MessageID")


@dataclass(frozen=True, slots=True)
class Addressing:
    """What the headers said, empty where they did not; `doubled` names one that came twice and may not."""

    action: str = ""
    message_id: str = ""
    relates_to: str = ""
    reply_to: str = ""
    doubled: str = ""


def is_addressing(block: etree._Element) -> bool:
    """Whether it is one of these headers."""
    return etree.QName(block).namespace == WSA


def read(blocks: Iterable[etree._Element]) -> Addressing:
    """The headers among these blocks."""
    found: dict[str, etree._Element] = {}
    doubled = ""
    for block in filter(is_addressing, blocks):
        name = etree.QName(block).localname
        if name in _ONCE and name in found:
            doubled = name
        found.setdefault(name, block)
    reply_to = found["ReplyTo"].find(qname(WSA, "Address")) if "ReplyTo" in found else None
    texts = {name: (block.text or "").strip() for name, block in found.items()}
    return Addressing(
        action=texts.get("Action", ""),
        message_id=texts.get("MessageID", ""),
        relates_to=texts.get("RelatesTo", ""),
        reply_to=(reply_to.text or "").strip() if reply_to is not None else "",
        doubled=doubled,
    )


def require(said: Addressing) -> None:
    """SoapFault unless an answer on the same connection can be addressed.

    ReplyTo may be absent, though ITI TF-2 V.3.2 says that it shall not: known senders leave it out.
    """
    if said.doubled:
        sentence = f"the message has two wsa:{said.doubled} headers"
        raise addressing_fault(sentence, "InvalidAddressingHeader", "InvalidCardinality", header=said.doubled)
    for name, value in (("Action", said.action), ("MessageID", said.message_id)):
        if not value:
            sentence = f"the message has no wsa:{name} header, which WS-Addressing requires"
            raise addressing_fault(sentence, "MessageAddressingHeaderRequired", header=name)
    if said.reply_to not in ("", ANONYMOUS):
        sentence = "the answer can only go back on the same connection: wsa:ReplyTo has to be anonymous"
        raise addressing_fault(sentence, "InvalidAddressingHeader", "OnlyAnonymousAddressSupported", header="ReplyTo")


def new_message_id() -> str:
    """A random one."""
    return uuid.uuid4().urn


def request_headers(version: Version, action: str, message_id: str, to: str) -> list[etree._Element]:
    """Blocks of a message that asks."""
    reply_to = etree.Element(qname(WSA, "ReplyTo"))
    etree.SubElement(reply_to, qname(WSA, "Address")).text = ANONYMOUS
    return [_action(version, action), _block("MessageID", message_id), reply_to, _block("To", to)]


def answer_headers(version: Version, action: str, asked: Addressing) -> list[etree._Element]:
    """Blocks of a message that answers; none where the question had none, which would not understand them."""
    if not asked.action and not asked.message_id:
        return []
    relates_to = _block("RelatesTo", asked.message_id or UNSPECIFIED)
    return [_action(version, action), _block("MessageID", new_message_id()), relates_to, _block("To", ANONYMOUS)]


def _action(version: Version, action: str) -> etree._Element:
    block = _block("Action", action)
    block.set(version.name_of("mustUnderstand"), "1")
    return block


def _block(local: str, text: str) -> etree._Element:
    block = etree.Element(qname(WSA, local), nsmap={"wsa": WSA})
    block.text = text
    return block
