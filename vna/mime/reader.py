"""Reading multipart bodies as they arrive (RFC 2046 5.1.1), holding only the bytes that cannot be decided yet."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from vna.mime.media_type import parse_media_type
from vna.model.errors import BadRequest, TooLarge

_MAX_BOUNDARY = 200  # RFC 2046 5.1.1 says 70, and Orthanc 1.10 sends 73
_MAX_PADDING = 256


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a body may ask of the reader; a part's size is bounded where its bytes go, and here where that is said."""

    preamble_bytes: int = 65_536
    header_bytes: int = 16_384
    parts: int = 20_000
    part_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class PartBegins:
    """A part's header fields, names in small letters."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PartBytes:
    """The next bytes of the part that began last."""

    piece: memoryview


@dataclass(frozen=True, slots=True)
class PartEnds:
    """The part is complete."""

    size: int


Event = PartBegins | PartBytes | PartEnds


class _Step(Enum):
    """What a state did when it told no event."""

    MOVED = auto()
    STARVED = auto()


def boundary_of(content_type: str) -> str:
    """The boundary that a multipart Content-Type names, quoted or not."""
    boundary = parse_media_type(content_type).parameters.get("boundary", "")
    if not boundary:
        raise BadRequest("the Content-Type of a multipart body names no boundary")
    if len(boundary) > _MAX_BOUNDARY or not boundary.isascii() or not boundary.isprintable() or boundary.endswith(" "):
        raise BadRequest(f"the boundary is not 1 to {_MAX_BOUNDARY} printable ASCII characters that end in no space")
    return boundary


class MultipartReader:
    """Feed it the body in any pieces, iterate what each piece gives, and close it at the end.

    Parts are told as soon as they are read, so what stands before a malformed place has been told when the error comes.
    """

    def __init__(self, boundary: str, bounds: Bounds | None = None) -> None:
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._bounds = bounds or Bounds()
        self._buffer = b"\r\n"  # so that a boundary on the very first line is found like all others
        self._at = 0
        self._skipped = 0
        self._size = 0
        self._state: Callable[[], Event | _Step] = self._preamble
        self.parts = 0
        """How many parts have begun."""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Events of this chunk; exhaust it before the next one."""
        rest = self._buffer[self._at :]
        self._buffer, self._at = (rest + chunk if rest else chunk), 0
        while (told := self._state()) is not _Step.STARVED:
            if not isinstance(told, _Step):
                yield told

    def close(self) -> None:
        """The body has ended: BadRequest unless its closing boundary was there."""
        if self._state == self._epilogue:
            return
        if self._state == self._preamble:
            raise BadRequest("the body does not contain the boundary that its Content-Type names")
        raise BadRequest(f"the body ends within part {max(self.parts, 1)}, before the closing boundary")

    def _preamble(self) -> _Step:
        found = self._buffer.find(self._delimiter, self._at)
        end = found if found >= 0 else max(self._at, len(self._buffer) - len(self._delimiter) + 1)
        self._skipped += end - self._at
        if self._skipped > self._bounds.preamble_bytes:
            raise BadRequest("the body does not begin with the boundary that its Content-Type names")
        self._at = end
        if found < 0:
            return _Step.STARVED
        self._at += len(self._delimiter)
        self._state = self._delimiter_line
        return _Step.MOVED

    def _delimiter_line(self) -> _Step:
        """The rest of a boundary's line: two hyphens close the body, white space is padding."""
        rest = self._buffer[self._at : self._at + _MAX_PADDING]
        if rest.startswith(b"--"):
            self._state = self._epilogue
            return _Step.MOVED
        after = rest.lstrip(b" \t")
        if not after.startswith(b"\r\n"):
            if len(rest) < _MAX_PADDING and (after in (b"", b"\r") or rest == b"-"):
                return _Step.STARVED
            raise BadRequest("a line begins with the boundary and goes on with something else")
        if self.parts >= self._bounds.parts:
            raise TooLarge(f"more than {self._bounds.parts} parts in one body")
        self._at += len(rest) - len(after) + 2
        self.parts += 1
        self._state = self._headers
        return _Step.MOVED

    def _headers(self) -> Event | _Step:
        """Up to the empty line, whose line end stays: it may belong to the boundary of an empty part."""
        limit = self._bounds.header_bytes
        rest = self._buffer[self._at : self._at + limit + 4]
        end = -2 if rest.startswith(b"\r\n") else rest.find(b"\r\n\r\n")
        if end == -1:
            if len(rest) == limit + 4:
                raise BadRequest(f"the header of part {self.parts} is longer than {limit} bytes")
            return _Step.STARVED
        headers = _parse_headers(rest[: max(end, 0)], self.parts)
        self._at += end + 2
        self._size = 0
        self._state = self._body_start
        return PartBegins(headers)

    def _body_start(self) -> _Step:
        rest = self._buffer[self._at : self._at + len(self._delimiter)]
        if len(rest) < len(self._delimiter) and self._delimiter.startswith(rest):
            return _Step.STARVED
        if rest != self._delimiter:
            self._at += 2
        self._state = self._body
        return _Step.MOVED

    def _body(self) -> Event | _Step:
        found = self._buffer.find(self._delimiter, self._at)
        end = found if found >= 0 else self._undecided()
        if end > self._at:
            piece = memoryview(self._buffer)[self._at : end]
            self._at = end
            self._size += len(piece)
            if self._bounds.part_bytes is not None and self._size > self._bounds.part_bytes:
                raise TooLarge(f"part {self.parts} is larger than {self._bounds.part_bytes} bytes")
            return PartBytes(piece)
        if found < 0:
            return _Step.STARVED
        self._at += len(self._delimiter)
        self._state = self._delimiter_line
        return PartEnds(self._size)

    def _undecided(self) -> int:
        """Where the bytes begin that may be the beginning of a boundary, or the end."""
        start = self._buffer.find(b"\r", max(self._at, len(self._buffer) - len(self._delimiter) + 1))
        while start >= 0 and not self._delimiter.startswith(self._buffer[start:]):
            start = self._buffer.find(b"\r", start + 1)
        return start if start >= 0 else len(self._buffer)

    def _epilogue(self) -> _Step:
        self._at = len(self._buffer)
        return _Step.STARVED


def _parse_headers(block: bytes, part: int) -> dict[str, str]:
    headers: dict[str, str] = {}
    name = ""
    for line in block.decode("utf-8", errors="replace").split("\r\n") if block else ():
        if line[:1] in (" ", "\t") and name:  # folded, RFC 5322 2.2.3
            headers[name] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or not name:
            raise BadRequest(f"the header of part {part} has a line that is no field")
        headers[name] = value.strip()
    return headers
