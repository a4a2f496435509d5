"""C-FIND identifiers: from a request's data set to a Query (PS3.4 C.4.1.1.3.1)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import BaseTag

from dimse.extended import FindOptions
from dimse.models import UNIQUE_KEYS, InformationModel
from vna.model import charsets
from vna.model.dictionary import MAX_DEPTH, keyword_of, vr_of
from vna.model.errors import BadRequest
from vna.model.query import Key, Level, Query
from vna.model.wildcards import has_wildcard, is_universal

CHARACTER_SET: Final = "00080005"
QUERY_LEVEL: Final = "00080052"
RETRIEVE_AE: Final = "00080054"
_NOT_ASKED: Final = frozenset({CHARACTER_SET, QUERY_LEVEL, "00080053"})
"""What an identifier says of itself: character set, level, view (the last is not negotiated, so it has no meaning)."""

_DELIMITERS: Final = {
    "PN": charsets.NAME_DELIMITERS,
    "LT": charsets.TEXT_DELIMITERS,
    "ST": charsets.TEXT_DELIMITERS,
    "UT": charsets.TEXT_DELIMITERS,
}
_TEXT_VRS: Final = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UN", "UR", "UT"}
)
_UNDEFINED_LENGTH: Final = 0xFFFFFFFF
_SINGLE_VRS: Final = frozenset({"LT", "ST", "UR", "UT"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One attribute of the identifier: it comes back in every answer. `items` are those asked of a sequence's items."""

    tag: str
    vr: str
    items: tuple["Asked", ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What an identifier asks: the query, the attributes to answer with, and the character set it is written in."""

    query: Query
    asked: tuple[Asked, ...]
    charset: tuple[str, ...]


def read_request(identifier: Dataset, model: InformationModel, options: FindOptions) -> Request:
    """Read an identifier by the rules of its information model.

    BadRequest when its level is none of the model's, or, unless relational queries were negotiated, when the unique
    key of a level above is not there as one value (PS3.4 C.4.1.2.1, C.4.1.2.2).
    """
    charset = character_set(identifier)
    reader = _Reader(charsets.codecs_of(charset)[0])
    asked, keys = reader.attributes(identifier, ())
    level = _level(reader, identifier, model)
    if not options.relational:
        _require_unique_keys(level, model, keys)
    query = Query(
        level=level,
        keys=tuple(keys),
        returns=frozenset(one.tag for one in asked),
        fuzzy=options.fuzzy,
        combined_datetime=options.combined_datetime,
        empty_value_matching=options.empty_value_matching,
        multiple_value_matching=options.multiple_value_matching,
    )
    return Request(query, tuple(asked), charset)


def read_worklist(identifier: Dataset, options: FindOptions) -> Request:
    """Read an identifier of the Modality Worklist, which has no levels (PS3.4 K.4.1.1.3); a range of dates and the one
    of times beside it are one range (Table K.6-1)."""
    charset = character_set(identifier)
    asked, keys = _Reader(charsets.codecs_of(charset)[0]).attributes(identifier, ())
    returns = frozenset(one.tag for one in asked)
    return Request(Query(Level.PATIENT, tuple(keys), returns, fuzzy=options.fuzzy), tuple(asked), charset)


def character_set(identifier: Dataset) -> tuple[str, ...]:
    """The values of SpecificCharacterSet, empty when it has none."""
    texts = _Reader((charsets.ASCII,)).texts(identifier, BaseTag(0x00080005), "CS")
    return tuple(texts) if any(texts) else ()


def _level(reader: "_Reader", identifier: Dataset, model: InformationModel) -> Level:
    texts = reader.texts(identifier, BaseTag(0x00080052), "CS")
    name = texts[0].upper() if texts else ""
    if not name:
        raise BadRequest("QueryRetrieveLevel is missing or empty")
    known = {level.name: level for level in model.levels}
    if name not in known:
        raise BadRequest(f"QueryRetrieveLevel is not of {model.name}: {', '.join(known)}")
    return known[name]


def _require_unique_keys(level: Level, model: InformationModel, keys: Iterable[Key]) -> None:
    given = {key.path[0]: key.values for key in keys if len(key.path) == 1}
    for upper in model.above(level):
        tag = UNIQUE_KEYS[upper]
        values = given.get(tag, ())
        if len(values) != 1 or is_universal(values[0]) or has_wildcard(values[0]):
            raise BadRequest(f"{keyword_of(tag)} must have one value at level {level.name}")


class _Reader:
    """Reads elements as they came: what is wrong with a value never stops the reading of others."""

    def __init__(self, codecs: tuple[str, ...]) -> None:
        self._codecs = codecs

    def attributes(self, ds: Dataset, path: tuple[str, ...]) -> tuple[list[Asked], list[Key]]:
        """All attributes of a data set or item, and the keys among them that have values."""
        if len(path) >= MAX_DEPTH:
            raise BadRequest(f"sequences of the identifier are nested deeper than {MAX_DEPTH}")
        asked: list[Asked] = []
        keys: list[Key] = []
        for number in tuple(ds.keys()):  # not the elements themselves: pydicom would convert, and may refuse, each
            tag = f"{int(number):08X}"
            if tag.endswith("0000") or (not path and tag in _NOT_ASKED):
                continue
            element = ds.get_item(number)
            _check_whole(element)
            vr = element.VR or vr_of(tag)
            if vr == "SQ":
                inside, more = self._items(ds, number, (*path, tag))
                asked.append(Asked(tag, vr, tuple(inside)))
                keys += more
                continue
            asked.append(Asked(tag, vr))
            texts = self.texts(ds, number, vr)
            if any(texts):
                keys.append(Key((*path, tag), vr, tuple(texts)))
        return asked, keys

    def _items(self, ds: Dataset, number: BaseTag, path: tuple[str, ...]) -> tuple[list[Asked], list[Key]]:
        items = ds[number].value or ()
        return self.attributes(items[0], path) if items else ([], [])

    def texts(self, ds: Dataset, number: BaseTag, vr: str) -> list[str]:
        """The values of an element as texts; empty ones are kept where there are others."""
        element = ds.get_item(number) if number in ds else None
        if element is None or element.value in (None, b"", ""):
            return []
        if isinstance(element, RawDataElement) and vr in _TEXT_VRS:
            delimiters = _DELIMITERS.get(vr, charsets.VALUE_DELIMITERS)
            text, _ = charsets.decode(element.value or b"", self._codecs, delimiters)
            parts = [text] if vr in _SINGLE_VRS else text.split("\\")
            return [part.strip(" \0") for part in parts]
        return [_text(vr, value) for value in _values(ds[number])]


def _check_whole(element: DataElement | RawDataElement) -> None:
    """pydicom reads a value that is cut off by the end of the data as if it were whole."""
    if not isinstance(element, RawDataElement) or not isinstance(element.value, bytes):
        return
    if element.length not in (len(element.value), _UNDEFINED_LENGTH):
        raise BadRequest("the identifier ends within an element")


def _values(element: DataElement) -> Sequence[Any]:
    value = element.value
    if value is None or isinstance(value, bytes):
        return []
    return list(value) if element.VM > 1 else [value]


def _text(vr: str, value: Any) -> str:
    return f"{int(value):08X}" if vr == "AT" else str(value).strip(" \0")
