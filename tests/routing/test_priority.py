"""Links to archives elsewhere: interactive requests go first, and all processes of a node keep to one limit."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.archives import Backend, LiveArchive, start_archive
from tests.objects import ct, part10
from tests.peers.orthanc import Orthanc, start_orthanc
from tests.routing import reading
from tests.routing.reading import CT, STUDY
from vna.app.remotes import Remotes
from vna.model.errors import Unavailable
from vna.model.priority import Priority
from vna.model.sources import Bounds, Fetching, RemoteArchive, Source, StudyPart

SERIES = f"{STUDY}.1"
UIDS = tuple(f"{SERIES}.{number}" for number in range(1, 13))
SIZE = 131072
BOUNDS = Bounds(connect_seconds=3, wait_seconds=20)
ALL = StudyPart(STUDY, sop_class_uids=(CT,))


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    shown = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "Rows": 256, "Columns": 256}
    return [part10(ct(**shown, SOPInstanceUID=uid, PixelData=bytes(SIZE))) for uid in UIDS]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory, files: list[bytes]) -> Iterator[LiveArchive]:
    folder = tmp_path_factory.mktemp("hospital")
    live = start_archive(Backend("sqlite+folder", folder))
    written = folder / "files"
    written.mkdir()
    for number, content in enumerate(files):
        (written / f"{number}.dcm").write_bytes(content)
    assert live.vna("import", str(written)).returncode == 0
    yield live
    live.stop()


@pytest.fixture(scope="module")
def orthanc_hospital(tmp_path_factory: pytest.TempPathFactory, files: list[bytes]) -> Iterator[Orthanc]:
    orthanc = start_orthanc(tmp_path_factory.mktemp("orthanc"), DicomAlwaysAllowGet=True)
    for content in files:
        httpx.post(f"{orthanc.url}/instances", content=content).raise_for_status()
    yield orthanc
    orthanc.stop()


@pytest.fixture
def archive_of(request: pytest.FixtureRequest) -> Callable[[str], RemoteArchive]:
    def archive(name: str) -> RemoteArchive:
        if name == "ours":
            ours: LiveArchive = request.getfixturevalue("ours")
            return RemoteArchive("VNA", "127.0.0.1", ours.dimse_port, wado_rs=ours.dicomweb)
        orthanc: Orthanc = request.getfixturevalue("orthanc_hospital")
        return RemoteArchive("ORTHANC", "127.0.0.1", orthanc.dicom_port, wado_rs=orthanc.dicomweb_url)

    return archive


@pytest.fixture
def remotes(tmp_path: Path) -> Iterator[Remotes]:
    made = Remotes("CENTRE", tmp_path, lambda: None, BOUNDS, tmp_path / "turns")
    yield made
    made.close()


def door(remotes: Remotes, archive: RemoteArchive, name: str) -> Fetching:
    return dict(remotes.doors(Source("CITY", "CITY", archive=archive)).fetching)[name]


def read(fetching: Fetching, part: StudyPart) -> int:
    return sum(len(chunk) for one in fetching.fetch(part) for chunk in one.chunks)


@contextmanager
def reading_on(fetching: Fetching, priority: Priority, *, threads: int) -> Iterator[list[int]]:
    """So many threads that read the study again and again; how many bytes came, as they come."""
    stop, taken = threading.Event(), [0] * threads

    def run(number: int) -> None:
        with suppress(Unavailable):
            while not stop.is_set():
                for one in fetching.fetch(replace(ALL, priority=priority)):
                    for chunk in one.chunks:
                        taken[number] += len(chunk)
                    if stop.is_set():
                        break

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield taken
    finally:
        stop.set()
        for thread in running:
            thread.join()


DOORS = [("ours", "WADO-RS"), ("ours", "C-GET"), ("orthanc", "WADO-RS"), ("orthanc", "C-GET")]
"""dcmqrscp serves one C-GET after the other."""


@pytest.mark.parametrize(("name", "kind"), DOORS)
def test_an_interactive_read_gets_nearly_all_of_a_bandwidth_that_bulk_saturates(
    remotes: Remotes, archive_of: Callable[[str], RemoteArchive], name: str, kind: str
) -> None:
    """Twelve images take 3 seconds when nobody else asks; with two others as their equals it would be 9."""
    rate = len(UIDS) * SIZE // 3
    archive = replace(archive_of(name), bandwidth=rate, connections=4)
    fetching = door(remotes, archive, kind)
    with reading_on(fetching, Priority.BULK, threads=4) as bulk:
        time.sleep(1.5)
        before, begun = sum(bulk), time.monotonic()
        coming = fetching.fetch(replace(ALL, priority=Priority.INTERACTIVE))
        b"".join(next(coming).chunks)
        first = time.monotonic() - begun
        for one in coming:
            b"".join(one.chunks)
        seconds, meanwhile = time.monotonic() - begun, sum(bulk) - before
        if kind != "C-GET" and not meanwhile:  # a twentieth of three seconds is one piece: a busy machine may lose it
            for one in fetching.fetch(replace(ALL, priority=Priority.INTERACTIVE)):
                b"".join(one.chunks)
            meanwhile = sum(bulk) - before
        time.sleep(1.5)
        after = sum(bulk) - before - meanwhile
    assert before > 0.7 * rate
    assert first < 2.0, "the first image takes 0.25 s when nobody else asks"
    assert seconds < 7
    if kind != "C-GET":  # that hands on 128 KB at a time, more than a twentieth of these three seconds
        assert meanwhile > 0, "bulk gets something, so that its senders do not give up"
    assert meanwhile < 0.45 * rate * seconds, "two thirds where all are equal"
    assert after > 0.7 * rate * 1.5 * 0.8, "what nobody else wants is bulk's again"


@pytest.mark.parametrize("kind", ["WADO-RS", "C-GET"])
def test_bulk_leaves_a_connection_to_routine_and_routine_one_to_interactive_requests(
    remotes: Remotes, archive_of: Callable[[str], RemoteArchive], kind: str
) -> None:
    remotes._bounds = replace(BOUNDS, wait_seconds=0.3)
    fetching = door(remotes, replace(archive_of("ours"), connections=4), kind)
    coming = []

    def begin(priority: Priority) -> None:
        one = fetching.fetch(replace(ALL, priority=priority))
        next(one)
        coming.append(one)

    try:
        begin(Priority.BULK)
        begin(Priority.BULK)
        with pytest.raises(Unavailable, match="all 2 bulk connections to CITY are in use"):
            begin(Priority.BULK)
        begin(Priority.ROUTINE)
        with pytest.raises(Unavailable, match="all 3 connections to CITY are in use"):
            begin(Priority.ROUTINE)
        begun = time.monotonic()
        begin(Priority.INTERACTIVE)
        assert time.monotonic() - begun < 0.3
        with pytest.raises(Unavailable, match="all 4 connections to CITY are in use"):
            begin(Priority.INTERACTIVE)
    finally:
        for one in coming:
            one.close()  # type: ignore[attr-defined]  # a generator


def test_connections_are_counted_over_both_doors_of_a_source(
    remotes: Remotes, archive_of: Callable[[str], RemoteArchive]
) -> None:
    remotes._bounds = replace(BOUNDS, wait_seconds=0.3)
    archive = replace(archive_of("ours"), connections=1)
    coming = door(remotes, archive, "WADO-RS").fetch(ALL)
    next(coming)
    with pytest.raises(Unavailable, match="all 1 connections"):
        read(door(remotes, archive, "C-GET"), ALL)
    coming.close()  # type: ignore[attr-defined]  # a generator
    assert read(door(remotes, archive, "C-GET"), ALL) > 12 * SIZE


def test_whoever_waits_for_a_connection_gets_it_by_class(
    remotes: Remotes, archive_of: Callable[[str], RemoteArchive]
) -> None:
    fetching = door(remotes, replace(archive_of("ours"), connections=1), "WADO-RS")
    held = fetching.fetch(ALL)
    next(held)
    order: list[Priority] = []

    def run(priority: Priority) -> None:
        read(fetching, StudyPart(STUDY, SERIES, UIDS[:1], priority=priority))
        order.append(priority)

    threads = []
    for priority in (Priority.BULK, Priority.ROUTINE, Priority.INTERACTIVE):
        threads.append(threading.Thread(target=run, args=(priority,)))
        threads[-1].start()
        time.sleep(0.2)
    held.close()  # type: ignore[attr-defined]  # a generator
    for thread in threads:
        thread.join()
    assert order == [Priority.INTERACTIVE, Priority.ROUTINE, Priority.BULK]


def test_bulk_can_have_less_of_connections_and_bandwidth(
    remotes: Remotes, archive_of: Callable[[str], RemoteArchive]
) -> None:
    rate = 12 * SIZE
    archive = replace(archive_of("ours"), bulk_bandwidth=rate // 4, bulk_connections=1)
    fetching = door(remotes, archive, "WADO-RS")
    with reading_on(fetching, Priority.BULK, threads=2) as bulk:
        time.sleep(0.5)
        begun, before = time.monotonic(), sum(bulk)
        read(fetching, replace(ALL, priority=Priority.ROUTINE))
        assert time.monotonic() - begun < 1.0, "others are not limited"
        time.sleep(2.0)
        assert min(bulk) == 0, "one connection is one"
        assert (sum(bulk) - before) / (time.monotonic() - begun) < 1.3 * rate / 4


Read = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def elsewhere(ours: LiveArchive, tmp_path: Path) -> Iterator[Read]:
    """Another process that reads from ours, as `vna serve` has several."""
    started: list[subprocess.Popen[str]] = []

    def start(seconds: float, priority: Priority, *, bandwidth: int = 0, connections: int = 4) -> subprocess.Popen[str]:
        arguments = [ours.dicomweb, tmp_path / "turns", seconds, priority.name, bandwidth, connections]
        command = [sys.executable, str(reading.__file__), *map(str, arguments)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        out = started[-1].stdout
        assert out is not None
        assert out.readline() == "reading\n"
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait()
        assert one.stdout is not None
        one.stdout.close()


def total(process: subprocess.Popen[str]) -> int:
    return int(process.communicate(timeout=60)[0])


def test_all_processes_of_a_node_together_keep_to_the_bandwidth_of_a_source(elsewhere: Read) -> None:
    rate = 4 * SIZE
    begun = time.monotonic()
    readers = [elsewhere(6, Priority.ROUTINE, bandwidth=rate) for _ in range(2)]
    taken = [total(one) for one in readers]
    assert sum(taken) < 1.1 * rate * (time.monotonic() - begun), "twice the rate where each has its own"
    assert sum(taken) > 0.7 * rate * 6
    assert min(taken) > 0.2 * sum(taken)


def test_an_interactive_read_of_one_process_goes_before_bulk_of_another(elsewhere: Read) -> None:
    rate = 4 * SIZE
    bulk = elsewhere(6, Priority.BULK, bandwidth=rate)
    interactive = elsewhere(3, Priority.INTERACTIVE, bandwidth=rate)
    read = total(interactive)
    assert read > 0.75 * rate * 3
    assert 0 < total(bulk) < 6 * rate - read + 1.5 * rate


def test_connections_of_a_process_that_was_killed_are_free(
    remotes: Remotes, ours: LiveArchive, elsewhere: Read
) -> None:
    remotes._bounds = replace(BOUNDS, wait_seconds=0.5)
    fetching = door(remotes, RemoteArchive(wado_rs=ours.dicomweb, connections=1), "WADO-RS")
    other = elsewhere(60, Priority.INTERACTIVE, bandwidth=SIZE, connections=1)
    with pytest.raises(Unavailable, match="all 1 connections to CITY are in use"):
        read(fetching, ALL)
    other.kill()
    other.wait()
    assert read(fetching, ALL) > 12 * SIZE
