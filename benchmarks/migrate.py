"""`make bench ARGS="migrate"`: taking over from Orthanc, beside Orthanc sending the same to storescp, in turn.

make bench ARGS="migrate --rounds 5 --count 400 --studies 8"
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx

from benchmarks.contestants import folder, orthanc, storescp
from benchmarks.objects import ct_images
from tests.archives import Backend, rows
from vna.app import build, migrate, prepare
from vna.model.access import SYSTEM
from vna.model.sources import RemoteArchive, Source
from vna.routing.migration import Choice
from vna.routing.scope import Scope

_PEER = "Orthanc to storescp"


def main(words: list[str]) -> None:
    """Orthanc has the images once; every round begins with an empty archive, and an empty folder of storescp."""
    parser = argparse.ArgumentParser(prog='make bench ARGS="migrate ..."', description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=400, help="CT images of 512 KB (default 400)")
    parser.add_argument("--studies", type=int, default=8, help="how many studies they are (default 8)")
    parser.add_argument("--parallel", type=int, nargs="+", default=[4], help="studies at once (default 4)")
    options = parser.parse_args(words)
    allowed = {f"DicomAlwaysAllow{one}": True for one in ("Find", "Get", "Move")}
    plugins = {"Plugins": ["/usr/share/orthanc/plugins"]}
    with folder() as path, storescp() as receiver, orthanc(**allowed, **plugins) as source:
        modality = ["STORESCP", "127.0.0.1", receiver.port]
        api = source.url.removesuffix("/dicom-web")
        httpx.put(f"{api}/modalities/bench", json=modality).raise_for_status()
        _load(api, path, options.count, options.studies)
        archives = {
            "WADO-RS": RemoteArchive(qido_rs=source.url, wado_rs=source.url, bulk_connections=4, connections=5),
            "C-GET": RemoteArchive("ORTHANC", "127.0.0.1", source.port, bulk_connections=4, connections=5),
        }
        ways: dict[str, Callable[[], float]] = {_PEER: lambda: _sent(api, options.count)}
        for door, archive in archives.items():
            for parallel in options.parallel:
                ways[f"vna by {door}, {parallel}"] = partial(_taken_over, archive, options.count, parallel)
        _compare(ways, options.rounds)


def _load(api: str, path: Path, count: int, studies: int) -> None:
    files: list[Path] = []
    for number in range(studies):
        below = path / str(number)
        below.mkdir()
        files += ct_images(below, count // studies, series=1)[0]
    with httpx.Client(timeout=60) as client, ThreadPoolExecutor(4) as pool:
        for answer in pool.map(lambda file: client.post(f"{api}/instances", content=file.read_bytes()), files):
            answer.raise_for_status()


def _sent(api: str, count: int) -> float:
    """Instances a second that Orthanc sends."""
    studies = httpx.get(f"{api}/studies").json()
    begun = time.perf_counter()
    done = httpx.post(f"{api}/modalities/bench/store", json={"Resources": studies, "Synchronous": True}, timeout=600)
    seconds = time.perf_counter() - begun
    done.raise_for_status()
    if done.json()["InstancesCount"] != count or done.json()["FailedInstancesCount"]:
        raise SystemExit(f"Orthanc sent something else: {done.text}")
    return count / seconds


def _taken_over(archive: RemoteArchive, count: int, parallel: int) -> float:
    """Instances a second that are durable, listed and verified: the list of the source is part of it."""
    with folder() as path:
        settings = Backend("sqlite+folder", path).settings()
        migrate(settings)
        prepare(settings)
        application = build(settings)
        application.database.settle()
        application.sources.add(SYSTEM, Source("OLD", "OLD", archive=archive))
        begun = time.perf_counter()
        for _ in application.migration.run(SYSTEM, "OLD", Scope(), Choice(parallel), threading.Event()):
            pass
        seconds = time.perf_counter() - begun
        held = rows(application, "SELECT count(*) FROM instances")
        application.close()
    if held != [(count,)]:
        raise SystemExit(f"something else came: {held}")
    return count / seconds


def _compare(ways: dict[str, Callable[[], float]], rounds: int) -> None:
    rates: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds + 1):
        for name, measure in ways.items():
            rate = measure()
            if number:  # the first round warms up
                rates[name].append(rate)
    for name, values in rates.items():
        print(f"    {name:20s} {statistics.median(values):5.0f} per second ({min(values):.0f} to {max(values):.0f})")
    for name, values in rates.items():
        if name != _PEER:
            ratios = [mine / theirs for mine, theirs in zip(values, rates[_PEER], strict=True)]
            middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
            print(f"    {name} / {_PEER} {middle:.2f} ({low:.2f} to {high:.2f}), wanted 0.8", flush=True)
