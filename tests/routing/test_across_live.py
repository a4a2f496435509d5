"""A centre that asks hospitals while somebody searches: Orthanc, dcmqrscp, and another archive of ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import Dataset
from pynetdicom import AE

from dimse.client.find import STUDY_ROOT_FIND
from tests.archives import Backend, LiveArchive, start_archive
from tests.objects import ct, part10
from tests.peers.dcmtk import run_dcmtk
from tests.peers.orthanc import start_orthanc
from tests.peers.processes import free_port
from tests.routing.dcmqrscp import start_dcmqrscp
from tests.routing.elsewhere import finds, identifier
from tests.routing.servers import serving

COMMON = "1.2.826.9"
STUDIES = {"HERE": "1.2.826.1", "OURS": "1.2.826.2", "ORTHANC": "1.2.826.3", "QRSCP": "1.2.826.4"}
HOSPITALS = ("OURS", "ORTHANC", "QRSCP")


def images(name: str) -> list[bytes]:
    """One study that only this archive has, and one that all have, of which each has an image of its own."""
    only = ct(
        StudyInstanceUID=STUDIES[name],
        SeriesInstanceUID=f"{STUDIES[name]}.1",
        SOPInstanceUID=f"{STUDIES[name]}.1.1",
        PatientName="Şahin^İnci",
        StudyDate=f"2026010{STUDIES[name][-1]}",
    )
    number = STUDIES[name][-1]
    shared = ct(
        StudyInstanceUID=COMMON,
        SeriesInstanceUID=f"{COMMON}.{number}",
        SOPInstanceUID=f"{COMMON}.{number}.1",
        SeriesNumber=int(number),
        PatientName="Şahin^İnci",
        StudyDate="20251231",
    )
    return [part10(only), part10(shared)]


def started(folder: Path, name: str, **environment: str) -> LiveArchive:
    live = start_archive(Backend("sqlite+folder", folder), wrapper=(), **environment)
    written = folder / "files"
    written.mkdir()
    for number, content in enumerate(images(name)):
        (written / str(number)).write_bytes(content)
    assert live.vna("import", str(written)).returncode == 0
    return live


@dataclass
class Federation:
    """The centre, and where C-FIND asks all."""

    centre: LiveArchive
    hospitals: dict[str, str]

    def search(self, path: str, **parameters: str) -> httpx.Response:
        return httpx.get(f"{self.centre.dicomweb}{path}", params=parameters, timeout=30)


@pytest.fixture(scope="session")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    folder = tmp_path_factory.mktemp("federation")
    for name in ("centre", "ours", "orthanc", "qrscp"):
        (folder / name).mkdir()
    stops: list[Any] = []
    try:
        centre = started(folder / "centre", "HERE", ACROSS__AE_TITLE="ALL", ACROSS__TIMEOUT="4")
        stops.append(centre.stop)
        ours = started(folder / "ours", "OURS", DIMSE__AE_TITLE="OURS")
        stops.append(ours.stop)
        orthanc = start_orthanc(folder / "orthanc", DicomAlwaysAllowFind=True, DefaultEncoding="Utf8")
        stops.append(orthanc.stop)
        for content in images("ORTHANC"):
            httpx.post(f"{orthanc.url}/instances", content=content).raise_for_status()
        qrscp = start_dcmqrscp(folder / "qrscp", images("QRSCP"))
        stops.append(qrscp.stop)
        known = {
            "OURS": ["--dicom", f"OURS@127.0.0.1:{ours.dimse_port}", "--qido-rs", ours.dicomweb],
            "ORTHANC": ["--qido-rs", orthanc.dicomweb_url, "--dicom", f"ORTHANC@127.0.0.1:{orthanc.dicom_port}"],
            "QRSCP": ["--dicom", f"{qrscp.ae_title}@127.0.0.1:{qrscp.port}"],
        }
        known["OURS"] += ["--wado-rs", ours.dicomweb]
        for name, options in known.items():
            assert centre.vna("source", "add", name, *options).returncode == 0
        yield Federation(centre, {"OURS": ours.dicomweb})
    finally:
        for stop in reversed(stops):
            stop()


def text(found: dict[str, Any], tag: str) -> list[Any]:
    return list(found.get(tag, {}).get("Value", []))


def test_one_search_finds_what_every_archive_has_each_study_once_and_says_where_it_is(federation: Federation) -> None:
    response = federation.search("/studies", PatientID="P1", across="true", includefield="00080054")
    assert "warning" not in response.headers
    found = {text(one, "0020000D")[0]: one for one in response.json()}
    assert [text(one, "0020000D")[0] for one in response.json()] == [*sorted(STUDIES.values())[::-1], COMMON]
    assert text(found[COMMON], "00080054") == ["VNA", "ORTHANC", "OURS", "QRSCP"]
    assert text(found[STUDIES["HERE"]], "00080056") == ["ONLINE"]
    assert text(found[STUDIES["QRSCP"]], "00080056") == ["NEARLINE"]
    assert text(found[STUDIES["QRSCP"]], "00080054") == ["QRSCP"]
    addresses = {name: text(found[uid], "00081190") for name, uid in STUDIES.items()}
    assert addresses["HERE"] == [f"{federation.centre.dicomweb}/studies/{STUDIES['HERE']}"]
    assert addresses["OURS"] == [f"{federation.hospitals['OURS']}/studies/{STUDIES['OURS']}"]
    assert addresses["QRSCP"] == [], "nothing gives it over the web"
    assert httpx.get(addresses["OURS"][0], headers={"Accept": "multipart/related"}).status_code == 200


def test_without_the_word_nobody_else_is_asked_and_by_name_only_those(federation: Federation) -> None:
    def found(**parameters: str) -> set[str]:
        answers = federation.search("/studies", PatientID="P1", **parameters).json()
        return {text(one, "0020000D")[0] for one in answers}

    assert found() == found(across="false") == {STUDIES["HERE"], COMMON}
    assert found(across="QRSCP") == {STUDIES["HERE"], STUDIES["QRSCP"], COMMON}
    assert found(across="QRSCP,OURS") == {STUDIES[name] for name in ("HERE", "QRSCP", "OURS")} | {COMMON}
    refused = federation.search("/studies", across="NOBODY")
    assert (refused.status_code, refused.json()["message"]) == (400, "no archive 'NOBODY' is known that could be asked")


def test_a_turkish_name_is_found_in_every_archive_that_can_match_it(federation: Federation) -> None:
    response = federation.search("/studies", PatientName="Şahin*", across="true")
    found = {text(one, "0020000D")[0] for one in response.json()}
    assert found == {*STUDIES.values(), COMMON}
    assert {text(one, "00100010")[0]["Alphabetic"] for one in response.json()} == {"Şahin^İnci"}


def test_series_and_instances_of_one_study_come_from_all(federation: Federation) -> None:
    series = federation.search(f"/studies/{COMMON}/series", across="true")
    assert [text(one, "0020000E")[0] for one in series.json()] == [f"{COMMON}.{number}" for number in (1, 2, 3, 4)]
    assert "warning" not in series.headers
    instances = federation.search(f"/studies/{COMMON}/series/{COMMON}.4/instances", across="true")
    (one,) = instances.json()
    assert text(one, "00080018") == [f"{COMMON}.4.1"]
    assert text(one, "00080054") == ["QRSCP"]


def test_pages_are_cut_from_the_one_list(federation: Federation) -> None:
    pages = [
        federation.search("/studies", PatientID="P1", across="true", limit="2", offset=str(offset))
        for offset in (0, 2, 4, 6)
    ]
    assert [page.status_code for page in pages] == [200, 200, 200, 204]
    found = [text(one, "0020000D")[0] for page in pages[:3] for one in page.json()]
    assert found == [*sorted(STUDIES.values())[::-1], COMMON]


def test_counts_say_that_they_are_of_this_archive(federation: Federation) -> None:
    counted = federation.search("/studies/count", across="true")
    assert "across was ignored" in counted.headers["warning"]
    total = federation.search("/studies", across="true", totalcount="true")
    assert "x-total-count" not in total.headers
    assert "totalcount was ignored" in total.headers["warning"]


@contextmanager
def associated(port: int, called: str = "ALL", calling: str = "WS") -> Iterator[Any]:
    ae = AE(calling)
    ae.add_requested_context(STUDY_ROOT_FIND)
    assoc = ae.associate("127.0.0.1", port, ae_title=called)
    assert assoc.is_established
    try:
        yield assoc
    finally:
        if assoc.is_established:
            assoc.release()


def question(**values: str) -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel = "STUDY"
    for keyword in ("StudyInstanceUID", "PatientName", "StudyDate", "InstanceAvailability", "RetrieveAETitle"):
        setattr(ds, keyword, "")
    ds.PatientID = "P1"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def found_by(assoc: Any) -> tuple[dict[str, Dataset], Dataset]:
    responses = list(assoc.send_c_find(question(), STUDY_ROOT_FIND))
    return {ds.StudyInstanceUID: ds for _, ds in responses[:-1]}, responses[-1][0]


def test_c_find_that_calls_the_other_title_asks_all(federation: Federation) -> None:
    with associated(federation.centre.dimse_port) as assoc:
        found, status = found_by(assoc)
    assert status.Status == 0x0000
    assert set(found) == {*STUDIES.values(), COMMON}
    assert found[STUDIES["ORTHANC"]].RetrieveAETitle == "ORTHANC"
    assert found[STUDIES["ORTHANC"]].InstanceAvailability == "NEARLINE"
    assert list(found[COMMON].RetrieveAETitle) == ["VNA", "ORTHANC", "OURS", "QRSCP"]
    assert str(found[STUDIES["ORTHANC"]].PatientName) == "Şahin^İnci"
    with associated(federation.centre.dimse_port, "VNA") as assoc:
        found, status = found_by(assoc)
    assert (set(found), status.Status) == ({STUDIES["HERE"], COMMON}, 0)


def test_findscu_of_dcmtk_lists_what_all_have(federation: Federation) -> None:
    done = run_dcmtk(
        "findscu", "-v", "-S", "-aec", "ALL", "127.0.0.1", str(federation.centre.dimse_port),
        "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", "-k", "PatientID=P1",
    )  # fmt: skip
    said = done.stdout
    assert all(uid in said for uid in (*STUDIES.values(), COMMON)), said
    assert "0x0000" in said or "Success" in said


def stalls(event: Any) -> Iterator[Any]:
    yield 0xFF00, identifier(StudyInstanceUID="1.2.826.77", StudyDate="20260101")
    end = time.monotonic() + 30
    while time.monotonic() < end and event.assoc.is_established and not event.is_cancelled:
        time.sleep(0.02)
    yield 0xFF00, identifier(StudyInstanceUID="1.2.826.78")


@contextmanager
def another(federation: Federation, *options: str) -> Iterator[None]:
    """While the centre knows one more archive; it may ask that one for two seconds more, so these tests come last."""
    assert federation.centre.vna("source", "add", "CITY", *options).returncode == 0
    time.sleep(2.1)  # the table of sources is read again after two seconds
    try:
        yield
    finally:
        assert federation.centre.vna("source", "remove", "CITY").returncode == 0


def test_an_archive_that_stalls_is_named_and_what_it_gave_before_is_there(federation: Federation) -> None:
    with finds(stalls) as entity, another(federation, "--dicom", f"CITY@127.0.0.1:{entity.port}"):
        begun = time.monotonic()
        response = federation.search("/studies", PatientID="P1", across="true")
        assert time.monotonic() - begun < 6
        assert response.headers["warning"].startswith("299 ")
        assert response.headers["warning"].endswith("The answer is not whole: CITY: it does not answer in time")
        assert "1.2.826.77" in {text(one, "0020000D")[0] for one in response.json()}
        with associated(federation.centre.dimse_port) as assoc:
            found, status = found_by(assoc)
        assert set(found) == {*STUDIES.values(), COMMON, "1.2.826.77"}, "all matches, whatever the status"
        assert status.Status == 0xC010
        assert status.ErrorComment == "not whole: CITY: it does not answer in time"


@pytest.mark.parametrize("how", ["cancel", "abort"])
def test_a_search_that_is_cancelled_or_aborted_ends_elsewhere_too(federation: Federation, how: str) -> None:
    with (
        finds(stalls) as entity,
        another(federation, "--dicom", f"CITY@127.0.0.1:{entity.port}"),
        associated(federation.centre.dimse_port) as assoc,
    ):
        responses = assoc.send_c_find(question(), STUDY_ROOT_FIND, msg_id=7)
        begun = time.monotonic()
        if how == "cancel":
            threading.Timer(0.7, lambda: assoc.send_c_cancel(7, None, STUDY_ROOT_FIND)).start()
            assert [status.Status for status, _ in responses][-1] == 0xFE00
            assert time.monotonic() - begun < 3
        else:
            time.sleep(0.7)
            assoc.abort()
        end = time.monotonic() + 2
        while not (entity.cancelled or entity.aborted) and time.monotonic() < end:
            time.sleep(0.05)
        assert entity.cancelled or entity.aborted
        assert time.monotonic() - begun < 3.9, "before the time was over"


def test_an_archive_that_is_down_or_gives_html_is_named_to_all_callers(federation: Federation) -> None:
    html = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p>x"
    with serving(lambda sock, _: sock.sendall(html)) as web, another(federation, "--qido-rs", web.url):
        response = federation.search("/studies", PatientID="P1", across="true")
        assert len(response.json()) == 5
        assert "CITY: answers with text/html where" in response.headers["warning"]
    with another(federation, "--dicom", f"CITY@127.0.0.1:{free_port()}"):
        response = federation.search("/studies", PatientID="P1", across="true")
        assert len(response.json()) == 5
        assert "CITY: no connection" in response.headers["warning"]


def test_in_enforced_mode_the_right_to_query_is_not_that_to_ask_others(tmp_path: Path) -> None:
    live = start_archive(
        Backend("sqlite+folder", tmp_path), SECURITY__MODE="enforced", ACROSS__AE_TITLE="ALL", ACROSS__PARTIAL="success"
    )
    try:
        for name, rights in (("PLAIN", "query"), ("BROAD", "query,query-across")):
            assert live.vna("ae", "add", name, "--rights", rights).returncode == 0
        dicom = ["--dicom", f"CITY@127.0.0.1:{free_port()}"]
        assert live.vna("source", "add", "CITY", *dicom).returncode == 0
        time.sleep(2.1)
        ends = {}
        for calling, called in (("PLAIN", "VNA"), ("PLAIN", "ALL"), ("BROAD", "ALL")):
            with associated(live.dimse_port, called, calling) as assoc:
                ends[calling, called] = found_by(assoc)[1].Status
        assert ends == {("PLAIN", "VNA"): 0, ("PLAIN", "ALL"): 0x0124, ("BROAD", "ALL"): 0}
    finally:
        live.stop()
