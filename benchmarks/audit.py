"""`make bench ARGS="audit"`: what policy and audit trail cost, and how long a search of a grown trail takes.

make bench ARGS="audit --rounds 5 --count 400 --seconds 2 --records 1000000"

"all" is the archive in `enforced` mode with its trail, "login" the same with VNA_AUDIT__ON=false, "none" is `local`
mode, which asks nobody to log in and allows all, with VNA_AUDIT__ON=false; "trail" is `local` mode with the trail.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from benchmarks.contestants import NO_DELAY, Peer, folder, postgresql, vna
from benchmarks.objects import ct_images
from benchmarks.rows import insert
from benchmarks.sending import send
from benchmarks.spread import spread
from benchmarks.wrk import PATHS
from storage.index import audit
from storage.index.audit import Wanted
from storage.index.audit_schema import audit_records
from storage.index.engine import Database
from storage.index.events import time_text
from storage.index.migrate import upgrade

_PASSWORD = "correct horse battery"
_FRAME = {"Accept": 'multipart/related; type="application/octet-stream"'}
_SEARCHES = 200
_SETTLE_SECONDS = 8
"""What follows from stores is done by then, and frames are measured alone."""
_PEERS = '[{"ae_title": "STORESCU", "rights": ["store", "query", "retrieve"]}]'


_ENFORCED = {"VNA_SECURITY__MODE": "enforced", "VNA_DIMSE__PEERS": _PEERS, "VNA_DIMSE__AE_TITLE": "ANY-SCP"}
_NO_TRAIL = {"VNA_AUDIT__ON": "false"}
_CONTESTANTS = {"none": _NO_TRAIL, "trail": {}, "login": {**_ENFORCED, **_NO_TRAIL}, "all": _ENFORCED}
_RATIOS = (("trail", "none"), ("all", "login"), ("all", "none"))


def main(words: list[str]) -> None:
    """Stores, then frames, by turns; then the search."""
    parser = argparse.ArgumentParser(prog='make bench ARGS="audit ..."', description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=400, help="CT images of 512 KB (default 400)")
    parser.add_argument("--seconds", type=float, default=2, help="of frames, each run (default 2)")
    parser.add_argument("--records", type=int, default=1_000_000, help="of the grown trail (default a million)")
    parser.add_argument("--quick", action="store_true", help="without PostgreSQL")
    options = parser.parse_args(words)
    print(f"{os.cpu_count()} cores, {options.rounds} rounds in turn; median (lowest to highest)")
    with ExitStack() as running:
        images = ct_images(running.enter_context(folder()), options.count)
        indexes: list[tuple[str, Any]] = [("SQLite", None)]
        if not options.quick:
            indexes.append(("PostgreSQL", running.enter_context(postgresql())))
        for name, server in indexes:
            _cost(name, server, images, options)
        for name, server in indexes:
            _grown(name, server, options.records)


def _cost(index: str, server: Any, images: list[list[Path]], options: argparse.Namespace) -> None:
    stored: dict[str, list[float]] = defaultdict(list)
    framed: dict[str, list[float]] = defaultdict(list)
    for number in range(options.rounds):
        names = list(_CONTESTANTS)[number % 4 :] + list(_CONTESTANTS)[: number % 4]
        for name in names:
            place = {"VNA_DATABASE__URL": server.new_database()} if server else {}
            with vna(name, **_CONTESTANTS[name], **place) as peer:
                stored[peer.name].append(send(peer, images, NO_DELAY))
                time.sleep(_SETTLE_SECONDS)
                framed[peer.name].append(_frames(peer, options.seconds))
    for what, rates in (("C-STORE, four associations", stored), ("WADO-RS frames, two connections", framed)):
        print(f"{what}, index in {index}")
        for name, values in rates.items():
            print(f"    {name:20s} {spread(values)} per second")
        for one, other in _RATIOS:
            ratios = [ours / theirs for ours, theirs in zip(rates[one], rates[other], strict=True)]
            print(f"    {one + ' / ' + other:20s} {spread(ratios, '{:.2f}')}, wanted at least 0.9", flush=True)


def _frames(peer: Peer, seconds: float) -> float:
    """Frames a second over two connections, by clients of the archive's own machine."""
    login = ("reader", _PASSWORD) if peer.name in {"login", "all"} else None
    if login:
        _add_user(peer)
    with httpx.Client(auth=login, timeout=60) as client:
        found = client.get(f"{peer.url}/instances?limit=200").raise_for_status().json()
    paths = "\n".join(
        f"/dicom-web/studies/{one['0020000D']['Value'][0]}/series/{one['0020000E']['Value'][0]}"
        f"/instances/{one['00080018']['Value'][0]}/frames/1"
        for one in found
    )
    with tempfile.TemporaryDirectory() as path:
        list_, script = Path(path, "paths"), Path(path, "script.lua")
        list_.write_text(paths + "\n")
        script.write_text(PATHS % {"paths": list_})
        argv = ["/usr/bin/wrk", "-t1", "-c2", f"-d{max(1, int(seconds))}s", "-s", str(script)]
        for name, value in _FRAME.items():
            argv += ["-H", f"{name}: {value}"]
        if login:
            argv += ["-H", f"Authorization: {httpx.BasicAuth(*login)._auth_header}"]
        root = peer.url.removesuffix("/dicom-web")
        said = subprocess.run([*argv, root], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"frames were refused: {said}")
    rate = re.search(r"Requests/sec: +([\d.]+)", said)
    assert rate is not None
    return float(rate[1])


def _add_user(peer: Peer) -> None:
    """By the command line, in the environment of the server."""
    environment = dict(
        line.split("=", 1)
        for line in Path(f"/proc/{peer.pids[0]}/environ").read_text().split("\0")
        if line.startswith(("VNA_", "PATH", "PYTHONPATH"))
    )
    argv = [sys.executable, "-m", "vna.cli", "user", "add", "reader", "--password-stdin"]
    subprocess.run(argv, env=environment, input=_PASSWORD + "\n", text=True, check=True, stdout=subprocess.DEVNULL)


def _grown(index: str, server: Any, records: int) -> None:
    """A search by patient over ten thousand records, and over many: of a patient with a hundred."""
    with folder() as path:
        database = Database(server.new_database() if server else f"sqlite:///{path}/index.sqlite")
        upgrade(database)
        print(f"search of the audit trail by patient, index in {index}")
        took: list[float] = []
        written = 0
        for size in (10_000, records):
            _fill(database, written, size)
            written = size
            took.append(statistics.median(_timed(database, number) for number in range(_SEARCHES)))
            print(f"    {size:9d} records    {took[-1] * 1000:.3f} ms")
        print(f"    ratio                {took[1] / took[0]:.2f}, wanted at most 1.5", flush=True)
        database.close()


def _timed(database: Database, number: int) -> float:
    wanted = Wanted(patient=f"P{number * 37 % 100}")
    started = time.perf_counter()
    with database.glance() as connection:
        found = audit.search(connection, wanted, limit=100)
    assert len(found) == 100
    return time.perf_counter() - started


def _fill(database: Database, first: int, until: int) -> None:
    """A hundred patients have a hundred records each among the first ten thousand; what comes later is others'."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for start in range(first, until, 10_000):
        rows = [_row(number, begin) for number in range(start, min(start + 10_000, until))]
        with database.transaction() as connection:
            insert(connection, audit_records, rows)
    with database.transaction() as connection:
        connection.exec_driver_sql("ANALYZE")


def _row(number: int, begin: datetime) -> dict[str, Any]:
    patient = f"P{number % 100}" if number < 10_000 else f"Q{number % 10_000}"
    return {
        "id": number + 1,
        "kind": "instances-accessed",
        "what": "retrieve",
        "at": time_text(begin + timedelta(seconds=number)),
        "outcome": 0,
        "actor_kind": "user",
        "actor": f"doctor{number % 500}",
        "address": "10.0.0.7",
        "purpose": "TREAT",
        "study_instance_uid": f"1.2.826.0.1.3680043.10.{number // 7}",
        "patient": patient,
        "issuer": "HIS",
        "facility": "34001",
        "detail": "{}",
        "key_id": "0" * 16,
        "mac": bytes(32),
    }
