"""The trail as use cases know it: records, and what was accessed once a minute, durable before anything is given."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from storage.index import audit
from storage.index.audit import AuditRow, Whose
from storage.index.engine import Connection, Database
from vna.audit.gathering import Gathering
from vna.audit.key import AuditKey
from vna.audit.rows import message_of, row_of
from vna.model.access import Action, Actor
from vna.model.audit import AuditKind, AuditRecord, Outcome

WINDOW_SECONDS = 60.0
_MOST_WINDOWS = 50_000

_Key = tuple[str, ...]


class _Window:
    """What one actor accesses of one study: open when it was written down, for a minute."""

    __slots__ = ("closes_at", "writing")

    def __init__(self) -> None:
        self.closes_at = 0.0
        self.writing = threading.Lock()


class AuditTrail:
    """Implements `vna.model.audit.Trail` by rows of the index, each with a MAC."""

    def __init__(self, database: Database, key: AuditKey) -> None:
        self._database = database
        self._key = key
        self._gathering = Gathering(self._write)
        self._windows: dict[_Key, _Window] = {}
        self._opening = threading.Lock()

    def record(self, record: AuditRecord) -> None:
        """One record, durable when it returns; Unavailable otherwise."""
        self._gathering.add(record)

    def accessed(self, actor: Actor, study_instance_uid: str) -> None:
        """Durable before the first byte of the window; within it a look into a dictionary."""
        key = (
            study_instance_uid,
            actor.name,
            actor.kind,
            actor.person,
            actor.address,
            actor.purpose,
            actor.reason,
        )
        if not self._is_open(key):
            self._open(key, _accessed, actor, study_instance_uid)

    def entered(self, actor: Actor, how: str) -> None:
        """As `accessed`."""
        key = ("", actor.name, actor.kind, actor.address, how)
        if not self._is_open(key):
            self._open(key, _entered, actor, how)

    def kept_out(self, actor: Actor, how: str, why: str) -> None:
        """A record each."""
        self.record(replace(_entered(actor, how), outcome=Outcome.MINOR_FAILURE, reason=why))

    def _is_open(self, key: _Key) -> bool:
        window = self._windows.get(key)
        return window is not None and time.monotonic() < window.closes_at

    def _open(self, key: _Key, form: Callable[[Actor, str], AuditRecord], actor: Actor, thing: str) -> None:
        window = self._windows.get(key)
        window = window or self._opened(key)
        with window.writing:
            now = time.monotonic()
            if now < window.closes_at:
                return
            self.record(form(actor, thing))
            window.closes_at = now + WINDOW_SECONDS

    def _opened(self, key: _Key) -> _Window:
        with self._opening:
            while len(self._windows) >= _MOST_WINDOWS:
                del self._windows[next(iter(self._windows))]
            return self._windows.setdefault(key, _Window())

    def refused(self, actor: Actor, action: Action, thing: str, why: str) -> None:
        """What was asked for is named by `thing`, whatever it is."""
        self.record(
            AuditRecord(
                kind=AuditKind.REFUSAL,
                what=action.value,
                actor=actor,
                at=datetime.now(UTC),
                outcome=Outcome.MINOR_FAILURE,
                study_instance_uid=thing if is_uid(thing) else "",
                reason=why,
                detail={"thing": thing} if thing and not is_uid(thing) else {},
            )
        )

    def _write(self, records: Sequence[AuditRecord]) -> None:
        with self._database.transaction() as connection:
            self.write_in(connection, records)

    def write_in(self, connection: Connection, records: Sequence[AuditRecord]) -> list[int]:
        """The same in the caller's transaction."""
        rows = [row_of(one, _whose(connection, one), self._key.key_id) for one in records]
        return audit.add(connection, rows, self._mac)

    def _mac(self, row: AuditRow) -> bytes:
        return self._key.mac(message_of(row))


def _accessed(actor: Actor, study_instance_uid: str) -> AuditRecord:
    return AuditRecord(
        kind=AuditKind.ACCESS,
        what="retrieve",
        actor=actor,
        at=datetime.now(UTC),
        study_instance_uid=study_instance_uid,
        reason=actor.reason,
    )


def _entered(actor: Actor, how: str) -> AuditRecord:
    return AuditRecord(AuditKind.LOGIN, "login", actor, datetime.now(UTC), detail={"how": how})


def _whose(connection: Connection, record: AuditRecord) -> Whose:
    if not record.study_instance_uid or (record.patient and record.facility):
        return Whose()
    return audit.whose(connection, record.study_instance_uid)


def is_uid(thing: str) -> bool:
    """Whether it has the form of a UID (PS3.5 9.1)."""
    return bool(thing) and len(thing) <= 64 and thing.replace(".", "").isdecimal()
