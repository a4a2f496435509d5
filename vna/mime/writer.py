"""Writing multipart bodies piece by piece (RFC 2046 5.1.1)."""

import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vna.model.errors import Unavailable
from vna.model.file_range import BodyPiece

_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its header fields, its bytes (read once), and how many they are when that is known."""

    headers: tuple[tuple[str, str], ...]
    chunks: Iterable[BodyPiece]
    size: int | None = None


def new_boundary() -> str:
    """128 random bits, so that no part contains it."""
    return secrets.token_hex(16)


def write_multipart(parts: Iterable[Part], boundary: str) -> Iterator[BodyPiece]:
    """The body in pieces; parts are taken one after another, each only when the one before has been written."""
    mark = b"--" + boundary.encode("ascii")
    lead = b""
    for part in parts:
        yield lead + mark + b"\r\n" + _header(part.headers)
        yield from part.chunks if part.size is None else exactly(part.chunks, part.size)
        lead = b"\r\n"
    yield lead + mark + b"--\r\n"


def exactly(chunks: Iterable[BodyPiece], size: int) -> Iterator[BodyPiece]:
    """The same bytes; Unavailable when they are not as many as was said: half an object never passes for a whole."""
    left = size
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            break
        yield chunk
    if left:
        raise Unavailable("what is kept is not as long as was said")


def multipart_size(parts: Sequence[Part], boundary: str) -> int | None:
    """Length of what `write_multipart` gives, or None when a part's is not known."""
    mark = len(boundary) + 2
    total = mark + 4 + (2 if parts else 0)
    for index, part in enumerate(parts):
        if part.size is None:
            return None
        total += (2 if index else 0) + mark + 2 + len(_header(part.headers)) + part.size
    return total


def _header(fields: tuple[tuple[str, str], ...]) -> bytes:
    for name, value in fields:
        if not _FIELD_NAME.match(name) or not value.isprintable():
            raise ValueError(f"not a header field: {name!r}")
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("utf-8") + b"\r\n"
