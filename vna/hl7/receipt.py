"""By what a message is known again when its sender sends it once more (HL7 v2.5 2.9.2, 2.15.9.10)."""

from hashlib import sha256
from typing import Final

from storage.index.received import Receipt
from vna.hl7.acknowledgment import Code, acknowledge
from vna.hl7.message import Message
from vna.model.access import Actor, ActorKind

SOURCE: Final = 128
"""What is kept of a sender's name."""


def receipt(actor: Actor, message: Message) -> Receipt:
    """Sender (who is no known one by MSH-3 and MSH-4), MSH-10 and digest, with the answer that says it is done."""
    header = message.header
    answer = acknowledge(header).decode(header.codec, "replace")
    name = f"{actor.name}|{header.value(4)}" if actor.kind is ActorKind.LOCAL else actor.name
    source = f"{actor.kind.value}:{name}"[:SOURCE]
    return Receipt(source, header.value(10), digest(message), Code.ACCEPT.value, answer)


def digest(message: Message) -> bytes:
    """Of all that a message says but when it was sent (MSH-7), which a sender may write anew when it tries again."""
    header = message.header
    fields = header.text.split(header.delimiters.field)
    texts = (header.delimiters.field.join((*fields[:6], *fields[7:])), *(one.text for one in message.segments[1:]))
    return sha256("\r".join(texts).encode("utf-8", "replace")).digest()
