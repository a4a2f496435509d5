"""A Part 10 object out of the DICOM JSON model and bulk values beside it (PS3.18 F, 10.5.2; PS3.5 A.4)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import IO, Any

from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from storage.blobs.base import CHUNK
from storage.elements import text
from storage.part10 import write_file_meta
from storage.values import Element
from vna.model.errors import CannotUnderstand

PIXEL_DATA = "7FE00010"
_LONG = Struct("<HH2s2xI")
_ITEM = Struct("<HHI")
_UNDEFINED = 0xFFFFFFFF
_LONGEST = 0xFFFFFFFE
_MOST_IN_ITEMS = 16 << 20
"""Bytes of one bulk value inside a sequence: those are held in memory."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """A bulk value: open files that can seek, one for each frame where `transfer_syntax_uid` says compressed pixels."""

    files: Sequence[IO[bytes]]
    transfer_syntax_uid: str = ""


Find = Callable[[str], Bulk]
"""The bulk value of a BulkDataURI; CannotUnderstand where there is none."""


def compose(elements: dict[str, Element], find: Find, transfer_syntax_uid: str) -> Iterator[bytes]:
    """The object in Explicit VR Little Endian around pixels that are left as they come, piece by piece.

    CannotUnderstand where the model is none, or a value cannot be written as what its VR says.
    """
    elements = {tag: element for tag, element in sorted(elements.items()) if tag > "0003"}
    if any(not piece.isascii() for piece in _texts(elements)):
        elements = dict(sorted({**elements, "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}}.items()))
    yield write_file_meta(text(elements, "00080016"), text(elements, "00080018"), transfer_syntax_uid)
    waiting: dict[str, Element] = {}
    for tag, element in elements.items():
        if "BulkDataURI" not in element:
            waiting[tag] = element
            continue
        yield _encoded(waiting, find)
        waiting = {}
        yield from _value(tag, str(element.get("vr") or "UN"), find(element["BulkDataURI"]))
    yield _encoded(waiting, find)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _encoded(elements: dict[str, Element], find: Find) -> bytes:
    if not elements:
        return b""

    def inside(_tag: str, _vr: str, uri: str) -> bytes:
        file = find(uri).files[0]
        value = file.read(_MOST_IN_ITEMS + 1)
        if len(value) > _MOST_IN_ITEMS:
            raise CannotUnderstand("a bulk value inside a sequence is too large")
        return value + b"\0" * (len(value) % 2)

    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = False, True
    try:
        write_dataset(out, Dataset.from_json(elements, inside), "ISO_IR 192")
    except CannotUnderstand:
        raise
    except Exception as exc:  # pydicom raises whatever a value leads it to
        raise CannotUnderstand("the metadata has a value that its VR does not allow") from exc
    return bytes(out.getvalue())


def _value(tag: str, vr: str, bulk: Bulk) -> Iterator[bytes]:
    group, number = int(tag[:4], 16), int(tag[4:], 16)
    if tag == PIXEL_DATA and bulk.transfer_syntax_uid:
        yield _LONG.pack(group, number, b"OB", _UNDEFINED) + _ITEM.pack(0xFFFE, 0xE000, 0)
        for file in bulk.files:
            yield from _padded(file, lambda length: _ITEM.pack(0xFFFE, 0xE000, length))
        yield _ITEM.pack(0xFFFE, 0xE0DD, 0)
        return
    if len(bulk.files) != 1:
        raise CannotUnderstand("several parts are one value that is not compressed pixel data")
    form = vr.encode() if vr in ("OB", "OD", "OF", "OL", "OV", "OW", "UN") else b"UN"
    yield from _padded(bulk.files[0], lambda length: _LONG.pack(group, number, form, length))


def _padded(file: IO[bytes], head: Callable[[int], bytes]) -> Iterator[bytes]:
    """The value behind its header, at an even length."""
    size = file.seek(0, 2)
    file.seek(0)
    if size > _LONGEST:
        raise CannotUnderstand("a bulk value is longer than an element can be")
    yield head(size + size % 2)
    while piece := file.read(CHUNK):
        yield piece
    if size % 2:
        yield b"\0"
