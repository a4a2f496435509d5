"""What is read of an instance's header, given as DICOM JSON (PS3.18 F); tags are eight hexadecimal digits."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final

import numpy as np

from vna.model.errors import Damaged, NotAcceptable
from vna.pixels.image import Image

Json = Mapping[str, Any]
Bulk = Callable[[str], bytes]
"""The little endian value behind a BulkDataURI of the header."""

PIXELS: Final = ("7FE00010", "7FE00008", "7FE00009")


def no_bulk(uri: str) -> bytes:
    """For headers that have all their look-up tables inline."""
    raise Damaged(f"the value of {uri} is not at hand")


class Header:
    """One data set or item; values that are absent or malformed are as if they were not there."""

    def __init__(self, elements: Json, bulk: Bulk = no_bulk) -> None:
        self.elements = elements
        self.bulk = bulk

    def __contains__(self, tag: str) -> bool:
        return tag in self.elements

    def text(self, tag: str, default: str = "") -> str:
        """The first value as text."""
        values = self.elements.get(tag, {}).get("Value")
        value = values[0] if values else None
        if isinstance(value, dict):  # of a name its alphabetic group, else what there is
            value = value.get("Alphabetic") or next(iter(value.values()), None)
        return default if value is None else str(value).strip()

    def texts(self, tag: str) -> list[str]:
        """Every value as text."""
        return ["" if value is None else str(value).strip() for value in self.elements.get(tag, {}).get("Value", ())]

    def numbers(self, tag: str) -> list[float]:
        """Every value, when all are finite numbers."""
        try:
            found = [float(value) for value in self.elements.get(tag, {}).get("Value", ())]
        except (TypeError, ValueError):
            return []
        return found if all(isfinite(value) for value in found) else []

    def number(self, tag: str) -> float | None:
        """The first value."""
        return found[0] if (found := self.numbers(tag)) else None

    def whole(self, tag: str, default: int) -> int:
        """The first value as a whole number."""
        found = self.number(tag)
        return default if found is None else int(found)

    def items(self, tag: str) -> list["Header"]:
        """Of a sequence."""
        values = self.elements.get(tag, {}).get("Value", ())
        return [Header(item, self.bulk) for item in values if isinstance(item, dict)]

    def item(self, tag: str, number: int = 0) -> "Header":
        """One of a sequence, empty when there is none."""
        values = self.elements.get(tag, {}).get("Value", ())
        found = values[number] if number < len(values) else {}
        return Header(found if isinstance(found, dict) else {}, self.bulk)

    def words(self, tag: str) -> "np.ndarray[Any, Any]":
        """A look-up table's numbers: bytes where it comes as OB, else words of 16 bits."""
        element = self.elements.get(tag, {})
        if "Value" in element:
            return np.asarray([int(value) & 0xFFFF for value in element["Value"]], "<u2")
        if "InlineBinary" in element:
            raw = b64decode(element["InlineBinary"])
        elif "BulkDataURI" in element:
            raw = self.bulk(element["BulkDataURI"])
        else:
            return np.zeros(0, "<u2")
        size = 1 if element.get("vr") == "OB" else 2
        return np.frombuffer(raw, f"<u{size}", len(raw) // size)


def image_of_header(header: Header) -> Image:
    """What describes the frames; Float and Double Float Pixel Data have 32 and 64 bits."""
    if not any(tag in header for tag in PIXELS):
        raise NotAcceptable("the instance has no pixels")
    bits = 64 if "7FE00009" in header else 32 if "7FE00008" in header else header.whole("00280100", 0)
    image = Image(
        rows=header.whole("00280010", 0),
        columns=header.whole("00280011", 0),
        samples_per_pixel=header.whole("00280002", 1),
        bits_allocated=bits,
        bits_stored=bits if bits > 32 else header.whole("00280101", bits),
        pixel_representation=header.whole("00280103", 0),
        photometric_interpretation=header.text("00280004"),
        planar_configuration=header.whole("00280006", 0),
        number_of_frames=max(1, header.whole("00280008", 1)),
    )
    image.check()
    if bits not in (1, 8, 16, 32, 64):
        raise NotAcceptable(f"pixels of {bits} bits allocated are not read")
    return image


def is_float(header: Header) -> bool:
    """Whether pixels are floating point numbers."""
    return "7FE00008" in header or "7FE00009" in header
