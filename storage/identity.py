"""Which instance the first bytes of a DICOM file are of, long before the rest of it is there (PS3.10 7)."""

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataelem import DataElement
from pydicom.filereader import data_element_generator
from pydicom.tag import BaseTag

from storage.part10 import read_file_meta
from vna.model.errors import CannotUnderstand
from vna.model.transfer_syntaxes import TRANSFER_SYNTAXES

_CLASS, _INSTANCE, _STUDY, _SERIES = (BaseTag(tag) for tag in (0x00080016, 0x00080018, 0x0020000D, 0x0020000E))
_WANTED = [_CLASS, _INSTANCE, _STUDY, _SERIES]
_MOST_INFLATED = 32 << 20


@dataclass(frozen=True, slots=True)
class Identity:
    """What an object says of itself; `meta_sop_instance_uid` is what group 2 says, and "" where it is silent."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    meta_sop_instance_uid: str


def identity(head: bytes, *, whole: bool) -> Identity | None:
    """What the first bytes of a file say; None when they do not reach far enough.

    `whole` says that nothing comes after them. CannotUnderstand when it is no DICOM file.
    """
    meta = read_file_meta(head)
    syntax = TRANSFER_SYNTAXES.get(meta.transfer_syntax_uid)
    data = head[meta.dataset_offset :]
    if syntax is not None and syntax.deflated:
        data = _inflated(data)
    implicit, little = syntax is not None and not syntax.explicit, syntax is None or syntax.little_endian
    found, is_past = _found(data, implicit=implicit, little=little)
    if not is_past and not whole:
        return None
    return Identity(
        found.get(_STUDY, ""),
        found.get(_SERIES, ""),
        found.get(_INSTANCE, ""),
        found.get(_CLASS, ""),
        meta.transfer_syntax_uid,
        meta.sop_instance_uid,
    )


def _found(data: bytes, *, implicit: bool, little: bool) -> tuple[dict[BaseTag, str], bool]:
    """The UIDs, and whether what comes after them has been seen, or the last of them whole."""
    found: dict[BaseTag, str] = {}
    past: list[bool] = []

    def stop(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        if tag > _SERIES:
            past.append(True)
        return bool(past)

    elements = data_element_generator(BytesIO(data), implicit, little, stop_when=stop, specific_tags=list(_WANTED))
    try:
        for element in elements:
            value = element.value
            if isinstance(element, DataElement) or not isinstance(value, bytes) or element.tag not in _WANTED:
                continue
            if len(value) < element.length:  # pydicom gives what is cut off as if it were whole
                return found, False
            found[element.tag] = value.rstrip(b" \0").decode("latin-1")
            if element.tag == _SERIES:
                return found, True
    except (EOFError, struct.error):
        return found, False
    except (ValueError, KeyError, NotImplementedError) as exc:
        raise CannotUnderstand("the data set cannot be read") from exc
    return found, bool(past)


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, _MOST_INFLATED)
    except zlib.error as exc:
        raise CannotUnderstand("the data set is not deflated as its transfer syntax says") from exc
