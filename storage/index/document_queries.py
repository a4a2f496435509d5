"""Queries for documents, submission sets and folders as statements, each shape of them compiled once."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from storage.index.identities import FAMILY
from storage.index.prepared import Prepared
from storage.index.schema import document_objects as objects
from vna.model.documents import Between, Condition, DocumentQuery, Like, OneOf, Status, moment
from vna.model.identifiers import PatientIdentifier
from vna.model.wildcards import like

MANY = frozenset({"confidentiality_codes", "event_codes", "codes", "reference_ids", "author_person"})
"""Columns with many values, each between line feeds."""


_FAMILY = "family"


class Depth(Enum):
    """How much of an object is read: that it is there, what it says, or what a door made of it."""

    REFERENCE = 1
    OBJECT = 2
    RENDITION = 3


@dataclass(frozen=True, slots=True)
class _Shape:
    """What makes one statement differ from another, values apart."""

    by: str
    values: int
    statuses: int
    tests: tuple[tuple[str, str, int], ...]
    likes: tuple[tuple[str, int], ...]
    depth: Depth


Row = tuple[str, int, bytes | None, bytes | None]
"""entryUUID, key of the patient, rendition, body."""


def rows(connection: sa.Connection, query: DocumentQuery, by: str, values: list[Any], depth: Depth) -> list[Row]:
    """Of the query's kind, those that have one of the values in the column `by`; one more than its limit at most."""
    return _rows(connection, query, by, {f"v{n}": value for n, value in enumerate(values)}, depth)


def rows_of_patient(
    connection: sa.Connection, query: DocumentQuery, identifier: PatientIdentifier, depth: Depth
) -> list[Row]:
    """The same of a patient with all who were merged into it, by one statement: no merge comes between. The key is that
    of the patient who stands for them."""
    given = {"authority": identifier.authority, "value": identifier.value}
    return _rows(connection, query, _FAMILY, given, depth)


def _rows(connection: sa.Connection, query: DocumentQuery, by: str, keys: dict[str, Any], depth: Depth) -> list[Row]:
    """Rows of the shape that the query has.

    What is like a pattern is narrowed by SQL, which knows neither where a value ends nor, in SQLite, the case of a
    letter, and decided here.
    """
    likes = [one for one in query.conditions if isinstance(one, Like)]
    tests, given = _tests([one for one in query.conditions if not isinstance(one, Like)])
    statuses = sorted(query.statuses) if len(query.statuses) < len(Status) else []
    patterns = tuple((one.attribute, len(one.patterns)) for one in likes)
    shape = _Shape(by, len(keys), len(statuses), tuple(tests), patterns, depth)
    parameters: dict[str, Any] = {"kind": query.kind.value, "limit": query.limit + 1} | keys
    parameters |= {f"s{n}": status.value for n, status in enumerate(statuses)}
    parameters |= {
        f"l{n}_{m}": f"%\n{pattern}\n%" for n, one in enumerate(likes) for m, pattern in enumerate(one.patterns)
    }
    found = _statement(shape, connection.dialect.name).run(connection, **parameters, **given).fetchall()
    width = 2 + len(likes)
    if len(found) <= query.limit:  # more of them are too many, whatever they are like
        found = [row for row in found if all(map(_is_like, row[2:width], likes))]
    return [(row[0], row[1], *_contents(row[width:], depth)) for row in found]


def _contents(columns: tuple[Any, ...], depth: Depth) -> tuple[bytes | None, bytes | None]:
    if depth is Depth.REFERENCE:
        return None, None
    return (None, columns[0]) if depth is Depth.OBJECT else (columns[0], columns[1])


def _tests(conditions: list[Condition]) -> tuple[list[tuple[str, str, int]], dict[str, Any]]:
    """What is tested, and the values that it is tested against."""
    tests: list[tuple[str, str, int]] = []
    given: dict[str, Any] = {}
    for number, condition in enumerate(conditions):
        match condition:
            case OneOf(attribute, values):
                texts = [among(value) for value in values] if attribute in MANY else values
                tests.append(("many" if attribute in MANY else "one", attribute, len(values)))
                given |= {f"c{number}_{n}": text for n, text in enumerate(texts)}
            case Between(attribute, begin, end, or_none):
                tests.append(("time or none" if or_none else "time", attribute, 0))
                given[f"c{number}_0"] = moment(begin) if begin else "0"
                given[f"c{number}_1"] = moment(end) if end else "A"
    return tests, given


@lru_cache(maxsize=256)
def _statement(shape: _Shape, dialect: str) -> Prepared:
    patient: sa.ColumnElement[Any] = objects.c.patient_fk
    wanted: list[sa.ColumnElement[bool]]
    if shape.by == _FAMILY:
        wanted = [objects.c.patient_fk.in_(sa.select(FAMILY.c.id))]
        patient = sa.select(FAMILY.c.id).where(FAMILY.c.root == 1).scalar_subquery()
    else:
        wanted = [objects.c[shape.by].in_(_parameters("v", shape.values))]
    wanted.append(objects.c.kind == sa.bindparam("kind"))
    if shape.statuses:
        wanted.append(objects.c.status.in_(_parameters("s", shape.statuses)))
    wanted += [_test(number, *test, dialect) for number, test in enumerate(shape.tests)]
    escape = None if dialect == "sqlite" else ""  # a backslash is itself
    for number, (attribute, count) in enumerate(shape.likes):
        column = objects.c[attribute]
        wanted.append(sa.or_(*(column.like(text, escape=escape) for text in _parameters(f"l{number}_", count))))
    liked = (objects.c[attribute] for attribute, _ in shape.likes)
    columns = [objects.c.entry_uuid, patient, *liked, *contents(objects, shape.depth)]
    ordered = sa.select(*columns).where(*wanted).order_by(objects.c.id)
    return Prepared(ordered.limit(sa.bindparam("limit", type_=sa.BigInteger)))


def _test(number: int, kind: str, attribute: str, count: int, dialect: str) -> sa.ColumnElement[bool]:
    column = objects.c[attribute]
    if kind == "one":
        return column.in_(_parameters(f"c{number}_", count))
    if kind == "many":
        within = sa.func.instr if dialect == "sqlite" else sa.func.strpos
        return sa.or_(*(within(column, text) > 0 for text in _parameters(f"c{number}_", count)))
    begin, end = _parameters(f"c{number}_", 2)
    inside = sa.and_(column >= begin, column < end)  # texts of digits: what has no time is less than any
    return sa.or_(column == "", inside) if kind == "time or none" else inside


def _parameters(prefix: str, count: int) -> list[sa.BindParameter[Any]]:
    return [sa.bindparam(f"{prefix}{n}") for n in range(count)]


def _is_like(column: str, condition: Like) -> bool:
    values = column.strip("\n").split("\n") if column else ()
    return any(like(pattern).fullmatch(value) for pattern in condition.patterns for value in values)


def contents(table: sa.Table, depth: Depth) -> list[sa.ColumnElement[Any]]:
    """The body comes along with the rendition only where there is none; what has none holds for no one."""
    if depth is Depth.REFERENCE:
        return []
    if depth is Depth.OBJECT:
        return [table.c.body]
    return [table.c.rendition, sa.case((table.c.rendition.is_(None), table.c.body)).label("body")]


def among(value: str) -> str:
    """A value as it stands in a column with many."""
    line = " ".join(value.splitlines())
    return f"\n{line}\n"


def listed(values: Mapping[str, None]) -> str:
    """A column with many values."""
    return "".join(map(among, values)).replace("\n\n", "\n")
