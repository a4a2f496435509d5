"""The change feed: what happened to instances, in an order that never changes, from any point on."""

from dataclasses import dataclass
from datetime import datetime

from storage.index import events
from storage.index.engine import Database
from vna.model.access import Action, Actor
from vna.model.events import Event, EventKind
from vna.security.policy import Policy

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

        Numbers go upwards, with gaps.
        """
        self._policy.check(actor, Action.QUERY)
        with self._database.read() as connection:
            return [_change(event) for event in events.handed_out(connection, WORDS, sequence, limit)]

    def latest(self, actor: Actor) -> int:
        """The sequence number from which only what is still to come is read."""
        self._policy.check(actor, Action.QUERY)
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
