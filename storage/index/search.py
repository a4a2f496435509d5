"""Searching the index: a select() as far as the database decides, streamed through an exact evaluation of the rest."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import sqlalchemy as sa

from storage.index import answers
from storage.index.answers import COLUMNS, Elements, Record
from storage.index.engine import Database
from storage.index.grams import dialect_of
from storage.index.planning import Plan, asks_for_tags, plan_of, statement_of
from storage.index.schema import instances
from storage.index.tags import SearchTag, elements_of, known
from storage.index.translation import TABLES
from vna.model.matching import satisfies
from vna.model.query import Element, Level, Match, Query, SearchPage, Total


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one search may cost: matches in a page, rows looked at for what the database cannot decide, rows at once."""

    max_matches: int = 10_000
    max_scanned: int = 200_000
    batch: int = 500


def search(database: Database, query: Query, said: Mapping[str, Element], bounds: Bounds) -> SearchPage:
    """One page of matches; `said` are the elements that the archive says of everything it holds.

    Raises BadRequest when a key has a value that its VR does not allow, or the order is by what cannot be sorted.
    """
    limit = bounds.max_matches if query.limit is None else min(query.limit, bounds.max_matches)
    ours = query.limit is None or query.limit > bounds.max_matches
    dialect = dialect_of(database)
    plan = plan_of(query, dialect, _tags(database, query))
    if limit <= 0:
        return SearchPage(unsupported=plan.unsupported)
    with database.read() as connection:
        found = _Found(connection, plan, statement_of(connection, plan, dialect), bounds)
        skip = 0 if plan.is_exact else query.offset
        with closing(found.matches(query.offset, limit + ours, said)) as each:
            matches = list(islice(each, skip, skip + limit + ours))
    cap = f"{limit} matches" if len(matches) > limit else f"{bounds.max_scanned} rows" if found.cut else ""
    return SearchPage(tuple(matches[:limit]), bool(cap), cap, plan.unsupported)


def count(database: Database, query: Query, bounds: Bounds) -> Total:
    """How many match, paging apart. Raises as `search` does."""
    query = replace(query, returns=frozenset(), limit=None, offset=0, order=())
    dialect = dialect_of(database)
    plan = plan_of(query, dialect, _tags(database, query))
    with database.read() as connection:
        statement = statement_of(connection, plan, dialect)
        if plan.is_exact:
            rows = statement.with_only_columns(COLUMNS[plan.level][0]).order_by(None).subquery()
            number = connection.execute(sa.select(sa.func.count()).select_from(rows)).scalar_one()
            return Total(number, unsupported=plan.unsupported)
        found = _Found(connection, plan, statement, bounds)
        number = sum(1 for _ in found.matches(0, bounds.max_scanned, {}))
    return Total(number, f"{bounds.max_scanned} rows" if found.cut else "", plan.unsupported)


def _tags(database: Database, query: Query) -> list[SearchTag]:
    if not asks_for_tags(query):
        return []
    with database.glance() as connection:
        return known(connection)


class _Found:
    """One run of a plan over one snapshot; `cut` says that rows were left unseen."""

    def __init__(self, connection: sa.Connection, plan: Plan, statement: sa.Select[Any], bounds: Bounds) -> None:
        self._connection = connection
        self._plan = plan
        self._statement = statement
        self._bounds = bounds
        self._above: dict[Level, dict[int, Record]] = {level: {} for level in Level}
        self._said: Elements = {}
        self.cut = False

    def matches(self, offset: int, count: int, said: Mapping[str, Element]) -> Generator[Match]:
        """Matches in order. An exact plan skips and counts in the database; others give all, from the first."""
        self._said = answers.chosen(dict(said), self._plan.wanted)
        for rows in self._batches(offset, count):
            for above, record, header in self._judged(rows):
                own = {**header, **record.given} if header else record.given
                uids = (*above.uids, record.uid, "", "", "")
                yield Match(self._plan.level, own, above.given, uids[1], uids[2], uids[3])

    def _batches(self, offset: int, count: int) -> Iterator[Sequence[sa.Row[Any]]]:
        if self._plan.is_exact:
            yield from self._rows(self._statement.limit(count).offset(offset or None), count)
            return
        seen = 0
        columns = COLUMNS[self._plan.level]
        by_key = self._statement.with_only_columns(columns[0]).limit(self._bounds.max_scanned + 1)
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

    def _judged(self, rows: Sequence[sa.Row[Any]]) -> Iterator[tuple["_Above", Record, Elements]]:
        """Those that match, with what lies above them and what is wanted of their header; cheapest asked first."""
        plan = self._plan
        records = self._records(plan.level, rows)
        if plan.left_to_row:
            records = [record for record in records if satisfies(record.elements, plan.left_to_row)]
        self._load_above(records)
        parents = {parent: self._all_above(parent) for parent in {record.parent for record in records}}
        if plan.left_to_rows_above:
            parents = {key: one for key, one in parents.items() if satisfies(one.elements(), plan.left_to_rows_above)}
            records = [record for record in records if record.parent in parents]
        if not (plan.with_header or plan.left_to_header):
            yield from ((parents[record.parent], record, {}) for record in records)
            return
        headers = self._headers([record.key for record in records])
        for record in records:
            header = headers.pop(record.key, {})
            if not plan.left_to_header or satisfies(header, plan.left_to_header):
                yield parents[record.parent], record, answers.chosen(header, plan.wanted)

    def _records(self, level: Level, rows: Sequence[sa.Row[Any]]) -> list[Record]:
        wanted = self._plan.wanted
        records = [answers.record(level, row, wanted) for row in rows]
        tags = [tag for tag in self._plan.tags if tag.level is level]
        if tags:
            kept = elements_of(self._connection, tags, [record.key for record in records])
            for record in records:
                more = {
                    tag: e for tag, e in kept.get(record.key, {}).items() if "Value" not in record.elements.get(tag, {})
                }
                record.elements.update(more)
                record.given.update(answers.chosen(more, wanted))
        return records

    def _all_above(self, parent: int) -> "_Above":
        """What lies above the rows of one parent, and what the archive says of all."""
        lineage: list[Record] = []
        for level in range(self._plan.level - 1, -1, -1):
            lineage.append(self._above[Level(level)][lineage[-1].parent if lineage else parent])
        lineage.reverse()
        given = dict(self._said)
        for record in lineage:
            given.update(record.given)
        return _Above(tuple(lineage), given, tuple(record.uid for record in lineage))

    def _load_above(self, records: Sequence[Record]) -> None:
        """Know every record above `records`, and forget those that no longer matter."""
        for level in (Level(number) for number in range(self._plan.level - 1, -1, -1)):
            known = self._above[level]
            keys = {record.parent for record in records}
            here = {key: known[key] for key in keys if key in known}
            missing = [key for key in keys if key not in known]
            if missing:
                statement = sa.select(*COLUMNS[level]).where(TABLES[level].c.id.in_(missing))
                found = self._records(level, self._connection.execute(statement).all())
                here.update((record.key, record) for record in found)
            self._above[level] = here
            records = list(here.values())

    def _headers(self, keys: Sequence[int]) -> dict[int, Elements]:
        statement = sa.select(instances.c.id, instances.c.header).where(instances.c.id.in_(keys))
        return {key: answers.header_elements(packed) for key, packed in self._connection.execute(statement)}


@dataclass(frozen=True, slots=True)
class _Above:
    """The records above some rows, from the root down, and what is given of them together."""

    records: tuple[Record, ...]
    given: Elements
    uids: tuple[str, ...]

    def elements(self) -> Elements:
        """All that is known of them."""
        merged: Elements = {}
        for record in self.records:
            merged.update(record.elements)
        return merged
