"""Looks at earlier examinations: rows that say who asked for them, and who opened them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.index import events
from storage.index.national_schema import looks as table
from storage.index.national_schema import order_matches, orders
from storage.index.prepared import Prepared


@dataclass(frozen=True, slots=True)
class Look:
    """Who looked (`doctor`, by national number, at `facility`), at what of whom; `kind` is query or opened."""

    national_number: str
    sut_code: str
    doctor: str
    facility: str
    kind: str
    at: str


_ADDED = (
    sa.insert(table)
    .values(
        national_number=sa.bindparam("national_number"),
        sut_code=sa.bindparam("sut_code"),
        doctor_number=sa.bindparam("doctor"),
        facility=sa.bindparam("facility"),
        kind=sa.bindparam("look_kind"),
        at=sa.bindparam("look_at"),
    )
    .inline()
)
_ADD = Prepared(_ADDED)
TOLD = "told_"
"""Before the names of the parameters of the event that tells of a look."""
_ADD_AT_ONCE = Prepared(
    events.inserting().add_cte(_ADDED.cte("look"), events.inserting(TOLD).cte("told")),
)


def add(connection: sa.Connection, look: Look) -> None:
    """Note a look."""
    _ADD.run(connection, **_values(look))


def add_at_once(connection: sa.Connection, look: Look, told: Mapping[str, Any], audited: Mapping[str, Any]) -> None:
    """Note a look, the event that tells of it (`told`, its names behind TOLD) and another by one statement, which
    PostgreSQL can do: one way there and back where each is a wait."""
    _ADD_AT_ONCE.run(connection, **_values(look), **told, **audited)


def _values(look: Look) -> dict[str, str]:
    return {
        "national_number": look.national_number,
        "sut_code": look.sut_code,
        "doctor": look.doctor,
        "facility": look.facility,
        "look_kind": look.kind,
        "look_at": look.at,
    }


def exists(connection: sa.Connection, look: Look) -> bool:
    """Whether exactly this was noted."""
    wanted = sa.select(table.c.id).where(
        table.c.national_number == look.national_number,
        table.c.sut_code == look.sut_code,
        table.c.at == look.at,
        table.c.kind == look.kind,
        table.c.doctor_number == look.doctor,
    )
    return connection.execute(wanted.limit(1)).first() is not None


def opened(
    connection: sa.Connection,
    numbers: Sequence[str],
    sut_codes: Sequence[str],
    kind: str,
    since: str,
    until: str,
    doctor: str = "",
    facility: str = "",
) -> set[str]:
    """The SUT codes of which someone (that doctor, someone of that facility) looked at examinations within a time."""
    wanted = sa.select(table.c.sut_code).where(
        table.c.national_number.in_(numbers),
        table.c.sut_code.in_(sut_codes),
        table.c.at >= since,
        table.c.at <= until,
        table.c.kind == kind,
    )
    if doctor:
        wanted = wanted.where(table.c.doctor_number == doctor)
    if facility:
        wanted = wanted.where(table.c.facility == facility)
    return set(connection.execute(wanted.distinct()).scalars())


def examinations_of_study(connection: sa.Connection, study_instance_uid: str) -> set[tuple[str, str]]:
    """National number and SUT code of the orders that a study belongs to."""
    rows = connection.execute(
        sa.select(orders.c.national_number, orders.c.sut_code)
        .join(
            order_matches,
            (order_matches.c.facility == orders.c.facility)
            & (order_matches.c.accession_number == orders.c.accession_number),
        )
        .where(order_matches.c.study_instance_uid == study_instance_uid, order_matches.c.released == 0)
    )
    return {(number, sut) for number, sut in rows if number and sut}
