"""From typed conditions to SQL: what the database decides, and what it only narrows for `vna.model.matching`."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from storage.index.schema import instances, patients, series, studies
from vna.model.attributes import ATTRIBUTES, BY_TAG
from vna.model.conditions import Condition, Empty, Equal, FuzzyName, Like, Moment, Name, Number, Within
from vna.model.dates import Span
from vna.model.matching import Criterion
from vna.model.query import Level
from vna.model.wildcards import is_universal

TABLES = {Level.PATIENT: patients, Level.STUDY: studies, Level.SERIES: series, Level.IMAGE: instances}

_COLUMNS: dict[str, sa.Column[str]] = {a.tag: TABLES[a.level].c[a.column] for a in ATTRIBUTES if a.column}
_NAMES: dict[str, sa.Column[str]] = {
    a.tag: TABLES[a.level].c[f"{a.column}_norm"] for a in ATTRIBUTES if a.column and a.vr == "PN"
}
_LISTS: dict[str, sa.Column[str]] = {"00080061": studies.c.modalities, "00080062": studies.c.sop_classes}
_NUMBERS: dict[str, sa.Column[int]] = {
    **{a.tag: TABLES[a.level].c[a.column] for a in ATTRIBUTES if a.column and a.vr == "IS"},
    "00201200": patients.c.number_of_studies,
    "00201202": patients.c.number_of_series,
    "00201204": patients.c.number_of_instances,
    "00201206": studies.c.number_of_series,
    "00201208": studies.c.number_of_instances,
    "00201209": series.c.number_of_instances,
}
_OTHERS: dict[str, sa.Column[str]] = {"00083002": instances.c.transfer_syntax_uid}
_ISSUER = "00100021"
_KNOWN = frozenset({*_COLUMNS, *_LISTS, *_NUMBERS, *_OTHERS})

Clause = sa.ColumnElement[bool]

_MANY = 50
_MAX_PIECES, _MAX_PATTERN = 6, 256
"""Patterns past these are left to `vna.model.matching`, which takes linear time; databases backtrack."""


@dataclass(frozen=True, slots=True)
class Translated:
    """What the database can do for a criterion: `exact` when `where` alone decides. `table` is where the column is."""

    where: Clause
    exact: bool
    table: sa.Table


def translate(criterion: Criterion, *, sqlite: bool) -> Translated | None:
    """None when the database cannot even narrow."""
    tag = criterion.path[0]
    if len(criterion.path) > 1 or tag not in _KNOWN:
        return _mentioned(criterion, sqlite)
    if criterion.time:
        return _moment(criterion)
    column = _column(tag)
    texts = [condition.text for condition in criterion.conditions if isinstance(condition, Equal)]
    plain = column is not None and column is _COLUMNS.get(tag, _OTHERS.get(tag)) and tag not in _NUMBERS
    if plain and len(texts) == len(criterion.conditions) and not criterion.every and tag not in _NAMES:
        assert column is not None
        return _narrowed(tag, column.table, _one_of(column, texts, sqlite), exact=True)
    clauses = [_clause(tag, condition, sqlite) for condition in criterion.conditions]
    known = [clause for clause in clauses if clause is not None]
    if column is None or len(known) < len(clauses):
        return None
    join = sa.and_ if criterion.every else sa.or_
    where = join(*(clause for clause, _ in known))
    return _narrowed(tag, column.table, where, exact=all(exact for _, exact in known))


def _mentioned(criterion: Criterion, sqlite: bool) -> Translated | None:
    """What is kept without a column can only match where the row's JSON has the attribute at all."""
    attribute = BY_TAG.get(criterion.path[0])
    without_value = any(isinstance(condition, Empty) for condition in criterion.conditions)
    if attribute is None or attribute.level is Level.IMAGE or (without_value and len(criterion.path) == 1):
        return None
    table = TABLES[attribute.level]
    return Translated(glob(table.c.attributes, f'*"{attribute.tag}":*', sqlite), False, table)


def _narrowed(tag: str, table: sa.Table, where: Clause, *, exact: bool) -> Translated:
    """The column of the issuer holds another word for patients without an identifier (vna.model.identifiers)."""
    if tag == _ISSUER:
        return Translated(sa.or_(where, patients.c.patient_id == ""), False, table)
    return Translated(where, exact, table)


def _column(tag: str) -> "sa.Column[str] | sa.Column[int] | None":
    for columns in (_LISTS, _NUMBERS, _OTHERS, _COLUMNS):
        if tag in columns:
            return columns[tag]
    return None


def _clause(tag: str, condition: Condition, sqlite: bool) -> tuple[Clause, bool] | None:
    if isinstance(condition, Empty):
        return _empty(tag)
    if tag in _LISTS:
        return _in_list(_LISTS[tag], condition, sqlite)
    if tag in _NUMBERS:
        return (_is_number(_NUMBERS[tag], condition.number), True) if isinstance(condition, Number) else None
    if isinstance(condition, Name | FuzzyName):
        clause = _name(_NAMES[tag], condition, sqlite) if tag in _NAMES else None
        return None if clause is None else (clause, False)
    column = _COLUMNS.get(tag, _OTHERS.get(tag))
    if column is None:
        return None
    if isinstance(condition, Equal):
        return column == condition.text, True
    if isinstance(condition, Within):
        return _between(column, condition.span), True
    if isinstance(condition, Like) and _is_short(condition.pattern):
        return glob(column, condition.pattern, sqlite), True
    return None


def glob(column: sa.Column[str], pattern: str, sqlite: bool) -> Clause:
    """Wild card matching, case sensitive. SQLite's LIKE is not, its GLOB is; PostgreSQL's LIKE is."""
    if sqlite:
        return column.op("GLOB", is_comparison=True)(pattern.replace("[", "[[]"))
    escaped = pattern.replace("|", "||").replace("%", "|%").replace("_", "|_")
    return column.like(escaped.replace("*", "%").replace("?", "_"), escape="|")


def _one_of(column: "sa.Column[str] | sa.Column[int]", texts: Sequence[str], sqlite: bool) -> Clause:
    """Long lists go as one parameter: databases bound the number of parameters."""
    if len(texts) == 1:
        return column == texts[0]
    if len(texts) <= _MANY:
        return column.in_(texts)
    if sqlite:
        listed = sa.func.json_each(orjson.dumps(list(texts)).decode()).table_valued("value")
        return column.in_(sa.select(listed.c.value))
    return column == sa.any_(sa.cast(list(texts), ARRAY(sa.Text)))


def _is_number(column: sa.Column[int], number: float) -> Clause:
    if number != int(number) or abs(number) >= 2**63:
        return sa.false()
    return column == int(number)


def _between(column: sa.Column[str], span: Span) -> Clause:
    bounds = [column != ""]
    if span.lower is not None:
        bounds.append(column >= span.lower)
    if span.upper is not None:
        bounds.append(column <= span.upper)
    return sa.and_(*bounds)


def _moment(criterion: Criterion) -> Translated | None:
    days, clock = _COLUMNS.get(criterion.path[0]), _COLUMNS.get(criterion.time)
    moment = criterion.conditions[0]
    if days is None or not isinstance(moment, Moment):
        return None
    within = _between(days, moment.days)
    if clock is None:
        return Translated(within, False, days.table)
    outside = []
    if moment.span.lower is not None:
        outside.append(sa.and_(days == moment.span.lower[:8], clock != "", clock < moment.span.lower[8:]))
    if moment.span.upper is not None:
        outside.append(sa.and_(days == moment.span.upper[:8], clock != "", clock > moment.span.upper[8:]))
    return Translated(sa.and_(within, *(sa.not_(clause) for clause in outside)), True, days.table)


def _in_list(column: sa.Column[str], condition: Condition, sqlite: bool) -> tuple[Clause, bool] | None:
    r"""Lists lie as \CT\MR\: an exact value is looked for between its separators."""
    if isinstance(condition, Equal):
        return glob(column, f"*\\{condition.text}\\*", sqlite), True
    if isinstance(condition, Like) and _is_short(condition.pattern):
        return glob(column, f"*\\{condition.pattern}\\*", sqlite), False
    return None


def _empty(tag: str) -> tuple[Clause, bool] | None:
    if tag in _LISTS:
        return _LISTS[tag].in_(["", "\\"]), False
    if tag in _NUMBERS:
        return _NUMBERS[tag].is_(None), False
    column = _COLUMNS.get(tag)
    return None if column is None else (column == "", False)


def _name(column: sa.Column[str], condition: Name | FuzzyName, sqlite: bool) -> Clause | None:
    """A safe net: the column is the normal form of all groups, so a group begins the text or follows an equals sign."""
    if isinstance(condition, FuzzyName):
        strict = _name(column, condition.name, sqlite)
        if strict is None or not all(_is_short(word) for word in condition.words):
            return None
        return sa.or_(strict, sa.and_(*(glob(column, f"*{word}*", sqlite) for word in condition.words)))
    if not all(_is_short(group) for group in condition.groups):
        return None
    stems = [group.rstrip("^*") + "*" for group in condition.groups]
    if len(stems) == 1:
        return sa.or_(glob(column, stems[0], sqlite), glob(column, f"*={stems[0]}", sqlite))
    prefixes = ("", *("*=" for _ in stems[1:]))
    wanted = [prefix + stem for prefix, stem in zip(prefixes, stems, strict=True) if not is_universal(stem)]
    return sa.and_(*(glob(column, pattern, sqlite) for pattern in wanted)) if wanted else None


def _is_short(pattern: str) -> bool:
    return len(pattern) <= _MAX_PATTERN and pattern.count("*") <= _MAX_PIECES
