"""`make bench ARGS="on-demand"`: images that a hospital keeps, read through a centre that has none of them yet.

make bench ARGS="on-demand --rounds 5 --count 200 --source Orthanc"

The hospital is Orthanc behind a link of 1 Gb/s (a network namespace of its own; `--link 0`: on loopback), or another
archive of ours on loopback; the same client asks it directly and through the centre, in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from pydicom import dcmread

from benchmarks.contestants import NO_DELAY, Peer, folder, orthanc, process, vna
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
    parser.add_argument("--link", type=int, default=1000, help="Mb/s of the link to the hospital (default 1000)")
    options = parser.parse_args(words)
    with ExitStack() as running:
        path = running.enter_context(folder())
        home = running.enter_context(folder())
        centre = running.enter_context(vna(VNA_HTTP__WORKERS="2", VNA_DATA_DIR=str(home / "data")))
        hospital = running.enter_context(
            _orthanc(options.link) if options.source == "Orthanc" else vna("hospital", VNA_HTTP__WORKERS="2")
        )
        where = f"behind {options.link} Mb/s" if _host(hospital) != "127.0.0.1" else "on loopback"
        print(f"hospital: {hospital.name}, {where}; {options.rounds} rounds in turn; median (lowest to highest)")
        _know(hospital, home)
        frames, studies = [], []
        for number in range(options.rounds + 1):
            frames.append(_study(hospital, centre, path / f"f{number}", options.frames, options.frames))
            studies.append(_study(hospital, centre, path / f"s{number}", options.count, 4))
        with httpx.Client(timeout=300) as client:
            _first_bytes(client, hospital, centre, frames)
            _throughput(client, hospital, centre, studies)


@contextmanager
def _orthanc(link: int) -> Iterator[Peer]:
    """Orthanc, in a network namespace of its own behind a link of so many Mb/s, if that is not 0."""
    plugins = {"Plugins": ["/usr/share/orthanc/plugins"], "OrthancPeers": {}}
    if not link:
        with orthanc(**plugins) as peer:
            yield peer
        return
    name, ours, theirs = f"bench{os.getpid()}", f"v{os.getpid()}a", f"v{os.getpid()}b"
    with folder() as path:
        _ip("netns", "add", name)
        try:
            _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
            _ip("addr", "add", f"{_HERE}/30", "dev", ours)
            _ip("link", "set", ours, "up")
            _ip("-n", name, "addr", "add", f"{_THERE}/30", "dev", theirs)
            _ip("-n", name, "link", "set", theirs, "up")
            shaped = ["qdisc", "add", "dev", theirs, "root", "tbf", "rate", f"{link}mbit", "burst", "1mb"]
            subprocess.run(["/usr/sbin/tc", "-n", name, *shaped, "latency", "50ms"], check=True)
            (path / "orthanc.json").write_text(
                json.dumps(
                    {
                        "StorageDirectory": str(path / "db"),
                        "IndexDirectory": str(path / "db"),
                        "HttpPort": 8042,
                        "DicomPort": 4242,
                        "DicomAlwaysAllowStore": True,
                        "RemoteAccessAllowed": True,
                        "AuthenticationEnabled": False,
                        **plugins,
                    }
                )
            )
            argv = ["/usr/sbin/ip", "netns", "exec", name, "/usr/sbin/Orthanc", str(path / "orthanc.json")]
            with process(argv, path / "log", NO_DELAY) as child:
                url = f"http://{_THERE}:8042"
                wait_for(lambda: _is_up(url), what="Orthanc", timeout=60)
                yield Peer("Orthanc", 4242, (child.pid,), f"{url}/dicom-web")
        finally:
            subprocess.run(["/usr/sbin/ip", "link", "del", ours], check=False)
            _ip("netns", "del", name)


_HERE, _THERE = "10.99.77.1", "10.99.77.2"


def _ip(*words: str) -> None:
    subprocess.run(["/usr/sbin/ip", *words], check=True)


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/system", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _host(peer: Peer) -> str:
    return urlsplit(peer.url).hostname or ""


def _know(hospital: Peer, home: Path) -> None:
    env = {**NO_DELAY, "VNA_DATA_DIR": str(home / "data"), "PYTHONPATH": str(Path(__file__).parent.parent)}
    argv = ["source", "add", "A", "--wado-rs", hospital.url, "--location-uid", _LOCATION]
    subprocess.run([sys.executable, "-m", "vna.cli", *argv], env=env, check=True, stdout=subprocess.DEVNULL)


def _study(hospital: Peer, centre: Peer, path: Path, count: int, series: int) -> list[tuple[str, str, str]]:
    """A study that is stored at the hospital and known at the centre; its instances by their UIDs."""
    path.mkdir()
    files = [file for group in ct_images(path, count, series) for file in group]
    argv = ["/usr/bin/storescu", _host(hospital), str(hospital.port), *map(str, files)]
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
