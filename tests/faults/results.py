"""How much of each fault is tried, and what came of it as lines of a file, of which docs/reliability.md is made.

FAULTS=long      many rounds instead of a few (make faults)
FAULT_ROUNDS=N   so many rounds
FAULT_SEED=N     the same moments and choices again, as far as processes are the same twice
FAULT_RESULTS=F  append a line of JSON for each fault
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.faults.ledger import Ledger

LONG = os.environ.get("FAULTS") == "long"


def rounds(short: int, long: int) -> int:
    return int(os.environ.get("FAULT_ROUNDS") or (long if LONG else short))


def new_seed() -> int:
    """Printed, so that a failure can be tried again."""
    seed = int(os.environ.get("FAULT_SEED") or secrets.randbelow(10**6))
    print(f"FAULT_SEED={seed}")
    return seed


@dataclass(slots=True)
class Outcome:
    """A row of the table: what was tried, and what was lost."""

    fault: str
    made: str
    """How the fault is made."""
    on: str
    """Which stores."""
    tried: int = 0
    sent: int = 0
    acknowledged: int = 0
    lost: int = 0
    half_stored: int = 0
    saw: dict[str, int] = field(default_factory=dict)
    """What callers saw who were refused, and how often."""
    recovery: list[float] = field(default_factory=list)
    """Seconds until the next store was acknowledged."""
    seed: int = 0

    def count(self, ledger: Ledger) -> None:
        """Called when everything was checked, so that there is something to say of what was not lost."""
        self.sent, self.acknowledged = len(ledger.sent), len(ledger.acknowledged)
        self.saw = dict(ledger.refused)

    def judge(self, wrong: list[str]) -> None:
        """Nothing may be wrong. Written down whatever it is."""
        self.lost += sum("is not found" in line for line in wrong)
        self.half_stored += sum("other bytes" in line or "is found and" in line for line in wrong)
        if path := os.environ.get("FAULT_RESULTS"):
            with Path(path).open("a") as file:
                file.write(json.dumps(asdict(self)) + "\n")
        assert not wrong, f"seed {self.seed}: " + "\n".join(wrong[:10])
