"""kill -9 of every kind of process at random moments under a mixed load."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.archives import BACKENDS, LiveArchive, make_backend, start_archive
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.reading import settled
from tests.faults.results import Outcome, rounds

KINDS = ("dimse", "http", "jobs", "hl7", "supervisor", "everything")


def workers(live: LiveArchive, kind: str) -> list[int]:
    """Those that run, of what the log says was started."""
    started = re.findall(rf"worker started.*?{kind}\D+(\d+)", live.child.output())
    ours = {child.pid for child in psutil.Process(live.child.pid).children()}
    return [int(pid) for pid in started if int(pid) in ours]


def kill(live: LiveArchive, kind: str, rng: random.Random) -> bool:
    """One worker of this kind, or what the word says; whether the archive has to be started again."""
    if kind == "supervisor":
        live.kill()
        return True
    if kind == "everything":
        every = [process.pid for process in psutil.Process(live.child.pid).children(recursive=True)]
        for pid in [live.child.pid, *rng.sample(every, len(every))]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        live.child.stop(signal.SIGKILL)
        return True
    if running := workers(live, kind):
        os.kill(rng.choice(running), signal.SIGKILL)
    return False


@pytest.mark.parametrize("name", BACKENDS)
def test_kill_9_of_any_process_loses_nothing(
    name: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    ledger: Ledger,
    seed: int,
    under_load: Callable[..., Load],
) -> None:
    rng = random.Random(seed)
    backend = make_backend(name, request, tmp_path)
    outcome = Outcome("kill -9", "SIGKILL of " + ", ".join(KINDS) + " in turn, at random moments", name, seed=seed)
    live = start_archive(backend)
    load = under_load(live)
    short = KINDS if name == "sqlite+folder" else ("dimse", "supervisor")
    for number in range(rounds(len(short), 120)):
        load.wait_for_more(8)
        time.sleep(rng.uniform(0.0, 0.4))
        begun = time.monotonic()
        if kill(live, short[number % len(short)], rng):
            live = load.archive = start_archive(backend)
        load.wait_for_more(1)
        outcome.recovery.append(time.monotonic() - begun)
        outcome.tried += 1
    load.wait_for_more(8)
    load.stop()
    try:
        outcome.count(ledger)
        outcome.judge(settled(live, ledger))
    finally:
        live.stop()
