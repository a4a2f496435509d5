"""`make bench ARGS="on-demand"`: images that a hospital keeps, read through a centre that has none of them yet.

make bench ARGS="on-demand --rounds 5 --count 200 --source Orthanc"

The hospital is Orthanc, or another archive of ours; the same client asks it directly and through the centre, in turn.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
from pydicom import dcmread

from benchmarks.contestants import NO_DELAY, Peer, folder, orthanc, vna
from benchmarks.objects import ct_images
from tests.peers.processes import wait_for
from tests.routing.manifests import kos, written

_LOCATION = "1.2.826.0.1.3680043.10.1561.77"
_FRAME = {"Accept": "application/octet-stream"}
_ORTHANC_FRAME = {"Accept": 'multipart/related; type="application/octet-stream"', "Accept-Encoding": "identity"}
_WHOLE = {
    "Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*',
    "Accept-Encoding": "identity",
}


def main(words: list[str]) -> None:
    """First byte of frames, then throughput of studies; every study is read through the centre once."""
    parser = argparse.ArgumentParser(prog='make bench ARGS="on-demand ..."', description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=200, help="CT images of 512 KB in a study (default 200)")
    parser.add_argument("--frames", type=int, default=12, help="frames of each round, a series each (default 12)")
    parser.add_argument("--source", choices=("Orthanc", "vna"), default="Orthanc", help="what the hospital has")
    options = parser.parse_args(words)
    with ExitStack() as running:
        path = running.enter_context(folder())
        home = running.enter_context(folder())
        centre = running.enter_context(vna(VNA_HTTP__WORKERS="2", VNA_DATA_DIR=str(home / "data")))
        plugins = {"Plugins": ["/usr/share/orthanc/plugins"], "OrthancPeers": {}}
        hospital = running.enter_context(
            orthanc(**plugins) if options.source == "Orthanc" else vna("hospital", VNA_HTTP__WORKERS="2")
        )
        _know(hospital, home)
        frames, studies = [], []
        for number in range(options.rounds + 1):
            frames.append(_study(hospital, centre, path / f"f{number}", options.frames, options.frames))
            studies.append(_study(hospital, centre, path / f"s{number}", options.count, 4))
        with httpx.Client(timeout=300) as client:
            _first_bytes(client, hospital, centre, frames)
            _throughput(client, hospital, centre, studies)


def _know(hospital: Peer, home: Path) -> None:
    env = {**NO_DELAY, "VNA_DATA_DIR": str(home / "data"), "PYTHONPATH": str(Path(__file__).parent.parent)}
    argv = ["source", "add", "A", "--wado-rs", hospital.url, "--location-uid", _LOCATION]
    subprocess.run([sys.executable, "-m", "vna.cli", *argv], env=env, check=True, stdout=subprocess.DEVNULL)


def _study(hospital: Peer, centre: Peer, path: Path, count: int, series: int) -> list[tuple[str, str, str]]:
    """A study that is stored at the hospital and known at the centre; its instances by their UIDs."""
    path.mkdir()
    files = [file for group in ct_images(path, count, series) for file in group]
    argv = ["/usr/bin/storescu", "127.0.0.1", str(hospital.port), *map(str, files)]
    subprocess.run(argv, env=NO_DELAY, check=True, stdout=subprocess.DEVNULL)
    named: dict[str, list[str]] = {}
    found = []
    for file in files:
        ds = dcmread(file, stop_before_pixels=True)
        named.setdefault(ds.SeriesInstanceUID, []).append(ds.SOPInstanceUID)
        found.append((str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID)))
        file.unlink()
    body = (
        b"--b\r\nContent-Type: application/dicom\r\n\r\n"
        + written(kos(found[0][0], named, location=_LOCATION))
        + b"\r\n--b--\r\n"
    )
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    httpx.post(f"{centre.url}/studies", content=body, headers={"Content-Type": kind}).raise_for_status()

    def known() -> bool:
        answer = httpx.get(f"{centre.url}/studies/{found[0][0]}/instances?limit=5000")
        return answer.status_code == 200 and len(answer.json()) == count + 1

    wait_for(known, what="the manifest", timeout=60)
    return found


def _first_bytes(client: httpx.Client, hospital: Peer, centre: Peer, rounds: list[list[tuple[str, str, str]]]) -> None:
    print("first byte of a frame that is elsewhere, ms")
    direct, through = [], []
    for number, instances in enumerate(rounds):
        pairs = [
            (
                _first_byte(client, hospital, one, _ORTHANC_FRAME if hospital.name == "Orthanc" else _FRAME),
                _first_byte(client, centre, one, _FRAME),
            )
            for one in instances
        ]
        if number:
            direct.append(statistics.median(one for one, _ in pairs))
            through.append(statistics.median(one for _, one in pairs))
    print(f"    {hospital.name:10s} {_spread(direct, '{:.1f}')}")
    print(f"    {'centre':10s} {_spread(through, '{:.1f}')}")
    over = [mine - 1.5 * theirs for mine, theirs in zip(through, direct, strict=True)]
    print(f"    centre - 1.5 x {hospital.name} {_spread(over, '{:.1f}')} ms, wanted at most 20", flush=True)


def _first_byte(client: httpx.Client, peer: Peer, one: tuple[str, str, str], headers: dict[str, str]) -> float:
    begun = time.perf_counter()
    url = "{}/studies/{}/series/{}/instances/{}/frames/1".format(peer.url, *one)
    with client.stream("GET", url, headers=headers) as answer:
        answer.raise_for_status()
        next(answer.iter_raw())
        return (time.perf_counter() - begun) * 1000


def _throughput(client: httpx.Client, hospital: Peer, centre: Peer, rounds: list[list[tuple[str, str, str]]]) -> None:
    print("download of a study that is elsewhere, MB/s")
    direct, through = [], []
    for number, instances in enumerate(rounds):
        pair = [_rate(client, peer, instances[0][0]) for peer in (hospital, centre)]
        if number:
            direct.append(pair[0])
            through.append(pair[1])
    print(f"    {hospital.name:10s} {_spread(direct)}")
    print(f"    {'centre':10s} {_spread(through)}")
    ratios = [mine / theirs for mine, theirs in zip(through, direct, strict=True)]
    print(f"    centre / {hospital.name} {_spread(ratios, '{:.2f}')}, wanted at least 0.8", flush=True)


def _rate(client: httpx.Client, peer: Peer, study: str) -> float:
    begun = time.perf_counter()
    with client.stream("GET", f"{peer.url}/studies/{study}", headers=_WHOLE) as answer:
        answer.raise_for_status()
        size = sum(len(chunk) for chunk in answer.iter_raw())
    return size / 1e6 / (time.perf_counter() - begun)


def _spread(values: list[float], form: str = "{:.0f}") -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{form.format(middle)} ({form.format(low)} to {form.format(high)})"
