"""Priors of a patient who comes: fetched in the background from wherever they are kept, by the rules and no further."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import orjson
import pydicom
import pytest

from tests.archives import Backend, LiveArchive, Open, put, start_archive
from tests.objects import ct, part10
from tests.peers.dcmtk import run_dcmtk
from tests.peers.orthanc import Orthanc, start_orthanc
from tests.routing.elsewhere import as_json, finds, identifier, make_empty, qido
from tests.routing.manifests import kos, written
from tests.routing.servers import Behave, answer, serving
from vna.app import Application, build
from vna.model.access import SYSTEM, Actor, ActorKind
from vna.model.errors import BadRequest, NotAuthorized, Unavailable
from vna.model.examinations import Planned
from vna.model.instances import Door, Selection
from vna.model.manifests import State
from vna.model.query import Key, Level, Query
from vna.model.sources import RemoteArchive, Source
from vna.routing import prefetch_rules
from vna.routing.discovery import Discovery, Limits
from vna.routing.prefetch import Decision, Prefetch
from vna.routing.prefetch_tasks import PREFETCH

TODAY = date.today()
WHO = {"PatientID": "P1", "IssuerOfPatientID": "HIS", "PatientBirthDate": "19700101"}
NEW = "1.2.826.8.1"
LOCATION = "1.2.826.8.99"
RULES = """
[[rule]]
name = "all of it"
[rule.priors]
most_studies = 50
"""


def day(back: int) -> str:
    return (TODAY - timedelta(days=back)).strftime("%Y%m%d")


def study(uid: str, back: int, *, count: int = 2, series: int = 1, **elements: Any) -> list[bytes]:
    """Images of one study, made so many days ago."""
    return [
        part10(
            ct(
                **{
                    "StudyInstanceUID": uid,
                    "SeriesInstanceUID": f"{uid}.{number}",
                    "SOPInstanceUID": f"{uid}.{number}.{at}",
                    "SeriesNumber": number,
                    "InstanceNumber": at,
                    "StudyDate": day(back),
                    **WHO,
                    **elements,
                }
            )
        )
        for number in range(1, series + 1)
        for at in range(1, count + 1)
    ]


CHEST, HEAD, OLD, OTHERS = (f"1.2.826.8.{number}" for number in (11, 12, 13, 14))
PRIORS = [
    *study(CHEST, 100, series=2, BodyPartExamined="CHEST", StudyDescription="Göğüs BT"),
    *study(HEAD, 200, count=3, BodyPartExamined="HEAD"),
    *study(OLD, 4000, BodyPartExamined="CHEST"),
]


@dataclass
class Hospital:
    """An archive elsewhere with the priors."""

    archive: RemoteArchive
    live: LiveArchive | Orthanc


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    folder = tmp_path_factory.mktemp("hospital")
    (folder / "files").mkdir()
    for number, content in enumerate([*PRIORS, *study(OTHERS, 50, IssuerOfPatientID="ELSE")]):
        (folder / "files" / str(number)).write_bytes(content)
    live = start_archive(Backend("sqlite+folder", folder), DIMSE__AE_TITLE="OURS")
    assert live.vna("import", str(folder / "files")).returncode == 0
    yield live
    live.stop()


@pytest.fixture(scope="module")
def orthanc_hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    orthanc = start_orthanc(tmp_path_factory.mktemp("orthanc"), DicomAlwaysAllowFind=True, DicomAlwaysAllowGet=True)
    for content in PRIORS:
        httpx.post(f"{orthanc.url}/instances", content=content).raise_for_status()
    yield orthanc
    orthanc.stop()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_empty(tmp_path_factory.mktemp("empty"))


@pytest.fixture
def opened(empty: Path, tmp_path: Path) -> Iterator[Open]:
    """As `open_archive`, on one pair of stores only, and quickly."""
    shutil.copytree(empty, tmp_path / "data")
    made: list[Application] = []

    def make(**sections: dict[str, object]) -> Application:
        made.append(build(Backend("sqlite+folder", tmp_path).settings(**sections)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def rules(tmp_path: Path) -> Callable[[str], dict[str, object]]:
    """Settings with these rules."""

    def make(text: str) -> dict[str, object]:
        path = tmp_path / "prefetch.toml"
        path.write_text(text)
        return {"prefetch": str(path)}

    return make


Rules = Callable[[str], dict[str, object]]


def web(live: LiveArchive) -> RemoteArchive:
    return RemoteArchive(wado_rs=live.dicomweb, qido_rs=live.dicomweb)


def know(archive: Application, name: str, remote: RemoteArchive, facility: str = "") -> None:
    archive.sources.add(SYSTEM, Source(name, name, facility=facility, archive=remote))


def work(archive: Application) -> None:
    """Everything that is pending, whatever it waits for."""
    archive.dispatcher().drain()
    workers = archive.workers()
    workers.drain()
    for job in archive.jobs.all(SYSTEM, kind=PREFETCH):
        archive.jobs.retry(SYSTEM, job.job_id)
    workers.drain()


def here(archive: Application) -> dict[str, int]:
    """How many instances of each study have bytes here."""
    counts: dict[str, int] = {}
    for one in archive.retrieval.instances(SYSTEM, Selection(patient_id="P1")):
        counts[one.study_instance_uid] = counts.get(one.study_instance_uid, 0) + one.is_here
    return counts


def kinds(archive: Application) -> set[str]:
    """What is still to be done; the look at copies comes half a minute later."""
    return {job.kind for job in archive.jobs.all(SYSTEM)} - {"evict"}


def arrive(archive: Application, **elements: Any) -> None:
    """A new study comes."""
    for content in study(NEW, 0, **elements):
        put(archive, content, door=Door.STOW)


# ---- what comes


def test_priors_that_nobody_told_of_come_after_a_new_study(open_archive: Open, rules: Rules, ours: LiveArchive) -> None:
    archive = open_archive(federation=rules(RULES))
    know(archive, "CITY", web(ours))
    arrive(archive)
    assert here(archive) == {NEW: 2}
    work(archive)
    assert here(archive) == {NEW: 2, CHEST: 4, HEAD: 3, OLD: 2}
    assert kinds(archive) == set()
    stored = {uid: content for content in PRIORS for uid in [_uid(content)]}
    for one in archive.retrieval.instances(SYSTEM, Selection(study_uids=(CHEST,))):
        assert archive.retrieval.part10(SYSTEM, one).read() == stored[one.sop_instance_uid]


def _uid(content: bytes) -> str:
    return str(pydicom.dcmread(BytesIO(content)).SOPInstanceUID)


def test_they_come_from_orthanc_by_c_find_and_c_get(opened: Open, rules: Rules, orthanc_hospital: Orthanc) -> None:
    archive = opened(federation=rules(RULES))
    know(archive, "ORTHANC", RemoteArchive("ORTHANC", "127.0.0.1", orthanc_hospital.dicom_port))
    arrive(archive)
    work(archive)
    assert here(archive) == {NEW: 2, CHEST: 4, HEAD: 3, OLD: 2}


def test_they_come_from_orthanc_by_qido_and_wado(opened: Open, rules: Rules, orthanc_hospital: Orthanc) -> None:
    archive = opened(federation=rules(RULES))
    url = orthanc_hospital.dicomweb_url
    know(archive, "ORTHANC", RemoteArchive(wado_rs=url, qido_rs=url))
    arrive(archive)
    work(archive)
    assert here(archive) == {NEW: 2, CHEST: 4, HEAD: 3, OLD: 2}


def test_what_two_archives_have_comes_from_the_other_when_one_gives_nothing(
    opened: Open, rules: Rules, ours: LiveArchive, orthanc_hospital: Orthanc
) -> None:
    archive = opened(federation=rules(RULES))
    know(archive, "CITY", RemoteArchive(wado_rs="http://127.0.0.1:9/rs", qido_rs=ours.dicomweb))
    url = orthanc_hospital.dicomweb_url
    know(archive, "TOWN", RemoteArchive(wado_rs=url, qido_rs=url))
    arrive(archive)
    work(archive)
    assert here(archive) == {NEW: 2, CHEST: 4, HEAD: 3, OLD: 2}
    assert len(archive.manifests.of_study(SYSTEM, CHEST)) == 2


def test_priors_that_a_manifest_told_of_come(open_archive: Open, rules: Rules, ours: LiveArchive) -> None:
    archive = open_archive(federation=rules(RULES))
    know(archive, "CITY", RemoteArchive(wado_rs=ours.dicomweb, retrieve_location_uid=LOCATION))
    named = {f"{CHEST}.{n}": [f"{CHEST}.{n}.{k}" for k in (1, 2)] for n in (1, 2)}
    put(archive, written(kos(CHEST, named, location=LOCATION, StudyDate=day(100), InstitutionName="", **WHO)))
    archive.catch_up()
    work(archive)
    assert here(archive) == {CHEST: 1}, "a manifest is no patient who comes"
    assert kinds(archive) == set()
    arrive(archive)
    work(archive)
    assert here(archive) == {NEW: 2, CHEST: 5}


def test_it_is_found_and_described_before_it_is_fetched(opened: Open, rules: Rules, ours: LiveArchive) -> None:
    archive = opened(federation=rules(RULES))
    know(archive, "CITY", web(ours), facility="34001")
    arrive(archive)
    archive.dispatcher().drain()
    (job,) = archive.jobs.all(SYSTEM, kind=PREFETCH)
    payload = archive.prefetch(job.payload)  # the step that searches
    assert payload is not None
    (manifest,) = archive.manifests.of_study(SYSTEM, CHEST)
    assert (manifest.door, manifest.facility, manifest.named, manifest.state) == ("search", "34001", 4, State.CURRENT)
    key = Key(("0020000D",), "UI", (CHEST,))
    (found,) = archive.search.find(SYSTEM, Query(Level.STUDY, (key,), None)).matches
    assert found.elements["00080056"]["Value"] == ["NEARLINE"]
    assert found.elements["00081030"]["Value"] == ["Göğüs BT"]
    assert found.elements["00201208"]["Value"] == [4]
    series = archive.search.find(SYSTEM, Query(Level.SERIES, (key,), None)).matches
    assert {one.elements["00180015"]["Value"][0] for one in series} == {"CHEST"}
    assert archive.prefetch(payload) is None
    assert len(archive.jobs.all(SYSTEM, kind="fetch")) == 3


# ---- the bounds of a rule


@pytest.mark.parametrize(
    ("priors", "wanted"),
    [
        ("most_studies = 1", {CHEST: 4}),
        ("most_studies = 2", {CHEST: 4, HEAD: 3}),
        ("same_body_part = true", {CHEST: 4, OLD: 2}),
        ("same_body_part = true\nmost_studies = 1", {CHEST: 4}),
        ("days = 365", {CHEST: 4, HEAD: 3}),
        ("most_instances = 6", {CHEST: 4, OLD: 2}),
        ("most_instances = 3", {HEAD: 3}),
        ("most_instances = 1", {}),
        ('modalities = ["MR"]', {}),
    ],
)
def test_the_bounds_of_the_rule_hold(
    opened: Open, rules: Rules, ours: LiveArchive, priors: str, wanted: dict[str, int]
) -> None:
    archive = opened(federation=rules(f"[[rule]]\nname = 'a'\n[rule.priors]\n{priors}"))
    know(archive, "CITY", web(ours))
    for _ in range(2):  # what is here counts: a second time brings nothing more
        arrive(archive, BodyPartExamined="CHEST")
        archive.prefetch.scheduled(SYSTEM, Planned("P1", "HIS", modality="CT", body_part="CHEST"))
        work(archive)
        assert {uid: count for uid, count in here(archive).items() if uid != NEW and count} == wanted


def test_only_the_sources_that_the_rule_names_are_asked(opened: Open, rules: Rules, ours: LiveArchive) -> None:
    archive = opened(federation=rules("[[rule]]\nname = 'a'\nsources = ['TOWN']"))
    with serving(lambda sock, _: sock.sendall(qido())) as city:
        know(archive, "CITY", RemoteArchive(wado_rs=f"{city.url}/rs", qido_rs=f"{city.url}/rs"))
        know(archive, "TOWN", web(ours))
        arrive(archive)
        work(archive)
        assert city.asked == []
    assert here(archive)[CHEST] == 4


def test_outside_of_the_hours_it_waits(opened: Open, rules: Rules, ours: LiveArchive) -> None:
    now = datetime.now(UTC)
    begin, end = (now + timedelta(hours=hours) for hours in (3, 4))
    text = f"time_zone = 'UTC'\n[[rule]]\nname = 'a'\nhours = ['{begin:%H:%M}-{end:%H:%M}']"
    archive = opened(federation=rules(text))
    know(archive, "CITY", web(ours))
    arrive(archive)
    work(archive)
    assert here(archive) == {NEW: 2}
    (job,) = archive.jobs.all(SYSTEM, kind=PREFETCH)
    assert job.run_after[:16] == f"{begin:%Y-%m-%dT%H:%M}"


# ---- who is the same patient


def test_another_issuers_number_is_somebody_elses(opened: Open, rules: Rules, ours: LiveArchive) -> None:
    archive = opened(federation=rules(RULES))
    know(archive, "CITY", web(ours))
    arrive(archive)
    work(archive)
    known = {one.study_instance_uid for one in archive.retrieval.instances(SYSTEM, Selection(patient_id="P1"))}
    assert OTHERS not in known


@pytest.mark.parametrize(
    ("here_is", "there_is", "facility", "same"),
    [
        ({}, {"IssuerOfPatientID": "HIS"}, "", True),
        ({}, {"IssuerOfPatientID": "HIS"}, "34001", True),
        ({}, {}, "34001", False),
        ({"IssuerOfPatientID": "34001"}, {}, "34001", True),
        ({"IssuerOfPatientID": "34001"}, {}, "34002", False),
        ({"IssuerOfPatientID": ""}, {}, "", True),
        ({"IssuerOfPatientID": "", "PatientBirthDate": ""}, {}, "", False),
        ({"IssuerOfPatientID": ""}, {"PatientBirthDate": ""}, "", False),
        ({}, {"IssuerOfPatientID": "HIS", "PatientBirthDate": ""}, "", True),
        ({}, {"IssuerOfPatientID": "HIS", "PatientBirthDate": "19991231"}, "", False),
    ],
)
def test_whose_number_it_is_has_to_be_said(
    opened: Open, rules: Rules, here_is: dict[str, str], there_is: dict[str, str], facility: str, same: bool
) -> None:
    archive = opened(federation=rules(RULES))
    found = as_json(**{"StudyInstanceUID": CHEST, "PatientID": "P1", "PatientBirthDate": "19700101", **there_is})
    with serving(_answers({"/studies": [found]})) as server:
        know(archive, "CITY", RemoteArchive(qido_rs=f"{server.url}/rs"), facility=facility)
        arrive(archive, **here_is)
        work(archive)
    assert any(b"/series" in head for head in server.asked) is same


NATIONAL = """
national_authority = "2.16.792.3.0"
[[patients]]
issuer = "*"
affinity = "national"
"""


@pytest.mark.parametrize("said", ["Patient ID", "other IDs"])
def test_a_national_number_is_the_same_patient_everywhere(
    opened: Open, rules: Rules, tmp_path: Path, said: str
) -> None:
    number = "10000000146"
    (tmp_path / "profile.toml").write_text(NATIONAL)
    archive = opened(federation=rules(RULES), xds={"profile": str(tmp_path / "profile.toml")})
    there = as_json(StudyInstanceUID=CHEST, PatientID=number, IssuerOfPatientID="TC", PatientBirthDate="19700101")
    with serving(_answers({"/studies": [there]})) as server:
        know(archive, "CITY", RemoteArchive(qido_rs=f"{server.url}/rs"), facility="34002")
        if said == "Patient ID":
            arrive(archive, PatientID=number)
        else:
            other = ct()
            other.clear()
            other.PatientID = number
            arrive(archive, OtherPatientIDsSequence=[other])
        work(archive)
    assert any(b"/series" in head for head in server.asked)


def test_whoever_was_merged_into_the_patient_is_asked_for_too(opened: Open, rules: Rules, tmp_path: Path) -> None:
    domain = "1.2.826.0.1.3680043.10.1561.50"
    (tmp_path / "profile.toml").write_text(f"[[patients]]\nissuer = 'HIS'\nauthority = '{domain}'\n")
    archive = opened(
        federation=rules(RULES), xds={"profile": str(tmp_path / "profile.toml"), "affinity_domain": domain}
    )
    for number in ("P0", "P1"):
        archive.patients.register(SYSTEM, f"{number}^^^&{domain}&ISO")
    archive.patients.merge(SYSTEM, f"P0^^^&{domain}&ISO", f"P1^^^&{domain}&ISO")
    there = as_json(StudyInstanceUID=CHEST, **{**_SAID, "PatientID": "P0"})
    found = {"/studies": [there], "/series": [_SERIES], "/instances": [_instance()]}
    with serving(_answers(found)) as server:
        know(archive, "CITY", RemoteArchive(qido_rs=f"{server.url}/rs", wado_rs=f"{server.url}/rs"))
        arrive(archive)
        work(archive)
    assert here(archive) == {NEW: 2, CHEST: 0}, "filed under the survivor"


def test_no_wild_card_is_ever_asked_for(opened: Open, rules: Rules) -> None:
    archive = opened(federation=rules(RULES))
    with serving(_answers({})) as server:
        know(archive, "CITY", RemoteArchive(qido_rs=f"{server.url}/rs"))
        arrive(archive, PatientID="P*")
        work(archive)
    assert server.asked == []


# ---- sources that fail


def _answers(by_path: dict[str, list[dict[str, Any]]]) -> Behave:
    """QIDO-RS: the longest path that the address ends with."""

    def behave(sock: Any, head: bytes) -> None:
        path = head.split(b" ")[1].partition(b"?")[0].decode()
        found = next((by_path[end] for end in sorted(by_path, key=len, reverse=True) if path.endswith(end)), [])
        sock.sendall(answer("200 OK", orjson.dumps(found), Content_Type="application/dicom+json"))

    return behave


def impatient(archive: Application, seconds: float = 1.0) -> Application:
    """The same archive, which waits less long for sources."""
    same = archive.prefetch._same
    discovery = Discovery(archive.database, archive.store, same, archive.remotes.doors, Limits(seconds=seconds))
    prefetch = Prefetch(
        archive.database,
        archive.policy,
        prefetch_rules.named(archive.settings.federation.prefetch),
        archive.sources.archives,
        discovery,
        same,
        archive.fetching,
    )
    return replace(archive, prefetch=prefetch)


def test_a_source_that_stalls_holds_up_no_other_and_is_asked_again_later(
    opened: Open, rules: Rules, ours: LiveArchive
) -> None:
    archive = impatient(opened(federation=rules(RULES)))
    with serving(lambda sock, _: time.sleep(6)) as slow:
        know(archive, "A-SLOW", RemoteArchive(qido_rs=f"{slow.url}/rs"))
        know(archive, "CITY", web(ours))
        arrive(archive)
        archive.dispatcher().drain()
        (job,) = archive.jobs.all(SYSTEM, kind=PREFETCH)
        archive.jobs.retry(SYSTEM, job.job_id)
        started = time.monotonic()
        archive.workers().drain()
        assert time.monotonic() - started < 5
    assert here(archive) == {NEW: 2, CHEST: 4, HEAD: 3, OLD: 2}
    (again,) = archive.jobs.all(SYSTEM, kind=PREFETCH)
    assert orjson.loads(again.payload)["left"] == ["A-SLOW"]
    assert again.run_after > datetime.now(UTC).isoformat()


def test_a_source_that_never_answers_is_given_up_without_a_trace(opened: Open, rules: Rules) -> None:
    archive = opened(federation=rules(RULES))
    know(archive, "DOWN", RemoteArchive(qido_rs="http://127.0.0.1:9/rs"))
    arrive(archive)
    for _ in range(10):
        work(archive)
    assert archive.jobs.all(SYSTEM) == []


_SAID = {"PatientID": "P1", "IssuerOfPatientID": "HIS", "PatientBirthDate": "19700101"}
_STUDY = as_json(StudyInstanceUID=CHEST, StudyDate="20200101", **_SAID)
_SERIES = as_json(StudyInstanceUID=CHEST, SeriesInstanceUID="1.2.9", Modality="CT")
_CT = "1.2.840.10008.5.1.4.1.1.2"


def _instance(uid: str = "1.2.9.1", **values: Any) -> dict[str, Any]:
    said = {"StudyInstanceUID": CHEST, "SeriesInstanceUID": "1.2.9", "SOPInstanceUID": uid, "SOPClassUID": _CT}
    return as_json(**{**said, **values})


@pytest.mark.parametrize(
    ("what", "answers"),
    [
        ("another patient", {"/studies": [_STUDY | as_json(PatientID="P2")]}),
        ("no patient", {"/studies": [{tag: one for tag, one in _STUDY.items() if tag != "00100020"}]}),
        ("no UID", {"/studies": [_STUDY | as_json(StudyInstanceUID="1.2.x")]}),
        ("the new study itself", {"/studies": [_STUDY | as_json(StudyInstanceUID=NEW)]}),
        ("offline", {"/studies": [_STUDY | as_json(InstanceAvailability="OFFLINE")]}),
        ("elsewhere for them too", {"/studies": [_STUDY | as_json(InstanceAvailability="NEARLINE")]}),
        ("no series", {"/studies": [_STUDY]}),
        ("another study's series", {"/studies": [_STUDY], "/series": [_SERIES | as_json(StudyInstanceUID="1.2.3")]}),
        ("no instance", {"/studies": [_STUDY], "/series": [_SERIES]}),
        (
            "no SOP Class",
            {"/studies": [_STUDY], "/series": [_SERIES], "/instances": [_instance(SOPClassUID="CT Image")]},
        ),
        (
            "another series' instances",
            {"/studies": [_STUDY], "/series": [_SERIES], "/instances": [_instance(SeriesInstanceUID="1.2.8")]},
        ),
    ],
)
def test_what_is_no_prior_that_can_be_had_leaves_nothing(
    opened: Open, rules: Rules, what: str, answers: dict[str, list[dict[str, Any]]]
) -> None:
    archive = opened(federation=rules(RULES))
    with serving(_answers(answers)) as server:
        know(archive, "CITY", RemoteArchive(qido_rs=f"{server.url}/rs", wado_rs=f"{server.url}/rs"))
        arrive(archive)
        work(archive)
        assert server.asked
    assert here(archive) == {NEW: 2}
    assert archive.jobs.all(SYSTEM, kind="fetch") == []
    assert [one for one in archive.manifests.listed(SYSTEM) if one.door == "search"] == []


def test_what_is_kept_near_line_comes_where_the_rule_says_so(opened: Open, rules: Rules) -> None:
    archive = opened(federation=rules(f"{RULES}\nnearline = true"))
    near = {"/studies": [_STUDY | as_json(InstanceAvailability="NEARLINE")], "/series": [_SERIES]}
    with serving(_answers({**near, "/instances": [_instance()]})) as server:
        know(archive, "CITY", RemoteArchive(qido_rs=f"{server.url}/rs", wado_rs=f"{server.url}/rs"))
        arrive(archive)
        work(archive)
    assert [one.study_instance_uid for one in archive.manifests.listed(SYSTEM)] == [CHEST]


def test_a_study_of_another_patient_here_gets_nothing_of_what_a_source_says(opened: Open, rules: Rules) -> None:
    archive = opened(federation=rules(RULES))
    for content in study(CHEST, 10, PatientID="P2"):
        put(archive, content, door=Door.MIGRATION)
    lie = {"/studies": [_STUDY], "/series": [_SERIES], "/instances": [_instance()]}
    with serving(_answers(lie)) as server:
        know(archive, "CITY", RemoteArchive(qido_rs=f"{server.url}/rs"))
        arrive(archive)
        work(archive)
    assert len(archive.retrieval.instances(SYSTEM, Selection(study_uids=(CHEST,)))) == 2


def test_what_was_deleted_here_stays_so(opened: Open, rules: Rules, ours: LiveArchive) -> None:
    archive = opened(federation=rules(RULES))
    know(archive, "CITY", web(ours))
    arrive(archive)
    work(archive)
    archive.deletion.delete(SYSTEM, CHEST, reason="wrong patient")
    archive.prefetch.scheduled(SYSTEM, Planned("P1", "HIS"))
    work(archive)
    assert here(archive) == {NEW: 2, HEAD: 3, OLD: 2}


def test_an_endless_list_of_studies_is_cut_off(opened: Open, rules: Rules) -> None:
    archive = impatient(opened(federation=rules(RULES)), 5.0)

    def endless(_: Any) -> Iterator[Any]:
        for number in range(100_000):
            yield 0xFF00, identifier(StudyInstanceUID=f"1.2.{number}", **_SAID)
        yield 0x0000, None

    with finds(endless) as entity:
        know(archive, "CITY", RemoteArchive("CITY", "127.0.0.1", entity.port))
        _, problems = archive.prefetch.now(SYSTEM, Planned("P1", "HIS"))
    assert problems == ["CITY has more than 500 matches"]
    assert here(archive) == {}


# ---- once, and again


def test_what_a_search_found_goes_when_the_hospital_withdraws_its_manifest(
    opened: Open, rules: Rules, ours: LiveArchive
) -> None:
    archive = opened(federation=rules(RULES))
    know(archive, "CITY", web(ours), facility="34001")
    archive.prefetch.now(SYSTEM, Planned("P1", "HIS"))
    (found,) = archive.manifests.of_study(SYSTEM, CHEST)
    archive.manifests.request(SYSTEM, [found.sop_instance_uid])
    named = {f"{CHEST}.1": [f"{CHEST}.1.1", f"{CHEST}.1.2"]}
    told = kos(CHEST, named, location=LOCATION, InstitutionName="Örnek^^^SKRS34001", **WHO)
    put(archive, written(told))
    archive.dispatcher().drain()
    for job in archive.jobs.all(SYSTEM, kind="manifest"):
        archive.manifests(job.payload)
    assert {one.state for one in archive.manifests.of_study(SYSTEM, CHEST)} == {State.CURRENT}
    archive.deletion.delete(SYSTEM, CHEST, told.SeriesInstanceUID, reason="withdrawn")
    archive.dispatcher().drain()
    archive.manifests(told.SOPInstanceUID)
    assert {one.state for one in archive.manifests.of_study(SYSTEM, CHEST)} == {State.WITHDRAWN}
    assert archive.retrieval.instances(SYSTEM, Selection(study_uids=(CHEST,))) == ()
    assert len(archive.retrieval.instances(SYSTEM, Selection(study_uids=(HEAD,)))) == 3


def test_nothing_is_fetched_twice(open_archive: Open, rules: Rules, ours: LiveArchive) -> None:
    archive = open_archive(federation=rules(RULES))
    know(archive, "CITY", web(ours))
    arrive(archive)
    work(archive)
    before = _retrieves(ours)
    for content in study("1.2.826.8.2", 0):
        put(archive, content, door=Door.STOW)
    work(archive)
    assert _retrieves(ours) == before
    assert here(archive)["1.2.826.8.2"] == 2


def _retrieves(live: LiveArchive) -> int:
    lines = httpx.get(f"{live.http}/metrics").text.splitlines()
    return int(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("vna_retrieves_total{")))


@pytest.mark.parametrize("last", [1, 2, 3])
@pytest.mark.parametrize("where", ["before", "after"])
def test_what_was_noted_half_is_noted_to_the_end(
    open_archive: Open, rules: Rules, ours: LiveArchive, monkeypatch: pytest.MonkeyPatch, last: int, where: str
) -> None:
    archive = open_archive(federation=rules(RULES))
    know(archive, "CITY", web(ours))
    note, calls = archive.store.note, []

    def cut(actor: Actor, rows: Any) -> int:
        calls.append(rows)
        done = note(actor, rows) if len(calls) < last or where == "after" else 0
        if len(calls) == last:
            raise Unavailable("killed")
        return done

    monkeypatch.setattr(archive.store, "note", cut)
    _, problems = archive.prefetch.now(SYSTEM, Planned("P1", "HIS"))
    assert problems == ["CITY: killed"]
    monkeypatch.setattr(archive.store, "note", note)
    arrive(archive)
    work(archive)
    assert here(archive) == {NEW: 2, CHEST: 4, HEAD: 3, OLD: 2}


@pytest.mark.parametrize("door", [Door.STOW, Door.IMPORT, Door.MIGRATION, Door.FETCH])
def test_a_study_that_is_sent_here_is_one_cause_and_a_copy_is_none(opened: Open, rules: Rules, door: Door) -> None:
    archive = opened(federation=rules(RULES))
    for content in study(NEW, 0):
        put(archive, content, door=door)
    archive.dispatcher().drain()
    about = [job.order_key for job in archive.jobs.all(SYSTEM, kind=PREFETCH)]
    assert about == ([NEW] if door not in (Door.MIGRATION, Door.FETCH) else [])


def test_an_archive_that_is_moved_here_fetches_nothing(opened: Open, rules: Rules, ours: LiveArchive) -> None:
    archive = opened(federation=rules(RULES))
    know(archive, "CITY", web(ours))
    for content in study(NEW, 30):
        put(archive, content)
    work(archive)
    assert here(archive) == {NEW: 2}


def test_nothing_is_fetched_ahead_unless_it_is_set(opened: Open, ours: LiveArchive) -> None:
    archive = opened()
    know(archive, "CITY", web(ours))
    arrive(archive)
    work(archive)
    assert here(archive) == {NEW: 2}
    assert not archive.prefetch.scheduled(SYSTEM, Planned("P1", "HIS"))
    with pytest.raises(BadRequest, match="VNA_FEDERATION__PREFETCH"):
        archive.prefetch.now(SYSTEM, Planned("P1", "HIS"))


def test_a_job_of_rules_that_are_gone_does_nothing(opened: Open, rules: Rules, ours: LiveArchive) -> None:
    archive = opened(federation=rules(RULES))
    arrive(archive)
    archive.dispatcher().drain()
    off = opened()
    know(off, "CITY", web(ours))
    work(off)
    assert off.jobs.all(SYSTEM) == []
    assert here(off) == {NEW: 2}


# ---- a patient who is expected


def test_a_planned_examination_has_the_priors_here_before_the_patient(
    opened: Open, rules: Rules, ours: LiveArchive
) -> None:
    archive = opened(federation=rules(RULES))
    know(archive, "CITY", web(ours))
    planned = Planned("P1", "HIS", modality="CT")
    his = Actor(ActorKind.SOURCE, "HIS", frozenset({"feed"}))  # type: ignore[arg-type]
    assert archive.prefetch.scheduled(his, planned)
    assert archive.prefetch.scheduled(his, planned)
    (job,) = archive.jobs.all(SYSTEM, kind=PREFETCH)
    assert "P1" not in job.order_key
    work(archive)
    assert here(archive) == {CHEST: 4, HEAD: 3, OLD: 2}


def test_whoever_may_not_feed_plans_nothing(opened: Open, rules: Rules) -> None:
    archive = opened(federation=rules(RULES), security={"mode": "enforced"})
    with pytest.raises(NotAuthorized):
        archive.prefetch.scheduled(Actor(ActorKind.AE, "CT1"), Planned("P1", "HIS"))
    with pytest.raises(NotAuthorized):
        archive.prefetch.now(Actor(ActorKind.AE, "CT1"), Planned("P1", "HIS"))


def test_what_becomes_of_each_prior_is_said(open_archive: Open, rules: Rules, ours: LiveArchive) -> None:
    archive = open_archive(federation=rules(f"{RULES}\nmost_instances = 9"))
    know(archive, "CITY", replace(web(ours), retrieve_location_uid=LOCATION))
    for content in study(HEAD, 200, count=3, BodyPartExamined="HEAD"):
        put(archive, content, door=Door.MIGRATION)
    named = {"1.2.5.1": ["1.2.5.1.1"]}
    put(archive, written(kos("1.2.5", named, location="1.2.77", StudyDate=day(20), InstitutionName="", **WHO)))
    big = {"1.2.6.1": [f"1.2.6.1.{n}" for n in range(10)]}
    put(archive, written(kos("1.2.6", big, location=LOCATION, StudyDate=day(10), InstitutionName="", **WHO)))
    archive.catch_up()
    found, problems = archive.prefetch.now(SYSTEM, Planned("P1", "HIS"))
    assert problems == []
    assert [(one.examination.study_instance_uid, one.decision) for one in found] == [
        ("1.2.6", Decision.TOO_MUCH),
        ("1.2.5", Decision.NOBODY),
        (CHEST, Decision.FETCHED),
        (HEAD, Decision.HERE),
        (OLD, Decision.FETCHED),
    ]
    again, _ = archive.prefetch.now(SYSTEM, Planned("P1", "HIS"))
    assert [one.decision for one in again][2:] == [Decision.WAITS, Decision.HERE, Decision.WAITS]


# ---- a running archive


def test_a_killed_archive_goes_on_where_it_was_and_logs_nobody(tmp_path: Path, ours: LiveArchive) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "new").mkdir()
    for number, content in enumerate(study(NEW, 0)):
        (tmp_path / "new" / str(number)).write_bytes(content)
    backend = Backend("sqlite+folder", tmp_path)
    setting = {"FEDERATION__PREFETCH": str(tmp_path / "rules.toml"), "LOG__LEVEL": "debug"}
    live = start_archive(backend, wrapper=(), **setting)
    try:
        added = live.vna("source", "add", "CITY", "--wado-rs", ours.dicomweb, "--qido-rs", ours.dicomweb)
        assert added.returncode == 0, added.stderr
        assert live.vna("source", "add", "DOWN", "--qido-rs", "http://127.0.0.1:9/rs").returncode == 0
        sent = run_dcmtk("storescu", "+sd", "127.0.0.1", live.dimse_port, tmp_path / "new")
        assert sent.returncode == 0, sent.stdout
        _wait(lambda: len(_known(live)) > 1)
        live.kill()
        live = start_archive(backend, wrapper=(), **setting)
        _wait(lambda: _known(live) == {NEW: "ONLINE", CHEST: "ONLINE", HEAD: "ONLINE", OLD: "ONLINE"})
        said = live.vna("prefetch", "P1", "--issuer", "HIS", "--modality", "CT", "--format", "json")
        assert said.returncode == 1, "one source is down"
        assert "DOWN" in said.stderr
        listed = orjson.loads(said.stdout)
        assert [(one["study"], one["decision"]) for one in listed] == [
            (NEW, "here"),
            (CHEST, "here"),
            (HEAD, "here"),
            (OLD, "here"),
        ]
        log = (tmp_path / "serve.log").read_text()
        assert "priors chosen" in log
        for word in ("P1", "Deneme", "19700101"):
            assert word not in log
    finally:
        live.stop()


def _known(live: LiveArchive) -> dict[str, str]:
    found = httpx.get(f"{live.dicomweb}/studies", params={"PatientID": "P1"}, timeout=20)
    listed = found.json() if found.status_code == 200 else []
    return {one["0020000D"]["Value"][0]: one["00080056"]["Value"][0] for one in listed}


def _wait(until: Callable[[], bool], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_bad_rule_file_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text("[[rule]]\nname = 'a'\nsource = ['CITY']")
    environment = {
        **os.environ,
        "VNA_DATA_DIR": str(tmp_path / "data"),
        "VNA_FEDERATION__PREFETCH": str(tmp_path / "rules.toml"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "vna.cli", "serve"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == f"vna: {tmp_path / 'rules.toml'}: rule[1].source: there is no such key\n"
