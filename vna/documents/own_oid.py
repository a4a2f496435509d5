"""The OID by which manifests and documents say that they are held here (repositoryUniqueId, ITI TF-3 4.2.3.2.18)."""

import uuid
from datetime import UTC, datetime

from storage.index import accounts, events
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.model.access import SYSTEM
from vna.model.events import Event, EventKind

_FACT = "repository-unique-id"
_AT = "repository-unique-id-at"


class OwnOid:
    """What is configured, else the one that was made when it was first needed."""

    def __init__(self, database: Database, configured: str = "") -> None:
        self._database = database
        self._oid = configured

    def __call__(self) -> str:
        """The OID; read once."""
        if not self._oid:
            self._oid = self._made() or make(self._database)
        return self._oid

    def _made(self) -> str:
        with self._database.read() as connection:
            return accounts.fact(connection, _FACT)


def make(database: Database) -> str:
    """Make one (PS3.5 B.2), unless there is one; the journal keeps it, because manifests elsewhere name it for good."""
    with database.transaction() as connection:
        held = accounts.fact(connection, _FACT)
        if held:
            return held
        oid, at = f"2.25.{uuid.uuid4().int}", datetime.now(UTC)
        events.append(connection, EventKind.ARCHIVE_NAMED, at=at, actor=SYSTEM.name, detail={"oid": oid})
        _put(connection, oid, at)
    return oid


def replay(connection: Connection, event: Event) -> None:
    """Take the journal's, when it is older than the one that an empty index began with."""
    if time_text(event.at) < accounts.fact(connection, _AT) or not accounts.fact(connection, _FACT):
        _put(connection, event.detail["oid"], event.at)


def _put(connection: Connection, oid: str, at: datetime) -> None:
    accounts.put_fact(connection, _FACT, oid)
    accounts.put_fact(connection, _AT, time_text(at))
