"""Storage commitment: who asks that instances are kept, what the answer is, and what others answered us (PS3.4 J)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from storage.index import commitments, events, jobs
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.model.access import Action, Actor
from vna.model.commitments import Commitment, Direction, Outcome, Referenced, State
from vna.model.errors import DuplicateInstance, NotFound
from vna.model.events import Event, EventKind
from vna.security.policy import Policy

CHECK = "commitment-check"
REPORT = "commitment-report"
"""Kinds of jobs; the payload of both is the Transaction UID."""

DIMSE, WEB = "DIMSE", "DICOMweb"
"""Doors: who asked through the second gets no report, and asks."""

_REPORTING_SECONDS = 60
_MANY = 1000
"""Requests of more instances are read behind other jobs."""


@dataclass(frozen=True, slots=True)
class Found:
    """A request with what came of it."""

    commitment: Commitment
    outcomes: tuple[Outcome, ...]


class Commitments:
    """Requests for storage commitment, those that we got and those that we sent.

    Who may store may ask that what is stored is kept, and sees what came of requests of its own.
    """

    def __init__(self, database: Database, policy: Policy, *, most: int) -> None:
        """`most` are the instances of one request."""
        self._database = database
        self._policy = policy
        self.most = most

    def require(self, actor: Actor) -> None:
        """NotAuthorized unless the actor may ask."""
        self._policy.check(actor, Action.STORE)

    def request(
        self, actor: Actor, transaction_uid: str, asked: Sequence[Referenced], *, door: str, hold_seconds: float = 0
    ) -> None:
        """Keep a request, durable with its job when this returns; DuplicateInstance when the Transaction UID is in use.

        For so many seconds the association that it came over may report.
        """
        self._policy.check(actor, Action.STORE)
        now = datetime.now(UTC)
        held = time_text(now + timedelta(seconds=hold_seconds)) if hold_seconds else ""
        with self._database.transaction() as connection:
            new = commitments.add(
                connection,
                Direction.RECEIVED,
                transaction_uid,
                asked,
                door=door,
                partner=actor.name,
                at=time_text(now),
                held_until=held,
            )
            if not new:
                raise DuplicateInstance("the Transaction UID is in use")
            detail = {"partner": actor.name, "door": door, "references": _pairs(asked)}
            _tell(connection, Direction.RECEIVED, transaction_uid, State.PENDING, actor.name, now, detail)
            _plan_check(connection, transaction_uid, len(asked))

    def result(self, actor: Actor, transaction_uid: str) -> Found:
        """What came of a request of this actor, or is known of it so far; NotFound when it made none."""
        self._policy.check(actor, Action.STORE)
        with self._database.read() as connection:
            found = commitments.find(connection, Direction.RECEIVED, transaction_uid)
            if found is None or (found.partner != actor.name and Action.ADMIN not in actor.rights):
                raise NotFound("no such storage commitment request is known")
            said = () if found.state is State.PENDING else commitments.outcomes(connection, found.key)
        return Found(found, said)

    def state(self, actor: Actor, transaction_uid: str) -> State:
        """How far it is; NotFound when it is not known."""
        self._policy.check(actor, Action.STORE)
        with self._database.read() as connection:
            found = commitments.find(connection, Direction.RECEIVED, transaction_uid)
        if found is None:
            raise NotFound("no such storage commitment request is known")
        return found.state

    def take(self, actor: Actor, transaction_uid: str) -> tuple[Outcome, ...] | None:
        """For the association that a request came over: what to report now, None when another does or did."""
        self._policy.check(actor, Action.STORE)
        now = datetime.now(UTC)
        with self._database.transaction() as connection:
            found = commitments.find(connection, Direction.RECEIVED, transaction_uid, lock=True)
            if found is None or found.state is not State.CHECKED or found.held_until <= time_text(now):
                return None
            until = time_text(now + timedelta(seconds=_REPORTING_SECONDS))
            commitments.hold(connection, found.key, until)
            _plan_report(connection, transaction_uid, until)
            return commitments.outcomes(connection, found.key)

    def let_go(self, actor: Actor, transaction_uid: str) -> None:
        """The association will not report: a new one does, at once when the result is known."""
        self._policy.check(actor, Action.STORE)
        with self._database.transaction() as connection:
            found = commitments.find(connection, Direction.RECEIVED, transaction_uid, lock=True)
            if found is None or found.state is State.REPORTED:
                return
            commitments.hold(connection, found.key, "")
            if found.state is State.CHECKED:
                _plan_report(connection, transaction_uid, "")

    def was_reported(self, actor: Actor, transaction_uid: str) -> None:
        """Whoever asked has the result."""
        self._policy.check(actor, Action.STORE)
        self._end(Direction.RECEIVED, transaction_uid, actor)

    def sent(self, actor: Actor, transaction_uid: str, asked: Sequence[Referenced], *, partner: str) -> None:
        """Note a request of ours before it goes out, so that its result is known for one, whenever it comes."""
        self._policy.check(actor, Action.ADMIN)
        now = datetime.now(UTC)
        with self._database.transaction() as connection:
            commitments.add(
                connection, Direction.SENT, transaction_uid, asked, door=DIMSE, partner=partner, at=time_text(now)
            )
            detail = {"partner": partner, "door": DIMSE, "references": _pairs(asked)}
            _tell(connection, Direction.SENT, transaction_uid, State.PENDING, actor.name, now, detail)

    def answered(self, actor: Actor, transaction_uid: str, said: Mapping[str, int], missing: int) -> None:
        """A result came for a request of ours, by SOP Instance UID; what it does not name has `missing`.

        NotFound when we asked nobody, or somebody else: for a result no right is needed beside being known. The same
        result again changes nothing.
        """
        self._policy.check(actor, Action.ECHO)
        now = datetime.now(UTC)
        with self._database.transaction() as connection:
            found = commitments.find(connection, Direction.SENT, transaction_uid, lock=True)
            if found is None or actor.name not in (found.partner, "vna"):
                raise NotFound("no request of this Transaction UID was sent to this application entity")
            if found.state is not State.PENDING:
                return
            listed = enumerate(commitments.outcomes(connection, found.key))
            bad = [(number, reason) for number, one in listed if (reason := said.get(one.sop_instance_uid, missing))]
            commitments.checked(connection, found.key, bad, time_text(now))
            _tell(connection, Direction.SENT, transaction_uid, State.CHECKED, actor.name, now, {"failures": bad})
            commitments.reported(connection, found.key, time_text(now))
            _tell(connection, Direction.SENT, transaction_uid, State.REPORTED, actor.name, now, {})

    def listed(self, actor: Actor, *, state: str = "", limit: int = 1000) -> list[Commitment]:
        """The newest requests, ours among them."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            return commitments.listed(connection, state=state, limit=limit)

    def shown(self, actor: Actor, transaction_uid: str) -> list[Found]:
        """What is known under a Transaction UID: a request that we got, one that we sent, or both."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            found = [commitments.find(connection, direction, transaction_uid) for direction in Direction]
            shown = [Found(one, commitments.outcomes(connection, one.key)) for one in found if one is not None]
        if not shown:
            raise NotFound("no such storage commitment request is known")
        return shown

    def _end(self, direction: Direction, transaction_uid: str, actor: Actor) -> None:
        now = datetime.now(UTC)
        with self._database.transaction() as connection:
            found = commitments.find(connection, direction, transaction_uid, lock=True)
            if found is None or found.state is State.REPORTED:
                return
            commitments.reported(connection, found.key, time_text(now))
            _tell(connection, direction, transaction_uid, State.REPORTED, actor.name, now, {})


def was_checked(
    connection: Connection, found: Commitment, failures: Sequence[tuple[int, int]], by: str, at: datetime
) -> None:
    """Everything is known of a request: write it, tell of it, and have it reported."""
    commitments.checked(connection, found.key, failures, time_text(at))
    _tell(connection, found.direction, found.transaction_uid, State.CHECKED, by, at, {"failures": list(failures)})
    if found.door == DIMSE:
        _plan_report(connection, found.transaction_uid, found.held_until)


def _plan_check(connection: Connection, transaction_uid: str, count: int) -> None:
    priority = jobs.BULK if count > _MANY else 0
    jobs.add(connection, CHECK, order_key=transaction_uid, payload=transaction_uid, priority=priority)


def _plan_report(connection: Connection, transaction_uid: str, after: str) -> None:
    jobs.schedule(connection, REPORT, order_key=transaction_uid, payload=transaction_uid, run_after=after)


def _pairs(asked: Sequence[Referenced]) -> list[list[str]]:
    return [[one.sop_class_uid, one.sop_instance_uid] for one in asked]


def _tell(
    connection: Connection,
    direction: Direction,
    transaction_uid: str,
    state: State,
    by: str,
    at: datetime,
    detail: Mapping[str, Any],
) -> None:
    said = {"direction": direction.value, "transaction": transaction_uid, "state": state.value, **detail}
    events.append(connection, EventKind.COMMITMENT_CHANGED, at=at, actor=by, detail=said)


def replay(connection: Connection, event: Event) -> None:
    """Do again what an event of the journal tells of; what was not done has its job again."""
    said, at = event.detail, time_text(event.at)
    direction, transaction_uid = Direction(said["direction"]), str(said["transaction"])
    if said["state"] == State.PENDING:
        asked = [Referenced(*pair) for pair in said["references"]]
        door, partner = str(said["door"]), str(said["partner"])
        new = commitments.add(connection, direction, transaction_uid, asked, door=door, partner=partner, at=at)
        if new and direction is Direction.RECEIVED:
            _plan_check(connection, transaction_uid, len(asked))
        return
    found = commitments.find(connection, direction, transaction_uid)
    if found is None:
        return
    if said["state"] == State.CHECKED:
        commitments.checked(connection, found.key, [tuple(pair) for pair in said["failures"]], at)
        if found.door == DIMSE and direction is Direction.RECEIVED:
            _plan_report(connection, transaction_uid, "")
    else:
        commitments.reported(connection, found.key, at)
