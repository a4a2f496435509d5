"""Stored values to grey: Modality LUT, VOI LUT, Presentation LUT (PS3.3 C.11.1, C.11.2, C.11.6; PS3.4 N.2)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np

from vna.model.errors import BadRequest
from vna.pixels.header import Header

Values = np.ndarray[Any, Any]

_PERCENTILES: Final = (0.5, 99.5)
_SAMPLED: Final = 1 << 18


class VoiFunction(StrEnum):
    """How a window turns values into grey, by the names of PS3.18 8.3.5.1.4."""

    LINEAR = "linear"
    LINEAR_EXACT = "linear-exact"
    SIGMOID = "sigmoid"


@dataclass(frozen=True, slots=True)
class Window:
    """BadRequest where the function takes no such width (PS3.3 C.11.2.1.2, C.11.2.1.3)."""

    center: float
    width: float
    function: VoiFunction = VoiFunction.LINEAR
    explanation: str = ""

    def __post_init__(self) -> None:
        if self.width < 1 if self.function is VoiFunction.LINEAR else self.width <= 0:
            raise BadRequest(f"a {self.function} window cannot be {self.width:g} wide")

    def grey(self, values: Values) -> Values:
        """0 to 1."""
        if self.function is VoiFunction.SIGMOID:
            exponent = np.clip(-4.0 * (values - self.center) / self.width, -700, 700)
            return np.asarray(1.0 / (1.0 + np.exp(exponent)))
        exact = self.function is VoiFunction.LINEAR_EXACT
        center, width = (self.center, self.width) if exact else (self.center - 0.5, self.width - 1)
        if width == 0:
            return np.asarray(values > center, "f8")
        return np.clip((values - center) / width + 0.5, 0.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A look-up table: `first` is the value that the first entry is for."""

    first: int
    bits: int
    entries: Values
    explanation: str = ""

    def look_up(self, values: Values) -> Values:
        """Entries; values outside are taken for the nearest inside."""
        index = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        return np.asarray(self.entries[index.astype(np.int64)])

    def grey(self, values: Values) -> Values:
        """Entries as 0 to 1."""
        return self.look_up(values) / float((1 << self.bits) - 1)


def table_of(item: Header, *, signed: bool) -> Table | None:
    """Of LUT Descriptor and LUT Data; None when they make none (PS3.3 C.11.1.1)."""
    return table_from(item, "00283002", "00283006", signed=signed, explanation=item.text("00283003"))


def table_from(
    item: Header, descriptor_tag: str, data_tag: str, *, signed: bool, explanation: str = ""
) -> Table | None:
    """Of any descriptor and data."""
    descriptor = item.numbers(descriptor_tag)
    if len(descriptor) != 3:
        return None
    count, first, bits = (int(value) for value in descriptor)
    count = (count & 0xFFFF) or 1 << 16
    if signed and first >= 1 << 15:
        first -= 1 << 16
    entries = item.words(data_tag)
    if entries.itemsize == 2 and bits <= 8 and len(entries) == (count + 1) // 2 != count:  # two entries to a word
        entries = entries.view("u1")
    entries = entries[:count]
    if not len(entries):
        return None
    return Table(first, bits if 1 <= bits <= 16 else 16, entries, explanation)


Voi = Window | Table


@dataclass(frozen=True, slots=True, eq=False)
class Modality:
    """Stored values to those that windows are said in (PS3.3 C.11.1)."""

    slope: float = 1.0
    intercept: float = 0.0
    table: Table | None = None

    def values(self, stored: Values) -> Values:
        """Of stored ones."""
        if self.table is not None:
            return self.table.look_up(stored).astype("f8")
        return stored.astype("f8") * self.slope + self.intercept


def modality_of(*headers: Header, signed: bool) -> Modality:
    """Of the first header that has one: a frame's Pixel Value Transformation comes before the image's own."""
    for header in headers:
        item = header.item("00283000")
        if item.elements and (table := table_of(item, signed=signed)):
            return Modality(table=table)
        slope, intercept = header.number("00281053"), header.number("00281052")
        if slope is not None or intercept is not None:
            return Modality(1.0 if slope is None else slope, intercept or 0.0)
    return Modality()


def vois_of(header: Header, *, signed: bool) -> list[Voi]:
    """Those stored, windows first; windows that make no sense are passed over."""
    name = header.text("00281056", "LINEAR").lower().replace("_", "-")
    function = VoiFunction(name) if name in tuple(VoiFunction) else VoiFunction.LINEAR
    explanations = header.texts("00281055")
    found: list[Voi] = []
    for number, (center, width) in enumerate(zip(header.numbers("00281050"), header.numbers("00281051"), strict=False)):
        if width >= 1 or (width > 0 and function is not VoiFunction.LINEAR):
            found.append(Window(center, width, function, explanations[number] if number < len(explanations) else ""))
    tables = (table_of(item, signed=signed) for item in header.items("00283010"))
    return found + [table for table in tables if table]


def automatic(values: Values) -> Window:
    """From percentiles, over a sample of the values of a frame that are no padding."""
    sample = values.reshape(-1)
    sample = sample[:: max(1, sample.size // _SAMPLED)]
    sample = sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample
    if not sample.size:
        return Window(0.5, 1.0, VoiFunction.LINEAR_EXACT)
    low, high = (float(value) for value in np.percentile(sample, _PERCENTILES))
    if high <= low:
        low, high = float(sample.min()), float(sample.max())
    if high <= low:
        return Window(low, 1.0, VoiFunction.LINEAR_EXACT)
    return Window((low + high) / 2, high - low, VoiFunction.LINEAR_EXACT)
