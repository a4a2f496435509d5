"""Acknowledged from the spool: a burst beside the local folder store, then how fast it goes to the object store.

    make bench ARGS="spool --rounds 9 --count 400"

SQLite, dcmtk's storescu over four associations, 512 KB CT; the object store is SeaweedFS. Contestants take turns.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from benchmarks.contestants import NO_DELAY, Peer, folder, vna
from benchmarks.objects import ct_images
from benchmarks.sending import send
from benchmarks.spread import spread
from tests.peers.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedFS

_LOOK_SECONDS = 0.1


@contextmanager
def seaweedfs() -> Iterator[SeaweedFS]:
    """An object store as long as the context."""
    with tempfile.TemporaryDirectory(prefix="vna-bench-s3-", ignore_cleanup_errors=True) as directory:
        server = SeaweedFS(Path(directory))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def spooling(store: SeaweedFS, acknowledge: str) -> Iterator[Peer]:
    """The archive with an empty bucket."""
    settings = {
        "VNA_STORAGE__URL": store.storage_url(store.new_bucket()),
        "VNA_STORAGE__ACCESS_KEY": ACCESS_KEY,
        "VNA_STORAGE__SECRET_KEY": SECRET_KEY,
        "VNA_STORAGE__ACKNOWLEDGE": acknowledge,
    }
    with vna(f"acknowledged by {acknowledge}", **settings) as peer:
        yield peer


def waiting(peer: Peer) -> int:
    """Objects in the spool, as the metrics say."""
    with urlopen(peer.url.removesuffix("/dicom-web") + "/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith("vna_spool_objects "))


def drained(peer: Peer) -> tuple[int, float]:
    """How many waited, and the seconds until none did."""
    first, started = waiting(peer), time.perf_counter()
    while waiting(peer):
        time.sleep(_LOOK_SECONDS)
    return first, time.perf_counter() - started


def main(arguments: list[str]) -> None:
    """Print the rates, their ratio, and what follows."""
    parser = argparse.ArgumentParser(prog='make bench ARGS="spool"', description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=400, help="CT images of a burst (default 400)")
    parser.add_argument("--steady", type=int, default=2000, help="CT images of the steady state (default 2000)")
    options = parser.parse_args(arguments)
    local: list[float] = []
    burst: list[float] = []
    drain: list[float] = []
    with folder() as path, seaweedfs() as store:
        images = ct_images(path, options.count)
        for number in range(options.rounds):
            for kind in ("folder", "spool") if number % 2 else ("spool", "folder"):
                if kind == "folder":
                    with vna("folder") as peer:
                        local.append(send(peer, images, NO_DELAY))
                    continue
                with spooling(store, "spool") as peer:
                    burst.append(send(peer, images, NO_DELAY))
                    left, seconds = drained(peer)
                    drain.append(left / seconds if left else 0.0)
        ratios = [ours / theirs for ours, theirs in zip(burst, local, strict=True)]
        print(f"C-STORE, {options.count} CT images of 512 KB, four associations, {options.rounds} pairs in turn")
        print(f"    local folder          {spread(local)} per second")
        print(f"    acknowledged by spool {spread(burst)} per second")
        print(f"    spool / folder        {spread(ratios, '{:.2f}')} (0.9 wanted)")
        print(f"    drain after the burst {spread(drain)} per second", flush=True)
        steady(store, path / "steady", options.steady)


def steady(store: SeaweedFS, path: Path, count: int) -> None:
    """From the first byte until the object store has the last, and the same acknowledged by the store."""
    path.mkdir()
    images = ct_images(path, count)
    for acknowledge in ("spool", "store"):
        with spooling(store, acknowledge) as peer:
            started = time.perf_counter()
            rate = send(peer, images, NO_DELAY)
            seconds = drained(peer)[1] if acknowledge == "spool" else 0.0
            whole = count / (time.perf_counter() - started)
            left = f", {seconds:.1f} s more until the spool was empty" if seconds else ""
            print(
                f"    {count} images acknowledged by {acknowledge}: {rate:.0f}/s{left}; in the store at {whole:.0f}/s"
            )
