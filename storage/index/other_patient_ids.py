"""What images call their patient beside Patient ID: a row for each study and number, by which it is found."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.matches import batches
from storage.index.national_schema import other_patient_ids as table

_LONGEST = 64


def keep(connection: sa.Connection, said: Mapping[str, Iterable[str]]) -> None:
    """What these studies say now, in the place of what they said before; none of those that are not held."""
    for some in batches(said):
        rows = connection.execute(sa.select(table).where(table.c.study_instance_uid.in_(some))).all()
        before = {(row.study_instance_uid, row.number) for row in rows}
        now = {(uid, number) for uid in some for number in said[uid] if len(number) <= _LONGEST}
        gone = [row.id for row in rows if (row.study_instance_uid, row.number) not in now]
        if gone:
            connection.execute(sa.delete(table).where(table.c.id.in_(gone)))
        new = [{"study_instance_uid": uid, "number": number} for uid, number in sorted(now - before)]
        if new:
            connection.execute(_INSERT[connection.dialect.name], new)


def studies(numbers: Sequence[str]) -> sa.Select[Any]:
    """The studies that name one of these numbers."""
    return sa.select(table.c.study_instance_uid).where(table.c.number.in_(numbers))


def names(connection: sa.Connection, study_instance_uid: str, numbers: Sequence[str]) -> bool:
    """Whether a study names one of these numbers."""
    wanted = studies(numbers).where(table.c.study_instance_uid == study_instance_uid)
    return connection.execute(wanted.limit(1)).first() is not None


def _insert_for(module: Any) -> sa.Insert:
    statement: sa.Insert = module.insert(table).on_conflict_do_nothing()
    return statement


_INSERT: Mapping[str, sa.Insert] = {"sqlite": _insert_for(sqlite), "postgresql": _insert_for(postgresql)}
