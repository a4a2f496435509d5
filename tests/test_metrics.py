"""Counters: kept by each process, summed over all of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vna import events, metrics
from vna.metrics import Metrics

WORKERS = """
import os, sys
from pathlib import Path
from vna import events, metrics

metrics.prepare(Path(sys.argv[1]))
counted = metrics.Metrics()
counted.subscribe()
pids = []
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        for _ in range(5):
            events.emit("instance.accepted", door="C-STORE", outcome="stored", bytes=100, seconds=0.002)
        events.emit("association.opened")
        os._exit(0)
    pids.append(pid)
for pid in pids:
    os.waitpid(pid, 0)
sys.stdout.write(counted.exposition().decode())
sys.stdout.write("----\\n")
events.emit("worker.died", kind="dimse", pid=pids[0])
sys.stdout.write(counted.exposition().decode())
"""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Metrics]:
    monkeypatch.delenv(metrics.FOLDER_VARIABLE, raising=False)
    counted = Metrics()
    counted.subscribe()
    yield counted
    counted.unsubscribe()


def _samples(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"^(\w.*) (\S+)$", text, re.MULTILINE)}


def test_instances_and_bytes_are_counted_by_door(counted: Metrics) -> None:
    events.emit("instance.accepted", door="C-STORE", outcome="stored", bytes=1000, seconds=0.002)
    events.emit("instance.accepted", door="C-STORE", outcome="already held", bytes=1000, seconds=0.001)
    events.emit("instance.refused", door="STOW-RS", reason="CannotUnderstand")
    samples = _samples(counted.exposition().decode())
    assert samples['vna_instances_total{door="C-STORE",outcome="stored"}'] == 1
    assert samples['vna_instances_total{door="C-STORE",outcome="already held"}'] == 1
    assert samples['vna_received_bytes_total{door="C-STORE"}'] == 1000
    assert samples['vna_instances_refused_total{door="STOW-RS",reason="CannotUnderstand"}'] == 1


def test_searches_retrieves_requests_and_associations_are_counted(counted: Metrics) -> None:
    events.emit("query.answered", door="QIDO-RS", level="STUDY", matches=7, seconds=0.01)
    events.emit("retrieve.answered", door="C-MOVE", instances=3, bytes=300, seconds=0.1)
    events.emit("http.answered", method="GET", route="/", status=200, seconds=0.01)
    events.emit("association.opened")
    events.emit("association.opened")
    events.emit("association.closed")
    events.emit("association.refused", reason="local limit")
    samples = _samples(counted.exposition().decode())
    assert samples['vna_queries_total{door="QIDO-RS",level="STUDY"}'] == 1
    assert samples['vna_matches_total{door="QIDO-RS"}'] == 7
    assert samples['vna_sent_instances_total{door="C-MOVE"}'] == 3
    assert samples['vna_http_requests_total{method="GET",route="/",status="200"}'] == 1
    assert samples['vna_http_request_seconds_bucket{le="0.01",route="/"}'] == 1
    assert samples["vna_associations_active"] == 1
    assert samples['vna_associations_refused_total{reason="local limit"}'] == 1


def test_gauges_of_the_moment_are_added(counted: Metrics) -> None:
    text = counted.exposition({"vna_free_bytes": ("Free space", {(): 2.5e9})}).decode()
    assert "# TYPE vna_free_bytes gauge\nvna_free_bytes 2500000000.0\n" in text


def test_workers_are_summed_and_a_dead_one_keeps_its_counts_but_not_its_associations(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "counter_1.db").write_bytes(b"of an earlier run")
    done = subprocess.run(
        [sys.executable, "-c", WORKERS, tmp_path / "metrics"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    before, after = (_samples(part) for part in done.stdout.split("----\n"))
    stored = 'vna_instances_total{door="C-STORE",outcome="stored"}'
    assert (before[stored], after[stored]) == (10, 10)
    assert (before["vna_associations_active"], after["vna_associations_active"]) == (2, 1)
    assert before['vna_store_seconds_count{door="C-STORE"}'] == 10
    assert after['vna_worker_deaths_total{kind="dimse"}'] == 1
