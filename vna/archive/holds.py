"""Legal holds: what is on hold is removed by nobody, neither softly nor for good, until it is released or over."""

import secrets
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime

from storage.index import events
from storage.index import holds as rows
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.holds import Hold
from vna.model.access import Action, Actor
from vna.model.errors import BadRequest, Conflict, NotFound
from vna.model.events import Event, EventKind
from vna.security.policy import Policy

_BATCH = 200
_LONGEST = 500


class Holds:
    """What is on hold, and why."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def add(
        self,
        actor: Actor,
        study: str = "",
        *,
        patient_id: str = "",
        issuer: str = "",
        reason: str = "",
        until: date | None = None,
    ) -> Hold:
        """Put a study, or everything of a patient, on hold; `issuer` narrows to one, `until` is the last day of it.

        What is not here yet, or is deleted already, can be on hold too.
        """
        self._policy.check(actor, Action.ADMIN, study)
        if bool(study) == bool(patient_id):
            raise BadRequest("a hold is on a study or on a patient")
        if not reason.strip() or len(reason) > _LONGEST or "\0" in reason:
            raise BadRequest(f"a reason is needed, of at most {_LONGEST} characters")
        if until is not None and until < datetime.now(UTC).date():
            raise BadRequest("that date is over")
        now = datetime.now(UTC)
        hold = Hold(
            name=secrets.token_hex(4),
            study_instance_uid=study,
            patient_id=patient_id,
            issuer=issuer,
            reason=reason,
            until=until.isoformat() if until else "",
            added_at=time_text(now),
            added_by=actor.name,
        )
        with self._database.transaction() as connection:
            rows.lock(connection, study, patient_id, issuer)
            rows.put(connection, hold)
            _tell(connection, actor, hold, now)
        return hold

    def listed(self, actor: Actor) -> Iterator[Hold]:
        """Every hold, those that are over too."""
        self._policy.check(actor, Action.ADMIN)
        after = ""
        while True:
            with self._database.read() as connection:
                page = rows.listed(connection, after=after, limit=_BATCH)
            yield from page
            if len(page) < _BATCH:
                return
            after = page[-1].name

    def release(self, actor: Actor, name: str) -> None:
        """End a hold, by its name."""
        self._policy.check(actor, Action.ADMIN, name)
        with self._database.transaction() as connection:
            found = rows.remove(connection, name)
            if not found:
                raise NotFound(f"no hold is called {name}")
            _tell(connection, actor, found[0], datetime.now(UTC), released=True)

    @staticmethod
    def held(connection: Connection, study_instance_uid: str) -> bool:
        """Whether a study is on hold, by itself or by its patient; asked in the transaction that would remove it."""
        return rows.of_study(connection, study_instance_uid, today()) is not None


def refuse_held(connection: Connection, study_instance_uid: str) -> None:
    """Conflict, with the words of the hold, when a study is on hold.

    Asked in the transaction that removes it, when its rows are locked: then no hold comes between.
    """
    hold = rows.of_study(connection, study_instance_uid, today())
    if hold is not None:
        raise Conflict(f"the study is on hold: {hold.reason} (vna hold release {hold.name.partition('/')[0]})")


def follow(connection: Connection, actor: Actor, study: str, other: str) -> None:
    """Something of a study moves to another one: what is on hold there stays so."""
    for hold in rows.follow_study(connection, study, other):
        _tell(connection, actor, hold, datetime.now(UTC))


def replay(connection: Connection, event: Event) -> None:
    """A hold, as an event tells of it."""
    detail = dict(event.detail)
    if detail.pop("released", False):
        rows.remove(connection, detail["name"])
    else:
        rows.put(connection, Hold(**detail))


def is_over(hold: Hold) -> bool:
    """Whether its last day is over."""
    return bool(hold.until) and hold.until < today()


def today() -> str:
    """This date, as holds have it."""
    return datetime.now(UTC).date().isoformat()


def _tell(connection: Connection, actor: Actor, hold: Hold, now: datetime, *, released: bool = False) -> None:
    detail = asdict(hold) | ({"released": True} if released else {})
    study = hold.study_instance_uid
    events.append(connection, EventKind.HOLD_CHANGED, at=now, actor=actor.name, study_instance_uid=study, detail=detail)
