"""Searching the index: a select() as far as the database decides, streamed through an exact evaluation of the rest."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sqlalchemy as sa

from storage.index import answers
from storage.index.answers import COLUMNS, Elements, Record
from storage.index.engine import Database
from storage.index.schema import instances, patients, series, studies
from storage.index.translation import TABLES, Translated, translate
from vna.model.attributes import NEVER_MATCHED, is_known_at
from vna.model.matching import Criterion, criteria, satisfies
from vna.model.query import Element, Level, Match, Query, SearchPage

_JOINS = {
    Level.STUDY: patients.c.id == studies.c.patient_fk,
    Level.SERIES: studies.c.id == series.c.study_fk,
    Level.IMAGE: series.c.id == instances.c.series_fk,
}
"""From a level to the one above it."""

_ORDER: dict[Level, tuple[sa.ColumnElement[Any], ...]] = {
    Level.PATIENT: (patients.c.patient_name_norm, patients.c.id),
    Level.STUDY: (studies.c.study_date.desc(), studies.c.study_time.desc(), studies.c.id.desc()),
    Level.SERIES: (series.c.study_fk, series.c.series_number, series.c.id),
    Level.IMAGE: (instances.c.series_fk, instances.c.instance_number, instances.c.id),
}
"""The same on every page: newest studies first, series and instances by their numbers within what they belong to."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one search may cost: matches in a page, rows looked at for what the database cannot decide, rows at once."""

    max_matches: int = 10_000
    max_scanned: int = 200_000
    batch: int = 500


def search(database: Database, query: Query, said: Mapping[str, Element], bounds: Bounds) -> SearchPage:
    """One page of matches; `said` are the elements that the archive says of everything it holds.

    Raises BadRequest when a key has a value that its VR does not allow.
    """
    plan = _plan(query, sqlite=database.is_sqlite)
    limit = bounds.max_matches if query.limit is None else min(query.limit, bounds.max_matches)
    if limit <= 0:
        return SearchPage(unsupported=plan.unsupported)
    ours = query.limit is None or query.limit > bounds.max_matches
    with database.read() as connection:
        found = _Found(connection, plan, bounds)
        skip = 0 if plan.is_exact else query.offset
        with closing(found.matches(query.offset, limit + ours, said)) as each:
            matches = list(islice(each, skip, skip + limit + ours))
    cap = f"{limit} matches" if len(matches) > limit else f"{bounds.max_scanned} rows" if found.cut else ""
    return SearchPage(tuple(matches[:limit]), bool(cap), cap, plan.unsupported)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a query is answered: the statement, and what is left to decide after it."""

    level: Level
    statement: sa.Select[Any]
    left: tuple[Criterion, ...]
    wanted: frozenset[str] | None
    with_header: bool
    unsupported: frozenset[str]

    @property
    def is_exact(self) -> bool:
        return not self.left


def _plan(query: Query, *, sqlite: bool) -> _Plan:
    level = query.level
    asked = {key.path[0] for key in query.keys} | (query.returns or frozenset())
    unsupported = frozenset(tag for tag in asked if not is_known_at(tag, level) and tag not in NEVER_MATCHED)
    clauses: list[Translated] = []
    left: list[Criterion] = []
    for criterion in criteria(query):
        if criterion.path[0] in unsupported:
            continue
        translated = translate(criterion, sqlite=sqlite)
        if translated is not None:
            clauses.append(translated)
        if translated is None or not translated.exact:
            left.append(criterion)
    wanted = answers.tags_wanted(level, query.returns)
    tags = {tag for criterion in left for tag in (criterion.path[0], criterion.time) if tag}
    with_header = level is Level.IMAGE and (wanted is None or answers.needs_header(tags | wanted - NEVER_MATCHED))
    return _Plan(level, _statement(level, clauses), tuple(left), wanted, with_header, unsupported)


def _statement(level: Level, clauses: Sequence[Translated]) -> sa.Select[Any]:
    """Only the levels that keys narrow are joined; those above come by their keys, batch by batch."""
    tables = {translated.table for translated in clauses}
    top = min((Level(upper) for upper in Level if TABLES[upper] in tables and upper <= level), default=level)
    source: sa.FromClause = TABLES[level]
    for lower in range(level, top, -1):
        source = source.join(TABLES[Level(lower - 1)], _JOINS[Level(lower)])
    return (
        sa.select(*COLUMNS[level])
        .select_from(source)
        .where(*(translated.where for translated in clauses))
        .order_by(*_ORDER[level])
    )


class _Found:
    """One run of a plan over one snapshot; `cut` says that rows were left unseen."""

    def __init__(self, connection: sa.Connection, plan: _Plan, bounds: Bounds) -> None:
        self._connection = connection
        self._plan = plan
        self._bounds = bounds
        self._above: dict[Level, dict[int, Record]] = {level: {} for level in Level}
        self.cut = False

    def matches(self, offset: int, count: int, said: Mapping[str, Element]) -> Generator[Match]:
        """Matches in order. An exact plan skips and counts in the database; others give all, from the first."""
        given = answers.chosen(dict(said), self._plan.wanted)
        for rows in self._batches(offset, count):
            for lineage, header in self._judged(rows):
                yield _match(self._plan.level, lineage, {**header, **given})

    def _batches(self, offset: int, count: int) -> Iterator[Sequence[sa.Row[Any]]]:
        plan, bounds = self._plan, self._bounds
        if plan.is_exact:
            statement = plan.statement.limit(count).offset(offset or None)
        else:
            statement = plan.statement.limit(bounds.max_scanned + 1)
        size = max(1, min(bounds.batch, count) if plan.is_exact else bounds.batch)
        seen = 0
        with self._connection.execute(statement.execution_options(yield_per=size)) as result:
            for rows in result.partitions(size):
                seen += len(rows)
                if not plan.is_exact and seen > bounds.max_scanned:
                    self.cut = True
                    yield rows[: len(rows) - (seen - bounds.max_scanned)]
                    return
                yield rows

    def _judged(self, rows: Sequence[sa.Row[Any]]) -> Iterator[tuple[tuple[Record, ...], Elements]]:
        plan = self._plan
        records = [answers.record(plan.level, row, plan.wanted) for row in rows]
        self._load_above(records)
        headers = self._headers([record.key for record in records]) if plan.with_header else {}
        for record in records:
            lineage = self._lineage(record)
            header = headers.pop(record.key, {})
            if plan.left and not satisfies(_all_elements(lineage, header), plan.left):
                continue
            yield lineage, answers.chosen(header, plan.wanted)

    def _lineage(self, record: Record) -> tuple[Record, ...]:
        """The record and those above it, from the root down."""
        lineage = [record]
        for level in range(self._plan.level - 1, -1, -1):
            lineage.append(self._above[Level(level)][lineage[-1].parent])
        return tuple(reversed(lineage))

    def _load_above(self, records: Sequence[Record]) -> None:
        """Know every record above `records`, and forget those that no longer matter."""
        for level in (Level(number) for number in range(self._plan.level - 1, -1, -1)):
            known = self._above[level]
            keys = {record.parent for record in records}
            here = {key: known[key] for key in keys if key in known}
            missing = [key for key in keys if key not in known]
            if missing:
                statement = sa.select(*COLUMNS[level]).where(TABLES[level].c.id.in_(missing))
                found = (answers.record(level, row, self._plan.wanted) for row in self._connection.execute(statement))
                here.update((record.key, record) for record in found)
            self._above[level] = here
            records = list(here.values())

    def _headers(self, keys: Sequence[int]) -> dict[int, Elements]:
        statement = sa.select(instances.c.id, instances.c.header).where(instances.c.id.in_(keys))
        return {key: answers.header_elements(packed) for key, packed in self._connection.execute(statement)}


def _all_elements(lineage: Sequence[Record], header: Elements) -> Elements:
    merged = dict(header)
    for record in lineage:
        merged.update(record.elements)
    return merged


def _match(level: Level, lineage: Sequence[Record], more: Elements) -> Match:
    elements = dict(more)
    for record in lineage:
        elements.update(record.given)
    uids = [record.uid for record in lineage] + ["", "", ""]
    return Match(level, elements, study_instance_uid=uids[1], series_instance_uid=uids[2], sop_instance_uid=uids[3])
