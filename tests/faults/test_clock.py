"""The clock of a node jumps forward and backward while it works (libfaketime): nothing hangs, nothing is lost."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

from tests.archives import Backend, LiveArchive, start_archive
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.reading import search, settled
from tests.faults.results import Outcome
from tests.peers.processes import missing, wait_for

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
JUMPS = ("+3d", "+71h", "-1h", "+400d", "+0d")
"""Forward days, an hour back, behind the beginning, past every lease and token, and back by more than a year."""
_SOON = 30.0


def test_jumps_of_the_clock_lose_nothing_and_hold_up_nobody(
    tmp_path: Path, ledger: Ledger, seed: int, under_load: Callable[..., Load]
) -> None:
    if not LIBRARIES:
        missing("libfaketime is not installed (Debian: apt-get install faketime)")
    clock = tmp_path / "clock"
    clock.write_text("+0d")
    live = start_archive(
        Backend("sqlite+folder", tmp_path),
        wrapper=(
            "env",
            f"LD_PRELOAD={LIBRARIES[0]}",
            f"FAKETIME_TIMESTAMP_FILE={clock}",
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
        ),
    )
    outcome = Outcome(
        "clock jumps", f"libfaketime: {', '.join(JUMPS)}, then the process of jobs is killed", "sqlite+folder"
    )
    outcome.seed = seed
    try:
        load = under_load(live)
        load.wait_for_more(5)
        for jump in JUMPS:
            clock.write_text(jump)
            begun = time.monotonic()
            load.wait_for_more(5)
            _told_of_everything(live, ledger)
            outcome.recovery.append(time.monotonic() - begun)
            outcome.tried += 1
        # Whoever held a lease is dead, and the lease seems to last as long as the clock was back.
        _kill_jobs(live)
        load.wait_for_more(5)
        _told_of_everything(live, ledger)
        load.stop()
        with httpx.Client(base_url=live.dicomweb, timeout=30) as client:
            assert search(client, "/studies", StudyDate="20260101-20260103")
        outcome.count(ledger)
        outcome.judge(settled(live, ledger))
    finally:
        live.stop()


def _kill_jobs(live: LiveArchive) -> None:
    ours = {child.pid for child in psutil.Process(live.child.pid).children()}
    for pid in re.findall(r"worker started.*?jobs\D+(\d+)", live.child.output()):
        if int(pid) in ours:
            os.kill(int(pid), signal.SIGKILL)


def _told_of_everything(live: LiveArchive, ledger: Ledger) -> None:
    """The dispatcher hands out events: the change feed gets as far as what is acknowledged by now."""
    wanted = len(ledger.acknowledged)

    def latest() -> int:
        answer = httpx.get(f"{live.dicomweb}/changefeed/latest", timeout=30)
        return int(answer.json().get("sequence", 0)) if answer.content else 0

    wait_for(lambda: latest() >= wanted, what=f"{wanted} events handed out", timeout=_SOON)
