"""What identity feeds say of patients beside their numbers, by identifier: shown in place of what images say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.national_schema import patient_details as table
from storage.index.prepared import Prepared
from vna.model.identifiers import PatientIdentifier

_ANY = Prepared(sa.select(table.c.id).limit(1))
_NEWEST = Prepared(sa.select(sa.func.max(table.c.changed_at)))
_FOUND = Prepared(
    sa.select(table.c.said, table.c.changed_at).where(
        table.c.authority == sa.bindparam("authority"), table.c.value == sa.bindparam("value")
    )
)


@dataclass(frozen=True, slots=True)
class Details:
    """What is said of one patient: values by keyword."""

    key: int
    identifier: PatientIdentifier
    said: Mapping[str, str]


def put(connection: sa.Connection, identifier: PatientIdentifier, said: Mapping[str, str], at: str) -> int:
    """Write it in the place of what was said, and give its key. `at` is a `time_text`."""
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    values = {"said": orjson.dumps(dict(said), option=orjson.OPT_SORT_KEYS).decode(), "changed_at": at}
    statement = module.insert(table).values(authority=identifier.authority, value=identifier.value, **values)
    statement = statement.on_conflict_do_update(index_elements=["authority", "value"], set_=values)
    return int(connection.execute(statement.returning(table.c.id)).scalar_one())


def find(connection: sa.Connection, identifier: PatientIdentifier) -> dict[str, str]:
    """What is said of this one; empty when nothing is."""
    row = _FOUND.run(connection, authority=identifier.authority, value=identifier.value).fetchone()
    return {} if row is None else dict(orjson.loads(row[0]))


def said_of(connection: sa.Connection, identifiers: Iterable[PatientIdentifier]) -> dict[str, str]:
    """What is said of a patient who has these identifiers; of two words on one thing the newer."""
    rows = [
        row
        for one in identifiers
        for row in _FOUND.run(connection, authority=one.authority, value=one.value).fetchall()
    ]
    merged: dict[str, str] = {}
    for said, _ in sorted(rows, key=lambda row: str(row[1])):
        merged |= orjson.loads(said)
    return merged


def any_said(connection: sa.Connection) -> bool:
    """Whether anything was ever said."""
    return _ANY.run(connection).fetchone() is not None


def newest(connection: sa.Connection) -> str:
    """When something was said last; empty when nothing was."""
    row = _NEWEST.run(connection).fetchone()
    return "" if row is None or row[0] is None else str(row[0])


def by_key(connection: sa.Connection, key: int) -> Details | None:
    """What is said, by its key."""
    row = connection.execute(sa.select(table).where(table.c.id == key)).one_or_none()
    if row is None:
        return None
    return Details(row.id, PatientIdentifier(row.value, row.authority), orjson.loads(row.said))
