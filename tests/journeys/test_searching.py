"""Names by their sound, text anywhere without pg_trgm, and search tags: over QIDO-RS and C-FIND of `vna serve`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from pydicom import Dataset

from tests.archives import Backend, LiveArchive, start_archive
from tests.dicomweb.builders import ROOT, STOW_TYPE, ct, part10, stow_body
from tests.dimse.clients import STUDY_ROOT
from tests.dimse.test_find import Answer, ask, identifier
from tests.peers.postgres import PostgresServer

pytestmark = pytest.mark.filterwarnings("ignore")

FIND, FUZZY = f"{STUDY_ROOT}.1", b"\x00\x00\x01"
PEOPLE = {"1": "Schmidt^Karl", "2": "Yıldız^Ayşe", "3": "Öztürk^Ali"}  # noqa: RUF001
DESCRIPTIONS = {"1": "Thorax low dose", "2": "Abdomen", "3": "Beyin MR"}


def uid_of(number: str) -> str:
    return f"{ROOT}.95.{number}"


def held(live: LiveArchive) -> LiveArchive:
    datasets = []
    for number, name in PEOPLE.items():
        uid = uid_of(number)
        uids = {"StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.1", "PatientID": f"P{number}"}
        described = {"StudyDescription": DESCRIPTIONS[number], "DetectorID": f"DETECTOR-{number}"}
        datasets.append(ct(PatientName=name, **uids, **described))  # type: ignore[arg-type]
    body = stow_body(*map(part10, datasets))
    assert httpx.post(f"{live.dicomweb}/studies", content=body, headers={"Content-Type": STOW_TYPE}).status_code == 200
    return live


def without_trigrams(server: PostgresServer) -> str:
    """A database whose owner may not bring extensions in."""
    address = server.new_database()
    name = urlsplit(address).path[1:]
    with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE plain_{name} LOGIN")
        connection.execute(f"GRANT USAGE, CREATE ON SCHEMA public TO plain_{name}")
    return address.replace("postgres@", f"plain_{name}@")


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL without pg_trgm"])
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    address = "" if request.param == "SQLite" else without_trigrams(request.getfixturevalue("postgres_server"))
    environment = {"VNA_DATABASE__URL": address} if address else {}
    archive = start_archive(
        Backend(request.param, tmp_path_factory.mktemp("searching"), environment), SEARCH__PHONETIC="true"
    )
    if address:
        with psycopg.connect(address.replace("+psycopg", "")) as connection:
            assert connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'").fetchall() == []
    yield held(archive)
    archive.stop()


def by_qido(live: LiveArchive, **parameters: str) -> list[str]:
    answer = httpx.get(f"{live.dicomweb}/studies", params=parameters)
    assert answer.status_code in (200, 204), answer.text
    return sorted(one["0020000D"]["Value"][0] for one in answer.json()) if answer.content else []


def by_find(live: LiveArchive, *, fuzzy: bool = False, **keys: str) -> Answer:
    asked = identifier("STUDY", **{"StudyInstanceUID": "", **keys})
    asked.SpecificCharacterSet = "ISO_IR 192"
    return ask(live.dimse_port, FIND, asked, FUZZY if fuzzy else b"")


def found_by_both(live: LiveArchive, *, fuzzy: bool = False, **keys: str) -> list[str]:
    """The studies, after a look that both doors say the same."""
    answer = by_find(live, fuzzy=fuzzy, **keys)
    assert answer.status == 0x0000, answer.comment
    found = sorted(answer.values("StudyInstanceUID"))
    assert by_qido(live, **({"fuzzymatching": "true"} if fuzzy else {}), **keys) == found
    return found


@pytest.mark.claim("PS3.18-8.3.4.2")
@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        *(("shmit", "1"), ("Carl Schmitt", ""), ("karl shmidt", "1"), ("smit", "1")),
        *(("yildis ayse", "2"), ("ozturg", "3"), ("Öztürk Ali", "3"), ("ali ostürk", "3")),
        *(("kowalski", ""), ("schmidt ayse", "")),
    ],
)
def test_fuzzy_matching_finds_names_that_sound_alike(live: LiveArchive, name: str, numbers: str) -> None:
    assert found_by_both(live, fuzzy=True, PatientName=name) == [uid_of(number) for number in numbers]


def test_without_fuzzy_matching_a_name_is_matched_as_it_is_written(live: LiveArchive) -> None:
    assert found_by_both(live, PatientName="shmit*") == []
    assert found_by_both(live, PatientName="schmidt*") == [uid_of("1")]


def test_without_the_setting_sounds_do_not_count(tmp_path: Path) -> None:
    archive = start_archive(Backend("SQLite", tmp_path))
    try:
        held(archive)
        assert found_by_both(archive, fuzzy=True, PatientName="shmit") == []
        assert found_by_both(archive, fuzzy=True, PatientName="karl schmi") == [uid_of("1")]
    finally:
        archive.stop()


@pytest.mark.parametrize(
    ("keys", "numbers"),
    [
        ({"PatientName": "*chmid*"}, "1"),
        ({"PatientName": "*ıld*"}, "2"),  # noqa: RUF001
        ({"PatientName": "*TÜRK*"}, "3"),
        ({"StudyDescription": "*low*"}, "1"),
        ({"StudyDescription": "*o*"}, "12"),
        ({"StudyDescription": "*dose*", "PatientName": "*karl*"}, "1"),
        ({"PatientID": "*P?*"}, "123"),
        ({"StudyDescription": "*%*"}, ""),
    ],
    ids=str,
)
def test_text_anywhere_is_found_with_and_without_trigrams(
    live: LiveArchive, keys: dict[str, str], numbers: str
) -> None:
    assert found_by_both(live, **keys) == [uid_of(number) for number in numbers]  # type: ignore[arg-type]


def eventually(check: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_search_tag_is_matched_and_returned_over_c_find(live: LiveArchive) -> None:
    everything = [uid_of(number) for number in PEOPLE]
    before = by_find(live, DetectorID="DETECTOR-2")
    assert (sorted(before.values("StudyInstanceUID")), before.pending) == (everything, {0xFF01})

    assert live.vna("tags", "add", "DetectorID", "--level", "study").returncode == 0
    eventually(lambda: by_find(live, DetectorID="DETECTOR-2").pending == {0xFF00})

    for value, numbers in (("DETECTOR-2", "2"), ("*TOR-3", "3"), ("D?TECTOR*", "123"), ("DETECTOR", "")):
        assert found_by_both(live, DetectorID=value) == [uid_of(number) for number in numbers]
    answer = by_find(live, DetectorID="", PatientID="P1")
    assert answer.values("DetectorID") == ["DETECTOR-1"]

    ds: Dataset = ct(StudyInstanceUID=uid_of("4"), SeriesInstanceUID=f"{uid_of('4')}.1", DetectorID="DETECTOR-4")
    headers = {"Content-Type": "application/dicom"}
    assert httpx.post(f"{live.dicomweb}/studies", content=part10(ds), headers=headers).status_code == 200
    assert found_by_both(live, DetectorID="DETECTOR-4") == [uid_of("4")]

    assert live.vna("tags", "remove", "DetectorID").returncode == 0
    eventually(lambda: by_find(live, DetectorID="DETECTOR-2").pending == {0xFF01})
