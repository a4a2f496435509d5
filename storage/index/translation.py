"""From typed conditions to SQL: what the database decides, what it only narrows for `vna.model.matching`, and how the
rows are found without looking at all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from storage.index.grams import Dialect, found, glob
from storage.index.schema import instances, patients, series, studies, tag_values
from storage.index.tags import SearchTag
from vna.model.attributes import ATTRIBUTES, BY_TAG
from vna.model.conditions import Condition, Empty, Equal, FuzzyName, Like, Moment, Name, Number, Within, number_text
from vna.model.dates import Span
from vna.model.matching import Criterion
from vna.model.query import Level
from vna.model.wildcards import has_wildcard, is_universal

TABLES = {Level.PATIENT: patients, Level.STUDY: studies, Level.SERIES: series, Level.IMAGE: instances}

_COLUMNS: dict[str, sa.Column[str]] = {a.tag: TABLES[a.level].c[a.column] for a in ATTRIBUTES if a.column}
_NAMES: dict[str, sa.Column[str]] = {
    a.tag: TABLES[a.level].c[f"{a.column}_norm"] for a in ATTRIBUTES if a.column and a.vr == "PN"
}
_WORDS: dict[str, sa.Column[str]] = {
    a.tag: TABLES[a.level].c[f"{a.column}_words"] for a in ATTRIBUTES if a.column and a.vr == "PN"
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


_INDEXED = frozenset(
    {
        patients.c.patient_id,
        patients.c.patient_name_norm,
        patients.c.birth_date,
        studies.c.study_instance_uid,
        studies.c.accession_number,
        studies.c.study_date,
        series.c.series_instance_uid,
        series.c.modality,
        series.c.pps_start_date,
        instances.c.sop_instance_uid,
    }
)
"""Columns that begin an index."""

_UIDS = frozenset({studies.c.study_instance_uid, series.c.series_instance_uid, instances.c.sop_instance_uid})
_LAST = "\U0010ffff"

Probe = sa.Select[Any]


@dataclass(frozen=True, slots=True)
class Translated:
    """What the database can do for a criterion: `exact` when `where` alone decides. `table` is where the column is.

    `probes` give, each from an index, keys of `table`: together all those for which `where` holds; none where no index
    knows. `few` when no more rows match than the key has values; `listed` when they lie together in the list;
    `by_text` when probes look for pieces of text, which takes longer than a look at an index's order; `most` bounds the
    rows that are worth beginning with, where that is not as usual.
    """

    where: Clause
    exact: bool
    table: sa.Table
    probes: tuple[Probe, ...] = ()
    few: bool = False
    listed: bool = False
    by_text: bool = False
    most: int = 0


@dataclass(frozen=True, slots=True)
class _Part:
    """The same of one condition; `probes` None where no index knows."""

    where: Clause
    exact: bool
    probes: tuple[Probe, ...] | None = None


def translate(criterion: Criterion, dialect: Dialect) -> Translated | None:
    """None when the database cannot even narrow."""
    tag = criterion.path[0]
    if len(criterion.path) > 1 or tag not in _KNOWN:
        return _mentioned(criterion, dialect)
    if criterion.time:
        return _moment(criterion)
    column = _column(tag)
    texts = [condition.text for condition in criterion.conditions if isinstance(condition, Equal)]
    plain = column is not None and column is _COLUMNS.get(tag, _OTHERS.get(tag)) and tag not in _NUMBERS
    if plain and len(texts) == len(criterion.conditions) and not criterion.every and tag not in _NAMES:
        assert column is not None
        part = _one_of(column, texts, dialect)  # type: ignore[arg-type]
        return replace(_narrowed(tag, column.table, part), few=column in _UIDS)
    parts = [_part(tag, condition, dialect) for condition in criterion.conditions]
    known = [part for part in parts if part is not None]
    if column is None or len(known) < len(parts):
        return None
    made = _narrowed(tag, column.table, _all_of(known) if criterion.every else _any_of(known))
    by_text = not all(isinstance(condition, Equal | Within) for condition in criterion.conditions)
    return replace(made, listed=column is studies.c.study_date, by_text=by_text)


def translate_tag(criterion: Criterion, tag: SearchTag, dialect: Dialect) -> Translated | None:
    """The same for an attribute that is searched by a tag: what is kept of its values only narrows."""
    patterns = [_value_pattern(condition) for condition in criterion.conditions]
    if any(isinstance(condition, Empty) for condition in criterion.conditions) or criterion.time:
        return None
    table, of_tag = TABLES[tag.level], tag_values.c.tag_fk == tag.key
    likes = [glob(tag_values.c.value, pattern, dialect) for pattern in patterns if pattern is not None]
    there = sa.exists().where(of_tag, tag_values.c.row_fk == table.c.id)
    if len(likes) < len(patterns):
        return Translated(there, False, table, (sa.select(tag_values.c.row_fk).where(of_tag),))
    probes = [found(tag_values.c.value, [pattern], dialect) for pattern in patterns if pattern is not None]
    known = tuple(_row_of_value(probe, tag, dialect) for probe in probes if probe is not None)
    where = there.where(sa.or_(*likes))
    return Translated(where, False, table, known if len(known) == len(probes) else ())


def _row_of_value(probe: Probe, tag: SearchTag, dialect: Dialect) -> Probe:
    if not dialect.sqlite:
        return probe.with_only_columns(tag_values.c.row_fk).where(tag_values.c.tag_fk == tag.key)
    hits = probe.subquery()
    of_tag = sa.case((tag_values.c.tag_fk == tag.key, 1)) == 1  # so that no index leads away from the trigrams
    return sa.select(tag_values.c.row_fk).join(hits, tag_values.c.id == hits.c[0]).where(of_tag)


def _value_pattern(condition: Condition) -> str | None:
    """Values lie with line ends between; None where a pattern says nothing."""
    if isinstance(condition, Equal | Like):
        text = condition.text if isinstance(condition, Equal) else condition.pattern
        return f"*\n{text}\n*" if _is_short(text) and "*\n" not in text else None
    if isinstance(condition, Number):
        return f"*\n{number_text(condition.number)}\n*"
    if isinstance(condition, Name) and len(condition.groups) == 1 and _is_short(condition.groups[0]):
        return f"*{condition.groups[0].strip('^*')}*"
    return None


def of_name(column: sa.Column[str], condition: Name, dialect: Dialect) -> Clause | None:
    """What narrows rows to those in which the normal form of a name can match; None when nothing does."""
    part = _name(column, condition, dialect)
    return None if part is None else part.where


def order_column(tag: str) -> "sa.Column[str] | sa.Column[int] | None":
    """The column that an attribute is sorted by."""
    return _NAMES.get(tag, _column(tag))


def _all_of(parts: Sequence[_Part]) -> _Part:
    probes = next((part.probes for part in parts if part.probes), None)
    return _Part(sa.and_(*(part.where for part in parts)), all(part.exact for part in parts), probes)


def _any_of(parts: Sequence[_Part]) -> _Part:
    if len(parts) == 1:
        return parts[0]
    probes = [part.probes for part in parts if part.probes is not None]
    return _Part(
        sa.or_(*(part.where for part in parts)),
        all(part.exact for part in parts),
        tuple(probe for each in probes for probe in each) if len(probes) == len(parts) else None,
    )


def _mentioned(criterion: Criterion, dialect: Dialect) -> Translated | None:
    """What is kept without a column can only match where the row's JSON has the attribute at all."""
    attribute = BY_TAG.get(criterion.path[0])
    without_value = any(isinstance(condition, Empty) for condition in criterion.conditions)
    if attribute is None or (without_value and len(criterion.path) == 1):
        return None
    table = TABLES[attribute.level]
    return Translated(glob(table.c.attributes, f'*"{attribute.tag}":*', dialect), False, table)


def _narrowed(tag: str, table: sa.Table, part: _Part) -> Translated:
    """The column of the issuer holds another word for patients without an identifier (vna.model.identifiers)."""
    if tag == _ISSUER:
        return Translated(sa.or_(part.where, patients.c.patient_id == ""), False, table)
    return Translated(part.where, part.exact, table, part.probes or ())


def _column(tag: str) -> "sa.Column[str] | sa.Column[int] | None":
    for columns in (_LISTS, _NUMBERS, _OTHERS, _COLUMNS):
        if tag in columns:
            return columns[tag]
    return None


def _part(tag: str, condition: Condition, dialect: Dialect) -> _Part | None:
    if isinstance(condition, Empty):
        return _empty(tag)
    if tag in _LISTS:
        return _in_list(_LISTS[tag], condition, dialect)
    if tag in _NUMBERS:
        return _Part(_is_number(_NUMBERS[tag], condition.number), True) if isinstance(condition, Number) else None
    if isinstance(condition, Name):
        return _name(_NAMES[tag], condition, dialect) if tag in _NAMES else None
    if isinstance(condition, FuzzyName):
        return _fuzzy_name(_NAMES[tag], _WORDS[tag], condition, dialect) if tag in _NAMES else None
    column = _COLUMNS.get(tag, _OTHERS.get(tag))
    if column is None:
        return None
    if isinstance(condition, Equal):
        return _one_of(column, [condition.text], dialect)
    if isinstance(condition, Within):
        within = _between(column, condition.span)
        return _Part(within, True, _by_index(column, within))
    if isinstance(condition, Like) and _is_short(condition.pattern):
        return _Part(glob(column, condition.pattern, dialect), True, _looked_up(column, condition.pattern, dialect))
    return None


def _by_index(column: "sa.Column[str] | sa.Column[int]", where: Clause) -> tuple[Probe, ...] | None:
    return (sa.select(column.table.c.id).where(where),) if column in _INDEXED else None


def _looked_up(column: sa.Column[str], pattern: str, dialect: Dialect) -> tuple[Probe, ...] | None:
    """By the order of an index where the pattern is a value or its beginning, else by trigrams."""
    if not has_wildcard(pattern) and column in _INDEXED:
        return _by_index(column, column == pattern)
    stem = pattern.rstrip("*")
    if dialect.sqlite and stem and not has_wildcard(stem) and column in _INDEXED:  # PostgreSQL may sort otherwise
        return _by_index(column, sa.and_(column >= stem, column < stem + _LAST))
    probe = found(column, [pattern], dialect)
    return None if probe is None else (probe,)


def _one_of(column: sa.Column[str], texts: Sequence[str], dialect: Dialect) -> _Part:
    """Long lists go as one parameter: databases bound the number of parameters."""
    if len(texts) == 1:
        where: Clause = column == texts[0]
        probes = None if column in _INDEXED or has_wildcard(texts[0]) else found(column, [texts[0]], dialect)
        return _Part(where, True, _by_index(column, where) if probes is None else (probes,))
    if len(texts) <= _MANY:
        where = column.in_(texts)
    elif dialect.sqlite:
        listed = sa.func.json_each(orjson.dumps(list(texts)).decode()).table_valued("value")
        where = column.in_(sa.select(listed.c.value))
    else:
        where = column == sa.any_(sa.cast(list(texts), ARRAY(sa.Text)))
    return _Part(where, True, _by_index(column, where))


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
    probes, listed = _by_index(days, within) or (), days is studies.c.study_date
    if clock is None:
        return Translated(within, False, days.table, probes, listed=listed)
    outside = []
    if moment.span.lower is not None:
        outside.append(sa.and_(days == moment.span.lower[:8], clock != "", clock < moment.span.lower[8:]))
    if moment.span.upper is not None:
        outside.append(sa.and_(days == moment.span.upper[:8], clock != "", clock > moment.span.upper[8:]))
    where = sa.and_(within, *(sa.not_(clause) for clause in outside))
    return Translated(where, True, days.table, probes, listed=listed)


def _in_list(column: sa.Column[str], condition: Condition, dialect: Dialect) -> _Part | None:
    r"""Lists lie as \CT\MR\: an exact value is looked for between its separators."""
    if isinstance(condition, Equal):
        pattern, exact = f"*\\{condition.text}\\*", True
    elif isinstance(condition, Like) and _is_short(condition.pattern):
        pattern, exact = f"*\\{condition.pattern}\\*", False
    else:
        return None
    probe = found(column, [pattern], dialect)
    return _Part(glob(column, pattern, dialect), exact, None if probe is None else (probe,))


def _empty(tag: str) -> _Part | None:
    if tag in _LISTS:
        return _Part(_LISTS[tag].in_(["", "\\"]), False)
    if tag in _NUMBERS:
        return _Part(_NUMBERS[tag].is_(None), False)
    column = _COLUMNS.get(tag)
    return None if column is None else _Part(column == "", False)


def _name(column: sa.Column[str], condition: Name, dialect: Dialect) -> _Part | None:
    """The column is the normal form of all groups, so a group begins the text or follows an equals sign, and ends with
    the text or before one. Wild cards may reach over that, so what has some inside is only narrowed.
    """
    if not all(_is_short(group) for group in condition.groups):
        return None
    if len(condition.groups) > 1:
        return _name_in_groups(column, condition.groups, dialect)
    patterns = _group_patterns(condition.groups[0])
    probes = [_looked_up(column, pattern, dialect) for pattern in patterns]
    known = [probe for each in probes if each is not None for probe in each]
    return _Part(
        sa.or_(*(glob(column, pattern, dialect) for pattern in patterns)),
        not has_wildcard(condition.groups[0].strip("*")),
        tuple(known) if None not in probes else None,
    )


def _group_patterns(group: str) -> list[str]:
    stem = group.rstrip("^*")
    tail = group[len(stem) :]
    carets = tail.partition("*")[0]
    ends = ["", "=*", f"{carets}*"] if carets else ["*"] if tail else ["", "=*"]
    starts = [""] if stem.startswith("*") else ["", "*="]
    return [f"{start}{stem}{end}" for start in starts for end in ends]


def _name_in_groups(column: sa.Column[str], groups: Sequence[str], dialect: Dialect) -> _Part | None:
    stems = [group.rstrip("^*") + "*" for group in groups]
    prefixes = ("", *("*=" for _ in stems[1:]))
    wanted = [prefix + stem for prefix, stem in zip(prefixes, stems, strict=True) if not is_universal(stem)]
    if not wanted:
        return None
    probe = found(column, wanted, dialect)
    where = sa.and_(*(glob(column, pattern, dialect) for pattern in wanted))
    return _Part(where, False, None if probe is None else (probe,))


def _fuzzy_name(names: sa.Column[str], column: sa.Column[str], condition: FuzzyName, dialect: Dialect) -> _Part | None:
    """In `column` every word stands between spaces, and every code of a sound, in capitals."""
    if not all(_is_short(word) for word in condition.words):
        return None
    by_word = [f"* {word}*" for word in condition.words]
    codes = condition.sounds or ("",) * len(by_word)
    patterns = [[word, f"* {code} *"] if code else [word] for word, code in zip(by_word, codes, strict=True)]
    where = sa.and_(*(sa.or_(*(glob(column, one, dialect) for one in either)) for either in patterns))
    if any(codes):
        each = [[found(column, [one], dialect) for one in either] for either in patterns]
        probes = next((list(either) for either in each if None not in either), [None])
    else:
        probes = [found(column, by_word, dialect)]
    known = tuple(probe for probe in probes if probe is not None)
    part = _Part(where, True, known if len(known) == len(probes) else None)
    if not any(map(has_wildcard, condition.words)):  # a name that matches as it is written has all the words
        return part
    strict = _name(names, condition.name, dialect)
    return None if strict is None else _any_of([strict, replace(part, exact=False)])


def _is_short(pattern: str) -> bool:
    return len(pattern) <= _MAX_PATTERN and pattern.count("*") <= _MAX_PIECES
