"""Whose studies an actor reaches, found out from the index and remembered for a moment."""

import logging
import threading
import time
from collections.abc import Callable, Hashable
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

from storage.index import events, examinations, permits, reached
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.model.access import Actor, ActorKind, Purpose
from vna.model.events import EventKind
from vna.model.reach import Reach
from vna.security.roles import ROLES, Whose

log = logging.getLogger(__name__)

REMEMBERED_SECONDS = 2.0
"""How long a permit that was revoked, or a grant that is over, may still be believed."""
_MOST_REMEMBERED = 20_000
_MOST_PERMITS = 50_000
_PUBLIC = "public"
_WINDOW = timedelta(minutes=1)
_LONGEST_REASON = 500

Found = TypeVar("Found")
CONSENT, GRANT, CASE = "consent", "grant", "case"


class Reaching(Protocol):
    """Whose studies an actor reaches who is bound by a role that does not reach all."""

    def reaches(self, actor: Actor, study_instance_uid: str) -> bool:
        """Whether one study is among them. When glass is broken for it, that is durable before this returns."""

    def of(self, actor: Actor) -> Reach:
        """All of them, as a search is narrowed."""

    def break_glass(self, actor: Actor, study_instance_uid: str, patient_id: str = "") -> bool:
        """Whether somebody opens what they do not reach in an emergency; then it is recorded, durably."""


class StudiesReached:
    """Reads it from the index: one look-up a study, and who reaches what every two seconds an actor."""

    def __init__(
        self,
        database: Database,
        authorities: Callable[[], tuple[str, ...]] = tuple,
        *,
        public_grants: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`authorities` are OIDs under which patients are known by their national number; `public_grants` opens public
        facilities to radiologists of public ones in the same province."""
        self._database = database
        self._authorities = authorities
        self._public_grants = public_grants
        self._clock = clock
        self._reaches = _Remembered[Reach]()
        self._studies = _Remembered[bool]()
        self._broken = _Remembered[bool](_WINDOW.total_seconds())

    def reaches(self, actor: Actor, study_instance_uid: str) -> bool:
        """As the protocol says; only that a study is reached is remembered, so that what comes is seen at once."""
        key = (*_who(actor), study_instance_uid)
        if self._studies.get(key):
            return True
        if self._is_within(self.of(actor), study_instance_uid):
            self._studies.put(key, True)
            return True
        return self.break_glass(actor, study_instance_uid)

    def of(self, actor: Actor) -> Reach:
        """As the protocol says."""
        key = _who(actor)
        found = self._reaches.get(key)
        if found is None:
            with self._database.glance() as connection:
                found = self._found(connection, actor)
            self._reaches.put(key, found)
        return found

    def break_glass(self, actor: Actor, study_instance_uid: str, patient_id: str = "") -> bool:
        """As the protocol says: one event a minute for an actor, a reason and what is opened."""
        reason = actor.reason.strip()
        may = actor.role is not None and ROLES[actor.role].breaks_glass and actor.purpose is Purpose.EMERGENCY
        if not may or not reason:
            return False
        key = (*_who(actor), reason, study_instance_uid, patient_id)
        if self._broken.get(key):
            return True
        with self._database.stroke() as connection:
            events.append(
                connection,
                EventKind.GLASS_BROKEN,
                at=self._clock(),
                actor=actor.name,
                study_instance_uid=study_instance_uid,
                detail={
                    "reason": reason[:_LONGEST_REASON],
                    "patient": patient_id,
                    "facility": actor.facility,
                    "address": actor.address,
                    "person": actor.person,
                },
            )
        self._broken.put(key, True)
        log.warning("glass broken", extra={"actor": actor.name, "study": study_instance_uid})
        return True

    def _is_within(self, reach: Reach, study_instance_uid: str) -> bool:
        if study_instance_uid in reach.studies:
            return True
        if reach.is_named:
            return False
        with self._database.glance() as connection:
            whose = reached.whose(connection, study_instance_uid)
        if whose is None:
            return False
        return not (reach.facilities.isdisjoint(whose.facilities) and reach.numbers.isdisjoint(whose.numbers))

    def _found(self, connection: Connection, actor: Actor) -> Reach:
        assert actor.role is not None
        reach = Reach()
        for one in sorted(ROLES[actor.role].whose):
            more = _BY[one](self, connection, actor)
            reach = Reach(
                reach.facilities | more.facilities, reach.numbers | more.numbers, reach.studies | more.studies
            )
        return reach

    def _own(self, connection: Connection, actor: Actor) -> Reach:
        return Reach(numbers=self._of_persons(connection, [actor.person])) if actor.person else Reach()

    def _facility(self, _connection: Connection, actor: Actor) -> Reach:
        return Reach(facilities=frozenset({actor.facility} - {""}))

    def _consented(self, connection: Connection, actor: Actor) -> Reach:
        if not actor.facility:
            return Reach()
        found = permits.subjects(connection, CONSENT, [actor.facility], self._now(), _MOST_PERMITS + 1)
        if len(found) > _MOST_PERMITS:
            log.warning("more consents than are looked at", extra={"facility": actor.facility})
        return Reach(numbers=self._of_persons(connection, found[:_MOST_PERMITS]))

    def _granted(self, connection: Connection, actor: Actor) -> Reach:
        if not actor.facility:
            return Reach()
        found = permits.subjects(connection, GRANT, [actor.facility], self._now(), _MOST_PERMITS)
        if self._public_grants:
            found += permits.alike(connection, actor.facility, _PUBLIC)
        return Reach(facilities=frozenset(found))

    def _cases(self, connection: Connection, actor: Actor) -> Reach:
        found = permits.cases(connection, CASE, [account_of(actor)], self._now(), _MOST_PERMITS)
        named = {one.study_instance_uid for one in found if one.study_instance_uid}
        orders = [(one.facility, one.accession_number) for one in found if not one.study_instance_uid]
        return Reach(studies=frozenset(named | reached.studies_of(connection, orders)))

    def _of_persons(self, connection: Connection, numbers: list[str]) -> frozenset[str]:
        """Every number of these persons: more than one where patients were merged."""
        merged = examinations.same_person(connection, self._authorities(), numbers) if numbers else {}
        return frozenset(numbers).union(*merged.values())

    def _now(self) -> str:
        return time_text(self._clock())


_BY: dict[Whose, Callable[[StudiesReached, Connection, Actor], Reach]] = {
    Whose.PERSON: StudiesReached._own,
    Whose.FACILITY: StudiesReached._facility,
    Whose.CONSENT: StudiesReached._consented,
    Whose.GRANT: StudiesReached._granted,
    Whose.CASE: StudiesReached._cases,
}


def account_of(actor: Actor) -> str:
    """The account behind an actor: tokens are called by it and their own name."""
    return actor.name.rpartition("/")[0] if actor.kind is ActorKind.TOKEN else actor.name


def _who(actor: Actor) -> tuple[str, ...]:
    return (actor.role or "", account_of(actor), actor.facility, actor.person)


class _Remembered(Generic[Found]):
    """What was found a moment ago, within a bound."""

    def __init__(self, seconds: float = REMEMBERED_SECONDS) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._found: dict[Hashable, tuple[float, Found]] = {}

    def get(self, key: Hashable) -> Found | None:
        found = self._found.get(key)
        return found[1] if found is not None and found[0] > time.monotonic() else None

    def put(self, key: Hashable, value: Found) -> None:
        with self._lock:
            if len(self._found) >= _MOST_REMEMBERED:
                self._found.clear()
            self._found[key] = (time.monotonic() + self._seconds, value)
