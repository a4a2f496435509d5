"""What was sent and what was acknowledged, kept outside of the archive: written down before and after each request."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.instances import Instance


@dataclass(frozen=True, slots=True)
class Sent:
    """What an instance has to be like when it is served."""

    study: str
    series: str
    patient_id: str
    digest: str


class Ledger:
    """One for an archive, whatever happens to that; many threads write. A line is in the file when the call returns."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._lock = threading.Lock()
        self.sent: dict[str, Sent] = {}
        self.acknowledged: dict[str, None] = {}
        self.refused: defaultdict[str, int] = defaultdict(int)

    def sending(self, instance: Instance) -> None:
        """Before its first byte goes out: from now on it may be found."""
        with self._lock:
            self.sent[instance.sop] = Sent(instance.study, instance.series, instance.patient_id, instance.digest)
            self._write(f"sent {instance.sop} {instance.study} {instance.digest}")

    def acknowledge(self, sops: Iterable[str]) -> None:
        """The archive said that these are kept: from now on they must be found."""
        with self._lock:
            for sop in sops:
                self.acknowledged[sop] = None
                self._write(f"acknowledged {sop}")

    def refuse(self, answer: str) -> None:
        """What a caller saw instead: a status, or how the connection ended."""
        with self._lock:
            self.refused[answer] += 1
            self._write(f"refused {answer}")

    def some(self, count: int) -> list[tuple[str, Sent]]:
        """The last ones that were acknowledged."""
        with self._lock:
            return [(sop, self.sent[sop]) for sop in list(self.acknowledged)[-count:]]

    def close(self) -> None:
        os.close(self._file)

    def _write(self, line: str) -> None:
        os.write(self._file, line.encode() + b"\n")
