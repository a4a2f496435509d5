"""Changes that nobody made through the archive: triggers of PostgreSQL see them, and here they come into the trail."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from storage.index import audit_expiry, guards, nodes
from storage.index.engine import Database
from storage.index.events import read_time, time_text
from storage.index.guards import Change
from vna.audit.key import AuditKey
from vna.audit.trail import AuditTrail
from vna.model.access import Actor, ActorKind
from vna.model.audit import AuditKind, AuditRecord, Outcome
from vna.model.errors import Unavailable

WATCH = "audit-database"
_AT_ONCE = 500
_SINCE = "0018"
"""The schema from which on nodes show who they are."""
_WATCHED = "watched"
log = logging.getLogger(__name__)


class Watching:
    """The work of the job: triggers where they are lacking, and what they saw into the trail."""

    def __init__(self, database: Database, key: AuditKey, trail: AuditTrail, *, is_on: bool) -> None:
        self._database = database
        self._key = key
        self._trail = trail
        self._is_on = is_on and not database.is_sqlite

    def __call__(self, _payload: str) -> None:
        """Once; while nodes run that do not show who they are, nothing new is watched."""
        if not self._is_on:
            return
        self.know()
        while self._collect() == _AT_ONCE:
            pass
        if not self._older_run():
            self._watch()

    def know(self) -> None:
        """From now on our sessions are those of a node."""
        with self._database.transaction() as connection:
            if self._key.key_id not in guards.known_keys(connection):
                at = time_text(datetime.now(UTC))
                guards.know_key(connection, self._key.key_id, self._key.session_digest(), at)

    def _older_run(self) -> bool:
        with self._database.read() as connection:
            known = nodes.known(connection)
        return any(_is_recent(node.seen_at) and node.schema_revision < _SINCE for node in known)

    def _watch(self) -> None:
        with self._database.read() as connection:
            tables = guards.lacking(connection)
            may = guards.may_watch_schema(connection)
            events = guards.lacking_events(connection) if may else []
            watched = audit_expiry.standing(connection, _WATCHED)
        if not tables and not events:
            return
        with self._database.transaction() as connection:
            guards.install_functions(connection)
        for table in tables:
            self._install(table)
        with self._database.transaction() as connection:
            if events:
                guards.install_events(connection)
            audit_expiry.put_standing(connection, _WATCHED, self._key.key_id)
        if watched == self._key.key_id:  # they were there, and nobody of us took them away
            detail = {"tables": tables[:100], "events": events}
            self._trail.record(_record("watch.removed", _somebody("", ""), datetime.now(UTC), detail))
            log.error("triggers of the audit trail were removed", extra={"tables": len(tables), "events": len(events)})

    def _install(self, table: str) -> None:
        """A table that is written to all the time is tried again the next time."""
        try:
            with self._database.transaction() as connection:
                guards.install(connection, table)
        except Unavailable:
            log.info("a table is in use, and is watched later", extra={"table": table})

    def _collect(self) -> int:
        with self._database.transaction() as connection:
            some = guards.changes(connection, _AT_ONCE)
            if some:
                self._trail.write_in(connection, [_of(change) for change in some])
                guards.forget(connection, [change.id for change in some])
        return len(some)


def _of(change: Change) -> AuditRecord:
    detail = {
        "object": change.object,
        "application": change.application,
        "statement": change.statement,
        "rows": change.detail,
    }
    said = {name: value for name, value in detail.items() if value}
    return _record(change.operation, _somebody(change.database_user, change.address), read_time(change.at), said)


def _record(what: str, actor: Actor, at: datetime, detail: Mapping[str, object]) -> AuditRecord:
    return AuditRecord(AuditKind.DATABASE, what, actor, at, Outcome.SUCCESS, detail=detail)


def _somebody(user: str, address: str) -> Actor:
    """A user of the database, who is none of the archive."""
    return Actor(ActorKind.SYSTEM, f"database:{user}" if user else "database", address=address)


def _is_recent(seen_at: str) -> bool:
    return bool(seen_at) and (datetime.now(UTC) - read_time(seen_at)).total_seconds() < 60
