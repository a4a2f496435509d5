"""How much a message may ask for."""

from dataclasses import dataclass, field

from vna.xml.parser import Bounds


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one message, in bytes and seconds.

    `envelope` bounds what is held in memory: the root part and its elements; everything else goes to a file. A sender
    is let go that sends nothing for `idle_seconds`, or after `grace_seconds` fewer than `bytes_per_second` on average.
    """

    envelope: Bounds = field(default_factory=Bounds)
    attachment_bytes: int = 1 << 30
    attachments: int = 1000
    message_bytes: int = 8 << 30
    idle_seconds: float = 60.0
    grace_seconds: float = 60.0
    bytes_per_second: int = 1024
