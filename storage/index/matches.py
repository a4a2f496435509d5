"""Rows of matches between orders and studies, and of orders as matching sees them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.national_schema import order_matches as table
from storage.index.national_schema import orders
from vna.model.matches import Match, MatchRule, Outline
from vna.model.orders import OrderKey, OrderState

_BATCH = 400
_OUTLINE = (
    orders.c.facility,
    orders.c.accession_number,
    orders.c.patient_id,
    orders.c.national_number,
    orders.c.doctor_number,
    orders.c.modality,
    orders.c.scheduled_at,
    orders.c.performing_facility,
    orders.c.placed_at,
    orders.c.state,
)
OF_ORDER = (table.c.facility == orders.c.facility) & (table.c.accession_number == orders.c.accession_number)


def outlines(connection: sa.Connection, accession_numbers: Iterable[str]) -> list[Outline]:
    """The orders with these accession numbers, of every facility."""
    return [
        outline(row)
        for some in batches(accession_numbers)
        for row in connection.execute(sa.select(*_OUTLINE).where(orders.c.accession_number.in_(some)))
    ]


def of_patients(connection: sa.Connection, those: Iterable[Outline]) -> list[Outline]:
    """Orders of the patient and doctor of one of these: what may have been acquired with it is among them."""
    doctors: dict[str, set[str]] = {}
    for one in those:
        if one.national_number and one.doctor_number:
            doctors.setdefault(one.national_number, set()).add(one.doctor_number)
    found: list[Outline] = []
    for some in batches(doctors):
        wanted = sa.select(*_OUTLINE).where(
            orders.c.national_number.in_(some),
            orders.c.doctor_number.in_(set().union(*(doctors[number] for number in some))),
        )
        found += map(outline, connection.execute(wanted))
    return found


def outline(row: Sequence[Any]) -> Outline:
    """A row of the columns of an outline."""
    facility, number, patient_id, national, doctor, modality, scheduled_at, performing, placed_at, state = row
    return Outline(
        key=OrderKey(facility, number),
        patient_id=patient_id,
        national_number=national,
        doctor_number=doctor,
        modality=modality,
        scheduled_at=scheduled_at,
        performing_facility=performing,
        placed_at=placed_at,
        cancelled=state == OrderState.CANCELLED.value,
    )


def of_orders(connection: sa.Connection, keys: Iterable[OrderKey], *, lock: bool = False) -> list[Match]:
    """What is known of these orders, released pairs too."""
    wanted: dict[str, set[str]] = {}
    for key in keys:
        wanted.setdefault(key.accession_number, set()).add(key.facility)
    found: list[Match] = []
    for some in batches(wanted):
        facilities = set().union(*(wanted[number] for number in some))  # the index begins with them
        those = table.c.facility.in_(facilities), table.c.accession_number.in_(some)
        statement = sa.select(table).where(*those).order_by(table.c.id)
        rows = connection.execute(statement.with_for_update() if lock else statement)
        found += [_match(row) for row in rows if row.facility in wanted[row.accession_number]]
    return found


def of_studies(connection: sa.Connection, studies: Iterable[str]) -> list[Match]:
    """What is known of these studies, released pairs too."""
    return [
        _match(row)
        for some in batches(studies)
        for row in connection.execute(sa.select(table).where(table.c.study_instance_uid.in_(some)).order_by(table.c.id))
    ]


def find(connection: sa.Connection, key: OrderKey, study_instance_uid: str) -> Match | None:
    """What is known of a pair."""
    wanted = sa.select(table).where(
        table.c.facility == key.facility,
        table.c.accession_number == key.accession_number,
        table.c.study_instance_uid == study_instance_uid,
    )
    row = connection.execute(wanted).one_or_none()
    return None if row is None else _match(row)


def is_matched(connection: sa.Connection, study_instance_uid: str) -> bool:
    """Whether a study is of any order."""
    wanted = sa.select(table.c.id).where(table.c.study_instance_uid == study_instance_uid, table.c.released == 0)
    return connection.execute(wanted.limit(1)).first() is not None


def put(connection: sa.Connection, match: Match) -> None:
    """Write it, in the place of what was known of the pair."""
    values = {
        "facility": match.key.facility,
        "accession_number": match.key.accession_number,
        "study_instance_uid": match.study_instance_uid,
        "rule": match.rule.value,
        "actor": match.actor[:128],
        "reason": match.reason,
        "released": int(match.released),
        "at": match.at,
    }
    connection.execute(_UPSERT[connection.dialect.name], values)


def remove(connection: sa.Connection, key: OrderKey, study_instance_uid: str) -> None:
    """The pair is none any more."""
    connection.execute(
        sa.delete(table).where(
            table.c.facility == key.facility,
            table.c.accession_number == key.accession_number,
            table.c.study_instance_uid == study_instance_uid,
        )
    )


def batches(values: Iterable[str]) -> Iterator[list[str]]:
    """The values, each once, some hundred at a time."""
    distinct = sorted(set(values))
    return (distinct[at : at + _BATCH] for at in range(0, len(distinct), _BATCH))


def _match(row: sa.Row[Any]) -> Match:
    return Match(
        key=OrderKey(row.facility, row.accession_number),
        study_instance_uid=row.study_instance_uid,
        rule=MatchRule(row.rule),
        actor=row.actor,
        reason=row.reason,
        released=bool(row.released),
        at=row.at,
    )


def _upsert_for(module: Any) -> sa.Insert:
    statement = module.insert(table)
    key = ["facility", "accession_number", "study_instance_uid"]
    changed = {name: statement.excluded[name] for name in ("rule", "actor", "reason", "released", "at")}
    upsert: sa.Insert = statement.on_conflict_do_update(index_elements=key, set_=changed)
    return upsert


_UPSERT: Mapping[str, sa.Insert] = {"sqlite": _upsert_for(sqlite), "postgresql": _upsert_for(postgresql)}
