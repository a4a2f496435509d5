"""Identifiers that are one person's, who keeps both."""

from dataclasses import dataclass

import sqlalchemy as sa

from storage.index.corrections_schema import patient_links as table
from storage.index.upserts import insert_new


@dataclass(frozen=True, slots=True)
class Link:
    """Another identifier of the same person, as CX; since when, and who said so."""

    identifier: str
    made_at: str
    actor: str


def add(connection: sa.Connection, one: str, other: str, *, at: str, by: str) -> bool:
    """Note it; False when it was known."""
    if connection.execute(sa.select(table.c.id).where(*_is(one, other))).first() is not None:
        return False
    first, second = sorted((one, other))
    insert_new(connection, table, {"one": first, "other": second, "made_at": at, "actor": by})
    return True


def remove(connection: sa.Connection, one: str, other: str) -> bool:
    """Forget it; False when it was not known."""
    return connection.execute(sa.delete(table).where(*_is(one, other))).rowcount == 1


def of(connection: sa.Connection, identifier: str) -> list[Link]:
    """Those to which an identifier is linked, directly or through others, by identifier."""
    found: dict[str, Link] = {}
    wanted = [identifier]
    while wanted:
        mine = wanted.pop()
        rows = connection.execute(sa.select(table).where(sa.or_(table.c.one == mine, table.c.other == mine)))
        for row in rows:
            other = row.other if row.one == mine else row.one
            if other not in found and other != identifier:
                found[other] = Link(other, row.made_at, row.actor)
                wanted.append(other)
    return [found[other] for other in sorted(found)]


def _is(one: str, other: str) -> tuple[sa.ColumnElement[bool], ...]:
    first, second = sorted((one, other))
    return table.c.one == first, table.c.other == second
