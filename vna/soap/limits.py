"""How much a message may ask for, and how long it may take."""

import time
from dataclasses import dataclass, field, replace

from vna.model.errors import TooLarge, Unavailable
from vna.xml.parser import Bounds


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one message, in bytes and seconds.

    `envelope` bounds what is held in memory: the root part and its elements; everything else goes to a file. A sender
    is let go that sends nothing for `idle_seconds`, or after `grace_seconds` fewer than `bytes_per_second` on average.
    What is refused before its end is read on for `linger_seconds`: most senders look for the answer only then.
    """

    envelope: Bounds = field(default_factory=Bounds)
    attachment_bytes: int = 1 << 30
    attachments: int = 1000
    message_bytes: int = 8 << 30
    idle_seconds: float = 60.0
    grace_seconds: float = 60.0
    bytes_per_second: int = 4096
    linger_seconds: float = 30.0

    def at_most(self, message_bytes: int) -> "Limits":
        """The same for messages that may not be longer."""
        return replace(self, message_bytes=min(self.message_bytes, message_bytes))


class Meter:
    """Counts what arrives of one message."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._begun = time.monotonic()
        self._taken = 0

    def count(self, size: int) -> None:
        """So many bytes more: TooLarge past the bound, Unavailable where they come too slowly."""
        limits = self._limits
        self._taken += size
        if self._taken > limits.message_bytes:
            raise TooLarge(f"the message is larger than {limits.message_bytes} bytes")
        seconds = time.monotonic() - self._begun
        if seconds > limits.grace_seconds and self._taken < limits.bytes_per_second * seconds:
            raise Unavailable(f"the message arrives with less than {limits.bytes_per_second} bytes a second")
