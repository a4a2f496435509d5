"""Records whose time is over: which they are, and their removal."""

from collections.abc import Collection, Iterable

import sqlalchemy as sa

from storage.index.audit_chain import Batch, batches
from storage.index.audit_schema import audit_batches, audit_records, audit_standing
from storage.index.upserts import insert_new

_AT_ONCE = 500


def due(
    connection: sa.Connection, kinds: Collection[str], *, since: str, before: str, limit: int
) -> list[tuple[int, str]]:
    """Id and time of records of some kinds that are older, from a time on, oldest first."""
    c = audit_records.c
    chosen = sa.select(c.id, c.at).where(c.at >= since, c.at < before, c.kind.in_(list(kinds)))
    return [(row.id, row.at) for row in connection.execute(chosen.order_by(c.at, c.id).limit(limit))]


def batch_of(connection: sa.Connection, id_: int) -> Batch | None:
    """The batch in which a record is; None for one that is in none yet."""
    c = audit_batches.c
    number = connection.execute(sa.select(sa.func.min(c.number)).where(c.last_id >= id_)).scalar()
    while number is not None:
        some = batches(connection, number - 1, 20)
        for one in some:
            if id_ in one.ids:
                return one
        number = some[-1].number + 1 if len(some) == 20 else None
    return None


def remove(connection: sa.Connection, ids: Iterable[int]) -> None:
    """Rows are gone."""
    wanted = sorted(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        connection.execute(sa.delete(audit_records).where(audit_records.c.id.in_(wanted[start : start + _AT_ONCE])))


def standing(connection: sa.Connection, name: str) -> str:
    """Where somebody who reads the trail is; empty at the beginning."""
    found = connection.execute(sa.select(audit_standing.c.value).where(audit_standing.c.name == name)).scalar()
    return str(found or "")


def put_standing(connection: sa.Connection, name: str, value: str) -> None:
    """Remember it."""
    insert_new(connection, audit_standing, {"name": name})
    connection.execute(sa.update(audit_standing).where(audit_standing.c.name == name).values(value=value))
