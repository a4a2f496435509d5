"""Looks at earlier examinations: who asked for them, and who opened their images or report."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from storage.index import events, looks, orders
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.examinations import OPENED, QUERY, same_person
from storage.index.looks import Look
from vna.model.access import Action, Actor
from vna.model.errors import NotFound
from vna.model.events import Event, EventKind
from vna.model.orders import OrderKey
from vna.model.profile import Profile
from vna.security.policy import Policy
from vna.teleradiology.local_times import as_utc, end_of
from vna.teleradiology.rules import Rules


class Looks:
    """Whoever lets a doctor see an earlier examination says so here: ordering it again may depend on it."""

    def __init__(
        self, database: Database, policy: Policy, profile: Profile, rules: Rules, authorities: Sequence[str] = ()
    ) -> None:
        self._database = database
        self._policy = policy
        self._zone = profile.zone
        self._rules = rules
        self._authorities = tuple(authorities)

    def opened_study(self, actor: Actor, study_instance_uid: str, doctor: str) -> bool:
        """A doctor (by national number) opened a study; whether it is one of an order, so that it counts."""
        self._policy.check(actor, Action.LOOK_UP, study_instance_uid)
        with self._database.transaction() as connection:
            found = looks.examinations_of_study(connection, study_instance_uid)
            self._opened(connection, actor, found, doctor)
        return bool(found)

    def opened_order(self, actor: Actor, key: OrderKey, doctor: str) -> None:
        """A doctor opened images or report of an order; NotFound when it is not known."""
        self._policy.check(actor, Action.LOOK_UP, str(key))
        with self._database.transaction() as connection:
            known = orders.find(connection, key)
            if known is None:
                raise NotFound("no such order is known at this facility")
            order = known.order
            if order.patient.national_number and order.sut.code:
                self._opened(connection, actor, [(order.patient.national_number, order.sut.code)], doctor)

    def __call__(self, batch: Sequence[Event]) -> None:
        """Called with events: notes what was opened by the links that look-ups give, by whoever each was made for."""
        for event in batch:
            doctor = str(event.detail.get("reader", "")) if event.kind is EventKind.LINK_OPENED else ""
            if not doctor:
                continue
            with self._database.transaction() as connection:
                found = looks.examinations_of_study(connection, event.study_instance_uid)
                for number, sut_code in sorted(found):
                    facility = str(event.detail.get("facility", ""))
                    look = Look(number[:16], sut_code[:16], doctor[:16], facility, OPENED, time_text(event.at))
                    if not looks.exists(connection, look):
                        _keep(connection, look, event.at, event.actor)

    def looked_before(
        self,
        actor: Actor,
        national_number: str,
        sut_codes: Sequence[str],
        *,
        at: str,
        doctor: str = "",
        facility: str = "",
    ) -> dict[str, bool]:
        """For each SUT code whether an earlier examination of the patient was opened (by that doctor, by someone of
        that facility) within its period before `at` (local)."""
        self._policy.check(actor, Action.LOOK_UP)
        at = end_of(at)
        found: dict[str, bool] = {}
        with self._database.read() as connection:
            numbers = numbers_of(connection, self._authorities, national_number)
            for code in dict.fromkeys(sut_codes):
                since = as_utc(self._rules.period(code).before(at), self._zone)
                until = as_utc(at, self._zone)
                seen = looks.opened(connection, numbers, [code], OPENED, since, until, doctor, facility)
                found[code] = code in seen
        return found

    def _opened(
        self, connection: Connection, actor: Actor, examinations: Iterable[tuple[str, str]], doctor: str
    ) -> None:
        for number, sut_code in sorted(examinations):
            note(connection, actor, OPENED, number, sut_code, doctor)


def note(connection: Connection, actor: Actor, kind: str, number: str, sut_code: str, doctor: str) -> None:
    """The row of a look, and the event that tells of it."""
    at = datetime.now(UTC)
    look = Look(number[:16], sut_code[:16], doctor[:16], actor.facility, kind, time_text(at))
    _keep(connection, look, at, actor.name)


def _keep(connection: Connection, look: Look, at: datetime, actor: str) -> None:
    looks.add(connection, look)
    detail = {
        "national_number": look.national_number,
        "sut_code": look.sut_code,
        "doctor": look.doctor,
        "facility": look.facility,
        "kind": look.kind,
    }
    events.append(connection, EventKind.PREVIOUS_SEEN, at=at, actor=actor, detail=detail)


def note_query(connection: Connection, actor: Actor, number: str, sut_code: str, doctor: str) -> None:
    """That someone asked for earlier examinations."""
    note(connection, actor, QUERY, number, sut_code, doctor)


def replay(connection: Connection, event: Event) -> None:
    """Do again what an event of the journal tells of."""
    said = event.detail
    look = Look(
        said["national_number"], said["sut_code"], said["doctor"], said["facility"], said["kind"], time_text(event.at)
    )
    if not looks.exists(connection, look):
        looks.add(connection, look)


def numbers_of(connection: Connection, authorities: Sequence[str], number: str) -> tuple[str, ...]:
    """Every national number of a patient: one, unless patients were merged."""
    return same_person(connection, authorities, [number]).get(number, (number,)) if number else ()
