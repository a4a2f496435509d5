"""C-FIND responses: a match as a data set with exactly the attributes that were asked (PS3.4 C.4.1.1.3.2)."""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from pydicom import Dataset, config
from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence as Items
from pydicom.valuerep import format_number_as_ds

from dimse.identifiers import QUERY_LEVEL, RETRIEVE_AE, Asked, Request
from vna.model.charsets import choose_charset
from vna.model.matching import Criterion, criteria, items_of, satisfying_items
from vna.model.names import text_of
from vna.model.query import Element, Match


class Answers:
    """Makes the data sets of one request's answers; `ae_title` is the place to retrieve from, None where the answers
    name neither place nor level."""

    def __init__(self, request: Request, ae_title: str | None) -> None:
        self._asked = request.asked
        self._charset = request.charset
        self._criteria = criteria(request.query)
        self._ae_title = ae_title

    def dataset(self, match: Match) -> Dataset:
        """Attributes that were asked and are not known come back empty."""
        ds = self._filled(match.elements, self._asked, self._criteria, 0)
        if self._ae_title is not None:
            _add(ds, QUERY_LEVEL, "CS", match.level.name)
            place = match.elements.get(RETRIEVE_AE)
            _add(ds, RETRIEVE_AE, "AE", self._ae_title if place is None else value_of("AE", place))
        return with_charset(ds, self._charset)

    def _filled(
        self, elements: Mapping[str, Element], asked: Sequence[Asked], wanted: Sequence[Criterion], depth: int
    ) -> Dataset:
        ds = Dataset()
        for one in asked:
            element = elements.get(one.tag) or {}
            if one.vr == "SQ":
                inside = [c for c in wanted if len(c.path) > depth + 1 and c.path[depth] == one.tag]
                items = list(satisfying_items(items_of(element), inside, depth + 1))
                _add(ds, one.tag, "SQ", Items(self._item(item, one, inside, depth + 1) for item in items))
            else:
                vr = str(element.get("vr") or one.vr)
                _add(ds, one.tag, vr, value_of(vr, element))
        return ds

    def _item(self, item: Mapping[str, Element], asked: Asked, wanted: Sequence[Criterion], depth: int) -> Dataset:
        return self._filled(item, asked.items, wanted, depth) if asked.items else dataset_of(item)


def with_charset(ds: Dataset, wanted: Sequence[str]) -> Dataset:
    """The data set itself, which says in what it is written: `wanted` where its texts can be."""
    charset = choose_charset(_texts(ds), wanted)
    if charset and not all(text.isascii() for text in _texts(ds)):
        ds.SpecificCharacterSet = charset.split("\\")
    return ds


def dataset_of(elements: Mapping[str, Element]) -> Dataset:
    """All of the elements; bulk data is left out."""
    ds = Dataset()
    for tag, element in elements.items():
        vr = str(element.get("vr") or "UN")
        if vr == "SQ":
            _add(ds, tag, vr, Items(dataset_of(item) for item in items_of(element)))
        elif "BulkDataURI" not in element:
            _add(ds, tag, vr, value_of(vr, element))
    return ds


def value_of(vr: str, element: Element) -> Any:
    """The value of an element as pydicom takes it; None for none, and for one that is none of its VR."""
    if "InlineBinary" in element:
        return b64decode(element["InlineBinary"])
    values = element.get("Value")
    if not values:
        return None
    maker: Callable[[Any], Any] = _MAKERS.get(vr, _plain)
    try:
        made = [maker(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        return None
    return made[0] if len(made) == 1 else made


def _plain(value: Any) -> str:
    return "" if value is None else str(value)


def _decimal(value: Any) -> str:
    """At most 16 characters (PS3.5 6.2)."""
    if value is None:
        return ""
    text = str(value)
    return text if len(text) <= 16 else format_number_as_ds(float(value))


def _tag(value: Any) -> int:
    return int(value, 16)


def _integer(value: Any) -> str:
    return "" if value is None else str(int(value))


_MAKERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "AT": _tag,
    "DS": _decimal,
    "FD": float,
    "FL": float,
    "IS": _integer,
    "PN": text_of,
    **dict.fromkeys(("SL", "SS", "SV", "UL", "US", "UV"), int),
}


def _add(ds: Dataset, tag: str, vr: str, value: Any) -> None:
    number = int(tag, 16)
    try:
        ds[number] = DataElement(number, vr, value, validation_mode=config.IGNORE)
    except (TypeError, ValueError, OverflowError, AttributeError):
        ds[number] = DataElement(number, vr, None, validation_mode=config.IGNORE)


def _texts(ds: Dataset) -> Iterator[str]:
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                yield from _texts(item)
        elif element.VR in {"LO", "LT", "PN", "SH", "ST", "UC", "UT"} and element.value:
            yield from (str(value) for value in (element.value if element.VM > 1 else [element.value]))
