"""Searching and exporting the trail, for those who inspect; each look is in the trail too (PS3.15 A.5.3.3)."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from storage.index import audit
from storage.index.audit import AuditRow, Wanted
from storage.index.engine import Database
from vna.model.access import Action, Actor
from vna.model.audit import AuditKind, AuditRecord, Trail
from vna.security.policy import Policy

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Page:
    """Records, newest first; `before` asks for those that come after them, 0 when there are no more."""

    rows: tuple[AuditRow, ...]
    before: int


class Reading:
    """What an inspector does with the trail."""

    def __init__(self, database: Database, policy: Policy, trail: Trail) -> None:
        self._database = database
        self._policy = policy
        self._trail = trail

    def search(self, actor: Actor, wanted: Wanted, *, before: int = 0, limit: int = 100) -> Page:
        """The newest that match."""
        self._policy.check(actor, Action.ADMIN)
        self._tell(actor, "audit.searched", wanted)
        with self._database.glance() as connection:
            found = audit.search(connection, wanted, before=before, limit=limit)
        return Page(tuple(found), found[-1].id if len(found) == limit else 0)

    def export(self, actor: Actor, wanted: Wanted) -> Iterator[AuditRow]:
        """Everything that matches, newest first, as it is read."""
        self._policy.check(actor, Action.ADMIN)
        self._tell(actor, "audit.exported", wanted)
        return self._all(wanted)

    def _all(self, wanted: Wanted) -> Iterator[AuditRow]:
        before = 0
        while True:
            with self._database.glance() as connection:
                some = audit.search(connection, wanted, before=before, limit=_AT_ONCE)
            yield from some
            if len(some) < _AT_ONCE:
                return
            before = some[-1].id

    def _tell(self, actor: Actor, what: str, wanted: Wanted) -> None:
        asked = {name: value for name, value in asdict(wanted).items() if value}
        self._trail.record(AuditRecord(AuditKind.APPLICATION, what, actor, datetime.now(UTC), detail={"asked": asked}))


def plain(row: AuditRow) -> dict[str, Any]:
    """A record for other programs: its columns by name, what is empty left out."""
    values = {name: value for name, value in asdict(row).items() if value not in ("", b"")}
    return {**values, "detail": orjson.loads(row.detail), "mac": row.mac.hex()}
