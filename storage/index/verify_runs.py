"""Runs of verify: how far each is, and what was found damaged."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from storage.index.care_schema import damages, verify_runs
from storage.index.upserts import upsert

_BATCH = 500


@dataclass(slots=True)
class Run:
    """A run that is not done: everything up to the key `after` of the table number `part` was looked at, of which so
    many objects were `sound`, `damaged`, or damaged and given up (`forgotten`). Times are `time_text`."""

    name: str
    begun_at: str
    changed_at: str = ""
    part: int = 0
    after: int = 0
    sound: int = 0
    damaged: int = 0
    forgotten: int = 0
    bytes: int = 0

    @property
    def objects(self) -> int:
        """How many were looked at."""
        return self.sound + self.damaged + self.forgotten


@dataclass(frozen=True, slots=True)
class Damaged:
    """An object that was damaged when it was looked at last; `found_at` is a `time_text`."""

    blob: str
    sop_instance_uid: str
    size: int
    damage: str
    found_at: str


_RUN = tuple(verify_runs.c[name] for name in Run.__slots__)
_DAMAGED = tuple(damages.c[name] for name in Damaged.__slots__)


def find(connection: sa.Connection, name: str) -> Run | None:
    """How far a run is; None when none of that name was begun and not done."""
    row = connection.execute(sa.select(*_RUN).where(verify_runs.c.name == name)).first()
    return Run(*row) if row else None


def save(connection: sa.Connection, run: Run) -> None:
    """It is so far."""
    upsert(connection, verify_runs, {name: getattr(run, name) for name in Run.__slots__}, key=["name"])


def forget(connection: sa.Connection, name: str) -> None:
    """It is done, or begins anew."""
    connection.execute(sa.delete(verify_runs).where(verify_runs.c.name == name))


def note(connection: sa.Connection, found: Damaged) -> None:
    """An object is damaged."""
    upsert(connection, damages, {name: getattr(found, name) for name in Damaged.__slots__}, key=["blob"])


def damaged(connection: sa.Connection, *, after: str = "", limit: int) -> list[Damaged]:
    """Some objects that are damaged, by blob, from one on."""
    rows = connection.execute(sa.select(*_DAMAGED).where(damages.c.blob > after).order_by(damages.c.blob).limit(limit))
    return [Damaged(*row) for row in rows]


def count_damaged(connection: sa.Connection) -> int:
    """How many are."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(damages)).scalar_one())


def whole(connection: sa.Connection, blobs: Iterable[str]) -> None:
    """They are whole, or given up."""
    names = list(blobs)
    for start in range(0, len(names), _BATCH):
        connection.execute(sa.delete(damages).where(damages.c.blob.in_(names[start : start + _BATCH])))


def drop_older(connection: sa.Connection, before: str) -> None:
    """What was damaged before a run began that looked at everything is there no more."""
    connection.execute(sa.delete(damages).where(damages.c.found_at < before))
