"""Chains new records within seconds, in batches; one job at a time."""

from dataclasses import replace
from datetime import UTC, datetime

from storage.index import audit, audit_chain
from storage.index.audit import AuditRow
from storage.index.audit_chain import Batch
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.audit.key import AuditKey
from vna.audit.links import FIRST, digest_of, gaps_after, message_of, waited_for
from vna.audit.seals import Sealing

CHAIN = "audit-chain"
_BATCH = 5_000
_WIDEST_GAP = 1_000
"""More numbers in a row that no row has are not waited for: somebody moved the sequence."""


class Chain:
    """The work of the job: everything that is not chained yet, then the seal."""

    def __init__(self, database: Database, key: AuditKey, sealing: Sealing) -> None:
        self._database = database
        self._key = key
        self._sealing = sealing

    def __call__(self, _payload: str) -> None:
        """Until nothing is left; what is sealed already is not sealed again."""
        while self.once() == _BATCH:
            pass
        self._sealing.seal()

    def once(self) -> int:
        """One batch; how many rows it has."""
        at = time_text(datetime.now(UTC))
        with self._database.transaction() as connection:
            last = audit_chain.newest(connection)
            rows, passed = self._unchained(connection, last)
            if rows:
                audit_chain.add(connection, self._next(last, rows, passed, at))
        return len(rows)

    def _unchained(self, connection: Connection, last: Batch | None) -> tuple[list[AuditRow], list[int]]:
        """Rows after those of the last batch, and such as came late; and the numbers between them that no row has."""
        from_, gaps = (last.last_id, last.gaps) if last else (0, "")
        late = list(audit.by_ids(connection, [id_ for ids, _ in waited_for(gaps) for id_ in ids]))
        fresh = audit.after(connection, from_, _BATCH - len(late))
        passed: list[int] = []
        for row in fresh:
            if row.id - from_ <= _WIDEST_GAP:
                passed.extend(range(from_ + 1, row.id))
            from_ = row.id
        return [*late, *fresh], passed

    def _next(self, last: Batch | None, rows: list[AuditRow], passed: list[int], at: str) -> Batch:
        number, previous = (last.number + 1, last.digest) if last else self._sealing.beginning()
        ids = tuple(row.id for row in rows)
        batch = Batch(
            number=number,
            at=at,
            last_id=max(ids[-1], last.last_id if last else 0),
            ids=ids,
            gaps=gaps_after(last.gaps if last else "", ids, passed, at),
            previous=previous or FIRST,
            digest=digest_of(previous or FIRST, number, at, ((row.id, row.mac) for row in rows)),
            key_id=self._key.key_id,
            mac=b"",
        )
        return _with_mac(batch, self._key)


def _with_mac(batch: Batch, key: AuditKey) -> Batch:
    return replace(batch, mac=key.mac(message_of(batch)))
