"""The OID by which manifests and documents say that they are held here (repositoryUniqueId, ITI TF-3 4.2.3.2.18)."""

import uuid
from datetime import UTC, datetime

from storage.index import accounts, events
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.model.access import SYSTEM
from vna.model.events import Event, EventKind

_FACT = "repository-unique-id"


class OwnOid:
    """What is configured, else the one that was made when it was first needed (PS3.5 B.2).

    The journal keeps that one, because manifests elsewhere name it for good.
    """

    def __init__(self, database: Database, configured: str = "") -> None:
        self._database = database
        self._oid = configured

    def __call__(self) -> str:
        """The OID; read once."""
        if not self._oid:
            with self._database.read() as connection:
                known = accounts.fact(connection, _FACT)
            self._oid = (known or self._made()).partition(" ")[0]
        return self._oid

    def known(self, connection: Connection) -> str:
        """The OID where there is one already; "" else."""
        return self._oid or accounts.fact(connection, _FACT).partition(" ")[0]

    def _made(self) -> str:
        oid, at = f"2.25.{uuid.uuid4().int}", datetime.now(UTC)
        with self._database.transaction() as connection:
            known = accounts.claim_fact(connection, _FACT, _fact(oid, at))
            if known == _fact(oid, at):
                events.append(connection, EventKind.ARCHIVE_NAMED, at=at, actor=SYSTEM.name, detail={"oid": oid})
        return known


def replay(connection: Connection, event: Event) -> None:
    """Take the journal's, when it is older than the one that an empty index began with."""
    oid, _, at = accounts.fact(connection, _FACT).partition(" ")
    if not oid or time_text(event.at) < at:
        accounts.put_fact(connection, _FACT, _fact(event.detail["oid"], event.at))


def _fact(oid: str, at: datetime) -> str:
    return f"{oid} {time_text(at)}"
