"""One pass over a data set: its elements as DICOM JSON, and where its bulk values are (PS3.5 7, PS3.18 F.2).

Reading is bounded whatever the bytes say: nesting, elements, header bytes and text are counted against `Limits`, and
long binary values are stepped over, never read.
"""

from dataclasses import dataclass, field
from struct import Struct
from typing import NoReturn

from storage.dictionary import (
    BINARY,
    CHARACTER_SET,
    ITEM,
    ITEM_END,
    KEYS,
    LONG_VRS,
    LUT_DESCRIPTORS,
    NUMBERS,
    PIXEL_REPRESENTATION,
    PIXELS,
    SEQUENCE_END,
    SHORT_VRS,
    TRAILING_PADDING,
    VRS,
    key_of,
    vr_of,
)
from storage.elements import texts, whole_number
from storage.frames import Buffer, Fragments, fragments
from storage.limits import Limits
from storage.values import BIG, Decoded, Element, cached_value, decode_value
from vna.model.charsets import UNKNOWN, codecs_of
from vna.model.errors import CannotUnderstand

_UNDEFINED = 0xFFFFFFFF
_CACHED = 96
_MAX_VALUE = 64 << 10
_MAX_WARNINGS = 32
_WINDOW = 16 << 10
_STRIDE = 64 << 10
_MAX_CHARACTER_SETS = 16
_LONGEST_SHORT = 0xFFFF
_LUT_DATA = 0x00283006
_NOT_IN_DATA_SETS = ("0000", "0002")  # command and file meta elements (PS3.5 7.1, PS3.10 7.1)
_DELIMITERS = frozenset({ITEM, ITEM_END, SEQUENCE_END})
_SPECIAL = frozenset({CHARACTER_SET, PIXEL_REPRESENTATION, ITEM, ITEM_END, SEQUENCE_END, *LUT_DESCRIPTORS, *PIXELS})
_WITH_ORDER = frozenset({*NUMBERS, *BINARY, "AT"})
_UNREAD = frozenset({"SQ", "NONE", *BINARY})


class Order:
    """What reading needs to know of a byte order."""

    __slots__ = ("explicit", "implicit", "length", "sign", "vrs")

    def __init__(self, sign: str) -> None:
        self.sign = sign
        self.explicit = Struct(sign + "HH2sH").unpack_from
        self.implicit = Struct(sign + "HHI").unpack_from
        self.length = Struct(sign + "I").unpack_from
        self.vrs = {raw: self.name(vr) for raw, vr in SHORT_VRS.items()}

    def name(self, vr: str) -> str:
        """The VR as `decode_value` wants it."""
        return vr + BIG if self.sign == BIG and vr in _WITH_ORDER else vr


LITTLE, BIG_ENDIAN = Order("<"), Order(BIG)

_IMPLICIT_VRS = {  # what the fast loop over Implicit VR reads by itself
    tag: vr
    for tag, vr in VRS.items()
    if tag & 0xFFFF and tag not in _SPECIAL and vr not in _UNREAD and " or " not in vr
}


@dataclass(slots=True)
class Level:
    """A data set on its way in: the whole one or an item, which knows the one around it."""

    order: Order
    end: int
    implicit: bool
    codecs: tuple[str, ...] = UNKNOWN
    delimited: bool = False
    parent: "Level | None" = None
    name: tuple[str, int] = ("", 0)
    depth: int = 0
    elements: dict[str, Element] = field(default_factory=dict)
    pixel_representation: int | None = None
    closed: bool = False

    def path(self, key: str) -> str:
        """Tag, or tag/item/tag: how a bulk value is named."""
        level, parts = self, [key]
        while level.parent is not None:
            parts += [str(level.name[1]), level.name[0]]
            level = level.parent
        return "/".join(reversed(parts))

    def representation(self) -> int:
        """PixelRepresentation here or around; unsigned where nothing says it."""
        level: Level | None = self
        while level is not None:
            if level.pixel_representation is not None:
                return level.pixel_representation
            level = level.parent
        return 0


@dataclass(frozen=True, slots=True)
class Pixels:
    """The pixel data element of the whole data set; `items` are the Basic Offset Table and fragments when
    encapsulated."""

    tag: int
    element_offset: int
    value_offset: int
    length: int
    items: Fragments | None


class Reader:
    """Walks one data set; what it finds is in its attributes."""

    def __init__(self, buf: Buffer, limits: Limits) -> None:
        self.buf = buf
        self.limits = limits
        self.bulk: dict[str, tuple[int, int]] = {}
        self.warnings: list[str] = []
        self.pixels: Pixels | None = None
        self._begin = 0
        self._base, self._bytes = 0, b""
        self._looked_for_padding = False
        self._stepped_over = 0
        self._count = 0
        self._unsure: list[tuple[Level, int, bytes]] = []

    def read(self, offset: int, *, implicit: bool, order: Order) -> dict[str, Element]:
        """The elements of the data set at `offset`, in tag order."""
        self._begin = offset
        self._require_form(offset, implicit=implicit)
        root = Level(order, len(self.buf), implicit)
        try:
            self._dataset(root, offset)
        except RecursionError:
            raise CannotUnderstand("sequences are nested too deep") from None
        for level, tag, raw in self._unsure:
            name = level.order.name("SS" if level.representation() else "US")
            self._keep(level, tag, 0, decode_value(name, raw, level.codecs))
        while root.elements and (key := next(iter(root.elements))) < "00030000":
            if key[:4] in _NOT_IN_DATA_SETS:
                raise CannotUnderstand(f"({key[:4]},{key[4:]}) has no place in a data set")
            del root.elements[key]
        return root.elements

    def _require_form(self, offset: int, *, implicit: bool) -> None:
        """Some files say one syntax and are written in the other: whoever believes them cannot read them."""
        vr = bytes(self.buf[offset + 4 : offset + 6])
        if offset + 8 <= len(self.buf) and (_is_vr(vr) if implicit else not b"AA" <= vr <= b"ZZ"):
            form = "Explicit" if implicit else "Implicit"
            raise CannotUnderstand(f"the data set is {form} VR, its transfer syntax says otherwise")

    def _dataset(self, level: Level, pos: int) -> int:
        """Read up to the end of the level; the offset after it."""
        pos = self._implicit(level, pos) if level.implicit else self._explicit(level, pos)
        if not level.closed:
            self._close(level, pos)
            pos = level.end
        tags = list(level.elements)
        if tags != (ordered := sorted(tags)):
            level.elements = {tag: level.elements[tag] for tag in ordered}
        self._count += len(tags) + 1
        self._check(pos, 0)
        return pos

    def _close(self, level: Level, pos: int) -> None:
        if level.delimited:
            raise CannotUnderstand(f"a sequence item never ends: truncated at offset {level.end}")
        if pos == level.end:
            return
        if not _zeros(self.buf, pos, level.end):
            raise CannotUnderstand(f"an element at offset {pos} runs past the end: truncated")
        self._padding(pos, level.end)

    def _explicit(self, level: Level, pos: int) -> int:
        """The loop over Explicit VR: what most elements are is read here, the rest in `_uncommon`."""
        elements, codecs, need = level.elements, level.codecs, 8
        unpack, vrs = level.order.explicit, level.order.vrs
        while pos + 8 <= level.end:
            window, base = self._window(pos, need, len(elements))
            limit, need = min(len(window), level.end - base), 8
            last, at = limit - 8, pos - base
            while at <= last:
                group, number, vr, length = unpack(window, at)
                tag = group << 16 | number
                name = vrs.get(vr)
                if name is None or not number or tag in _SPECIAL:
                    pos = self._uncommon(level, tag, vr, length, at + base)
                    if level.closed:
                        return pos
                    codecs, at = level.codecs, pos - base
                    continue
                start = at + 8
                end = start + length
                if end > limit:
                    need = _within(level, tag, at + base, end + base)
                    break
                at, raw = end, window[start:end]
                element, problem = (cached_value if length <= _CACHED else decode_value)(name, raw, codecs)
                elements[KEYS.get(tag) or key_of(tag)] = element
                if problem:
                    self._problem(tag, start + base, problem)
            pos = at + base
        return pos

    def _implicit(self, level: Level, pos: int) -> int:
        """The loop over Implicit VR: the dictionary says what an element is."""
        elements, codecs, need = level.elements, level.codecs, 8
        unpack, vrs = level.order.implicit, _IMPLICIT_VRS
        while pos + 8 <= level.end:
            window, base = self._window(pos, need, len(elements))
            limit, need = min(len(window), level.end - base), 8
            last, at = limit - 8, pos - base
            while at <= last:
                group, number, length = unpack(window, at)
                tag = group << 16 | number
                name = vrs.get(tag)
                if name is None or length > _MAX_VALUE:
                    pos = self._value(level, tag, vr_of(tag), at + base, at + base + 8, length)
                    if level.closed:
                        return pos
                    codecs, at = level.codecs, pos - base
                    continue
                start = at + 8
                end = start + length
                if end > limit:
                    need = _within(level, tag, at + base, end + base)
                    break
                at, raw = end, window[start:end]
                element, problem = (cached_value if length <= _CACHED else decode_value)(name, raw, codecs)
                elements[KEYS[tag]] = element
                if problem:
                    self._problem(tag, start + base, problem)
            pos = at + base
        return pos

    def _window(self, pos: int, need: int, pending: int) -> tuple[bytes, int]:
        """A stretch of the data set as bytes, which are cut faster than a view, that holds `need` of them from `pos`.

        Looked at now and then on the way: whether the data set has become too much.
        """
        self._check(pos, pending)
        if not self._base <= pos or pos + need > self._base + len(self._bytes):
            self._base, self._bytes = pos, bytes(self.buf[pos : pos + max(_WINDOW, need)])
        return self._bytes, self._base

    def _uncommon(self, level: Level, tag: int, vr: bytes, length: int, at: int) -> int:
        """An Explicit VR element with four bytes of length, of an unknown VR, or of none, as some writers do it."""
        start = at + 8
        if tag in _DELIMITERS or not (b"AA" <= vr <= b"ZZ"):
            (length,) = level.order.length(self.buf, at + 4)
            return self._value(level, tag, vr_of(tag), at, start, length, unsaid=True)
        if vr in SHORT_VRS:
            return self._value(level, tag, SHORT_VRS[vr], at, start, length)
        if vr not in LONG_VRS and (length or not self._long_form(level, tag, at)):
            return self._value(level, tag, "UN", at, start, length)
        if at + 12 > level.end:
            _truncated(tag, at)
        (length,) = level.order.length(self.buf, start)
        return self._value(level, tag, LONG_VRS.get(vr, "UN"), at, start + 4, length)

    def _long_form(self, level: Level, tag: int, at: int) -> bool:
        """Whether an element of an unknown VR makes sense with the four bytes of length of new VRs (PS3.5 7.1.2)."""
        if at + 12 > level.end:
            return False
        (length,) = level.order.length(self.buf, at + 8)
        following = at + 12 + length
        if following + 8 > level.end:
            return bool(following == level.end)
        group, number, _ = level.order.implicit(self.buf, following)
        return bool(group << 16 | number > tag)

    def _value(self, level: Level, tag: int, vr: str, at: int, start: int, length: int, *, unsaid: bool = False) -> int:
        """Any element, once its VR and length are known; the offset after it.

        `unsaid` when an Explicit VR data set does not say the VR: then items may be in Implicit VR.
        """
        if tag in _DELIMITERS:
            return self._delimiter(level, tag, at)
        if not tag and level.parent is None and not self._looked_for_padding:
            self._looked_for_padding = True
            if _zeros(self.buf, at, level.end):
                return self._padding(at, level.end)
        if length == _UNDEFINED:
            return self._undefined(level, tag, vr, at, start, unsaid=unsaid)
        end = start + length
        if end > level.end:
            _truncated(tag, at)
        if not tag & 0xFFFF or tag == TRAILING_PADDING:
            return end
        if vr == "UN":
            return self._unknown(level, tag, at, start, end)
        if vr == "SQ":
            return self._sequence(level, tag, at, start, end, unsaid=unsaid)
        self._plain(level, tag, vr, at, start, end)
        return end

    def _delimiter(self, level: Level, tag: int, at: int) -> int:
        if tag != ITEM_END or level.parent is None:
            raise CannotUnderstand(f"a delimiter {_shown(tag)} at offset {at} has no place there")
        level.closed = True
        return at + 8 if level.delimited else level.end

    def _padding(self, at: int, end: int) -> int:
        """Zeros after the last element, as some writers pad a file."""
        self.warn(f"zero bytes after the last element, at offset {at}")
        return end

    def _plain(self, level: Level, tag: int, vr: str, at: int, start: int, end: int) -> None:
        length = end - start
        raw = b"" if length > _MAX_VALUE else bytes(self.buf[start:end])
        if " or " in vr:
            vr = self._settled(level, tag, vr, raw)
        most = self.limits.inline_bulk_bytes if vr in BINARY else _MAX_VALUE
        if length > min(most, _MAX_VALUE) or (length and tag in PIXELS):
            self._bulk(level, tag, vr, at, start, length, None)
        else:
            self._keep(level, tag, start, decode_value(level.order.name(vr), raw, level.codecs))

    def _settled(self, level: Level, tag: int, vr: str, raw: bytes) -> str:
        """The one VR of those the dictionary allows (PS3.3 C.7.6.3.1, C.11.1.1; PS3.5 8.1.2)."""
        if vr == "US or SS":
            if level.pixel_representation is None:  # it may come later, here or around
                self._unsure.append((level, tag, raw))
            return "SS" if level.representation() else "US"
        single = tag == _LUT_DATA and whole_number(level.elements, "00283002", 0) == 1
        return "US" if single else "OW"

    def _unknown(self, level: Level, tag: int, at: int, start: int, end: int) -> int:
        """UN of a length that is said: what the dictionary knows is read so, in Implicit VR (PS3.5 6.2.2)."""
        vr = vr_of(tag) if end - start < _LONGEST_SHORT else "UN"
        if vr != "SQ":
            self._plain(level, tag, "UN" if vr == "NONE" else vr, at, start, end)
            return end
        bulk, unsure, stepped_over = len(self.bulk), len(self._unsure), self._stepped_over
        try:
            return self._sequence(level, tag, at, start, end, unsaid=True)
        except CannotUnderstand:  # then it is what it says: bytes of unknown meaning
            for path in list(self.bulk)[bulk:]:
                del self.bulk[path]
            del self._unsure[unsure:]
            self._stepped_over = stepped_over
        self._plain(level, tag, "UN", at, start, end)
        return end

    def _undefined(self, level: Level, tag: int, vr: str, at: int, start: int, *, unsaid: bool) -> int:
        """A value that ends with a delimiter: a sequence, UN that is one in Implicit VR (PS3.5 6.2.2), or fragments."""
        if tag not in PIXELS and vr in ("SQ", "UN"):
            return self._sequence(level, tag, at, start, None, unsaid=unsaid or vr == "UN")
        if vr not in BINARY and not vr.endswith("OW"):
            raise CannotUnderstand(f"{_shown(tag)} at offset {at} has no length: its VR needs one")
        items, stop = fragments(self.buf, start, level.end, level.order.sign)
        self._count += len(items)
        self._check(start, 0)
        self._bulk(level, tag, vr if vr in BINARY else "OB", at, start, stop - start, items)
        return stop + 8

    def _sequence(self, level: Level, tag: int, at: int, start: int, end: int | None, *, unsaid: bool) -> int:
        if level.depth >= self.limits.max_depth:
            raise CannotUnderstand(f"nested deeper than {self.limits.max_depth}: {_shown(tag)} at offset {at}")
        key, pos, limit = key_of(tag), start, level.end if end is None else end
        items: list[dict[str, Element]] = []
        order = LITTLE if unsaid else level.order
        while pos != end:
            if pos + 8 > limit:
                raise CannotUnderstand(f"sequence {_shown(tag)} at offset {at} never ends: truncated")
            group, number, length = order.implicit(self.buf, pos)
            mark = group << 16 | number
            if mark == SEQUENCE_END:
                pos = pos + 8 if end is None else end
                break
            if mark != ITEM:
                raise CannotUnderstand(f"the sequence {_shown(tag)} has no item at offset {pos}")
            item = self._item(level, (key, len(items)), pos + 8, length, limit, order)
            if level.implicit or (unsaid and not _is_vr(bytes(self.buf[pos + 12 : pos + 14]))):
                item.implicit = True
            pos = self._dataset(item, pos + 8)
            items.append(item.elements)
        level.elements[key] = {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
        return pos

    def _item(self, level: Level, name: tuple[str, int], start: int, length: int, limit: int, order: Order) -> Level:
        delimited = length == _UNDEFINED
        end = limit if delimited else start + length
        if end > limit:
            raise CannotUnderstand(f"an item of ({name[0]}) at offset {start - 8} runs past the end")
        return Level(order, end, False, level.codecs, delimited, level, name, level.depth + 1)

    def _bulk(self, level: Level, tag: int, vr: str, at: int, start: int, length: int, items: Fragments | None) -> None:
        """Leave a value in the file and say where it is."""
        key = key_of(tag)
        path = level.path(key)
        level.elements[key] = {"vr": vr, "BulkDataURI": path}
        self.bulk[path] = (start, length)
        self._stepped_over += length
        if tag in PIXELS and level.parent is None:
            self.pixels = Pixels(tag, at, start, length, items)

    def _keep(self, level: Level, tag: int, offset: int, decoded: Decoded) -> None:
        """Put an element in its place, and take note of those that say how to read others."""
        element, problem = decoded
        key = key_of(tag)
        level.elements[key] = _unsigned_first(element) if tag in LUT_DESCRIPTORS else element
        if problem:
            self._problem(tag, offset, problem)
        if tag == PIXEL_REPRESENTATION:
            level.pixel_representation = whole_number(level.elements, key, 0)
        elif tag == CHARACTER_SET:
            level.codecs, unknown = codecs_of(tuple(texts(level.elements, key)[:_MAX_CHARACTER_SETS]))
            if unknown:
                self._problem(tag, offset, f"names an {unknown}")

    def _check(self, pos: int, pending: int) -> None:
        """Refuse what has become too much."""
        if self._count + pending > self.limits.max_elements:
            raise CannotUnderstand(f"the data set has more than {self.limits.max_elements} elements")
        if pos - self._begin - self._stepped_over > self.limits.max_header_bytes:
            raise CannotUnderstand(f"the header is larger than {self.limits.max_header_bytes} bytes")

    def _problem(self, tag: int, offset: int, problem: str) -> None:
        self.warn(f"the value of {_shown(tag)} at offset {offset} {problem}")

    def warn(self, warning: str) -> None:
        if len(self.warnings) < _MAX_WARNINGS:
            self.warnings.append(warning)


def _is_vr(raw: bytes) -> bool:
    return raw in SHORT_VRS or raw in LONG_VRS


def _shown(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _truncated(tag: int, at: int) -> NoReturn:
    raise CannotUnderstand(f"{_shown(tag)} at offset {at} runs past the end: truncated")


def _within(level: Level, tag: int, at: int, end: int) -> int:
    """The length of an element that ends where its level does or before."""
    if end > level.end:
        _truncated(tag, at)
    return end - at


def _unsigned_first(element: Element) -> Element:
    """The number of entries of a look-up table is unsigned whatever its VR says (PS3.3 C.11.1.1.1)."""
    values = element.get("Value")
    if not values or not isinstance(values[0], int) or values[0] >= 0:
        return element
    return {"vr": element["vr"], "Value": [values[0] + 0x10000, *values[1:]]}


def _zeros(buf: Buffer, start: int, end: int) -> bool:
    return all(
        bytes(buf[at : min(at + _STRIDE, end)]) == bytes(min(_STRIDE, end - at)) for at in range(start, end, _STRIDE)
    )
