"""A body as it arrives, taken apart: the envelope, and the other parts spooled (MTOM 3, XOP 4, SwA 2; RFC 2387)."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from storage.scratch import Scratch
from vna.mime.media_type import MediaType, parse_media_type
from vna.mime.reader import Bounds, MultipartReader, PartBegins, PartBytes, boundary_of
from vna.model.errors import BadRequest, TooLarge
from vna.soap.faults import sender
from vna.soap.limits import Limits
from vna.soap.message import Attachment, Packaging
from vna.soap.transfer_encodings import Decoder, decoder
from vna.soap.versions import BY_MEDIA_TYPE

XOP_TYPE = "application/xop+xml"
MULTIPART = "multipart/related"
_ENVELOPES = frozenset({*BY_MEDIA_TYPE, XOP_TYPE, "application/xml"})
_TAKEN = f"application/soap+xml, text/xml, or {MULTIPART} around one of them (MTOM)"


@dataclass(frozen=True, slots=True)
class Package:
    """What a body held; `charset` is what the root part's Content-Type says."""

    envelope: bytes
    charset: str
    packaging: Packaging
    attachments: Mapping[str, Attachment]


@dataclass(slots=True)
class _Part:
    headers: Mapping[str, str]
    content_id: str
    start: int
    decoder: Decoder
    most: int
    size: int = 0
    sha1: str = ""


class Unpacking:
    """Takes a body in pieces, and gives the package when it is complete.

    The root is the part that `start` names, else the first. All parts go to the scratch file, the root too, because
    `start` may name a later one and because many slow senders must not hold envelopes in memory.
    """

    def __init__(self, content_type: str, scratch: Scratch, limits: Limits) -> None:
        self._media = _media_type(content_type)
        self._scratch = scratch
        self._limits = limits
        self._parts: list[_Part] = []
        self._content_ids: set[str] = set()
        self._digest = hashlib.sha1(usedforsecurity=False)
        self._reader: MultipartReader | None = None
        self._start = _bare(self._media.parameters.get("start", ""))
        if self._media.name == MULTIPART:
            self._reader = MultipartReader(boundary_of(content_type), Bounds(parts=limits.attachments + 1))
        else:
            self._begin({"content-type": content_type})

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; they may go to the disk. BadRequest and TooLarge as soon as they show."""
        if self._reader is None:
            self._take(memoryview(chunk))
            return
        for event in self._reader.feed(chunk):
            match event:
                case PartBegins(headers):
                    self._begin(headers)
                case PartBytes(piece):
                    self._take(piece)
                case _:
                    self._end()

    def finish(self) -> Package:
        """The body is complete."""
        if self._reader is not None:
            self._reader.close()
        else:
            self._end()
        if not self._parts:
            raise BadRequest("the multipart body has no part")
        named = (part for part in self._parts if self._start and part.content_id == self._start)
        root = next(named, self._parts[0])
        if root.size > self._limits.envelope.size:
            raise TooLarge(_too_long(self._limits.envelope.size))
        envelope = self._scratch.read(root.start, root.size)
        media = _media_type(root.headers.get("content-type", "text/xml"))
        others = dict(self._attachments(part for part in self._parts if part is not root))
        return Package(envelope, media.parameters.get("charset", ""), self._packaging(media), others)

    def _packaging(self, root: MediaType) -> Packaging:
        if self._reader is None:
            return Packaging.PLAIN
        is_xop = XOP_TYPE in (root.name, self._media.parameters.get("type", "").lower())
        return Packaging.XOP if is_xop else Packaging.ATTACHMENTS

    def _attachments(self, parts: Iterator[_Part]) -> Iterator[tuple[str, Attachment]]:
        for part in parts:
            if not part.content_id:
                continue  # nothing can refer to it
            opened = partial(self._scratch.open, part.start, part.size)
            kind = part.headers.get("content-type", "application/octet-stream")
            yield part.content_id, Attachment(part.content_id, kind, part.size, part.sha1, opened)

    def _begin(self, headers: Mapping[str, str]) -> None:
        content_id = _bare(headers.get("content-id", ""))
        if content_id and content_id in self._content_ids:
            raise BadRequest("two parts have one Content-ID")
        self._content_ids.add(content_id)
        is_root = content_id == self._start if self._start else not self._parts
        most = self._limits.envelope.size if is_root else self._limits.attachment_bytes
        encoding = headers.get("content-transfer-encoding", "") if self._reader is not None else ""
        self._parts.append(_Part(headers, content_id, self._scratch.size, decoder(encoding), most))
        self._digest = hashlib.sha1(usedforsecurity=False)

    def _take(self, piece: memoryview) -> None:
        for decoded in self._parts[-1].decoder.feed(piece):
            self._write(decoded)

    def _end(self) -> None:
        for decoded in self._parts[-1].decoder.finish():
            self._write(decoded)
        self._parts[-1].sha1 = self._digest.hexdigest()

    def _write(self, decoded: bytes | memoryview) -> None:
        part = self._parts[-1]
        part.size += len(decoded)
        if part.size > part.most:
            is_root = part.most == self._limits.envelope.size and len(self._parts) == 1
            raise TooLarge(_too_long(part.most) if is_root else f"an attachment is larger than {part.most} bytes")
        self._digest.update(decoded)
        self._scratch.write(decoded)


def _media_type(content_type: str) -> MediaType:
    try:
        media = parse_media_type(content_type)
    except BadRequest:
        media = MediaType("")
    if media.name != MULTIPART and media.name not in _ENVELOPES:
        shown = repr(media.name[:60]) if media.name else "none that can be read"
        raise sender(f"the Content-Type is {shown}, where a SOAP message has {_TAKEN}", status=415)
    return media


def _bare(content_id: str) -> str:
    """Without angle brackets, which some leave out (RFC 2045 7)."""
    content_id = content_id.strip()
    return content_id[1:-1] if content_id.startswith("<") and content_id.endswith(">") else content_id


def _too_long(most: int) -> str:
    return f"the envelope is longer than {most} bytes; documents belong into attachments (MTOM)"
