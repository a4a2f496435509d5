"""Examinations of a patient by SUT code and time: which came before, which come after, who looked at them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

from storage.index import orders as order_rows
from storage.index.national_schema import looks
from storage.index.national_schema import orders as table
from storage.index.prepared import Prepared
from storage.index.schema import patient_identifiers
from vna.model.orders import KnownOrder, OrderKey, OrderState

OPENED, QUERY = "opened", "query"
_CANCELLED = OrderState.CANCELLED.value


def made(orders: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether it is one that another would repeat: not cancelled, and with images or a report."""
    return (orders.c.state != _CANCELLED) & ((orders.c.has_images == 1) | (orders.c.has_report == 1))


def earlier(
    connection: sa.Connection, numbers: Sequence[str], sut_code: str, since: str, before: str, *, limit: int
) -> list[KnownOrder]:
    """Examinations of who has one of these national numbers that were ordered from `since` on and before `before`, the
    newest first."""
    return order_rows.listed(connection, earlier_statement(numbers, sut_code, since, before, limit))


def earlier_statement(numbers: Sequence[str], sut_code: str, since: str, before: str, limit: int) -> sa.Select[Any]:
    """How `earlier` asks."""
    return (
        order_rows.select(
            table.c.national_number.in_(numbers),
            table.c.sut_code == sut_code,
            table.c.requested_at >= since,
            table.c.requested_at < before,
            made(table),
        )
        .order_by(table.c.requested_at.desc(), table.c.id.desc())
        .limit(limit)
    )


_ONE_NUMBER = Prepared(
    order_rows.select(
        table.c.national_number == sa.bindparam("number"),
        table.c.sut_code == sa.bindparam("sut_code"),
        table.c.requested_at >= sa.bindparam("since"),
        table.c.requested_at < sa.bindparam("before"),
        made(table),
    )
    .order_by(table.c.requested_at.desc(), table.c.id.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)


def earlier_of_one(
    connection: sa.Connection, number: str, sut_code: str, since: str, before: str, *, limit: int
) -> list[KnownOrder]:
    """`earlier` of who has one number alone, as nearly all have: by a statement that is compiled once."""
    values = {"number": number, "sut_code": sut_code, "since": since, "before": before, "most": limit}
    return [order_rows.known(row) for row in _ONE_NUMBER.run(connection, **values).fetchall()]


@dataclass(frozen=True, slots=True)
class Asked:
    """An examination that may be a repetition: `since` and `before` bound the order's time, `looked_since`,
    `looked_before` and `queried_since` those of looks (UTC)."""

    key: OrderKey
    national_number: str
    sut_code: str
    since: str
    before: str
    doctor: str
    looked_since: str
    queried_since: str
    looked_before: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is of an examination's past: an earlier one, that its doctor opened that, that it was asked for."""

    is_repeated: bool = False
    was_opened: bool = False
    was_queried: bool = False

    def __or__(self, other: "Seen") -> "Seen":
        return Seen(
            self.is_repeated or other.is_repeated,
            self.was_opened or other.was_opened,
            self.was_queried or other.was_queried,
        )


_FIELDS = ("number", "sut", "since", "before", "doctor", "facility", "looked", "queried", "until")


def past(connection: sa.Connection, asked: Sequence[Asked]) -> dict[OrderKey, Seen]:
    """What is known of the past of each, by one statement; an order may be asked for under several numbers."""
    if not asked:
        return {}
    named = sa.values(sa.column("n", sa.Integer), *(sa.column(name, sa.Text) for name in _FIELDS))
    rows = named.data([(n, *_values(one)) for n, one in enumerate(asked)]).cte("asked")
    before = table.alias()
    is_repeated = sa.exists().where(
        before.c.national_number == rows.c.number,
        before.c.sut_code == rows.c.sut,
        before.c.requested_at >= rows.c.since,
        before.c.requested_at < rows.c.before,
        made(before),
    )
    look = looks.alias()
    same = (
        look.c.national_number == rows.c.number,
        look.c.sut_code == rows.c.sut,
        look.c.at <= rows.c.until,
    )
    was_opened = sa.exists().where(
        *same, look.c.at >= rows.c.looked, look.c.kind == OPENED, look.c.doctor_number == rows.c.doctor
    )
    by_them = (look.c.facility == rows.c.facility) | ((look.c.doctor_number == rows.c.doctor) & (rows.c.doctor != ""))
    was_queried = sa.exists().where(*same, look.c.at >= rows.c.queried, by_them)
    found: dict[OrderKey, Seen] = {}
    for row in connection.execute(sa.select(rows.c.n, is_repeated, was_opened, was_queried)):
        key = asked[row[0]].key
        found[key] = found.get(key, Seen()) | Seen(*map(bool, row[1:]))
    return found


def _values(one: Asked) -> tuple[str, ...]:
    return (
        *(one.national_number, one.sut_code, one.since, one.before, one.doctor, one.key.facility),
        *(one.looked_since, one.queried_since, one.looked_before),
    )


@dataclass(frozen=True, slots=True)
class Following:
    """Orders of a patient and SUT code after one time, until another."""

    national_number: str
    sut_code: str
    after: str
    until: str


def following(connection: sa.Connection, wanted: Sequence[Following], *, limit: int) -> list[OrderKey]:
    """The orders that these examinations may make repetitions."""
    if not wanted:
        return []
    fields = ("number", "sut", "after", "until")
    named = sa.values(*(sa.column(name, sa.Text) for name in fields))
    rows = named.data([(one.national_number, one.sut_code, one.after, one.until) for one in wanted]).cte("wanted")
    later = table.alias()
    statement = (
        sa.select(later.c.facility, later.c.accession_number)
        .select_from(
            rows.join(
                later,
                (later.c.national_number == rows.c.number)
                & (later.c.sut_code == rows.c.sut)
                & (later.c.requested_at > rows.c.after)
                & (later.c.requested_at <= rows.c.until),
            )
        )
        .limit(limit)
    )
    return [OrderKey(*row) for row in connection.execute(statement)]


def of_numbers(connection: sa.Connection, numbers: Sequence[str], *, limit: int) -> list[OrderKey]:
    """The orders of patients with these national numbers."""
    if not numbers:
        return []
    statement = sa.select(table.c.facility, table.c.accession_number).where(table.c.national_number.in_(numbers))
    return [OrderKey(*row) for row in connection.execute(statement.limit(limit))]


def same_person(
    connection: sa.Connection, authorities: Iterable[str], numbers: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """For numbers of patients who were merged, every number of theirs; others are left out."""
    at = patient_identifiers
    merged = at.alias()
    touched = sa.select(at.c.value, at.c.authority).where(
        at.c.authority.in_(list(authorities)),
        at.c.value.in_(numbers),
        at.c.merged_into.is_not(None) | sa.exists().where(merged.c.merged_into == at.c.id),
    )
    found: dict[str, set[str]] = {}
    for value, authority in connection.execute(touched).all():
        found.setdefault(value, set()).update(_family(connection, authority, value))
    return {value: tuple(sorted(others)) for value, others in found.items()}


@cache
def _touched(authorities: int) -> Prepared:
    at = patient_identifiers
    merged = at.alias()
    named: list[Any] = [sa.bindparam(f"authority_{number}") for number in range(authorities)]
    return Prepared(
        sa.select(at.c.id)
        .where(
            at.c.authority.in_(named),
            at.c.value == sa.bindparam("value"),
            at.c.merged_into.is_not(None) | sa.exists().where(merged.c.merged_into == at.c.id),
        )
        .limit(1)
    )


def was_merged(connection: sa.Connection, authorities: Sequence[str], number: str) -> bool:
    """Whether a patient has more numbers than this."""
    named: dict[str, Any] = {f"authority_{place}": authority for place, authority in enumerate(authorities)}
    return bool(named) and _touched(len(named)).run(connection, value=number, **named).fetchone() is not None


def _family(connection: sa.Connection, authority: str, value: str) -> list[str]:
    """Everyone who is the same patient: up to the one that stands for all, and down again."""
    at = patient_identifiers
    self = sa.select(at.c.id, at.c.merged_into).where(at.c.authority == authority, at.c.value == value)
    up = self.cte("up", recursive=True)
    up = up.union(sa.select(at.c.id, at.c.merged_into).join(up, up.c.merged_into == at.c.id))
    down = sa.select(up.c.id).where(up.c.merged_into.is_(None)).cte("down", recursive=True)
    down = down.union(sa.select(at.c.id).join(down, at.c.merged_into == down.c.id))
    return list(connection.execute(sa.select(at.c.value).join(down, down.c.id == at.c.id)).scalars())
