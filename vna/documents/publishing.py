"""When studies are published: after they have been left alone for a while, or because somebody asks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from storage.index import contents, jobs, lookup, publications
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.publications import Publication
from vna.jobs.dispatch import Subscriber
from vna.model.access import Action, Actor
from vna.model.errors import NotFound, Rejected
from vna.model.events import Event, EventKind
from vna.security.policy import Policy

PUBLISH = "publish"
"""The kind of job that publishes a study; its payload is the Study Instance UID."""

CHANGES = frozenset(
    {
        EventKind.INSTANCE_STORED,
        EventKind.INSTANCE_REPLACED,
        EventKind.INSTANCE_DELETED,
        EventKind.INSTANCE_RESTORED,
        EventKind.INSTANCE_CORRECTED,
        EventKind.STUDY_REASSIGNED,
    }
)


def replay(connection: Connection, event: Event) -> None:
    """Note again what an event of the journal tells of."""
    publications.put(connection, Publication(**event.detail))


def noticing(database: Database, idle: timedelta | None) -> Subscriber:
    """Has a study published when nothing of it has changed for `idle`; None leaves alone what nobody published yet."""

    def notice(batch: Sequence[Event]) -> None:
        studies = sorted({event.study_instance_uid for event in batch if event.kind in CHANGES})
        if not studies:
            return
        run_after = time_text(datetime.now(UTC) + (idle or timedelta()))
        with database.transaction() as connection:
            if idle is None:
                studies = sorted(publications.known(connection, studies))
            for study in studies:
                jobs.schedule(connection, PUBLISH, order_key=study, payload=study, run_after=run_after)

    return notice


class Publishing:
    """What people and doors do with manifests."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def request(self, actor: Actor, study_instance_uid: str) -> None:
        """Have a study published at once; NotFound when it is neither held nor published."""
        self._policy.check(actor, Action.WRITE_DOCUMENTS, study_instance_uid)
        with self._database.transaction() as connection:
            is_held = lookup.state(connection, study_instance_uid) is not None
            if publications.find(connection, study_instance_uid) is None:
                if not is_held:
                    raise NotFound("no such study")
                if not contents.is_own(connection, study_instance_uid):
                    raise Rejected("another archive keeps it: copies are never published")
            jobs.schedule(connection, PUBLISH, order_key=study_instance_uid, payload=study_instance_uid, priority=1)

    def published(self, actor: Actor, study_instance_uid: str) -> Publication | None:
        """The newest manifest of a study; None when nothing of it was published."""
        self._policy.check(actor, Action.READ_DOCUMENTS, study_instance_uid)
        with self._database.read() as connection:
            return publications.find(connection, study_instance_uid)
