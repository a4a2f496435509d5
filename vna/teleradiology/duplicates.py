"""Earlier examinations of a patient: what an order would repeat."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.index import examinations
from storage.index.engine import Database
from vna.model.access import Action, Actor
from vna.model.orders import KnownOrder
from vna.security.policy import Policy
from vna.teleradiology.local_times import begin_of, end_of
from vna.teleradiology.looks import note_query, numbers_of
from vna.teleradiology.rules import Rules

MOST = 200
"""The most earlier examinations that one answer has."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """What an examination would repeat, the newest first; `since` is where its period begins, `months` how long it is.

    `excused` says that the time is within an outage that was announced: only not having asked is excused.
    """

    earlier: tuple[KnownOrder, ...]
    excused: bool
    months: int
    since: str = ""


class Duplicates:
    """Who asks is noted: it is a look."""

    def __init__(self, database: Database, policy: Policy, rules: Rules, authorities: Sequence[str] = ()) -> None:
        """`authorities` are the OIDs under which patients are known by their national number."""
        self._database = database
        self._policy = policy
        self._rules = rules
        self._authorities = tuple(authorities)

    def query(self, actor: Actor, national_number: str, sut_code: str, at: str, *, doctor: str = "") -> Duplicate:
        """Examinations of the patient by the same SUT code, not cancelled, with images or a report, at any facility,
        that were ordered within the code's period before `at` (local; a day alone means its end).

        `doctor` is for whom it is asked, by national number. At most MOST are given.
        """
        self._policy.check(actor, Action.LOOK_UP)
        at = end_of(at)
        period = self._rules.period(sut_code)
        since = period.before(at)
        with self._database.transaction() as connection:
            numbers = numbers_of(connection, self._authorities, national_number)
            found: Sequence[KnownOrder] = ()
            if numbers and sut_code and since:
                found = examinations.earlier(connection, numbers, sut_code, since, at, limit=MOST)
            note_query(connection, actor, national_number, sut_code, doctor)
        return Duplicate(tuple(found), self._rules.excuses_query(at), period.months, since)

    def earlier(self, national_number: str, sut_code: str, at: str, now: str) -> Duplicate:
        """`query` for use cases that asked the policy, and note themselves who asks. A day alone means its beginning
        here, and no time today's: an examination of that day is not earlier than itself."""
        excused = self._rules.excuses_query(begin_of(at or now))
        at = begin_of(at or now[:8])
        period = self._rules.period(sut_code)
        since = period.before(at)
        found: Sequence[KnownOrder] = ()
        if national_number and sut_code and since:
            with self._database.glance() as connection:
                if examinations.was_merged(connection, self._authorities, national_number):
                    numbers = numbers_of(connection, self._authorities, national_number)
                    found = examinations.earlier(connection, numbers, sut_code, since, at, limit=MOST)
                else:
                    found = examinations.earlier_of_one(connection, national_number, sut_code, since, at, limit=MOST)
        return Duplicate(tuple(found), excused, period.months, since)
