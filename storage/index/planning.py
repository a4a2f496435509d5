"""How a query is answered: which rows to begin with, in which order, and what is left to decide after the database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.index import answers, reached
from storage.index.answers import COLUMNS
from storage.index.grams import Dialect
from storage.index.schema import instances, patients, series, studies
from storage.index.tags import SearchTag
from storage.index.translation import TABLES, Translated, order_column, translate, translate_tag
from vna.model.attributes import BY_TAG, COMPUTED_BY_TAG, NEVER_MATCHED, is_known_at
from vna.model.dictionary import keyword_of
from vna.model.errors import BadRequest
from vna.model.matching import Criterion, criteria
from vna.model.query import Level, Order, Query
from vna.model.reach import Reach

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
"""The same on every page: newest studies first, series and instances by their numbers within what they belong to. There
is an index of each."""

_FEW = 2000
"""Rows that are rather sorted than met on a walk along the list."""

_MANY = 20_000
"""The same where it is all that somebody may see: what a walk would pass is of everybody else."""

_NAMED = 50
"""Studies that are named by whoever may see only them: with more of them indexes are asked which key is the best."""

_LEVELS = {table: level for level, table in TABLES.items()}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a query asks of the database, and what is left to decide after it, by where it can be decided."""

    level: Level
    clauses: tuple[Translated, ...]
    order: tuple[sa.ColumnElement[Any], ...]
    left_to_row: tuple[Criterion, ...]
    left_to_rows_above: tuple[Criterion, ...]
    left_to_header: tuple[Criterion, ...]
    wanted: frozenset[str] | None
    with_header: bool
    unsupported: frozenset[str]
    tags: tuple[SearchTag, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether every row of the statement is a match."""
        return not (self.left_to_row or self.left_to_rows_above or self.left_to_header)

    @property
    def is_in_order_of_studies(self) -> bool:
        """Whether studies are listed as they always are."""
        return self.level is Level.STUDY and len(self.order) == len(_ORDER[Level.STUDY])


def asks_for_tags(query: Query) -> bool:
    """Whether it names what only search tags can answer, or answer without looking at much."""
    return any(not _has_column(path[0]) or len(path) > 1 for path in _paths(query))


def plan_of(query: Query, dialect: Dialect, tags: Iterable[SearchTag] = ()) -> Plan:
    """BadRequest when a key has a value that its VR does not allow, or the order is by what cannot be sorted."""
    level = query.level
    asked = {path[0] for path in _paths(query)}
    used = {tag.path: tag for tag in tags if tag.ready and tag.level <= level and tag.path[0] in asked}
    by_tag = {path[0] for path in used}
    unsupported = frozenset(
        tag for tag in asked if not is_known_at(tag, level) and tag not in NEVER_MATCHED and tag not in by_tag
    )
    clauses: list[Translated] = []
    left: list[Criterion] = []
    if query.within is not None:
        clauses.append(_within(query.within, level, dialect))
    for criterion in criteria(query):
        if criterion.path[0] in unsupported:
            continue
        tag = used.get(criterion.path)
        translated = translate(criterion, dialect) if tag is None else translate_tag(criterion, tag, dialect)
        if translated is not None:
            clauses.append(translated)
        if translated is None or not translated.exact:
            left.append(criterion)
    wanted = answers.tags_wanted(level, query.returns)
    levels = {tag.path[0]: tag.level for tag in used.values()}
    in_header = [c for c in left if c.path[0] not in levels and answers.needs_header(c.tags)]
    in_row = [c for c in left if c not in in_header and levels.get(c.path[0], answers.level_of(c.path[0])) is level]
    return Plan(
        level=level,
        clauses=tuple(clauses),
        order=(*(_ordered(level, order) for order in query.order), *_ORDER[level]),
        left_to_row=tuple(in_row),
        left_to_rows_above=tuple(c for c in left if c not in in_header and c not in in_row),
        left_to_header=tuple(in_header),
        wanted=wanted,
        with_header=level is Level.IMAGE and (wanted is None or answers.needs_header(wanted - NEVER_MATCHED)),
        unsupported=unsupported,
        tags=tuple(used.values()),
    )


def _within(reach: Reach, level: Level, dialect: Dialect) -> Translated:
    """What the caller may see, as a clause like any other. What studies are within is said of the rows of patients
    too, so that those without any are not listed."""
    if level is Level.PATIENT:
        where, found = reached.patients_within(reach, dialect), reached.probes(reach, dialect, "patient_fk")
        return Translated(where, True, patients, found, most=_MANY)
    where, is_few = reached.within(reach, dialect), reach.is_named and len(reach.studies) <= _NAMED
    return Translated(where, True, studies, () if is_few else reached.probes(reach, dialect), few=is_few, most=_MANY)


def _paths(query: Query) -> set[tuple[str, ...]]:
    return {key.path for key in query.keys} | {(tag,) for tag in query.returns or ()}


def _has_column(tag: str) -> bool:
    attribute = BY_TAG.get(tag)
    return tag in COMPUTED_BY_TAG or tag in NEVER_MATCHED or (attribute is not None and bool(attribute.column))


def statement_of(connection: sa.Connection, plan: Plan, dialect: Dialect) -> sa.Select[Any]:
    """The rows that the database finds, in order.

    It begins with the few rows that an index has for one of the keys, wherever it stands; where there are none such
    it walks along the index of the order, so that the first page costs no more than its rows and those passed over.
    Nothing is left to the planner's estimates: keys other than the first are written so that no index fits them.
    """
    began = _beginning(connection, plan, dialect)
    if began is None:
        if not dialect.sqlite:
            _walk_along_indexes(connection)
        began = _Beginning(plan.level, None)
    level, left = began.level, [one for one in plan.clauses if one is not began.clause]
    where = [] if began.where is None else [began.where]
    where += _above(level, left) + _opaque([one.where for one in left if _LEVELS[one.table] is level])
    for below in (Level(number) for number in range(level + 1, plan.level + 1)):
        keys = sa.select(TABLES[Level(below - 1)].c.id).where(*where)
        own = [one.where for one in left if _LEVELS[one.table] is below]
        where = [_PARENT[below].in_(keys), *_opaque(own)]
    return sa.select(*COLUMNS[plan.level]).where(*where).order_by(*plan.order)


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What is begun with at a level: rows whose keys were found, or those of a clause, which is done with then."""

    level: Level
    where: sa.ColumnElement[bool] | None
    clause: Translated | None = None


def _beginning(connection: sa.Connection, plan: Plan, dialect: Dialect) -> _Beginning | None:
    """Named rows, the lowest ones; else the shortest list of keys that an index gives; else a part of the list."""
    named = max((one for one in plan.clauses if one.few), key=lambda one: _LEVELS[one.table], default=None)
    if named is not None:
        return _Beginning(_LEVELS[named.table], named.where, named)
    part = next((one for one in plan.clauses if one.listed and plan.is_in_order_of_studies), None)
    probed = sorted(
        (one for one in plan.clauses if one.probes and one is not part), key=lambda one: (one.most, one.by_text)
    )
    if probed and not dialect.sqlite:
        _use_indexes(connection)
    best: tuple[list[int], Translated] | None = None
    for clause in probed:
        keys = _keys(connection, clause)
        if keys is not None and (best is None or len(keys) < len(best[0])):
            best = (keys, clause)
            if len(keys) < _FEW // 40:
                break
    if best is not None:
        keys, clause = best
        return _Beginning(_LEVELS[clause.table], _is_one_of(clause.table.c.id, keys, dialect))
    if part is not None:
        if not dialect.sqlite:
            _walk_along_indexes(connection)
        return _Beginning(Level.STUDY, part.where, part)
    return None


def _keys(connection: sa.Connection, clause: Translated) -> list[int] | None:
    """Those for which the clause may hold; None when there are too many to begin with."""
    keys: set[int] = set()
    for probe in clause.probes:
        most = clause.most or _FEW
        keys.update(connection.execute(probe.limit(most + 1)).scalars())
        if len(keys) > most:
            return None
    return list(keys)


def _is_one_of(column: sa.Column[int], keys: Sequence[int], dialect: Dialect) -> sa.ColumnElement[bool]:
    if dialect.sqlite:
        listed = sa.func.json_each(f"[{','.join(map(str, keys))}]").table_valued("value")
        return column.in_(sa.select(listed.c.value))
    return column == sa.any_(sa.cast(list(keys), sa.ARRAY(sa.BigInteger)))


def _above(level: Level, clauses: Sequence[Translated]) -> list[sa.ColumnElement[bool]]:
    """Clauses of the levels above, asked row by row."""
    asked: list[sa.ColumnElement[bool]] = []
    for upper in (Level(number) for number in range(level)):
        here = [one.where for one in clauses if _LEVELS[one.table] is upper]
        if here:
            asked.append(_of_upper_row(level, upper, here))
    return asked


def _of_upper_row(level: Level, upper: Level, where: Sequence[sa.ColumnElement[bool]]) -> sa.ColumnElement[bool]:
    """The tables between joined by their keys; a subquery in the place of a value is never made a join of."""
    tables: sa.FromClause = TABLES[upper]
    for between in (Level(number) for number in range(upper + 1, level)):
        tables = tables.join(TABLES[between], _PARENT[between] == TABLES[Level(between - 1)].c.id)
    named = TABLES[Level(level - 1)].c.id == _PARENT[level]
    holds = sa.select(sa.case((sa.and_(*where), 1))).select_from(tables).where(named)
    return holds.correlate(TABLES[level]).scalar_subquery() == 1


def _opaque(where: Sequence[sa.ColumnElement[bool]]) -> list[sa.ColumnElement[bool]]:
    return [sa.case((sa.and_(*where), 1)) == 1] if where else []


def _ordered(level: Level, order: Order) -> sa.ColumnElement[Any]:
    column = order_column(order.tag)
    if column is None or _LEVELS[column.table] > level:
        raise BadRequest(f"answers cannot be ordered by {keyword_of(order.tag) or order.tag} at this level")
    key: sa.ColumnElement[Any] = column
    upper = _LEVELS[column.table]
    if upper < level:
        tables: sa.FromClause = TABLES[upper]
        for between in (Level(number) for number in range(upper + 1, level)):
            tables = tables.join(TABLES[between], _PARENT[between] == TABLES[Level(between - 1)].c.id)
        named = TABLES[Level(level - 1)].c.id == _PARENT[level]
        key = sa.select(column).select_from(tables).where(named).correlate(TABLES[level]).scalar_subquery()
    return key.desc() if order.descending else key.asc()


def _use_indexes(connection: sa.Connection) -> None:
    """For this transaction: PostgreSQL takes an index where there is one."""
    connection.execute(sa.text("SELECT set_config('enable_seqscan', 'off', true)"))


def _walk_along_indexes(connection: sa.Connection) -> None:
    connection.execute(
        sa.text(
            "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true), "
            "set_config('enable_bitmapscan', 'off', true)"
        )
    )
