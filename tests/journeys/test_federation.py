"""A hospital that keeps its images, and a centre that opens them: stored and published there, known here, read by a
viewer while the rest still comes; the hospital goes down, and comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.uid import generate_uid

from tests.archives import Backend, LiveArchive, start_archive
from tests.objects import ct, part10
from tests.peers.dcmtk import Dcmtk
from tests.peers.processes import free_port

LOCATION = "1.2.826.0.1.3680043.10.1561.77"
DOMAIN = "1.2.826.0.1.3680043.10.1561.50"
PROFILE = f"""
time_zone = "Europe/Istanbul"
[[institutions]]
facility = "*"
name = "Örnek Hastanesi"
code = "500059"
vendor = "FK1"
[[patients]]
issuer = "*"
authority = "{DOMAIN}"
"""
FRAME = {"Accept": "application/octet-stream"}
WHOLE = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


@dataclass
class Study:
    """Two series of eight images of 512 KB, as files."""

    uid: str
    files: dict[str, Path]
    series: dict[str, list[str]]

    def path(self, instance: str) -> str:
        series = next(one for one, uids in self.series.items() if instance in uids)
        return f"/studies/{self.uid}/series/{series}/instances/{instance}"


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = Study(generate_uid(), {}, {})
    folder = tmp_path / "images"
    folder.mkdir()
    for number in (1, 2):
        series = generate_uid()
        for at in range(1, 9):
            ds = ct(
                StudyInstanceUID=made.uid,
                SeriesInstanceUID=series,
                SeriesNumber=number,
                InstanceNumber=at,
                Rows=512,
                Columns=512,
                PixelData=bytes([at]) * (512 * 512 * 2),
            )
            path = folder / f"{number}-{at}.dcm"
            path.write_bytes(part10(ds))
            made.files[ds.SOPInstanceUID] = path
            made.series.setdefault(series, []).append(ds.SOPInstanceUID)
    return made


class Hospital:
    """Archive A: it can be stopped and started again, on the same ports."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.backend = Backend("sqlite+folder", folder)
        self.environment = environment
        self.live = self.start()

    def start(self) -> LiveArchive:
        self.live = start_archive(self.backend, wrapper=(), **self.environment)
        return self.live

    def stop(self) -> None:
        self.live.stop()


@pytest.fixture
def profile(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "profile.toml"
    path.write_text(PROFILE, "utf-8")
    return {"XDS__PROFILE": str(path), "XDS__AFFINITY_DOMAIN": DOMAIN}


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[LiveArchive]:
    folder = tmp_path / "centre"
    folder.mkdir()
    live = start_archive(
        Backend("sqlite+folder", folder), XDS__AFFINITY_DOMAIN=DOMAIN, XDS__UNKNOWN_PATIENTS="register",
        HTTP__WORKERS="2",
    )  # fmt: skip
    yield live
    live.stop()


@pytest.fixture
def hospital(tmp_path: Path, centre: LiveArchive, profile: dict[str, str]) -> Iterator[Hospital]:
    folder = tmp_path / "hospital"
    folder.mkdir()
    made = Hospital(
        folder,
        {
            "HTTP__PORT": str(free_port()),
            "XDS__REPOSITORY_UNIQUE_ID": LOCATION,
            "XDS__PUBLISH_TO": f"{centre.http}/xds/repository",
            "XDS__PUBLISH_REGISTRY": f"{centre.http}/xds/registry",
            "XDS__PUBLISH_AFTER": "1",
            **profile,
        },
    )
    yield made
    made.stop()


def wait_for(what: Callable[[], bool], words: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, words
        time.sleep(0.1)


def by_name(archive: LiveArchive, study: Study, uid: str) -> bytes:
    """An instance as it is kept."""
    accept = {"Accept": "application/dicom; transfer-syntax=*"}
    answer = httpx.get(f"{archive.dicomweb}{study.path(uid)}", headers=accept, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.content


def held(archive: LiveArchive, study: Study) -> list[dict[str, dict[str, list[str]]]]:
    answer = httpx.get(f"{archive.dicomweb}/studies/{study.uid}/instances", timeout=30)
    return list(answer.json()) if answer.status_code == 200 else []


def availability(archive: LiveArchive, study: Study) -> set[str]:
    return {one["00080056"]["Value"][0] for one in held(archive, study)}


def test_images_stay_where_they_were_made_and_open_at_the_centre(
    hospital: Hospital, centre: LiveArchive, study: Study, dcmtk: Dcmtk
) -> None:
    known = centre.vna(
        "source", "add", "A", "--wado-rs", hospital.live.dicomweb, "--qido-rs", hospital.live.dicomweb,
        "--location-uid", LOCATION, "--facility", "500059", "--bandwidth", "3000000",
    )  # fmt: skip
    assert known.returncode == 0, known.stderr
    done = dcmtk("storescu", "127.0.0.1", hospital.live.dimse_port, *study.files.values())
    assert done.returncode == 0, done.stdout

    # the centre knows it by its manifest, and has nothing of it
    wait_for(lambda: len(held(centre, study)) == 16, "the manifest became known")
    wait_for(lambda: availability(centre, study) == {"NEARLINE"}, "all of it is elsewhere")

    # a viewer opens the first series: the first image is there while the rest still comes
    first, second = study.series.values()
    began = time.monotonic()
    frame = httpx.get(f"{centre.dicomweb}{study.path(first[0])}/frames/1", headers=FRAME, timeout=60)
    assert frame.status_code == 200, frame.text
    assert frame.content == pydicom.dcmread(study.files[first[0]]).PixelData
    assert time.monotonic() - began < 5
    assert "NEARLINE" in availability(centre, study), "4 MB at 3 MB a second are not here yet"
    series = f"{centre.dicomweb}/studies/{study.uid}/series/{next(iter(study.series))}"
    assert len(httpx.get(f"{series}/metadata", timeout=60).json()) == 8
    whole = httpx.get(series, headers=WHOLE, timeout=60)
    kept = {uid: by_name(hospital.live, study, uid) for uid in study.files}
    assert all(kept[uid] in whole.content for uid in first)

    # the hospital goes down: what was fetched still opens, what was not says why
    hospital.stop()
    again = httpx.get(f"{centre.dicomweb}{study.path(first[3])}/frames/1", headers=FRAME, timeout=60)
    assert again.content == pydicom.dcmread(study.files[first[3]]).PixelData
    lost = httpx.get(f"{centre.dicomweb}{study.path(second[0])}/frames/1", headers=FRAME, timeout=60)
    assert lost.status_code == 503
    assert lost.json()["message"].startswith("A by WADO-RS: "), lost.text
    shown = centre.vna("manifest", "list", "--study", study.uid, "--format", "json")
    assert '"not downloaded"' in shown.stdout, shown.stdout + shown.stderr
    assert "A by WADO-RS" in shown.stdout

    # it comes back, and the job that waited brings the rest
    hospital.start()
    wait_for(lambda: availability(centre, study) == {"ONLINE"}, "the waiting job brings the rest", 90)
    shown = centre.vna("manifest", "list", "--study", study.uid, "--format", "json")
    assert '"downloaded"' in shown.stdout, shown.stdout
    assert {uid: by_name(centre, study, uid) for uid in study.files} == kept


def test_what_the_hospital_deletes_or_adds_the_centre_follows(
    hospital: Hospital, centre: LiveArchive, study: Study, dcmtk: Dcmtk
) -> None:
    known = centre.vna(
        "source", "add", "A", "--wado-rs", hospital.live.dicomweb, "--qido-rs", hospital.live.dicomweb,
        "--location-uid", LOCATION,
    )  # fmt: skip
    assert known.returncode == 0, known.stderr
    first, second = study.series.values()
    done = dcmtk("storescu", "127.0.0.1", hospital.live.dimse_port, *(study.files[uid] for uid in first))
    assert done.returncode == 0, done.stdout
    wait_for(lambda: len(held(centre, study)) == 8, "the first manifest")
    assert httpx.get(f"{centre.dicomweb}{study.path(first[0])}", headers=WHOLE, timeout=60).status_code == 200
    done = dcmtk("storescu", "127.0.0.1", hospital.live.dimse_port, *(study.files[uid] for uid in second))
    assert done.returncode == 0, done.stdout
    wait_for(lambda: len(held(centre, study)) == 16, "its replacement")
    here = {one["00080018"]["Value"][0] for one in held(centre, study) if one["00080056"]["Value"] == ["ONLINE"]}
    assert here == set(first), "what was fetched stays: both manifests name it"
    said = hospital.live.vna("delete", study.uid, "--series", next(iter(study.series)))
    assert said.returncode == 0, said.stderr
    wait_for(lambda: len(held(centre, study)) == 8, "a manifest without that series")
    said = hospital.live.vna("delete", study.uid)
    assert said.returncode == 0, said.stderr
    wait_for(lambda: not held(centre, study), "the manifest withdrawn")


def test_manifests_are_pulled_from_the_hospitals_own_registry(
    centre: LiveArchive, study: Study, dcmtk: Dcmtk, profile: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    own = start_archive(
        Backend("sqlite+folder", folder), wrapper=(), XDS__REPOSITORY_UNIQUE_ID=LOCATION, XDS__PUBLISH_AFTER="1",
        XDS__UNKNOWN_PATIENTS="register", **profile,
    )  # fmt: skip
    try:
        first, second = study.series.values()
        assert dcmtk("storescu", "127.0.0.1", own.dimse_port, *(study.files[uid] for uid in first)).returncode == 0
        words = (
            "manifest", "pull", f"P1^^^&{DOMAIN}&ISO", "--registry", f"{own.http}/xds/registry",
            "--repository", f"{own.http}/xds/repository",
        )  # fmt: skip

        def pulled() -> bool:
            return centre.vna(*words).stdout.startswith("1 of 1 manifests")

        wait_for(pulled, "the hospital publishes")
        wait_for(lambda: len(held(centre, study)) == 9, "eight images and the manifest are known")
        assert dcmtk("storescu", "127.0.0.1", own.dimse_port, *(study.files[uid] for uid in second)).returncode == 0

        def again() -> bool:
            assert pulled()
            return len(held(centre, study)) == 17

        wait_for(again, "its replacement, in the place of the first")
    finally:
        own.stop()
