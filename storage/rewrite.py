"""A data set with some elements changed: the header is written anew, from the pixel data on every byte stays."""

import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag

from storage.blobs.base import CHUNK, Readable
from storage.elements import texts
from storage.inflate import inflated
from storage.metadata import Element, scan
from storage.part10 import read_file_meta
from vna.model.charsets import choose_charset
from vna.model.instances import Instance

Changes = Mapping[str, Element | None]
Change = Callable[[dict[str, Element]], Changes]

DEFLATED = "1.2.840.10008.1.2.1.99"


def rewritten(blobs: Readable, instance: Instance, change: Change) -> tuple[int, Iterator[bytes]]:
    """Size and pieces of the data set without group 2, as `change` wants it, in the stored transfer syntax."""
    if instance.transfer_syntax_uid == DEFLATED:
        return _rewritten_deflated(blobs, instance, change)
    head = _header(blobs.read(instance.blob, 0, instance.header_end), change)
    tail = instance.size - instance.header_end
    rest = blobs.stream(instance.blob, instance.header_end, tail) if tail else iter(())

    def pieces() -> Iterator[bytes]:
        yield head
        yield from rest

    return len(head) + tail, pieces()


def _rewritten_deflated(blobs: Readable, instance: Instance, change: Change) -> tuple[int, Iterator[bytes]]:
    whole = blobs.read(instance.blob)
    plain = inflated(whole, read_file_meta(whole))
    head = _header(bytes(plain[: instance.header_end]), change)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    made = bytearray(packer.compress(head))
    for start in range(instance.header_end, len(plain), CHUNK):
        made += packer.compress(plain[start : start + CHUNK])
    made += packer.flush()
    if len(made) % 2:
        made += b"\0"
    return len(made), iter([bytes(made)])


def _header(part10: bytes, change: Change) -> bytes:
    """The header of a Part 10 file (that ends where its pixel data begins), changed and encoded as it was."""
    meta = read_file_meta(part10)
    changes = change(scan_header(part10))
    implicit = meta.transfer_syntax_uid == "1.2.840.10008.1.2"
    little = meta.transfer_syntax_uid != "1.2.840.10008.1.2.2"
    ds = _read(part10[meta.dataset_offset :], implicit, little)
    _apply(ds, changes)
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = implicit, little
    write_dataset(out, ds, ds.get("SpecificCharacterSet", "ISO_IR 6") or "ISO_IR 6")
    return bytes(out.getvalue())


def scan_header(part10: bytes) -> dict[str, Element]:
    """The elements of a header that ends where its pixel data begins; a deflated one comes inflated."""
    meta = read_file_meta(part10)
    if meta.transfer_syntax_uid == DEFLATED:
        meta = replace(meta, transfer_syntax_uid="1.2.840.10008.1.2.1")
    return scan(part10, meta).elements


def _read(data: bytes, implicit: bool, little: bool) -> Dataset:
    return read_dataset(io.BytesIO(data), implicit, little)


def _apply(ds: Dataset, changes: Changes) -> None:
    made = {tag: element for tag, element in changes.items() if element is not None}
    values = {tag: texts(made, tag) for tag in made}
    held = ds.get("SpecificCharacterSet") or []
    wanted = [held] if isinstance(held, str) else list(held)
    every = [value for several in values.values() for value in several]
    if any(not value.isascii() for value in every) and choose_charset(every, wanted) == "ISO_IR 192":
        ds.decode()
        ds.SpecificCharacterSet = "ISO_IR 192"
    for tag in changes:
        number = Tag(int(tag, 16))
        if tag in made:
            ds[number] = DataElement(number, made[tag]["vr"], "\\".join(values[tag]))
        else:
            ds.pop(number, None)
