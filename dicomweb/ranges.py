"""Parts of a representation by byte range (RFC 9110 14)."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.errors import refusal
from dicomweb.responses import HEADERS, stream
from vna.model.file_range import BodyPiece

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE)

Give = Callable[[int, int], Iterator[BodyPiece]]
"""The bytes from an offset on, so many of them."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from `start` on, `length` of them."""

    start: int
    length: int
    of: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Range": f"bytes {self.start}-{self.start + self.length - 1}/{self.of}"}


def range_of(request: Request, size: int, tag: str) -> ByteRange | None:
    """The one range asked for, cut to `size`; length 0 when it lies past the end.

    None means everything: no range, several, one that makes no sense, or If-Range with another tag (RFC 9110 13.1.5).
    """
    found = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if found is None or not (found[1] or found[2]) or request.method != "GET":
        return None
    if request.headers.get("if-range", tag) != tag:
        return None
    if not found[1]:
        start, end = max(size - int(found[2]), 0), size - 1
        return ByteRange(start, end - start + 1 if int(found[2]) else 0, size)
    start = int(found[1])
    end = min(int(found[2]), size - 1) if found[2] else size - 1
    if found[2] and int(found[2]) < start:
        return None
    return ByteRange(start, max(end - start + 1, 0), size)


def has_tag(request: Request, tag: str) -> bool:
    """Whether If-None-Match names the entity tag (RFC 9110 13.1.2)."""
    tags = ",".join(request.headers.getlist("if-none-match"))
    return tags.strip() == "*" or tag in [one.strip().removeprefix("W/") for one in tags.split(",")]


def ranged(request: Request, size: int, tag: str, media_type: str, give: Give) -> Response:
    """All of a representation of `size` bytes, or the range of it that is asked for; 416 past its end, and 304 for who
    has it already."""
    headers = {"ETag": tag, "Accept-Ranges": "bytes"}
    if has_tag(request, tag):
        return Response(status_code=304, headers=HEADERS | headers)
    part = range_of(request, size, tag)
    if part is None:
        return stream(give(0, size), media_type=media_type, size=size, headers=headers)
    if not part.length:
        answer = refusal(request, 416, f"the range lies past the end: there are {size} bytes")
        answer.headers["Content-Range"] = f"bytes */{size}"
        return answer
    chunks = give(part.start, part.length)
    answer = stream(chunks, media_type=media_type, size=part.length, headers=headers | part.headers)
    answer.status_code = 206
    return answer
