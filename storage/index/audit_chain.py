"""Rows of the chain over the audit trail, and of its seals."""

import zlib
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from storage.index.audit_schema import audit_batches, audit_seals
from storage.index.audit_sources import packed, unpacked


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records after those of the batch before; `ids` in their order, `gaps` is JSON."""

    number: int
    at: str
    last_id: int
    ids: tuple[int, ...]
    gaps: str
    previous: bytes
    digest: bytes
    key_id: str
    mac: bytes
    removed: bytes | None = None
    removed_mac: bytes | None = None


@dataclass(frozen=True, slots=True)
class Seal:
    """A batch that was sealed, with all before it."""

    number: int
    at: str
    digest: bytes
    blob: str
    token: bytes | None


def newest(connection: sa.Connection) -> Batch | None:
    """The end of the chain."""
    row = connection.execute(sa.select(audit_batches).order_by(audit_batches.c.number.desc()).limit(1)).first()
    return _batch(row) if row is not None else None


def batches(connection: sa.Connection, after: int, limit: int) -> list[Batch]:
    """In the order of the chain, from a number on."""
    chosen = sa.select(audit_batches).where(audit_batches.c.number > after).order_by(audit_batches.c.number)
    return [_batch(row) for row in connection.execute(chosen.limit(limit))]


def count(connection: sa.Connection) -> int:
    """How many batches there are."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(audit_batches)).scalar_one())


def add(connection: sa.Connection, batch: Batch) -> None:
    """At the end of the chain; whoever comes second with a number fails."""
    values = asdict(batch)
    values["ids"] = zlib.compress(packed(list(batch.ids)).encode())
    connection.execute(sa.insert(audit_batches).values(values))


def put_removed(connection: sa.Connection, number: int, removed: bytes, mac: bytes) -> None:
    """Remember the MACs of rows whose time is over."""
    which = sa.update(audit_batches).where(audit_batches.c.number == number)
    connection.execute(which.values(removed=removed, removed_mac=mac))


def remove_before(connection: sa.Connection, number: int) -> None:
    """Batches of which nothing is left, and their seals."""
    connection.execute(sa.delete(audit_batches).where(audit_batches.c.number < number))
    connection.execute(sa.delete(audit_seals).where(audit_seals.c.number < number))


def newest_seal(connection: sa.Connection) -> Seal | None:
    """The last that was made."""
    row = connection.execute(sa.select(audit_seals).order_by(audit_seals.c.number.desc()).limit(1)).first()
    return _seal(row) if row is not None else None


def seals(connection: sa.Connection, after: int, limit: int) -> list[Seal]:
    """In the order of their batches."""
    chosen = sa.select(audit_seals).where(audit_seals.c.number > after).order_by(audit_seals.c.number).limit(limit)
    return [_seal(row) for row in connection.execute(chosen)]


def add_seal(connection: sa.Connection, seal: Seal) -> None:
    """Remember a seal."""
    connection.execute(sa.insert(audit_seals).values(asdict(seal)))


def _batch(row: sa.Row[Any]) -> Batch:
    values = {**row._mapping}
    for name in ("previous", "digest", "mac"):
        values[name] = bytes(values[name])
    try:
        ids = unpacked(zlib.decompress(bytes(row.ids)).decode())
    except (zlib.error, ValueError):
        ids = []  # somebody changed it: then nothing else of the batch fits
    for name in ("removed", "removed_mac"):
        values[name] = bytes(values[name]) if values[name] is not None else None
    return Batch(**{**values, "ids": tuple(ids)})


def _seal(row: sa.Row[Any]) -> Seal:
    values = {**row._mapping, "digest": bytes(row.digest)}
    values["token"] = bytes(row.token) if row.token is not None else None
    return Seal(**values)
