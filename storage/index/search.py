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

_PARENT: dict[Level, sa.Column[int]] = {
    Level.STUDY: studies.c.patient_fk,
    Level.SERIES: series.c.study_fk,
    Level.IMAGE: instances.c.series_fk,
}
"""What names the row above."""

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
    """How a query is answered: the statement, and what is left to decide after it, by where it can be decided."""

    level: Level
    statement: sa.Select[Any]
    left_to_row: tuple[Criterion, ...]
    left_to_rows_above: tuple[Criterion, ...]
    left_to_header: tuple[Criterion, ...]
    wanted: frozenset[str] | None
    with_header: bool
    unsupported: frozenset[str]

    @property
    def is_exact(self) -> bool:
        """Whether every row of the statement is a match."""
        return not (self.left_to_row or self.left_to_rows_above or self.left_to_header)


def _plan(query: Query, *, sqlite: bool) -> _Plan:
    level = query.level
    asked = {key.path[0] for key in query.keys} | (query.returns or frozenset())
    unsupported = frozenset(tag for tag in asked if not is_known_at(tag, level) and tag not in NEVER_MATCHED)
    clauses: list[Translated] = []
    left: list[Criterion] = []
    if query.within_study:
        clauses.append(Translated(studies.c.study_instance_uid == query.within_study, True, studies))
    for criterion in criteria(query):
        if criterion.path[0] in unsupported:
            continue
        translated = translate(criterion, sqlite=sqlite)
        if translated is not None:
            clauses.append(translated)
        if translated is None or not translated.exact:
            left.append(criterion)
    wanted = answers.tags_wanted(level, query.returns)
    in_header = [c for c in left if answers.needs_header(c.tags)]
    in_row = [c for c in left if c not in in_header and answers.level_of(c.path[0]) is level]
    return _Plan(
        level=level,
        statement=_statement(level, clauses),
        left_to_row=tuple(in_row),
        left_to_rows_above=tuple(c for c in left if c not in in_header and c not in in_row),
        left_to_header=tuple(in_header),
        wanted=wanted,
        with_header=level is Level.IMAGE and (wanted is None or answers.needs_header(wanted - NEVER_MATCHED)),
        unsupported=unsupported,
    )


def _statement(level: Level, clauses: Sequence[Translated]) -> sa.Select[Any]:
    """Keys of the levels above narrow by IN, from the top: so both databases look through the smaller tables first.

    What the levels above say of a match is not part of the statement: it comes by key, batch by batch.
    """
    above: sa.Select[tuple[int]] | None = None
    for upper in (Level(number) for number in range(level)):
        here = [translated.where for translated in clauses if translated.table is TABLES[upper]]
        if above is not None:
            here.append(_PARENT[upper].in_(above))
        if here:
            above = sa.select(TABLES[upper].c.id).where(*here)
    own = [translated.where for translated in clauses if translated.table is TABLES[level]]
    if above is not None:
        own.append(_PARENT[level].in_(above))
    return sa.select(*COLUMNS[level]).where(*own).order_by(*_ORDER[level])


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
        if self._plan.is_exact:
            yield from self._rows(self._plan.statement.limit(count).offset(offset or None), count)
            return
        seen = 0
        columns = COLUMNS[self._plan.level]
        by_key = self._plan.statement.with_only_columns(columns[0]).limit(self._bounds.max_scanned + 1)
        for found in self._rows(by_key, self._bounds.batch):  # keys first: long rows would go through the sort
            seen += len(found)
            keys = [key for (key,) in found[: len(found) - max(0, seen - self._bounds.max_scanned)]]
            rows = {row.id: row for row in self._connection.execute(sa.select(*columns).where(columns[0].in_(keys)))}
            yield [rows[key] for key in keys]
            if seen > self._bounds.max_scanned:
                self.cut = True
                return

    def _rows(self, statement: sa.Select[Any], count: int) -> Iterator[Sequence[sa.Row[Any]]]:
        size = max(1, min(self._bounds.batch, count))
        with self._connection.execute(statement.execution_options(yield_per=size)) as result:
            yield from result.partitions(size)

    def _judged(self, rows: Sequence[sa.Row[Any]]) -> Iterator[tuple[tuple[Record, ...], Elements]]:
        """Those that match, with the records above them and what is wanted of their header; cheapest asked first."""
        plan = self._plan
        records = [answers.record(plan.level, row, plan.wanted) for row in rows]
        if plan.left_to_row:
            records = [record for record in records if satisfies(record.elements, plan.left_to_row)]
        self._load_above(records)
        lineages = [self._lineage(record) for record in records]
        if plan.left_to_rows_above:
            lineages = [each for each in lineages if satisfies(_above(each), plan.left_to_rows_above)]
        if not (plan.with_header or plan.left_to_header):
            yield from ((lineage, {}) for lineage in lineages)
            return
        headers = self._headers([lineage[-1].key for lineage in lineages])
        for lineage in lineages:
            header = headers.pop(lineage[-1].key, {})
            if not plan.left_to_header or satisfies(header, plan.left_to_header):
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


def _above(lineage: Sequence[Record]) -> Elements:
    merged: Elements = {}
    for record in lineage[:-1]:
        merged.update(record.elements)
    return merged


def _match(level: Level, lineage: Sequence[Record], more: Elements) -> Match:
    elements = dict(more)
    for record in lineage:
        elements.update(record.given)
    uids = [record.uid for record in lineage] + ["", "", ""]
    return Match(level, elements, study_instance_uid=uids[1], series_instance_uid=uids[2], sop_instance_uid=uids[3])
