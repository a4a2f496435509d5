"""Images that a hospital keeps: known at the centre by a manifest, fetched once when they are read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import httpx
import pydicom
import pytest

from tests.archives import Backend, LiveArchive, Open, put, start_archive
from tests.objects import ct, part10
from tests.peers.dcmtk import run_dcmtk, start_storescp
from tests.peers.processes import wait_for
from tests.routing.manifests import kos, written
from tests.xds.imaging import Ask, read, request
from vna.app import Application
from vna.model.access import SYSTEM
from vna.model.errors import Conflict, NotFound, Rejected, Unavailable
from vna.model.instances import Instance, Outcome, Selection
from vna.model.manifests import Download, State
from vna.model.query import Key, Level, Query
from vna.model.sources import RemoteArchive, Source
from vna.routing.on_demand import _lease_name
from vna.soap.client import call
from xds import rad69

STUDY = "1.2.826.7"
LOCATION = "1.2.826.7.99"
SERIES = {f"{STUDY}.{n}": tuple(f"{STUDY}.{n}.{k}" for k in range(1, 7)) for n in (1, 2)}


@dataclass
class Hospital:
    """An archive of ours elsewhere, with the study of two series."""

    live: LiveArchive
    files: dict[str, bytes]
    archive: RemoteArchive


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder = tmp_path_factory.mktemp("hospital")
    files = {
        uid: part10(
            ct(
                StudyInstanceUID=STUDY,
                SeriesInstanceUID=series,
                SOPInstanceUID=uid,
                SeriesNumber=number,
                SeriesDescription="Thorax",
                StudyDescription="Göğüs BT",
                InstanceNumber=at,
            )
        )
        for number, (series, uids) in enumerate(SERIES.items(), 1)
        for at, uid in enumerate(uids, 1)
    }
    written_to = folder / "files"
    written_to.mkdir()
    for uid, content in files.items():
        (written_to / uid).write_bytes(content)
    live = start_archive(Backend("sqlite+folder", folder), XDS__REPOSITORY_UNIQUE_ID=LOCATION)
    assert live.vna("import", str(written_to)).returncode == 0
    archive = RemoteArchive(wado_rs=live.dicomweb, qido_rs=live.dicomweb, retrieve_location_uid=LOCATION)
    yield Hospital(live, files, archive)
    live.stop()


@pytest.fixture
def centre(open_archive: Open, hospital: Hospital) -> Application:
    archive = open_archive()
    archive.sources.add(SYSTEM, Source("A", "A", facility="500059", archive=hospital.archive))
    put(archive, written(kos(STUDY, SERIES, location=LOCATION)))
    archive.catch_up()
    return archive


def instances(archive: Application, *uids: str) -> tuple[Instance, ...]:
    return archive.retrieval.instances(SYSTEM, Selection(study_uids=(STUDY,), sop_instance_uids=uids))


def images(archive: Application) -> list[Instance]:
    return [one for one in instances(archive) if one.series_instance_uid in SERIES]


def test_what_a_manifest_names_is_found_and_said_to_be_elsewhere(centre: Application) -> None:
    study = Key(("0020000D",), "UI", (STUDY,))
    (found,) = centre.search.find(SYSTEM, Query(Level.STUDY, (study,), None)).matches
    assert found.elements["00080056"]["Value"] == ["NEARLINE"]
    assert found.elements["00100010"]["Value"] == [{"Alphabetic": "Deneme^Ayşe"}]
    assert found.elements["00080050"]["Value"] == ["A1"]
    assert found.elements["00201208"]["Value"] == [13]
    assert set(found.elements["00080061"]["Value"]) == {"CT", "KO"}
    series = centre.search.find(SYSTEM, Query(Level.SERIES, (study,), None)).matches
    said = {one.series_instance_uid: one.elements for one in series}
    for uid in SERIES:
        assert said[uid]["00080056"]["Value"] == ["NEARLINE"]
        assert said[uid]["00201209"]["Value"] == [6]
        assert said[uid]["0008103E"]["Value"] == ["Thorax"], "the hospital was asked"
    image = centre.search.find(SYSTEM, Query(Level.IMAGE, (study,), None)).matches
    assert {one.elements["00080056"]["Value"][0] for one in image if one.series_instance_uid in SERIES} == {"NEARLINE"}
    assert [one.elements["00200013"]["Value"] for one in image if one.series_instance_uid == f"{STUDY}.1"] == [
        [at] for at in range(1, 7)
    ]


def test_reading_one_brings_its_series_and_no_other(centre: Application, hospital: Hospital) -> None:
    uid = f"{STUDY}.1.3"
    (one,) = instances(centre, uid)
    assert not one.is_here
    assert centre.retrieval.part10(SYSTEM, one).read() == hospital.files[uid]
    centre.on_demand.bring([each for each in images(centre) if each.series_instance_uid == f"{STUDY}.1"])
    here = {each.sop_instance_uid for each in images(centre) if each.is_here}
    assert here == set(SERIES[f"{STUDY}.1"])
    (found,) = centre.search.find(SYSTEM, Query(Level.STUDY, (Key(("0020000D",), "UI", (STUDY,)),), None)).matches
    assert found.elements["00081030"]["Value"] == ["Göğüs BT"], "images say more of the study than the manifest"
    assert found.elements["00080056"]["Value"] == ["NEARLINE"]
    assert found.elements["00201208"]["Value"] == [13]


def test_all_of_it_read_is_online_and_the_manifest_says_downloaded(centre: Application, hospital: Hospital) -> None:
    for one in images(centre):
        assert centre.retrieval.part10(SYSTEM, one).read() == hospital.files[one.sop_instance_uid]
    centre.on_demand.settle()  # the last series is noted
    study = Key(("0020000D",), "UI", (STUDY,))
    (found,) = centre.search.find(SYSTEM, Query(Level.STUDY, (study,), None)).matches
    assert found.elements["00080056"]["Value"] == ["ONLINE"]
    (manifest,) = centre.manifests.listed(SYSTEM)
    assert (manifest.download, manifest.state, manifest.named, manifest.missing) == (
        Download.DOWNLOADED,
        State.CURRENT,
        12,
        0,
    )


def test_a_copy_is_no_image_of_ours_to_publish(centre: Application) -> None:
    for one in images(centre):
        centre.retrieval.part10(SYSTEM, one).read()
    centre.publisher(STUDY)
    assert centre.publishing.published(SYSTEM, STUDY) is None


def test_many_readers_at_once_fetch_once(centre: Application, hospital: Hospital) -> None:
    before = _retrieves(hospital)
    (one,) = instances(centre, f"{STUDY}.2.1")
    results: list[bytes] = []

    def read() -> None:
        results.append(centre.retrieval.part10(SYSTEM, one).read())

    threads = [threading.Thread(target=read) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [hospital.files[one.sop_instance_uid]] * 40
    centre.on_demand.bring([each for each in images(centre) if each.series_instance_uid == f"{STUDY}.2"])
    assert _retrieves(hospital) - before == 2, "one request for the instance, one for the rest of its series"


def _retrieves(hospital: Hospital) -> int:
    """How many requests for instances the hospital has answered."""
    lines = httpx.get(f"{hospital.live.http}/metrics").text.splitlines()
    return int(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("vna_retrieves_total{")))


def test_a_hospital_that_is_down_is_named_and_asked_again_by_a_job(open_archive: Open) -> None:
    archive = open_archive()
    archive.sources.add(
        SYSTEM,
        Source("A", "A", archive=RemoteArchive(wado_rs="http://127.0.0.1:9/dicom-web", retrieve_location_uid=LOCATION)),
    )
    put(archive, written(kos(STUDY, SERIES, location=LOCATION)))
    archive.catch_up()
    with pytest.raises(Unavailable, match="A"):
        archive.retrieval.part10(SYSTEM, images(archive)[0])
    (manifest,) = archive.manifests.listed(SYSTEM)
    assert manifest.download is Download.NOT_DOWNLOADED
    assert manifest.reason.startswith("A by WADO-RS: ")
    assert [job.kind for job in archive.jobs.all(SYSTEM) if job.kind == "fetch"] == ["fetch"]
    study = Key(("0020000D",), "UI", (STUDY,))
    found = archive.search.find(SYSTEM, Query(Level.SERIES, (study,), None)).matches
    assert "OFFLINE" in {one.elements["00080056"]["Value"][0] for one in found}


def test_without_a_known_archive_it_is_offline(open_archive: Open) -> None:
    archive = open_archive()
    put(archive, written(kos(STUDY, SERIES, location=LOCATION)))
    archive.catch_up()
    with pytest.raises(Unavailable, match="no archive is known that keeps it"):
        archive.retrieval.part10(SYSTEM, images(archive)[0])


def test_availability_follows_the_sources(centre: Application) -> None:
    def said() -> set[str]:
        query = Query(Level.SERIES, (Key(("0020000D",), "UI", (STUDY,)),), None)
        found = centre.search.find(SYSTEM, query).matches
        return {one.elements["00080056"]["Value"][0] for one in found if one.series_instance_uid in SERIES}

    known = centre.sources.archives()[0]
    centre.sources.remove(SYSTEM, "A")
    centre.catch_up()
    assert said() == {"OFFLINE"}
    centre.sources.add(SYSTEM, known)
    centre.catch_up()
    assert said() == {"NEARLINE"}


def test_what_the_archive_does_not_have_is_said(open_archive: Open, hospital: Hospital) -> None:
    archive = open_archive()
    archive.sources.add(SYSTEM, Source("A", "A", archive=hospital.archive))
    more = {f"{STUDY}.1": (*SERIES[f"{STUDY}.1"], f"{STUDY}.1.77")}
    put(archive, written(kos(STUDY, more, location=LOCATION)))
    archive.catch_up()
    (manifest,) = archive.manifests.listed(SYSTEM)
    assert (manifest.named, manifest.missing) == (7, 1)
    assert "1 of 7 instances are not where the manifest says" in manifest.problems
    (lost,) = instances(archive, f"{STUDY}.1.77")
    with pytest.raises(NotFound):
        archive.retrieval.part10(SYSTEM, lost)
    image = archive.search.find(
        SYSTEM, Query(Level.IMAGE, (Key(("00080018",), "UI", (f"{STUDY}.1.77",)),), None)
    ).matches
    assert image[0].elements["00080056"]["Value"] == ["UNAVAILABLE"]


def test_a_manifest_that_is_deleted_takes_along_what_only_it_named(centre: Application) -> None:
    centre.retrieval.part10(SYSTEM, instances(centre, f"{STUDY}.1.1")[0]).read()
    (manifest,) = centre.manifests.listed(SYSTEM)
    centre.deletion.delete(SYSTEM, STUDY, manifest.series_instance_uid, reason="wrong patient")
    centre.catch_up()
    assert instances(centre) == ()
    (manifest,) = centre.manifests.listed(SYSTEM)
    assert manifest.state is State.WITHDRAWN
    assert centre.search.find(SYSTEM, Query(Level.PATIENT)).matches == ()


def test_a_newer_manifest_of_the_same_series_replaces_the_older(centre: Application) -> None:
    (first,) = centre.manifests.listed(SYSTEM)
    fewer = {f"{STUDY}.1": SERIES[f"{STUDY}.1"][:2]}
    later = kos(STUDY, fewer, location=LOCATION, SeriesInstanceUID=first.series_instance_uid, ContentDate="20260103")
    put(centre, written(later))
    centre.catch_up()
    states = {one.sop_instance_uid: one.state for one in centre.manifests.listed(SYSTEM)}
    assert states == {first.sop_instance_uid: State.REPLACED, later.SOPInstanceUID: State.CURRENT}
    assert {one.sop_instance_uid for one in images(centre)} == set(SERIES[f"{STUDY}.1"][:2])


def test_a_frame_and_the_metadata_are_read_over_http(centre_live: LiveArchive, hospital: Hospital) -> None:
    base = f"{centre_live.dicomweb}/studies/{STUDY}/series/{STUDY}.1"
    frame = httpx.get(
        f"{base}/instances/{STUDY}.1.2/frames/1", headers={"Accept": "application/octet-stream"}, timeout=30
    )
    assert frame.status_code == 200, frame.text
    stored = pydicom.dcmread(BytesIO(hospital.files[f"{STUDY}.1.2"]))
    assert frame.content == stored.PixelData
    metadata = httpx.get(f"{base}/metadata", timeout=30).json()
    assert [one["00200013"]["Value"] for one in metadata] == [[at] for at in range(1, 7)]
    assert all("7FE00010" in one for one in metadata)
    other = httpx.get(
        f"{centre_live.dicomweb}/studies/{STUDY}/series/{STUDY}.2",
        headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'},
        timeout=30,
    )
    assert other.status_code == 200, other.text
    assert all(hospital.files[uid] in other.content for uid in SERIES[f"{STUDY}.2"])


@pytest.fixture
def centre_live(tmp_path: Path, hospital: Hospital) -> Iterator[LiveArchive]:
    live = start_archive(Backend("sqlite+folder", tmp_path))
    try:
        added = live.vna(
            "source", "add", "A", "--wado-rs", hospital.live.dicomweb, "--qido-rs", hospital.live.dicomweb,
            "--location-uid", LOCATION,
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
        (tmp_path / "kos.dcm").write_bytes(written(kos(STUDY, SERIES, location=LOCATION)))
        assert live.vna("import", str(tmp_path / "kos.dcm")).returncode == 0
        for _ in range(100):
            if len(httpx.get(f"{live.dicomweb}/studies/{STUDY}/instances").json() or ()) == 13:
                break
            threading.Event().wait(0.1)
        yield live
    finally:
        live.stop()


def test_every_door_gives_what_is_elsewhere(centre_live: LiveArchive, hospital: Hospital, tmp_path: Path) -> None:
    base = f"{centre_live.dicomweb}/studies/{STUDY}/series"
    one, other = SERIES[f"{STUDY}.1"], SERIES[f"{STUDY}.2"]
    picture = httpx.get(f"{base}/{STUDY}.1/thumbnail", timeout=30)
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    asked = {"requestType": "WADO", "studyUID": STUDY, "seriesUID": f"{STUDY}.1", "objectUID": one[0]}
    whole = httpx.get(f"{centre_live.http}/wado", params={**asked, "contentType": "application/dicom"}, timeout=30)
    assert whole.content == hospital.files[one[0]]
    destination = start_storescp(tmp_path)
    try:
        title, port = destination.ae_title, str(destination.port)
        assert centre_live.vna("ae", "add", title, "--host", "127.0.0.1", "--port", port).returncode == 0
        moved = run_dcmtk(
            "movescu", "-S", "-aem", title, "-k", "0008,0052=SERIES", "-k", f"0020,000D={STUDY}",
            "-k", f"0020,000E={STUDY}.2", "127.0.0.1", centre_live.dimse_port,
        )  # fmt: skip
        assert moved.returncode == 0, moved.stdout
        came = {str(pydicom.dcmread(path).SOPInstanceUID) for path in destination.directory.iterdir()}
        assert came == set(other)
    finally:
        destination.stop()


def test_c_get_and_rad_69_give_what_is_elsewhere(centre_live: LiveArchive, hospital: Hospital, tmp_path: Path) -> None:
    folder = tmp_path / "got"
    folder.mkdir()
    got = run_dcmtk(
        "getscu", "-S", "-od", folder, "-k", "0008,0052=SERIES", "-k", f"0020,000D={STUDY}",
        "-k", f"0020,000E={STUDY}.1", "127.0.0.1", centre_live.dimse_port,
    )  # fmt: skip
    assert got.returncode == 0, got.stdout
    assert {str(pydicom.dcmread(path).SOPInstanceUID) for path in folder.iterdir()} == set(SERIES[f"{STUDY}.1"])
    wanted = [Ask(STUDY, f"{STUDY}.2", uid, LOCATION) for uid in SERIES[f"{STUDY}.2"]]
    with call(f"{centre_live.http}/xds/imaging-source", rad69.ACTION, request(wanted)) as answer:
        contents = {}
        for name, attachment in answer.attachments.items():
            with attachment.open() as file:
                contents[name] = file.read()
        images = read(answer.body, contents)
    assert images.status == "Success"
    assert images.files == {uid: hospital.files[uid] for uid in SERIES[f"{STUDY}.2"]}


def test_hundreds_of_readers_hold_up_nobody_and_fetch_once(centre_live: LiveArchive, hospital: Hospital) -> None:
    """Three hundred ask for a frame that is not here, while what is here is answered."""
    before = _retrieves(hospital)
    url = f"{centre_live.dicomweb}/studies/{STUDY}/series/{STUDY}.2/instances/{STUDY}.2.4/frames/1"

    async def ask() -> list[bytes]:
        limits = httpx.Limits(max_connections=300)
        async with httpx.AsyncClient(timeout=60, limits=limits) as client:
            asked = [client.get(url, headers={"Accept": "application/octet-stream"}) for _ in range(300)]
            return [answer.content for answer in await asyncio.gather(*asked)]

    pixels = pydicom.dcmread(BytesIO(hospital.files[f"{STUDY}.2.4"])).PixelData
    assert asyncio.run(ask()) == [pixels] * 300
    assert _retrieves(hospital) - before == 2


def test_copies_go_when_there_are_too_many_and_their_archive_still_has_them(
    open_archive: Open, hospital: Hospital
) -> None:
    archive = open_archive(federation={"cache_size": 1, "cache_seconds": 0.001})
    archive.sources.add(SYSTEM, Source("A", "A", archive=hospital.archive))
    put(archive, written(kos(STUDY, SERIES, location=LOCATION)))
    archive.catch_up()
    for one in images(archive):
        archive.retrieval.part10(SYSTEM, one).read()
    archive.on_demand.settle()
    assert archive.eviction.used(SYSTEM) > 0
    archive.eviction("")
    assert archive.eviction.used(SYSTEM) == 0
    assert all(not one.is_here and one.was_here for one in images(archive))
    assert list(archive.care.verify(SYSTEM)) != []
    assert [one for one in archive.care.verify(SYSTEM) if one.damage is not None] == []
    one = images(archive)[0]
    assert archive.retrieval.metadata(SYSTEM, one), "its header stays"
    assert archive.retrieval.part10(SYSTEM, one).read() == hospital.files[one.sop_instance_uid]
    archive.on_demand.settle()
    study = Key(("0020000D",), "UI", (STUDY,))
    (found,) = archive.search.find(SYSTEM, Query(Level.STUDY, (study,), None)).matches
    assert found.elements["00080056"]["Value"] == ["NEARLINE"]


def test_the_only_copy_stays(open_archive: Open, hospital: Hospital) -> None:
    archive = open_archive(federation={"cache_size": 1, "cache_seconds": 0.001})
    archive.sources.add(SYSTEM, Source("A", "A", archive=hospital.archive))
    put(archive, written(kos(STUDY, SERIES, location=LOCATION)))
    archive.catch_up()
    for one in images(archive):
        archive.retrieval.part10(SYSTEM, one).read()
    archive.on_demand.settle()
    used = archive.eviction.used(SYSTEM)
    archive.sources.add(
        SYSTEM, Source("A", "A", archive=replace(hospital.archive, qido_rs="http://127.0.0.1:9", wado_rs=""))
    )
    archive.eviction("")
    assert archive.eviction.used(SYSTEM) == used, "nobody says that the hospital has them"


def test_a_copy_that_is_sent_here_too_stays_and_is_ours(open_archive: Open, hospital: Hospital) -> None:
    archive = open_archive(federation={"cache_size": 1, "cache_seconds": 0.001})
    archive.sources.add(SYSTEM, Source("A", "A", archive=hospital.archive))
    put(archive, written(kos(STUDY, SERIES, location=LOCATION)))
    archive.catch_up()
    uid = f"{STUDY}.1.1"
    archive.retrieval.part10(SYSTEM, instances(archive, uid)[0]).read()
    archive.on_demand.settle()
    assert put(archive, hospital.files[uid]).outcome is Outcome.ALREADY_HELD
    archive.eviction("")
    assert [one.sop_instance_uid for one in images(archive) if one.is_here] == [uid]
    archive.catch_up()
    assert [one for one in archive.reindex.run(SYSTEM) if one.reason] == []
    archive.catch_up()
    archive.eviction("")
    assert [one.sop_instance_uid for one in images(archive) if one.is_here] == [uid]


def test_what_was_elsewhere_and_is_sent_here_is_online(centre: Application, hospital: Hospital) -> None:
    for uid in SERIES[f"{STUDY}.1"]:
        assert put(centre, hospital.files[uid]).outcome is Outcome.STORED
    study = Key(("0020000D",), "UI", (STUDY,))
    series = centre.search.find(SYSTEM, Query(Level.SERIES, (study,), None)).matches
    said = {one.series_instance_uid: one.elements["00080056"]["Value"][0] for one in series}
    assert (said[f"{STUDY}.1"], said[f"{STUDY}.2"]) == ("ONLINE", "NEARLINE")


def test_who_only_knows_of_an_image_is_no_reason_to_let_a_copy_go(
    open_archive: Open, hospital: Hospital, tmp_path: Path
) -> None:
    """Another centre finds it by a manifest, and does not have it."""
    (tmp_path / "other").mkdir()
    other = start_archive(Backend("sqlite+folder", tmp_path / "other"))
    try:
        (tmp_path / "kos.dcm").write_bytes(written(kos(STUDY, SERIES, location=LOCATION)))
        assert other.vna("import", str(tmp_path / "kos.dcm")).returncode == 0
        wait_for(
            lambda: len(httpx.get(f"{other.dicomweb}/studies/{STUDY}/instances").json() or ()) == 13,
            what="the other centre",
        )
        archive = open_archive(federation={"cache_size": 1, "cache_seconds": 0.001})
        archive.sources.add(SYSTEM, Source("A", "A", archive=hospital.archive))
        put(archive, written(kos(STUDY, SERIES, location=LOCATION)))
        archive.catch_up()
        for one in images(archive):
            archive.retrieval.part10(SYSTEM, one).read()
        archive.on_demand.settle()
        used = archive.eviction.used(SYSTEM)
        knowing = replace(hospital.archive, wado_rs=other.dicomweb, qido_rs=other.dicomweb)
        archive.sources.add(SYSTEM, Source("A", "A", archive=knowing))
        archive.eviction("")
        assert archive.eviction.used(SYSTEM) == used
    finally:
        other.stop()


def test_what_another_archive_keeps_is_not_deleted_here(centre: Application) -> None:
    with pytest.raises(Conflict, match="12 instances of it are kept by another archive"):
        centre.deletion.delete(SYSTEM, STUDY)
    assert len(images(centre)) == 12


def test_a_manifest_that_is_late_changes_nothing(centre: Application) -> None:
    (first,) = centre.manifests.listed(SYSTEM)
    more = {**SERIES, f"{STUDY}.3": [f"{STUDY}.3.1"]}
    late = kos(STUDY, more, location=LOCATION, SeriesInstanceUID=first.series_instance_uid, ContentDate="20260101")
    put(centre, written(late))
    centre.catch_up()
    assert centre.manifests.get(SYSTEM, late.SOPInstanceUID).state is State.REPLACED
    assert centre.manifests.get(SYSTEM, first.sop_instance_uid).state is State.CURRENT
    assert len(images(centre)) == 12


def test_what_is_fetched_again_is_repeated(open_archive: Open, hospital: Hospital) -> None:
    archive = open_archive(federation={"cache_size": 1, "cache_seconds": 0.001})
    archive.sources.add(SYSTEM, Source("A", "A", archive=hospital.archive))
    put(archive, written(kos(STUDY, SERIES, location=LOCATION)))
    archive.catch_up()
    archive.on_demand.bring(images(archive))
    archive.on_demand.settle()
    assert [one.download for one in archive.manifests.listed(SYSTEM)] == [Download.DOWNLOADED]
    archive.eviction("")
    archive.on_demand.bring(images(archive))
    archive.on_demand.settle()
    assert [one.download for one in archive.manifests.listed(SYSTEM)] == [Download.REPEATED]


def test_publishing_what_another_archive_keeps_is_refused_in_words(centre: Application) -> None:
    with pytest.raises(Rejected, match="copies are never published"):
        centre.publishing.request(SYSTEM, STUDY)


def test_long_uids_that_differ_at_their_end_have_leases_of_their_own() -> None:
    series = "1.2.826.0.1.3680043.8.498.".ljust(63, "7")
    names = {_lease_name(STUDY, f"{series}{n}") for n in range(10)}
    assert len(names) == 10
    assert all(len(name) <= 64 for name in names)


def test_the_second_archive_is_asked_when_the_first_one_fails(open_archive: Open, hospital: Hospital) -> None:
    archive = open_archive()
    dead = RemoteArchive(wado_rs="http://127.0.0.1:9", retrieve_location_uid=LOCATION, priority=10)
    archive.sources.add(SYSTEM, Source("DEAD", "DEAD", archive=dead))
    archive.sources.add(SYSTEM, Source("A", "A", archive=hospital.archive))
    put(archive, written(kos(STUDY, SERIES, location=LOCATION)))
    archive.catch_up()
    one = images(archive)[0]
    assert archive.retrieval.part10(SYSTEM, one).read() == hospital.files[one.sop_instance_uid]


def test_a_reindex_knows_again_what_is_elsewhere(centre: Application, hospital: Hospital) -> None:
    uid = f"{STUDY}.1.1"
    assert centre.retrieval.part10(SYSTEM, instances(centre, uid)[0]).read() == hospital.files[uid]
    centre.on_demand.bring([one for one in images(centre) if one.series_instance_uid == f"{STUDY}.1"])
    centre.on_demand.settle()
    centre.catch_up()
    assert [one for one in centre.reindex.run(SYSTEM) if one.reason] == []
    centre.catch_up()
    known = images(centre)
    assert len(known) == 12
    assert {one.sop_instance_uid for one in known if one.is_here} == set(SERIES[f"{STUDY}.1"])
    assert [one for one in centre.care.verify(SYSTEM) if one.damage is not None] == []
