"""`make bench ARGS="grown"`: storing and searching beside ten thousand instances, and beside a million.

make bench ARGS="grown --count 200000 --database sqlite"

The rows of what is there already are generated, without images. Both archives are sent new studies in turn (four
associations) and asked the same in turn, over HTTP. That the plans are the same is proved by
tests/archive/test_plans.py.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from benchmarks.contestants import NO_DELAY, Peer, folder, postgresql, vna
from benchmarks.objects import ct_images
from benchmarks.spread import spread
from benchmarks.studies import fill
from storage.index.engine import Database

SMALL = 10_000
_KNOWN = 7_777
_SEARCHES = {
    "patient ID": "studies?PatientID={patient}&limit=100",
    "accession number": "studies?AccessionNumber=A{known:09}&limit=100",
    "study UID": "series?StudyInstanceUID=1.2.826.0.1.3680043.10.1561.{known}&limit=100",
    "newest studies": "studies?limit=100",
}


def main(words: list[str]) -> None:
    """Fill, send in turn, ask in turn, print."""
    parser = argparse.ArgumentParser(prog='make bench ARGS="grown ..."', description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="instances of the large one (default a million)")
    parser.add_argument("--images", type=int, default=400, help="CT images of 512 KB a round (default 400)")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--asked", type=int, default=400, help="times that each search is asked (default 400)")
    options = parser.parse_args(words)
    for name in ("sqlite", "postgresql"):
        if options.database in (name, "both"):
            with ExitStack() as running:
                peers = _archives(running, name, (SMALL, options.count))
                _store(name, peers, options.images, options.rounds)
                _search(name, peers, options.asked)


def _archives(running: ExitStack, name: str, sizes: Sequence[int]) -> list[Peer]:
    urls = running.enter_context(_urls(name, len(sizes)))
    peers = []
    for url, size in zip(urls, sizes, strict=True):
        started = time.perf_counter()
        database = Database(url)
        fill(database, size)
        database.close()
        print(f"{name}: {size} instances in {time.perf_counter() - started:.0f} s", flush=True)
        peers.append(running.enter_context(vna(str(size), VNA_DATABASE__URL=url)))
    return peers


@contextmanager
def _urls(name: str, count: int) -> Iterator[list[str]]:
    with ExitStack() as running:
        if name == "postgresql":
            server = running.enter_context(postgresql())
            yield [server.new_database() for _ in range(count)]
        else:
            path = running.enter_context(folder())
            yield [f"sqlite:///{path}/{number}.sqlite" for number in range(count)]


def _store(name: str, peers: Sequence[Peer], count: int, rounds: int) -> None:
    rates: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        for peer in peers if number % 2 else reversed(peers):
            with tempfile.TemporaryDirectory(prefix="vna-bench-images-") as path:
                groups = ct_images(Path(path), count)
                os.sync()
                rates[peer.name].append(_sent(peer, groups, count))
    small, large = (rates[peer.name] for peer in peers)
    print(
        f"{name}: C-STORE beside {peers[0].name}: {spread(small)}, beside {peers[1].name}: {spread(large)} per second"
    )
    ratios = [many / few for few, many in zip(small, large, strict=True)]
    print(f"    large / small {spread(ratios, '{:.2f}')}", flush=True)


def _sent(peer: Peer, groups: list[list[Path]], count: int) -> float:
    started = time.perf_counter()
    clients = [
        subprocess.Popen(["/usr/bin/storescu", "127.0.0.1", str(peer.port), *map(str, group)], env=NO_DELAY)
        for group in groups
    ]
    if any(client.wait() for client in clients):
        raise SystemExit(f"{peer.name}: storescu failed")
    return count / (time.perf_counter() - started)


def _search(name: str, peers: Sequence[Peer], asked: int) -> None:
    patient = 10_000_000_000 + _KNOWN * 7919 % 89_999_999_999
    with ExitStack() as running:
        clients = [running.enter_context(httpx.Client(base_url=peer.url + "/", timeout=60)) for peer in peers]
        for what, text in _SEARCHES.items():
            address = text.format(patient=patient, known=_KNOWN)
            taken: list[list[float]] = [[] for _ in peers]
            for number in range(asked + 10):
                for client, times in zip(clients, taken, strict=True):
                    started = time.perf_counter()
                    client.get(address).raise_for_status()
                    if number >= 10:
                        times.append((time.perf_counter() - started) * 1000)
            small, large = ((statistics.median(one), statistics.quantiles(one, n=100)[98]) for one in taken)
            print(
                f"    {name}: {what:18s} p50 {small[0]:.2f} and {large[0]:.2f} ms = {large[0] / small[0]:.2f}, "
                f"p99 {small[1]:.2f} and {large[1]:.2f} ms = {large[1] / small[1]:.2f}",
                flush=True,
            )
