"""What pydicom makes of a file, in the same form as a scan: the independent opinion the tests compare with."""

import math
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
from pydicom import dcmread, hooks
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.valuerep import VR

from storage.dictionary import WORDS
from storage.frames import Buffer, FrameTable
from storage.metadata import Element, Scan

WHEEL = Path(pydicom.__file__).parent / "data"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "dicom"

GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def wheel_files() -> list[Path]:
    return sorted(
        path for folder in ("test_files", "charset_files") for path in (WHEEL / folder).rglob("*") if path.is_file()
    )


def shared_files() -> list[Path]:
    return sorted(SHARED.rglob("*.dcm"))


def read(path: Path | Any) -> Dataset:
    """The data set without pydicom's private dictionary: to the archive a private element in Implicit VR is UN."""
    original = hooks._private_vr_for_tag
    hooks._private_vr_for_tag = lambda ds, tag: VR.LO if tag.is_private_creator else VR.UN
    try:
        ds = dcmread(path, force=True)
        for _ in ds.iterall():
            pass
    finally:
        hooks._private_vr_for_tag = original
    return ds


def expected_elements(ds: Dataset, big_endian: bool = False) -> dict[str, Element]:
    """The JSON model of pydicom with all binary values inline, in the shape that `comparable` gives a scan."""
    return {
        f"{elem.tag:08X}": _expected(elem, big_endian)
        for elem in ds
        if elem.tag.element and elem.tag.group > 2 and elem.tag != 0xFFFCFFFC
    }


def _expected(elem: Any, big_endian: bool) -> Element:
    vr = str(elem.VR)
    if vr == "SQ":
        return {"vr": vr, "Value": [expected_elements(item, big_endian) for item in elem.value]}
    if vr in ("OB", "OD", "OF", "OL", "OV", "OW", "UN") and elem.value:
        return {"vr": vr, "bytes": _swapped(elem.value, WORDS.get(vr, 0) if big_endian else 0)}
    if vr == "PN":  # pydicom has no JSON for an empty name among others
        names = elem.value if elem.VM > 1 else [elem.value] if elem.value else []
        groups = [dict(zip(GROUPS, name.components, strict=False)) if name else None for name in names]
        return _comparable_values({"vr": vr, "Value": groups})
    return _comparable_values(elem.to_json_dict(None, 1 << 40))


def comparable(elements: dict[str, Element], scan: Scan, buf: Buffer, big_endian: bool = False) -> dict[str, Element]:
    """A scan with its bulk values filled in and without the differences that mean nothing."""
    return {key: _filled(element, scan, buf, big_endian) for key, element in elements.items()}


def _filled(element: Element, scan: Scan, buf: Buffer, big_endian: bool) -> Element:
    vr = element["vr"]
    if vr == "SQ":
        return {"vr": vr, "Value": [comparable(item, scan, buf, big_endian) for item in element.get("Value", [])]}
    if "BulkDataURI" in element:
        offset, length = scan.bulk[element["BulkDataURI"]]
        return {
            "vr": vr,
            "bytes": _swapped(bytes(buf[offset : offset + length]), WORDS.get(vr, 0) if big_endian else 0),
        }
    if "InlineBinary" in element:
        return {"vr": vr, "bytes": b64decode(element["InlineBinary"])}
    return _comparable_values(element)


def _comparable_values(element: Element) -> Element:
    values = [_comparable_value(value) for value in element.get("Value", [])]
    return {"vr": element["vr"], "Value": [] if values == [None] else values}


def _comparable_value(value: Any) -> Any:
    """Padding that the standard calls not significant, empty name groups, and numbers JSON has no form for."""
    if isinstance(value, dict):
        groups = {group: part.rstrip(" ") for group, part in value.items()}
        return {group: part for group, part in groups.items() if part} or None
    if isinstance(value, str):
        return value.strip(" \0") or None
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _swapped(raw: bytes, word: int) -> bytes:
    return b"".join(raw[at : at + word][::-1] for at in range(0, len(raw), word)) if word else bytes(raw)


def expected_frames(ds: Dataset, expected: int) -> Iterator[bytes]:
    """The frames of encapsulated pixel data as pydicom groups fragments."""
    extended = (ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths) if "ExtendedOffsetTable" in ds else None
    return generate_frames(ds.PixelData, number_of_frames=expected, extended_offsets=extended)


def read_frame(table: FrameTable, buf: Buffer, n: int) -> bytes:
    return b"".join(bytes(buf[offset : offset + length]) for offset, length in table.ranges(n))
