"""Whether an object's attributes answer a query (PS3.4 C.2.2.2), decided over elements of the DICOM JSON model."""

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from vna.model.attributes import BY_TAG, NEVER_MATCHED
from vna.model.conditions import UNMATCHABLE_VRS, Condition, Empty, Moment, condition
from vna.model.dates import joined
from vna.model.dictionary import keyword_of, time_beside
from vna.model.errors import BadRequest
from vna.model.query import Element, Key, Query
from vna.model.wildcards import is_universal

EMPTY_VALUE = '""'
_EVERY_VALUE_VRS = frozenset({"AE", "AS", "AT", "CS", "LO", "PN", "SH", "UC"})

Elements = Mapping[str, Element]


@dataclass(frozen=True, slots=True)
class Criterion:
    """A key that narrows: one of `conditions` (`every`: each) has to hold of a value of the attribute at `path`.

    `time` is the tag of the time attribute beside a date, where the condition is a Moment.
    """

    path: tuple[str, ...]
    conditions: tuple[Condition, ...]
    every: bool = False
    time: str = ""

    @property
    def tags(self) -> tuple[str, ...]:
        """The top-level attributes that decide."""
        return (self.path[0], self.time) if self.time and len(self.path) == 1 else (self.path[0],)


def criteria(query: Query) -> tuple[Criterion, ...]:
    """The criteria of a query; keys that match everything make none. BadRequest for a value that is none of its VR."""
    found = [_criterion(key, query) for key in query.keys]
    made = [criterion for criterion in found if criterion is not None]
    return tuple(_combined(made)) if query.combined_datetime else tuple(made)


def satisfies(elements: Elements, wanted: Sequence[Criterion]) -> bool:
    """Whether all of `wanted` hold of one object."""
    return _all_hold(elements, wanted, 0)


def satisfying_items(items: Iterable[Elements], wanted: Sequence[Criterion], depth: int) -> Iterator[Elements]:
    """The items of a sequence, `depth` tags down the path, in which all of `wanted` hold (PS3.4 C.2.2.2.6)."""
    return (item for item in items if _all_hold(item, wanted, depth))


def items_of(element: Element | None) -> list[Elements]:
    """The items of a sequence element; none where it is something else."""
    values = (element or {}).get("Value") or ()
    return [item for item in values if isinstance(item, Mapping)]


def _criterion(key: Key, query: Query) -> Criterion | None:
    texts = [text for text in key.values if not _matches_all(key.vr, text)]
    if len(texts) < len(key.values) and not query.multiple_value_matching:
        return None
    if query.empty_value_matching and key.vr in UNMATCHABLE_VRS:
        texts = [text for text in texts if text.strip() == EMPTY_VALUE]
    elif key.vr in UNMATCHABLE_VRS:
        return None
    if not texts or (len(key.path) == 1 and key.path[0] in NEVER_MATCHED):
        return None
    conditions = tuple(_condition(key, text, query) for text in texts)
    every = query.multiple_value_matching and len(conditions) > 1 and key.vr in _EVERY_VALUE_VRS
    return Criterion(key.path, conditions, every)


def _matches_all(vr: str, text: str) -> bool:
    """Names are often put together from empty fields: "*^*" and "^^^^" ask for nothing."""
    return is_universal(re.sub(r"[\^=\s]", "", text) if vr == "PN" else text)


def _condition(key: Key, text: str, query: Query) -> Condition:
    if query.empty_value_matching and text.strip() == EMPTY_VALUE:
        return Empty()
    made = condition(key.vr, text, fuzzy=query.fuzzy, phonetic=query.phonetic)
    if made is None:
        name = keyword_of(key.path[-1]) or key.path[-1]
        raise BadRequest(f"the value for {name} is neither a {_KINDS[key.vr]} nor a range")
    return made


_KINDS = {"DA": "date", "TM": "time", "DT": "date-time"}


def _combined(made: Sequence[Criterion]) -> Iterator[Criterion]:
    """A date range and the time range beside it become one criterion, where both are of the same form."""
    by_path = {criterion.path: criterion for criterion in made}
    taken: set[tuple[str, ...]] = set()
    for criterion in made:
        time_path = (*criterion.path[:-1], time_beside(criterion.path[-1]))
        moment = _moment(criterion, by_path.get(time_path))
        if moment is not None:
            by_path[criterion.path] = Criterion(criterion.path, (moment,), time=time_path[-1])
            taken.add(time_path)
    return (by_path[criterion.path] for criterion in made if criterion.path not in taken)


def _moment(dates: Criterion, times: Criterion | None) -> Moment | None:
    if times is None or len(dates.conditions) != 1 or len(times.conditions) != 1:
        return None
    spans = [getattr(criterion.conditions[0], "span", None) for criterion in (dates, times)]
    both = joined(spans[0], spans[1]) if spans[0] and spans[1] else None
    return None if both is None else Moment(both)


def _all_hold(elements: Elements, wanted: Sequence[Criterion], depth: int) -> bool:
    inside: dict[str, list[Criterion]] = {}
    for criterion in wanted:
        if len(criterion.path) > depth + 1:
            inside.setdefault(criterion.path[depth], []).append(criterion)
        elif not _holds(elements, criterion):
            return False
    return all(
        next(satisfying_items(items_of(elements.get(tag)), group, depth + 1), None) is not None
        for tag, group in inside.items()
    )


def _holds(elements: Elements, criterion: Criterion) -> bool:
    values = _values(elements, criterion)
    if criterion.time:
        times = _values(elements, Criterion((*criterion.path[:-1], criterion.time), ()))
        pairs = list(zip_longest(values, times[: len(values)], fillvalue=""))
        moment = criterion.conditions[0]
        return isinstance(moment, Moment) and any(moment.holds_of(date, time) for date, time in pairs)
    judged = (_holds_of_any(condition, values) for condition in criterion.conditions)
    return all(judged) if criterion.every else any(judged)


def _holds_of_any(condition: Condition, values: Sequence[Any]) -> bool:
    if isinstance(condition, Empty):
        return not values
    return not isinstance(condition, Moment) and any(condition.holds(value) for value in values)


def _values(elements: Elements, criterion: Criterion) -> list[Any]:
    """The values that are there; the first alone of an attribute that has a column, as the index keeps one."""
    element = elements.get(criterion.path[-1])
    if element is None:
        return []
    values = [value for value in element.get("Value") or () if value not in (None, "")]
    attribute = BY_TAG.get(criterion.path[0]) if len(criterion.path) == 1 else None
    if attribute is not None and attribute.column:
        first = (element.get("Value") or (None,))[0]
        return [] if first in (None, "") else [first]
    if not values and "InlineBinary" in element:
        return [b64decode(element["InlineBinary"]).decode("utf-8", "replace")]  # text that came as UN
    return values or [element[name] for name in ("BulkDataURI",) if name in element]
