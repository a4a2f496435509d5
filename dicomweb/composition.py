"""STOW-RS of metadata with bulk data beside it: instances put together from the parts of a body (PS3.18 10.5.2)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any

import orjson
from starlette.concurrency import run_in_threadpool

from dicomweb.intake import Refused, Result
from dicomweb.media_types import COMPRESSED, DICOM_JSON, DICOM_XML, JSON, OCTET_STREAM
from dicomweb.native_model import native_model
from dicomweb.pictures import with_pixels
from storage.compose import PIXEL_DATA, Bulk, compose
from storage.elements import text
from storage.jpeg_header import image_pixel, syntaxes
from storage.scratch import Scratch
from vna.archive.store import Store
from vna.mime.media_type import MediaType, parse_media_type
from vna.mime.reader import Event, PartBegins, PartBytes
from vna.model.access import Actor
from vna.model.errors import (
    BadRequest,
    CannotUnderstand,
    NotAuthorized,
    TooLarge,
    VnaError,
)
from vna.model.identifiers import is_uid
from vna.model.instances import Arrival
from vna.model.query import Element
from vna.model.transfer_syntaxes import (
    EXPLICIT_LE,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    TRANSFER_SYNTAXES,
)
from vna.pixels.image import PICTURES, Image
from vna.pixels.picture import pixels_of_picture

log = logging.getLogger(__name__)

METADATA = (DICOM_JSON, JSON, DICOM_XML)
_MOST_METADATA = 64 << 20
_MOST_VALUES = 2_000_000
"""Brackets, commas and tags: what is read of each takes a hundred bytes of memory and more."""
_DEEPEST = 64
_BATCH = 1 << 20
_DEFAULT = {name.lower(): f"1.2.840.10008.1.2.{ends[0]}" for name, ends in COMPRESSED}
_TAG_LENGTH = 8
_JPEG = frozenset({JPEG_BASELINE, JPEG_EXTENDED, JPEG_LOSSLESS, JPEG_LOSSLESS_SV1})
"""Which of them an image is in, its own header says."""


@dataclass(slots=True)
class _Part:
    """The bytes of one part, and what its header says."""

    media: MediaType
    location: str
    start: int
    size: int = 0


@dataclass(slots=True)
class Composition:
    """Takes the events of a body; `finish` stores what they hold. Parts wait one after another in a scratch file."""

    store: Store
    actor: Actor
    arrival: Arrival
    results: list[Result] = field(default_factory=list)
    _parts: list[_Part] = field(default_factory=list)
    _pictures: dict[str, Image] = field(default_factory=dict)
    _scratch: Scratch | None = None
    _buffer: bytearray = field(default_factory=bytearray)

    async def take(self, event: Event) -> None:
        """Raises BadRequest for a part that makes no sense, TooLarge for metadata past its bound."""
        match event:
            case PartBegins(headers):
                self._parts.append(self._begun(dict(headers)))
            case PartBytes(piece):
                self._buffer += piece
                if len(self._buffer) >= _BATCH:
                    await run_in_threadpool(self._write)
            case _:
                await run_in_threadpool(self._write)

    def _begun(self, headers: dict[str, str]) -> _Part:
        media = parse_media_type(headers.get("content-type", OCTET_STREAM))
        if self._scratch is None:
            self._scratch = self.store.scratch(self.actor, self.arrival)
        return _Part(media, headers.get("content-location", "").strip(), self._scratch.size)

    def _write(self) -> None:
        part = self._parts[-1]
        part.size += len(self._buffer)
        if part.media.name in METADATA and part.size > _MOST_METADATA:
            raise TooLarge(f"the metadata is larger than {_MOST_METADATA} bytes")
        if part.size > self.store.max_bytes:
            raise TooLarge(f"larger than {self.store.max_bytes} bytes")
        self._kept.write(self._buffer)
        self._buffer = bytearray()

    @property
    def _kept(self) -> Scratch:
        assert self._scratch is not None  # a part has begun
        return self._scratch

    def broken_off(self, error: VnaError) -> None:
        """The body ended in a malformed place: what was to be put together is not all there."""
        self.results.append(Refused(error))

    def abandon(self) -> None:
        """Leave nothing behind."""
        if self._scratch is not None:
            self._scratch.close()

    async def finish(self) -> None:
        """Put the instances together and store each."""
        await run_in_threadpool(self._finish)

    def _finish(self) -> None:
        found: list[dict[str, Element]] = []
        for part in self._parts:
            if part.media.name in METADATA:
                found += datasets(part.media.name, self._kept.read(part.start, part.size))
        if not found:
            raise BadRequest("the body holds no metadata")
        for elements in found:
            self.results.append(self._stored(elements))

    def _stored(self, elements: dict[str, Element]) -> Result:
        uids = tuple(uid if is_uid(uid) else "" for uid in (text(elements, tag) for tag in ("00080016", "00080018")))
        names = uids if all(uids) else ("", "")
        try:
            syntax, elements = self._completed(elements)
            with self.store.open(self.actor, self.arrival) as incoming:
                for piece in compose(elements, self._find, syntax):
                    incoming.write(piece)
                return self.store.accept(incoming, self.actor, self.arrival)
        except NotAuthorized:
            raise
        except VnaError as error:
            return Refused(error, *names)
        except Exception:
            log.exception("instance not stored")
            return Refused(None, *names)

    def _completed(self, elements: dict[str, Element]) -> tuple[str, dict[str, Element]]:
        """The transfer syntax of the pixels; what the metadata does not say of a JPEG image, the image says."""
        uri = elements.get(PIXEL_DATA, {}).get("BulkDataURI")
        if uri and (uri in self._pictures or self._is_picture(uri)):
            if uri not in self._pictures:
                self._pictures[uri] = self._decoded(uri)
            return EXPLICIT_LE, with_pixels(elements, uri, self._pictures[uri])
        if not uri:
            return EXPLICIT_LE, elements
        found = self._find(uri)
        syntax = found.transfer_syntax_uid or EXPLICIT_LE
        if syntax in _JPEG:
            syntax = _jpeg_syntax(found.files, self._at(uri)[0].media, syntax)
        if found.transfer_syntax_uid and "00280010" not in elements:
            elements = {**image_pixel(found.files[0]), **elements}
        return syntax, elements

    def _is_picture(self, uri: str) -> bool:
        return any(part.media.name in PICTURES for part in self._at(uri))

    def _decoded(self, uri: str) -> Image:
        """The pictures at the address, which their pixels take the place of: one frame or more of each."""
        parts, described = self._at(uri), None
        made = _Part(MediaType(OCTET_STREAM), uri, self._kept.size)
        for part in parts:
            if part.media.name not in PICTURES:
                raise CannotUnderstand("pictures and other bulk data have one Content-Location")
            image, pixels = pixels_of_picture(self._kept.read(part.start, part.size), part.media.name)
            before = described.number_of_frames if described is not None else 0
            if described not in (None, replace(image, number_of_frames=before)):
                raise CannotUnderstand("the pictures of an instance differ in size or in kind")
            described = replace(image, number_of_frames=before + image.number_of_frames)
            self._kept.write(pixels)
            made.size += len(pixels)
        assert described is not None  # one of them is a picture
        self._parts = [part for part in self._parts if part not in parts] + [made]
        return described

    def _at(self, uri: str) -> list[_Part]:
        return [part for part in self._parts if part.location == uri and part.media.name not in METADATA]

    def _find(self, uri: str) -> Bulk:
        parts = self._at(uri)
        if not parts:
            raise CannotUnderstand("a BulkDataURI is the Content-Location of no part")
        return Bulk([self._kept.open(part.start, part.size) for part in parts], _syntax_of(parts[0].media))


def _syntax_of(media: MediaType) -> str:
    """The transfer syntax of compressed pixels by their media type; "" for plain bytes (PS3.18 Table 8.7.3-5)."""
    named = media.parameters.get("transfer-syntax", "")
    known = TRANSFER_SYNTAXES.get(named)
    if known is not None:
        return named if known.encapsulated else ""
    return _DEFAULT.get(media.name, "")


def _jpeg_syntax(files: Sequence[IO[bytes]], media: MediaType, expected: str) -> str:
    """The expected one where the images are in it, else the one that they are in; CannotUnderstand when that was said
    of them and is not so, or when there is none."""
    first, *others = map(syntaxes, files)
    possible = [one for one in first if all(one in other for other in others)]
    if expected in possible:
        return expected
    if not possible or "transfer-syntax" in media.parameters:
        raise CannotUnderstand(f"what comes as image/jpeg is no JPEG image that can be kept in {expected}")
    return possible[0]


def datasets(media_type: str, body: bytes) -> list[dict[str, Element]]:
    """Metadata as a body has it: BadRequest, CannotUnderstand or TooLarge where it is none."""
    marks = b"<" if media_type == DICOM_XML else b"{[,"
    if sum(body.count(mark) for mark in marks) > _MOST_VALUES:
        raise TooLarge(f"the metadata has more than {_MOST_VALUES} values")
    if media_type == DICOM_XML:
        return [native_model(body)]
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise BadRequest("the metadata is no JSON") from exc
    every = found if isinstance(found, list) else [found]
    if not all(map(_is_dataset, every)):
        raise BadRequest("the metadata is not in the DICOM JSON model")
    return every


def _is_dataset(value: Any) -> bool:
    """Whether the shape is that of a data set: what the values are is seen when they are written."""
    pending = [(value, 0)]
    while pending:
        one, depth = pending.pop()
        if depth > _DEEPEST:
            raise BadRequest("the metadata is nested too deep")
        if not isinstance(one, dict):
            return False
        for tag, element in one.items():
            if len(tag) != _TAG_LENGTH or not _is_hex(tag) or not isinstance(element, dict):
                return False
            if not isinstance(element.get("Value", []), list) or not isinstance(element.get("BulkDataURI", ""), str):
                return False
            if element.get("vr") == "SQ":
                pending += [(item, depth + 1) for item in element.get("Value", []) if item is not None]
    return True


def _is_hex(tag: str) -> bool:
    return all(character in "0123456789ABCDEFabcdef" for character in tag)
