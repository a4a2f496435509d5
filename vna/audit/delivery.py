"""Sends the audit trail to the audit record repository: in order, and nothing is passed over while it is away."""

import logging
import time
from dataclasses import replace
from datetime import UTC, datetime

from storage.index import audit_queue
from storage.index.audit import AuditRow
from storage.index.engine import Database
from vna.audit.message import message
from vna.audit.participants import Us
from vna.audit.rows import record_of
from vna.audit.syslog import Repository, syslog_message
from vna.jobs.retries import Ladder
from vna.metrics import Gauges
from vna.model.access import SYSTEM
from vna.model.audit import AuditKind, AuditRecord, Outcome

log = logging.getLogger(__name__)

DELIVER = "audit-syslog"
LADDER = Ladder((5, 10, 30, 60), days=36_500)
"""A repository is waited for as long as it is away."""
_AT_ONCE = 500
_LONGEST_SECONDS = 60.0


class Delivery:
    """The work of the job: everything that is in the chain and was not sent. What is sent again after a failure is a
    part from its beginning, so that the order is that of the trail."""

    def __init__(self, database: Database, repository: Repository, us: Us) -> None:
        self._database = database
        self._repository = repository
        self._us = us

    def __call__(self, _payload: str) -> None:
        """For a minute at most; Unavailable when the repository does not take it."""
        until = time.monotonic() + _LONGEST_SECONDS
        while self.once() and time.monotonic() < until:
            pass

    def once(self) -> bool:
        """One part; False when there is none."""
        with self._database.read() as connection:
            part = audit_queue.unsent(connection, _AT_ONCE)
        if part is None:
            return False
        if part.rows:
            self._repository.send([self._message(row) for row in part.rows])
        with self._database.transaction() as connection:
            audit_queue.move(connection, part.behind)
        return True

    def _message(self, row: AuditRow) -> bytes:
        record = _record(row)
        made = self._syslog(record)
        if self._repository.longest and len(made) > self._repository.longest:
            made = self._syslog(replace(record, detail={"left_out": f"{len(made)} bytes: too long for a datagram"}))
        return made

    def _syslog(self, record: AuditRecord) -> bytes:
        return syslog_message(message(record, self._us), record.at, host=self._us.host, process=self._us.process)


def _record(row: AuditRow) -> AuditRecord:
    """Of a row that nobody can read any more, that it is so."""
    try:
        return record_of(row)
    except (ValueError, TypeError):
        log.exception("audit record cannot be read", extra={"record": row.id})
        at, outcome = datetime.now(UTC), Outcome.SERIOUS_FAILURE
        return AuditRecord(AuditKind.SECURITY, "audit.unreadable", SYSTEM, at, outcome, detail={"record": row.id})


def unsent(database: Database) -> Gauges:
    """What waits for the repository, and for how long."""
    with database.read() as connection:
        found = audit_queue.waiting(connection)
    age = (datetime.now(UTC) - found.oldest).total_seconds() if found.oldest else 0.0
    return {
        "vna_audit_unsent": ("Audit records that the repository does not have yet", {(): float(found.rows)}),
        "vna_audit_unsent_oldest_seconds": ("Age of the oldest of them", {(): max(age, 0.0)}),
    }
