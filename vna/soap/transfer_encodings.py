"""Bytes of a part out of their Content-Transfer-Encoding, as they come (RFC 2045 6)."""

import binascii
from collections.abc import Iterable, Iterator
from typing import Protocol

from vna.model.errors import BadRequest

_LONGEST_LINE = 1 << 20


class Decoder(Protocol):
    """Feed it pieces, finish it once."""

    def feed(self, piece: memoryview) -> Iterable[bytes | memoryview]:
        """What these bytes stand for."""

    def finish(self) -> Iterable[bytes]:
        """What was still held back."""


class Plain:
    """`7bit`, `8bit` and `binary`: as it is."""

    def feed(self, piece: memoryview) -> Iterable[bytes | memoryview]:
        """The same."""
        return (piece,)

    def finish(self) -> Iterable[bytes]:
        """Nothing."""
        return ()


class Base64:
    """RFC 2045 6.8; line ends and blanks are passed over, anything else that is not base64 is BadRequest."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: memoryview) -> Iterator[bytes]:
        """Whole groups of four."""
        text = self._rest + bytes(piece).translate(None, b" \t\r\n")
        whole = len(text) - len(text) % 4
        self._rest = text[whole:]
        if whole:
            yield self._decoded(text[:whole])

    def finish(self) -> Iterator[bytes]:
        """Nothing, if it was whole."""
        if self._rest:
            raise BadRequest("a part in base64 ends within a group of four characters")
        return iter(())

    @staticmethod
    def _decoded(text: bytes) -> bytes:
        try:
            return binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error as exc:
            raise BadRequest("a part is not in base64, as its Content-Transfer-Encoding says") from exc


class QuotedPrintable:
    """RFC 2045 6.7, line by line."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: memoryview) -> Iterator[bytes]:
        """Whole lines."""
        text = self._rest + bytes(piece)
        whole = text.rfind(b"\n") + 1
        self._rest = text[whole:]
        if len(self._rest) > _LONGEST_LINE:
            raise BadRequest("a part in quoted-printable has a line of more than a megabyte")
        if whole:
            yield binascii.a2b_qp(text[:whole])

    def finish(self) -> Iterator[bytes]:
        """The last line."""
        yield binascii.a2b_qp(self._rest)


_DECODERS: dict[str, type[Plain | Base64 | QuotedPrintable]] = {
    "": Plain,
    "7bit": Plain,
    "8bit": Plain,
    "binary": Plain,
    "base64": Base64,
    "quoted-printable": QuotedPrintable,
}


def decoder(name: str) -> Decoder:
    """For this name; BadRequest where nobody knows it."""
    kind = _DECODERS.get(name.strip().lower())
    if kind is None:
        raise BadRequest(f"a part has the Content-Transfer-Encoding {name[:40]!r}, which is not known")
    return kind()
