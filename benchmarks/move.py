"""`make bench ARGS="move"`: a study by C-MOVE and by C-GET, from the archive and from Orthanc in turn.

make bench ARGS="move --rounds 9 --count 200"

C-MOVE goes to dcmtk's storescp (`+B`, nothing synced), C-GET to its getscu; both have TCP_NODELAY=1.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from pydicom import dcmread

from benchmarks.contestants import NO_DELAY, Peer, folder, orthanc, process, vna
from benchmarks.objects import ct_images
from benchmarks.spread import spread
from tests.peers.processes import answers, free_port, wait_for

_TITLE = "BENCHSCP"
_ORTHANC = {"DicomAlwaysAllowMove": True, "DicomAlwaysAllowGet": True}


def main(words: list[str]) -> None:
    """Send the study to both, then fetch it in turn."""
    parser = argparse.ArgumentParser(prog='make bench ARGS="move ..."', description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=200, help="CT images of 512 KB (default 200)")
    options = parser.parse_args(words)
    with ExitStack() as running:
        path = running.enter_context(folder())
        port, got = free_port(), path / "got"
        got.mkdir()
        argv = ["/usr/bin/storescp", "--fork", "+B", "+xa", "-od", str(got), str(port)]
        running.enter_context(process(argv, path / "storescp.log", NO_DELAY))
        wait_for(lambda: answers(port), what="storescp", timeout=30)
        known = json.dumps([{"ae_title": _TITLE, "host": "127.0.0.1", "port": port}])
        peers: list[Peer] = [
            running.enter_context(vna(VNA_DIMSE__PEERS=known)),
            running.enter_context(orthanc(**_ORTHANC, DicomModalities={"bench": [_TITLE, "127.0.0.1", port]})),
        ]
        study = _send(peers, path / "images", options.count)
        print(f"{options.count} CT images of 512 KB, {options.rounds} rounds in turn; median (lowest to highest)")
        for name in ("C-MOVE", "C-GET"):
            _compare(name, peers, study, got, options.count, options.rounds)


def _send(peers: Sequence[Peer], path: Path, count: int) -> str:
    path.mkdir()
    images = [str(file) for group in ct_images(path, count) for file in group]
    for peer in peers:
        subprocess.run(["/usr/bin/storescu", "127.0.0.1", str(peer.port), *images], env=NO_DELAY, check=True)
    return str(dcmread(images[0]).StudyInstanceUID)


def _compare(name: str, peers: Sequence[Peer], study: str, got: Path, count: int, rounds: int) -> None:
    rates: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds + 1):
        for peer in peers if number % 2 else reversed(peers):
            rate = _fetch(name, peer, study, got, count)
            if number:  # the first one finds the caches cold
                rates[peer.name].append(rate)
    for who, values in rates.items():
        print(f"    {name} {who:10s} {spread(values)} per second")
    ratios = [ours / theirs for ours, theirs in zip(rates["vna"], rates["Orthanc"], strict=True)]
    print(f"    {name} vna / Orthanc {spread(ratios, '{:.2f}')}", flush=True)


def _fetch(name: str, peer: Peer, study: str, got: Path, count: int) -> float:
    """Instances per second; all of them have to come."""
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}", "127.0.0.1", str(peer.port))
    program = ("movescu", "-aem", _TITLE) if name == "C-MOVE" else ("getscu", "+B", "-od", str(got))
    title = "ORTHANC" if peer.name == "Orthanc" else "VNA"
    started = time.perf_counter()
    subprocess.run([program[0], "-S", "-aec", title, *program[1:], *keys], env=NO_DELAY, check=True)
    taken = time.perf_counter() - started
    came = sum(1 for _ in got.iterdir())
    if came != count:
        raise SystemExit(f"{peer.name}: {name} gave {came} of {count} instances")
    shutil.rmtree(got)
    got.mkdir()
    return count / taken
