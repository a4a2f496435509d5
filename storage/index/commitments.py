"""Requests for storage commitment as rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.index.commitment_schema import commitment_references as references
from storage.index.commitment_schema import commitments as table
from storage.index.schema import instances
from storage.index.upserts import insert_returning
from vna.model.commitments import COMMITTED, UNKNOWN, Commitment, Direction, Outcome, Referenced, State

_COLUMNS = (table.c.id, *(table.c[name] for name in Commitment.__slots__ if name != "key"))


@dataclass(frozen=True, slots=True)
class Content:
    """What is held under a SOP Instance UID: what its bytes have to be, and the door that they came through."""

    sop_instance_uid: str
    sop_class_uid: str
    blob: str
    size: int
    sha256: bytes
    door: str


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A reference of which nothing is known yet."""

    number: int
    sop_class_uid: str
    sop_instance_uid: str


def add(
    connection: sa.Connection,
    direction: Direction,
    transaction_uid: str,
    asked: Sequence[Referenced],
    *,
    door: str,
    partner: str,
    at: str,
    held_until: str = "",
) -> bool:
    """Note a request; False when one of this direction has the Transaction UID."""
    key = insert_returning(
        connection,
        table,
        {
            "direction": direction.value,
            "transaction_uid": transaction_uid,
            "door": door,
            "partner": partner,
            "state": State.PENDING.value,
            "requested_at": at,
            "held_until": held_until,
            "instances": len(asked),
        },
        table.c.id,
    )
    if key is None:
        return False
    rows = [
        {
            "commitment_fk": key,
            "number": number,
            "sop_class_uid": one.sop_class_uid,
            "sop_instance_uid": one.sop_instance_uid,
        }
        for number, one in enumerate(asked)
    ]
    if rows:
        connection.execute(sa.insert(references), rows)
    return True


def find(
    connection: sa.Connection, direction: Direction, transaction_uid: str, *, lock: bool = False
) -> Commitment | None:
    """One request; with `lock`, nobody else changes it until the transaction ends."""
    wanted = sa.select(*_COLUMNS).where(
        table.c.direction == direction.value, table.c.transaction_uid == transaction_uid
    )
    row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    return None if row is None else _commitment(row)


def listed(connection: sa.Connection, *, state: str, limit: int) -> list[Commitment]:
    """The newest requests, of one state or of all."""
    wanted = sa.select(*_COLUMNS).order_by(table.c.requested_at.desc(), table.c.id.desc()).limit(limit)
    rows = connection.execute(wanted.where(table.c.state == state) if state else wanted)
    return [_commitment(row) for row in rows]


def outcomes(connection: sa.Connection, key: int) -> tuple[Outcome, ...]:
    """Every instance of a request, in the order in which they were asked for."""
    wanted = sa.select(references.c.sop_class_uid, references.c.sop_instance_uid, references.c.result)
    rows = connection.execute(wanted.where(references.c.commitment_fk == key).order_by(references.c.number))
    return tuple(Outcome(*row) for row in rows)


def unchecked(connection: sa.Connection, key: int, limit: int) -> list[Unchecked]:
    """The first of which nothing is known."""
    wanted = sa.select(references.c.number, references.c.sop_class_uid, references.c.sop_instance_uid)
    wanted = wanted.where(references.c.commitment_fk == key, references.c.result == UNKNOWN)
    return [Unchecked(*row) for row in connection.execute(wanted.order_by(references.c.number).limit(limit))]


def held(connection: sa.Connection, sop_instance_uids: Sequence[str]) -> dict[str, Content]:
    """What is held of these."""
    columns = (
        instances.c.sop_instance_uid,
        instances.c.sop_class_uid,
        instances.c.blob,
        instances.c.size,
        instances.c.sha256,
        instances.c.door,
    )
    rows = connection.execute(sa.select(*columns).where(instances.c.sop_instance_uid.in_(sop_instance_uids)))
    return {row.sop_instance_uid: Content(*row) for row in rows}


def note(connection: sa.Connection, key: int, results: Iterable[tuple[int, int]]) -> None:
    """What came of references, by their numbers."""
    said = [{"at_number": number, "said": result} for number, result in results]
    if said:
        connection.execute(
            sa.update(references)
            .where(references.c.commitment_fk == key, references.c.number == sa.bindparam("at_number"))
            .values(result=sa.bindparam("said")),
            said,
        )


def failures(connection: sa.Connection, key: int) -> list[tuple[int, int]]:
    """Numbers of what is not committed, with the reasons."""
    wanted = sa.select(references.c.number, references.c.result)
    wanted = wanted.where(references.c.commitment_fk == key, references.c.result > COMMITTED)
    return [(row.number, row.result) for row in connection.execute(wanted.order_by(references.c.number))]


def checked(connection: sa.Connection, key: int, found: Sequence[tuple[int, int]], at: str) -> None:
    """Everything is known: those named are not committed, the others are."""
    rest = sa.update(references).where(references.c.commitment_fk == key, references.c.result == UNKNOWN)
    note(connection, key, found)
    connection.execute(rest.values(result=COMMITTED))
    _change(connection, key, state=State.CHECKED.value, checked_at=at, failures=len(found))


def reported(connection: sa.Connection, key: int, at: str) -> None:
    """Whoever asked knows."""
    _change(connection, key, state=State.REPORTED.value, reported_at=at, held_until="")


def hold(connection: sa.Connection, key: int, until: str) -> None:
    """Until when an association that is open reports; empty for one that does not any more."""
    _change(connection, key, held_until=until)


def forget(connection: sa.Connection, before: str, limit: int) -> int:
    """Forget some of the requests that were made before a time, whatever came of them; how many."""
    old = sa.select(table.c.id).where(table.c.requested_at < before).limit(limit)
    keys = list(connection.execute(old).scalars())
    if keys:
        connection.execute(sa.delete(references).where(references.c.commitment_fk.in_(keys)))
        connection.execute(sa.delete(table).where(table.c.id.in_(keys)))
    return len(keys)


def _change(connection: sa.Connection, key: int, **values: object) -> None:
    connection.execute(sa.update(table).where(table.c.id == key).values(**values))


def _commitment(row: sa.Row[Any]) -> Commitment:
    values = dict(zip(Commitment.__slots__, tuple(row), strict=True))
    return Commitment(**{**values, "direction": Direction(row.direction), "state": State(row.state)})
