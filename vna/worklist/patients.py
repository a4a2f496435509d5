"""Orders follow what feeds say of their patients: merges of file numbers, and other names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from storage.index import orders as rows
from storage.index.engine import Connection, Database
from vna.identity.patients import restored
from vna.jobs.dispatch import Subscriber
from vna.model.access import SYSTEM
from vna.model.events import Event, EventKind
from vna.model.identifiers import FACILITY, PatientIdentifier
from vna.model.national import is_national_number
from vna.model.orders import Order
from vna.worklist.orders import since_merges, write

_FIELDS: Final[Mapping[str, str]] = {"PatientName": "name", "PatientBirthDate": "birth_date", "PatientSex": "sex"}

_Change = Callable[[Connection, Order], Order]


def following(database: Database) -> Subscriber:
    """A subscriber that changes the orders of patients who were merged or updated."""

    def take(batch: Sequence[Event]) -> None:
        for event in batch:
            if event.kind is EventKind.PATIENT_MERGED:
                _change(database, restored(event.detail["subsumed"]), since_merges)
            elif event.kind is EventKind.PATIENT_UPDATED and not event.detail.get("of_images"):
                said = {_FIELDS[keyword]: value for keyword, value in event.detail["said"].items()}
                _change(database, restored(event.detail["patient"]), _named(said))

    return take


def _named(said: Mapping[str, str]) -> _Change:
    return lambda _connection, order: replace(order, patient=replace(order.patient, **said))


def _change(database: Database, identifier: PatientIdentifier, change: _Change) -> None:
    """Of identifiers of the affinity domain only a national number is one of orders."""
    is_own = identifier.authority.startswith(FACILITY)
    if not is_own and not is_national_number(identifier.value):
        return
    facility = identifier.authority.removeprefix(FACILITY) if is_own else None
    after = 0
    while True:
        with database.transaction() as connection:
            found = rows.of_patient(connection, identifier.value, facility=facility, after=after)
            for key, known in found:
                order, after = change(connection, known.order), key
                if order != known.order:
                    write(connection, SYSTEM, order)
        if not found:
            return
