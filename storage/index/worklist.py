"""The worklist: orders that are to be performed, narrowed by what a modality asks (PS3.4 K.2.2)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from storage.index.grams import Dialect
from storage.index.national_schema import orders as table
from storage.index.orders import known, select
from storage.index.translation import of_name
from vna.model.conditions import Condition, Equal, Moment, Name, Within
from vna.model.dates import Span
from vna.model.matching import Criterion
from vna.model.orders import ANY_FACILITY, OPEN, KnownOrder

Clause = sa.ColumnElement[bool]

_PAGE: Final = 500
_DAY_END: Final = "~"  # after every time of a day
_STEP: Final = "00400100"
_STARTED: Final = (_STEP, "00400002")


@dataclass(frozen=True, slots=True)
class Sight:
    """What one caller may see: orders that `facility` performs and those that `station` does; empty for any."""

    facility: str = ""
    station: str = ""


def scheduled(
    connection: sa.Connection, wanted: Sequence[Criterion], sight: Sight, dialect: Dialect, since: str = ""
) -> Iterator[KnownOrder]:
    """Orders that are in progress, then those that are scheduled, each in the order of their times: all that answer
    `wanted`, and perhaps more. Those that were due before the day `since` are for whoever asks by day or by name."""
    narrowed = [*_visible(sight), *_narrowed(wanted, dialect)]
    named = any(criterion.path in _NAMING and _are_equal(criterion) for criterion in wanted)
    if since and not named and all(criterion.path != _STARTED for criterion in wanted):
        narrowed.append(_due(Span(since, None)))
    for state in OPEN:
        # where an index knows the few that are meant, databases must not walk along all that are open instead
        column = sa.func.coalesce(table.c.state, "") if named else table.c.state
        after: Clause = sa.true()
        while True:
            page = select(column == state.value, after, *narrowed)
            page = page.add_columns(table.c.scheduled_at, table.c.id)
            rows = connection.execute(page.order_by(table.c.scheduled_at, table.c.id).limit(_PAGE)).all()
            for row in rows:
                yield known(row[:-2])
            if len(rows) < _PAGE:
                break
            at, key = rows[-1][-2:]
            after = sa.and_(table.c.scheduled_at >= at, sa.or_(table.c.scheduled_at > at, table.c.id > key))


def _are_equal(criterion: Criterion) -> bool:
    return all(isinstance(condition, Equal) for condition in criterion.conditions)


def _visible(sight: Sight) -> Iterator[Clause]:
    if sight.facility:
        ordered_by = sa.func.coalesce(table.c.facility, "")  # no index of a whole facility is wanted
        own = sa.and_(table.c.performing_facility == "", ordered_by == sight.facility)
        yield sa.or_(table.c.performing_facility.in_([sight.facility, ANY_FACILITY]), own)
    if sight.station:
        yield table.c.station_ae_title.in_([sight.station, ""])


def _narrowed(wanted: Sequence[Criterion], dialect: Dialect) -> Iterator[Clause]:
    for criterion in wanted:
        maker = _MAKERS.get(criterion.path)
        if maker is None or criterion.every:
            continue
        clauses = [maker(condition, dialect) for condition in criterion.conditions]
        known_ones = [clause for clause in clauses if clause is not None]
        if known_ones and len(known_ones) == len(clauses):
            yield sa.or_(*known_ones)


_Maker = Callable[[Condition, Dialect], Clause | None]


def _equal(*columns: sa.Column[str], blank: bool = False) -> _Maker:
    """The value is in one of the columns; with `blank`, an empty one stands for any value."""

    def make(condition: Condition, _dialect: Dialect) -> Clause | None:
        if not isinstance(condition, Equal):
            return None
        values = [condition.text, ""] if blank else [condition.text]
        return sa.or_(*(column.in_(values) for column in columns))

    return make


def _named(condition: Condition, dialect: Dialect) -> Clause | None:
    return of_name(table.c.patient_name_norm, condition, dialect) if isinstance(condition, Name) else None


def _started(condition: Condition, _dialect: Dialect) -> Clause | None:
    """By the day; orders without a time are due since they were made."""
    if isinstance(condition, Moment):
        days = condition.days
    elif isinstance(condition, Within):
        days = condition.span
    else:
        return None
    return _due(days)


def _due(days: Span) -> Clause:
    made = sa.and_(table.c.scheduled_at == "", *_within(table.c.requested_at, days))
    return sa.or_(sa.and_(*_within(table.c.scheduled_at, days)), made)


def _within(column: sa.Column[str], days: Span) -> Iterator[Clause]:
    yield column >= (days.lower or "0")
    if days.upper is not None:
        yield column <= days.upper + _DAY_END


_MAKERS: Final[Mapping[tuple[str, ...], _Maker]] = {
    ("00080050",): _equal(table.c.accession_number),
    ("00401001",): _equal(table.c.accession_number),
    ("00100010",): _named,
    ("00100020",): _equal(table.c.patient_id, table.c.national_number),
    ("00101000",): _equal(table.c.national_number),
    ("0020000D",): _equal(table.c.study_instance_uid),
    (_STEP, "00080060"): _equal(table.c.modality),
    (_STEP, "00400001"): _equal(table.c.station_ae_title, blank=True),
    _STARTED: _started,
    (_STEP, "00400009"): _equal(table.c.accession_number),
}
"""By attribute; what has none is decided by `vna.model.matching` alone."""

_NAMING: Final = frozenset(
    {("00080050",), ("00401001",), ("00100020",), ("00101000",), ("0020000D",), (_STEP, "00400009")}
)
"""Attributes whose columns begin an index, and of whose values few orders have one."""
