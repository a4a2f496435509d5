"""Archives elsewhere, asked through every door: Orthanc, dcmqrscp, and another archive of ours."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from tests.archives import Backend, LiveArchive, start_archive
from tests.objects import ct, part10
from tests.peers.orthanc import Orthanc, start_orthanc
from tests.peers.processes import free_port
from tests.routing.dcmqrscp import Dcmqrscp, start_dcmqrscp
from vna.app.remotes import Remotes
from vna.cli.sending import DataSet
from vna.model.destination import Item, Verdict
from vna.model.errors import NotFound, Unavailable
from vna.model.query import Key, Level, Query
from vna.model.sources import Bounds, Doors, RemoteArchive, Source, StudyPart
from vna.model.transfer_syntaxes import EXPLICIT_LE

STUDY, SERIES = "1.2.826.1", "1.2.826.1.1"
UIDS = tuple(f"{SERIES}.{number}" for number in range(1, 13))
CT = "1.2.840.10008.5.1.4.1.1.2"
IMAGE = {
    "StudyInstanceUID": STUDY,
    "SeriesInstanceUID": SERIES,
    "PatientID": "P1",
    "Rows": 64,
    "Columns": 64,
    "PixelData": bytes(8192),
}
NAMED = StudyPart(STUDY, SERIES, UIDS[:3], (CT,))
BOUNDS = Bounds(connect_seconds=3, wait_seconds=10)


@dataclass
class Hospital:
    """An archive elsewhere that has one study of twelve images."""

    name: str
    archive: RemoteArchive
    exact: bool = True
    """Whether it gives data sets as they came."""


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {uid: part10(ct(**IMAGE, SOPInstanceUID=uid)) for uid in UIDS}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> Iterator[LiveArchive]:
    folder = tmp_path_factory.mktemp("hospital")
    live = start_archive(Backend("sqlite+folder", folder), XDS__REPOSITORY_UNIQUE_ID="1.2.3.4")
    written = folder / "files"
    written.mkdir()
    for uid, content in files.items():
        (written / uid).write_bytes(content)
    assert live.vna("import", str(written)).returncode == 0
    yield live
    live.stop()


@pytest.fixture(scope="module")
def orthanc_hospital(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> Iterator[Orthanc]:
    orthanc = start_orthanc(
        tmp_path_factory.mktemp("orthanc"),
        DicomAlwaysAllowFind=True,
        DicomAlwaysAllowGet=True,
        DicomAlwaysAllowMove=True,
    )
    for content in files.values():
        httpx.post(f"{orthanc.url}/instances", content=content).raise_for_status()
    yield orthanc
    orthanc.stop()


@pytest.fixture(scope="module")
def dcmqrscp(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> Iterator[Dcmqrscp]:
    running = start_dcmqrscp(tmp_path_factory.mktemp("dcmqrscp"), list(files.values()))
    yield running
    running.stop()


@pytest.fixture
def hospitals(request: pytest.FixtureRequest) -> dict[str, RemoteArchive]:
    ours: LiveArchive = request.getfixturevalue("ours")
    orthanc: Orthanc = request.getfixturevalue("orthanc_hospital")
    dcmqrscp: Dcmqrscp = request.getfixturevalue("dcmqrscp")
    return {
        "ours": RemoteArchive(
            "VNA",
            "127.0.0.1",
            ours.dimse_port,
            wado_uri=f"{ours.http}/wado",
            wado_rs=ours.dicomweb,
            qido_rs=ours.dicomweb,
            rad69=f"{ours.http}/xds/imaging-source",
            repository_unique_id="1.2.3.4",
        ),
        "orthanc": RemoteArchive(
            "ORTHANC",
            "127.0.0.1",
            orthanc.dicom_port,
            wado_uri=f"{orthanc.url}/wado",
            wado_rs=orthanc.dicomweb_url,
            qido_rs=orthanc.dicomweb_url,
        ),
        "dcmqrscp": RemoteArchive(dcmqrscp.ae_title, "127.0.0.1", dcmqrscp.port),
    }


@pytest.fixture
def remotes(tmp_path: Path) -> Iterator[Remotes]:
    made = Remotes("CENTRE", tmp_path, lambda: None, BOUNDS)
    yield made
    made.close()


SEARCHES = [
    ("ours", "QIDO-RS"),
    ("ours", "C-FIND"),
    ("orthanc", "QIDO-RS"),
    ("orthanc", "C-FIND"),
    ("dcmqrscp", "C-FIND"),
]
FETCHES = [
    *(("ours", door) for door in ("WADO-RS", "WADO-URI", "RAD-69", "C-GET")),
    *(("orthanc", door) for door in ("WADO-RS", "WADO-URI", "C-GET")),
    ("dcmqrscp", "C-GET"),
]


def doors(remotes: Remotes, hospitals: dict[str, RemoteArchive], name: str) -> Doors:
    return remotes.doors(Source(name, name, archive=hospitals[name]))


@pytest.mark.parametrize(("name", "door"), SEARCHES)
def test_a_search_finds_what_is_there_and_nothing_else(
    remotes: Remotes, hospitals: dict[str, RemoteArchive], name: str, door: str
) -> None:
    searching = dict(doors(remotes, hospitals, name).searching)[door]
    keys = (Key(("0020000D",), "UI", (STUDY,)), Key(("0020000E",), "UI", (SERIES,)))
    found = list(searching.search(Query(Level.IMAGE, keys, returns=frozenset({"00080016"}))))
    assert {match.sop_instance_uid for match in found} == set(UIDS)
    if name != "dcmqrscp":  # which does not know this optional key
        assert found[0].elements["00080016"]["Value"] == [CT]
    (study,) = searching.search(Query(Level.STUDY, (Key(("00100020",), "LO", ("P*",)),)))
    assert study.study_instance_uid == STUDY
    assert list(searching.search(Query(Level.STUDY, (Key(("00100020",), "LO", ("NOBODY",)),)))) == []
    assert len(list(searching.search(Query(Level.IMAGE, keys, limit=5)))) == 5
    assert len(list(searching.search(Query(Level.IMAGE, keys)))) == 12, "the one before was stopped, and harmed nothing"


def fetched(door: object, part: StudyPart) -> dict[str, bytes]:
    return {one.sop_instance_uid: b"".join(one.chunks) for one in door.fetch(part)}  # type: ignore[attr-defined]


def data_set(content: bytes) -> bytes:
    """What comes after File Meta Information."""
    return content[144 + int.from_bytes(content[140:144], "little") :]


@pytest.mark.parametrize(("name", "door"), FETCHES)
def test_what_is_fetched_is_what_is_held(
    remotes: Remotes, hospitals: dict[str, RemoteArchive], files: dict[str, bytes], name: str, door: str
) -> None:
    fetching = dict(doors(remotes, hospitals, name).fetching)[door]
    got = fetched(fetching, NAMED)
    assert {uid: data_set(content) for uid, content in got.items()} == {uid: data_set(files[uid]) for uid in UIDS[:3]}
    for part in () if fetching.by_name else (StudyPart(STUDY), StudyPart(STUDY, SERIES)):
        assert set(fetched(fetching, part)) == set(UIDS)


@pytest.mark.parametrize(("name", "door"), [one for one in FETCHES if one[0] == "ours"])
def test_an_instance_that_is_not_there_is_named_after_the_others(
    remotes: Remotes, hospitals: dict[str, RemoteArchive], name: str, door: str
) -> None:
    fetching = dict(doors(remotes, hospitals, name).fetching)[door]
    came: list[str] = []
    with pytest.raises(NotFound, match=r"ours does not give 1 of 2 instances, among them 1\.2\.99"):
        came.extend(
            one.sop_instance_uid for one in fetching.fetch(StudyPart(STUDY, SERIES, (UIDS[0], "1.2.99"), (CT,)))
        )
    assert came == [UIDS[0]]


@pytest.mark.parametrize(("name", "door"), [("ours", "WADO-RS"), ("ours", "C-GET"), ("orthanc", "C-GET")])
def test_a_reader_that_stops_leaves_no_connection_behind(
    remotes: Remotes, hospitals: dict[str, RemoteArchive], name: str, door: str
) -> None:
    hospitals[name] = replace(hospitals[name], connections=1)
    fetching = dict(doors(remotes, hospitals, name).fetching)[door]
    for _ in range(3):
        coming = fetching.fetch(StudyPart(STUDY, sop_class_uids=(CT,)))
        next(coming)
        coming.close()  # type: ignore[attr-defined]  # a generator
    assert len(fetched(fetching, NAMED)) == 3


def test_at_most_so_many_connections_are_open_at_once(remotes: Remotes, hospitals: dict[str, RemoteArchive]) -> None:
    remotes._bounds = replace(BOUNDS, wait_seconds=0.5)
    hospitals["ours"] = replace(hospitals["ours"], connections=1)
    fetching = dict(doors(remotes, hospitals, "ours").fetching)
    for door in ("C-GET", "WADO-RS"):
        coming = fetching[door].fetch(StudyPart(STUDY, sop_class_uids=(CT,)))
        next(coming)
        with pytest.raises(Unavailable, match=r"all .*connections to ours are in use"):
            fetched(fetching[door], NAMED)
        coming.close()  # type: ignore[attr-defined]  # a generator


@pytest.mark.parametrize("door", ["WADO-RS", "C-GET"])
def test_no_more_bytes_a_second_are_taken_than_were_agreed(
    remotes: Remotes, hospitals: dict[str, RemoteArchive], door: str
) -> None:
    """Twelve images of more than 9 KB at 64 KiB a second take some 1.6 seconds."""
    part = StudyPart(STUDY, sop_class_uids=(CT,))
    free = dict(doors(remotes, hospitals, "ours").fetching)[door]
    begun = time.monotonic()
    size = sum(len(content) for content in fetched(free, part).values())
    unbounded = time.monotonic() - begun
    hospitals["ours"] = replace(hospitals["ours"], bandwidth=64 << 10)
    bounded = dict(doors(remotes, hospitals, "ours").fetching)[door]
    begun = time.monotonic()
    fetched(bounded, part)
    seconds = time.monotonic() - begun
    assert size / seconds < 1.25 * (64 << 10)
    assert seconds > unbounded


def test_a_get_is_over_as_soon_as_its_last_response_has_come(
    remotes: Remotes, hospitals: dict[str, RemoteArchive]
) -> None:
    fetching = dict(doors(remotes, hospitals, "dcmqrscp").fetching)["C-GET"]
    begun = time.monotonic()
    for _ in range(8):
        fetched(fetching, NAMED)
    assert time.monotonic() - begun < 1.5, "with a wait for nothing each takes a quarter of a second more"


def test_instances_move_to_an_application_entity_that_the_source_knows(
    remotes: Remotes, hospitals: dict[str, RemoteArchive], dcmqrscp: Dcmqrscp
) -> None:
    ((_, moving),) = doors(remotes, hospitals, "dcmqrscp").moving
    moved = moving.move(StudyPart(STUDY), dcmqrscp.destination.ae_title)
    assert (moved.completed, moved.failed) == (12, 0)
    assert len(dcmqrscp.destination.files()) == 12


@pytest.mark.parametrize("name", ["ours", "orthanc"])
def test_what_is_sent_by_stow_is_held_there_afterwards(
    remotes: Remotes, hospitals: dict[str, RemoteArchive], name: str
) -> None:
    uids = {"StudyInstanceUID": "1.2.826.2", "SeriesInstanceUID": "1.2.826.2.1", "SOPInstanceUID": "1.2.826.2.1.1"}
    content = part10(ct(**uids, PatientID="Q"))
    source = Source(name, name, archive=hospitals[name])
    ((_, destination),) = remotes.destinations(source)
    items = [
        Item(CT, "1.2.826.2.1.1", EXPLICIT_LE, lambda _: DataSet(EXPLICIT_LE, iter([data_set(content)]))),
        Item(CT, "1.2.826.2.1.2", EXPLICIT_LE, lambda _: DataSet(EXPLICIT_LE, iter([b"no data set"]))),
    ]
    ends = [one.verdict for one in destination.send(items)]
    assert ends == [Verdict.COMPLETED, Verdict.FAILED]
    got = fetched(dict(remotes.doors(source).fetching)["WADO-RS"], StudyPart("1.2.826.2"))
    assert [data_set(one) for one in got.values()] == [data_set(content)]


def test_a_source_that_is_not_there_says_so_at_once(remotes: Remotes) -> None:
    port = free_port()
    nobody = RemoteArchive(
        "X", "127.0.0.1", port, wado_rs=f"http://127.0.0.1:{port}", qido_rs=f"http://127.0.0.1:{port}"
    )
    for word, one in remotes.doors(Source("GONE", "GONE", archive=nobody)).verifying:
        with pytest.raises(Unavailable, match=r"GONE.*no connection|no connection to GONE"):
            one.verify()
        assert word


def test_the_command_tries_every_door(ours: LiveArchive, hospitals: dict[str, RemoteArchive]) -> None:
    for name, archive in hospitals.items():
        options = {
            "--dicom": f"{archive.ae_title}@127.0.0.1:{archive.port}",
            "--wado-uri": archive.wado_uri,
            "--wado-rs": archive.wado_rs,
            "--qido-rs": archive.qido_rs,
            "--rad69": archive.rad69,
            "--repository": archive.repository_unique_id,
        }
        assert ours.vna("source", "add", name, *(word for pair in options.items() for word in pair)).returncode == 0
        done = ours.vna("source", "test", name)
        assert done.returncode == 0, done.stdout + done.stderr
        assert all(line.endswith(" works") for line in done.stdout.splitlines())
        tried = {line.split()[0] for line in done.stdout.splitlines()}
        services = {"QIDO-RS", "WADO-RS", "WADO-URI"} if archive.wado_rs else set()
        assert tried == {"C-ECHO", "C-FIND", "C-GET", "C-MOVE"} | services | ({"RAD-69"} if archive.rad69 else set())


def test_the_command_says_what_does_not_work_and_ends_with_1(ours: LiveArchive) -> None:
    assert (
        ours.vna("source", "add", "BAD", "--qido-rs", f"{ours.http}/nowhere", "--wado-rs", ours.dicomweb).returncode
        == 0
    )
    done = ours.vna("source", "test", "BAD")
    assert done.returncode == 1
    assert done.stdout == "QIDO-RS  does not work: BAD answers with HTTP status 404\nWADO-RS  works\n"
    (first, second) = json.loads(ours.vna("source", "test", "BAD", "--format", "json").stdout)
    assert (first["works"], second["works"]) == (False, True)
    assert ours.vna("source", "test", "NOBODY").stderr == "vna: no source NOBODY is known\n"
