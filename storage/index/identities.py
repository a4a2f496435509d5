"""Patient identifiers that an identity feed told of, and which of them were merged."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.prepared import Prepared
from storage.index.schema import patient_identifiers as table
from vna.model.identifiers import PatientIdentifier


@dataclass(frozen=True, slots=True)
class Identity:
    """An identifier that is known; `merged_into` is the key of the one that took its place."""

    key: int
    identifier: PatientIdentifier
    merged_into: int | None


def find(connection: sa.Connection, identifier: PatientIdentifier, *, lock: bool = False) -> Identity | None:
    """The identity by its identifier; with `lock`, nobody else changes what is this patient's until the transaction
    ends."""
    statement = sa.select(table).where(table.c.authority == identifier.authority, table.c.value == identifier.value)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    return None if row is None else _identity(row)


def add(connection: sa.Connection, identifier: PatientIdentifier, at: str) -> bool:
    """Make it known; False when it was."""
    values = {"authority": identifier.authority, "value": identifier.value, "registered_at": at}
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = module.insert(table).values(**values).on_conflict_do_nothing().returning(table.c.id)
    return connection.execute(statement).first() is not None


def lock(connection: sa.Connection, keys: Iterable[int]) -> None:
    """Nobody else changes what is these patients' until the transaction ends."""
    statement = sa.select(table.c.id).where(table.c.id.in_(sorted(keys))).order_by(table.c.id)
    connection.execute(statement.with_for_update()).all()


def merge(connection: sa.Connection, subsumed: Identity, surviving: Identity) -> None:
    """From now on what is `subsumed`'s is `surviving`'s."""
    connection.execute(sa.update(table).where(table.c.id == subsumed.key).values(merged_into=surviving.key))


def part(connection: sa.Connection, subsumed: Identity) -> None:
    """What is `subsumed`'s is its own again."""
    connection.execute(sa.update(table).where(table.c.id == subsumed.key).values(merged_into=None))


@dataclass(frozen=True, slots=True)
class Family:
    """A patient: the identity, and the keys of it and of every one merged into it; none when it is not known."""

    identity: Identity
    keys: tuple[int, ...]


_roots = sa.select(table.c.id, sa.literal(1).label("root")).where(
    table.c.authority == sa.bindparam("authority"),
    table.c.value == sa.bindparam("value"),
    table.c.merged_into.is_(None),
)
_family = _roots.cte("family", recursive=True)
_family = _family.union(sa.select(table.c.id, sa.literal(0)).join(_family, table.c.merged_into == _family.c.id))
FAMILY = _family
"""The keys of a patient and everyone merged into it (`id`; `root` is 1 for the first) by `authority` and `value`."""
_FAMILY = Prepared(sa.select(FAMILY.c.id, FAMILY.c.root))


def family(connection: sa.Connection, identifier: PatientIdentifier) -> Family:
    """The patient by an identifier that was not merged into another."""
    rows = _FAMILY.run(connection, authority=identifier.authority, value=identifier.value)
    keys = tuple(key for key, _ in sorted(rows, key=lambda row: -row[1]))
    return Family(Identity(keys[0] if keys else 0, identifier, None), keys)


def successors(connection: sa.Connection, identity: Identity) -> list[int]:
    """The keys of those that an identity was merged into, one after the other."""
    keys: list[int] = []
    following = identity.merged_into
    while following is not None:
        keys.append(following)
        following = connection.execute(sa.select(table.c.merged_into).where(table.c.id == following)).scalar_one()
    return keys


def survivors(connection: sa.Connection, keys: Iterable[int]) -> dict[int, Identity]:
    """For each key the identity that stands for it now."""
    wanted, known = set(keys), dict[int, Identity]()
    while unknown := wanted - known.keys():
        rows = connection.execute(sa.select(table).where(table.c.id.in_(sorted(unknown)[:500])))
        known.update((row.id, _identity(row)) for row in rows)
        wanted |= {one.merged_into for one in known.values() if one.merged_into is not None}
    return {key: _last(known, key) for key in known}


_ANY_MERGED = Prepared(sa.select(table.c.id).where(table.c.merged_into.is_not(None)).limit(1))
_MERGED = Prepared(
    sa.select(table.c.merged_into).where(
        table.c.authority == sa.bindparam("authority"), table.c.value == sa.bindparam("value")
    )
)


def any_merged(connection: sa.Connection) -> bool:
    """Whether there was ever a merge."""
    return _ANY_MERGED.run(connection).fetchone() is not None


def survivor(connection: sa.Connection, identifier: PatientIdentifier) -> PatientIdentifier | None:
    """The identifier that stands for this one now; None when this one was merged into none."""
    row = _MERGED.run(connection, authority=identifier.authority, value=identifier.value).fetchone()
    if row is None or row[0] is None:
        return None
    return survivors(connection, [row[0]])[row[0]].identifier


def by_key(connection: sa.Connection, key: int) -> Identity | None:
    """The identity by its key."""
    row = connection.execute(sa.select(table).where(table.c.id == key)).one_or_none()
    return None if row is None else _identity(row)


def _last(known: dict[int, Identity], key: int) -> Identity:
    identity = known[key]
    while identity.merged_into is not None:
        identity = known[identity.merged_into]
    return identity


def _identity(row: sa.Row[Any]) -> Identity:
    return Identity(row.id, PatientIdentifier(row.value, row.authority), row.merged_into)
