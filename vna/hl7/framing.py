"""MLLP: a message between 0BH and 1CH 0DH (HL7 v2.5 Appendix C.4); what senders leave out of that is forgiven."""

from typing import Final

BEGIN: Final = b"\x0b"
END: Final = b"\x1c"
_BETWEEN: Final = b"\r\n\t \x1c"
"""May stand between two messages: the second half of an end mark, and what people type."""

_STARTS: Final = (b"MSH", b"FHS", b"BHS", b"\xef\xbb\xbf")
"""How a message begins whose sender leaves the begin mark out."""


class NotMLLP(Exception):
    """What came is no message, nor the beginning of one."""


class TooLong(Exception):
    """The message has more bytes than are taken; `head` is how it begins."""

    def __init__(self, head: bytes) -> None:
        super().__init__()
        self.head = head


def framed(message: bytes) -> bytes:
    """The message as it goes over the wire."""
    return BEGIN + message + END + b"\r"


class Frames:
    """Takes bytes as they come and gives messages whole.

    The carriage return after 1CH is not waited for, so that a sender who leaves it out is answered too. A message that
    begins anew in the middle of another one is taken in its place.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self._looked_at = 0

    @property
    def begun(self) -> bool:
        """Whether a message has begun and is not whole."""
        return bool(self._held)

    def feed(self, data: bytes) -> None:
        """Take what came. NotMLLP or TooLong: the connection is of no more use."""
        self._held += data
        self._skip()

    def next(self) -> bytes | None:
        """The next whole message, without its marks; None when more has to come."""
        end = self._held.find(END, self._looked_at)
        if end < 0:
            self._looked_at = len(self._held)
            if len(self._held) > self._limit:
                raise TooLong(bytes(self._held[: self._limit]).removeprefix(BEGIN))
            return None
        if end > self._limit:
            raise TooLong(bytes(self._held[: self._limit]).removeprefix(BEGIN))
        message = bytes(self._held[:end])
        del self._held[: end + 1]
        self._looked_at = 0
        self._skip()
        return message[max(message.rfind(BEGIN + b"MSH"), 0) :].removeprefix(BEGIN)

    def _skip(self) -> None:
        """Let go of what stands between messages, and see that a message follows."""
        if self._looked_at:
            return
        skipped = next((at for at, byte in enumerate(self._held) if byte not in _BETWEEN), len(self._held))
        del self._held[:skipped]
        head = bytes(self._held[:3])
        if head and head[:1] != BEGIN and not any(start.startswith(head) for start in _STARTS):
            raise NotMLLP
