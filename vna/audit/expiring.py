"""Records go when their time is over, by class; the chain over those that stay can still be verified."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from storage.blobs.base import BlobStore
from storage.index import audit, audit_chain, audit_expiry
from storage.index.audit_chain import Batch
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.audit import links, seals
from vna.audit.key import AuditKey
from vna.audit.trail import AuditTrail
from vna.model.access import SYSTEM
from vna.model.audit import AuditKind, AuditRecord

EXPIRE = "audit-retention"
_AT_ONCE = 1_000

SHORT = frozenset({AuditKind.APPLICATION, AuditKind.LOGIN, AuditKind.SECURITY, AuditKind.REFUSAL})
"""Classes that say nothing of anybody's images; the others are kept for the longer time."""


class Expiring:
    """The work of the job. MACs of what goes stay in their batch, so that its digest can be made again."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        key: AuditKey,
        trail: AuditTrail,
        ages: Mapping[AuditKind, timedelta],
    ) -> None:
        """`ages` are how long records of a class are kept; a class that is not there stays for ever."""
        self._database = database
        self._blobs = blobs
        self._key = key
        self._trail = trail
        self._ages = dict(ages)

    def __call__(self, _payload: str) -> None:
        """Everything that is due, then batches and seals of which nothing is left."""
        now, removed = datetime.now(UTC), 0
        for age in sorted(set(self._ages.values())):
            kinds = [kind.value for kind, kept in self._ages.items() if kept == age]
            removed += self._expire(f"expired {age.days}", kinds, time_text(now - age))
        self._tidy()
        if removed:
            detail = {"records": removed}
            self._trail.record(AuditRecord(AuditKind.APPLICATION, "audit.expired", SYSTEM, now, detail=detail))

    def _expire(self, name: str, kinds: list[str], before: str) -> int:
        count = 0
        while True:
            with self._database.read() as connection:
                since = audit_expiry.standing(connection, name)
                due = audit_expiry.due(connection, kinds, since=since, before=before, limit=_AT_ONCE)
            ids = {id_ for id_, _ in due}
            while ids:
                with self._database.transaction() as connection:
                    gone = self._remove(connection, ids)
                if not gone:  # not chained yet: a clock went wrong, or nobody chains
                    return count
                ids -= gone
                count += len(gone)
            with self._database.transaction() as connection:
                audit_expiry.put_standing(connection, name, due[-1][1] if due else before)
            if len(due) < _AT_ONCE:
                return count

    def _remove(self, connection: Connection, ids: set[int]) -> set[int]:
        """Those that are in the batch of the first of them."""
        batch = audit_expiry.batch_of(connection, min(ids))
        if batch is None:
            return set()
        rows = {row.id: row.mac for row in audit.by_ids(connection, ids.intersection(batch.ids))}
        packed = links.pack_removed({**self._removed(batch), **rows})
        audit_chain.put_removed(
            connection, batch.number, packed, self._key.mac(links.removed_message(batch.number, packed))
        )
        audit_expiry.remove(connection, rows)
        return set(rows)

    def _removed(self, batch: Batch) -> dict[int, bytes]:
        return links.unpack_removed(batch.removed)

    def _tidy(self) -> None:
        """The last batch of which nothing is left stays: it says where the chain begins."""
        start, after = 0, 0
        with self._database.read() as connection:
            while some := audit_chain.batches(connection, after, 100):
                whole = [one.number for one in some if set(one.ids) <= set(links.unpack_removed(one.removed))]
                start = max([start, *_from_the_first(whole, after or some[0].number - 1)])
                if len(whole) < len(some):
                    break
                after = some[-1].number
        if not start:
            return
        with self._database.transaction() as connection:
            audit_chain.remove_before(connection, start)
        for one in list(seals.named(self._blobs)):
            if one.number >= start:
                break
            self._blobs.delete(one.name)


def _from_the_first(numbers: list[int], before: int) -> list[int]:
    """Those that follow one another without a gap."""
    found = []
    for number in numbers:
        if number != before + 1:
            break
        before = number
        found.append(number)
    return found
