"""The change feed: what happened to instances, in an order that never changes, from any point on."""

from dataclasses import dataclass
from datetime import datetime

from storage.index import events, reached
from storage.index.engine import Database
from storage.index.grams import dialect_of
from vna.model.access import Action, Actor
from vna.model.events import Event, EventKind
from vna.security.policy import WITHIN_REACH, Policy

WORDS = {
    EventKind.INSTANCE_STORED: "create",
    EventKind.INSTANCE_REPLACED: "update",
    EventKind.INSTANCE_DELETED: "delete",
    EventKind.INSTANCE_RESTORED: "restore",
    EventKind.INSTANCE_CORRECTED: "update",
}
"""What each kind of event does to an instance."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to one instance; `sequence` is what a reader remembers."""

    sequence: int
    action: str
    at: datetime
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str


class Changes:
    """Reads event rows, which are written with the change itself; numbered within about a second."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def after(self, actor: Actor, sequence: int, limit: int) -> list[Change]:
        """The next `limit` changes after a sequence number, 0 for all: in order, none left out, none twice.

        Numbers go upwards, with gaps. Whoever does not reach all hears of what is held of what they reach.
        """
        self._policy.check(actor, Action.QUERY, WITHIN_REACH)
        within = self._policy.within(actor)
        of = reached.uids(within, dialect_of(self._database)) if within is not None else None
        with self._database.read() as connection:
            return [_change(event) for event in events.handed_out(connection, WORDS, sequence, limit, of)]

    def latest(self, actor: Actor) -> int:
        """The sequence number from which only what is still to come is read."""
        self._policy.check(actor, Action.QUERY, WITHIN_REACH)
        with self._database.read() as connection:
            return events.last_handed_out(connection)


def _change(event: Event) -> Change:
    return Change(
        sequence=event.sequence,
        action=WORDS[event.kind],
        at=event.at,
        study_instance_uid=event.study_instance_uid,
        series_instance_uid=event.detail["series"],
        sop_instance_uid=event.sop_instance_uid,
    )
