"""Values of the retired big endian syntax go out in little endian, as bulk data and frames are (PS3.18 8.7.3.3.1)."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from vna.model.query import Element
from vna.pixels.recode import swapped
from vna.pixels.value_representations import SWAPPED_UNITS

PIXEL_DATA = "7FE00010"
_BITS_ALLOCATED = "00280100"


def unit_of(elements: dict[str, Element], tag_path: str) -> int:
    """How many bytes of the value at `tag_path` (tag/item/tag) are one number; 1 where order means nothing."""
    level: Any = elements
    *above, tag = tag_path.split("/")
    for step in zip(above[::2], above[1::2], strict=False):
        level = level.get(step[0], {}).get("Value", [])[int(step[1])]
    vr = level.get(tag, {}).get("vr", "OW" if tag == PIXEL_DATA else "UN")
    if tag == PIXEL_DATA and vr == "OB" and (level.get(_BITS_ALLOCATED, {}).get("Value") or [8])[0] > 8:
        vr = "OW"  # mislabelled: OB has no byte order
    return SWAPPED_UNITS.get(vr, 1)


def turned(chunks: Iterable[bytes], unit: int) -> Iterator[bytes]:
    """The bytes of every unit in the other order, wherever the pieces are cut."""
    rest = b""
    for chunk in chunks:
        piece = rest + chunk if rest else chunk
        whole = len(piece) - len(piece) % unit
        rest = piece[whole:]
        yield swapped(piece[:whole], unit)
    if rest:
        yield rest


def turned_reader(read: Callable[[int, int], bytes], start: int, unit: int) -> Callable[[int, int], bytes]:
    """Reads ranges of a value that begins at `start`, turned round; a frame may begin or end within a unit."""

    def read_turned(offset: int, length: int) -> bytes:
        before = (offset - start) % unit
        after = -(before + length) % unit
        return swapped(read(offset - before, before + length + after), unit)[before : before + length]

    return read_turned
