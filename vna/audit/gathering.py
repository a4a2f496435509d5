"""Several threads that write at once share one commit."""

import threading
from collections.abc import Callable, Sequence

from vna.model.audit import AuditRecord
from vna.model.errors import Unavailable

Write = Callable[[Sequence[AuditRecord]], None]
"""Makes records durable, all or none."""


class _Batch:
    __slots__ = ("error", "is_done", "records")

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []
        self.is_done = False
        self.error: Exception | None = None


class Gathering:
    """Whoever comes while another writes is written with all who came meanwhile."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._batch = _Batch()
        self._adding = threading.Lock()
        self._turn = threading.Lock()

    def add(self, record: AuditRecord) -> None:
        """Returns when the record is durable."""
        with self._adding:
            batch = self._batch
            batch.records.append(record)
        with self._turn:
            if not batch.is_done:
                self._write_out(batch)
        if batch.error is not None:
            raise Unavailable("the audit trail cannot be written") from batch.error

    def _write_out(self, batch: _Batch) -> None:
        with self._adding:
            self._batch = _Batch()
        try:
            self._write(batch.records)
        except Exception as exc:  # noqa: BLE001 - every thread that waits is told
            batch.error = exc
        batch.is_done = True
