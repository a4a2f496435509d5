"""A merge told over MLLP reaches every door: C-FIND, C-GET, C-MOVE, QIDO-RS, WADO-RS, ITI-18 and manifests."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pydicom
import pytest
from hl7.client import MLLPClient
from pydicom import Dataset
from pydicom.uid import generate_uid

from tests.archives import LiveArchive
from tests.hl7.messages import adt
from tests.journeys.test_document_sharing import Consumer, consumer
from tests.journeys.test_round_trip import _parts as parts
from tests.objects import ct, part10
from tests.peers.dcmtk import Dcmtk, StoreSCP
from tests.peers.processes import wait_for

DOMAIN = "1.2.826.0.1.3680043.10.1561.70"
PROFILE = f"""
[[patients]]
issuer = "*"
authority = "{DOMAIN}"
"""


def cx(value: str) -> str:
    return f"{value}^^^&{DOMAIN}&ISO"


@dataclass(slots=True)
class Doors:
    """A live archive as those outside see it."""

    live: LiveArchive
    dcmtk: Dcmtk
    folder: Path
    runs: int = 0

    def store(self, *datasets: Dataset) -> None:
        paths = []
        for ds in datasets:
            paths.append(self.folder / f"{ds.SOPInstanceUID}.dcm")
            paths[-1].write_bytes(part10(ds))
        done = self.dcmtk("storescu", "127.0.0.1", self.live.dimse_port, *paths)
        assert done.returncode == 0, done.stdout

    def merge(self, old: str, new: str) -> None:
        with MLLPClient("127.0.0.1", self.live.hl7_port) as client:
            client.socket.settimeout(20)
            for message in (adt("A04", cx(old)), adt("A40", cx(new), mrg=cx(old))):
                assert b"MSA|AA" in client.send_message(message)

    def new_folder(self) -> Path:
        self.runs += 1
        made = self.folder / f"run{self.runs}"
        made.mkdir()
        return made

    def c_find(self, level: str, model: str, *keys: str) -> list[Dataset]:
        out = self.new_folder()
        asked = [word for key in (f"QueryRetrieveLevel={level}", *keys) for word in ("-k", key)]
        done = self.dcmtk("findscu", model, "-X", "-od", out, "127.0.0.1", self.live.dimse_port, *asked)
        assert done.returncode == 0, done.stdout
        return [pydicom.dcmread(path, force=True) for path in sorted(out.iterdir())]

    def c_get(self, patient_id: str) -> dict[str, Dataset]:
        out = self.new_folder()
        asked = ("-k", "QueryRetrieveLevel=PATIENT", "-k", f"PatientID={patient_id}")
        done = self.dcmtk("getscu", "-P", "+B", "-od", out, "127.0.0.1", self.live.dimse_port, *asked)
        assert done.returncode == 0, done.stdout
        return read(out)

    def c_move(self, patient_id: str, to: StoreSCP) -> dict[str, Dataset]:
        for path in to.files():
            path.unlink()
        asked = ("-k", "QueryRetrieveLevel=PATIENT", "-k", f"PatientID={patient_id}")
        done = self.dcmtk("movescu", "-P", "-aem", to.ae_title, "127.0.0.1", self.live.dimse_port, *asked)
        assert done.returncode == 0, done.stdout
        return read(to.directory)

    def qido(self, patient_id: str) -> set[str]:
        found = httpx.get(f"{self.live.dicomweb}/studies", params={"PatientID": patient_id})
        return {one["0020000D"]["Value"][0] for one in found.json()} if found.status_code == 200 else set()

    def metadata(self, study: str) -> httpx.Response:
        return httpx.get(f"{self.live.dicomweb}/studies/{study}/metadata")

    def wado(self, study: str) -> dict[str, Dataset]:
        accept = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
        answer = httpx.get(f"{self.live.dicomweb}/studies/{study}", headers=accept)
        read = [pydicom.dcmread(io.BytesIO(part)) for part in parts(answer)]
        return {str(ds.SOPInstanceUID): ds for ds in read}

    def everything(self, patient_id: str, to: StoreSCP) -> dict[str, tuple[str, bytes]]:
        """Patient ID and pixels of every instance that a patient has, equal through all doors."""
        by_wado: dict[str, Dataset] = {}
        for study in self.qido(patient_id):
            by_wado |= self.wado(study)
            for one in self.metadata(study).json():
                assert one["00100020"]["Value"] == [patient_id]
        ways = by_wado, self.c_get(patient_id), self.c_move(patient_id, to)
        shown = [{uid: (str(ds.PatientID), ds.PixelData) for uid, ds in found.items()} for found in ways]
        assert shown[0] == shown[1] == shown[2]
        return shown[0]

    def blobs(self) -> list[bytes]:
        """What lies in the blob store of a folder, as it lies there; of others `vna verify` knows the digests."""
        folder = Path(self.live.environment["VNA_DATA_DIR"]) / "blobs" / "studies"
        return sorted(path.read_bytes() for path in folder.rglob("*.dcm"))


def read(folder: Path) -> dict[str, Dataset]:
    found = [pydicom.dcmread(path, force=True) for path in folder.iterdir()]
    return {str(ds.SOPInstanceUID): ds for ds in found}


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "profile.toml"
    path.write_text(PROFILE, "utf-8")
    return {"XDS__PROFILE": str(path), "XDS__AFFINITY_DOMAIN": DOMAIN, "XDS__PUBLISH_AFTER": "1"}


def manifests(somebody: Consumer) -> set[tuple[str, str]]:
    """Patient and study of every manifest."""
    read = [somebody.manifest(entry) for entry in somebody.find()]
    return {(str(ds.PatientID), str(ds.CurrentRequestedProcedureEvidenceSequence[0].StudyInstanceUID)) for ds in read}


def test_a_merge_told_by_hl7_is_shown_by_every_door(
    serve: Callable[..., LiveArchive],
    dcmtk: Dcmtk,
    storescp: Callable[..., StoreSCP],
    settings: dict[str, str],
    tmp_path: Path,
) -> None:
    live = serve(**settings)
    doors = Doors(live, dcmtk, tmp_path)
    to = storescp(ae_title="MERGEDEST")
    assert live.vna("ae", "add", to.ae_title, "--host", "127.0.0.1", "--port", str(to.port)).returncode == 0
    before = consumer(live.http)
    old, new, last = (replace(before, patient=cx(value)) for value in ("OLD", "NEW", "LAST"))
    first, second = (ct(PatientID=value, PatientName=f"{value}^Hasta") for value in ("OLD", "NEW"))
    pixels = {str(ds.SOPInstanceUID): ds.PixelData for ds in (first, second)}
    both = {str(first.StudyInstanceUID), str(second.StudyInstanceUID)}

    doors.store(first, second)
    old.wait_for(1)
    new.wait_for(1)
    assert len(doors.blobs()) in (2, 0)
    shown, kept = doors.metadata(str(first.StudyInstanceUID)), doors.blobs()
    doors.merge("OLD", "NEW")

    wait_for(lambda: doors.qido("NEW") == both, what="both studies", timeout=30)
    wait_for(lambda: doors.qido("OLD") == set(), what="the old patient to go", timeout=30)
    uids = {uid: ("NEW", data) for uid, data in pixels.items()}
    wait_for(
        lambda: doors.metadata(str(first.StudyInstanceUID)).headers["etag"] != shown.headers["etag"],
        what="another entity tag",
        timeout=30,
    )
    wait_for(lambda: doors.metadata(str(first.StudyInstanceUID)).json()[0]["00100020"]["Value"] == ["NEW"], what="it")
    assert doors.everything("NEW", to) == uids
    for condition, field in (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")):
        assert httpx.get(shown.url, headers={condition: shown.headers[field]}).status_code == 200
    for model in ("-P", "-S"):
        found = doors.c_find("STUDY", model, "PatientID=NEW", "StudyInstanceUID", "NumberOfPatientRelatedStudies")
        assert {str(ds.StudyInstanceUID) for ds in found} == both
        assert doors.c_find("STUDY", model, "PatientID=OLD", "StudyInstanceUID") == []
    (patient,) = doors.c_find("PATIENT", "-P", "PatientID=NEW", "PatientName", "NumberOfPatientRelatedStudies")
    assert (patient.PatientName, patient.NumberOfPatientRelatedStudies) == ("NEW^Hasta", 2)
    assert (doors.c_get("OLD"), doors.c_move("OLD", to)) == ({}, {})
    assert doors.blobs() == kept
    wait_for(lambda: manifests(new) == {("NEW", study) for study in both}, what="manifests", timeout=60)
    assert old.find() == []

    late = ct(PatientID="OLD", StudyInstanceUID=first.StudyInstanceUID, SeriesInstanceUID=first.SeriesInstanceUID)
    alone = ct(PatientID="OLD", StudyInstanceUID=generate_uid())
    doors.store(late, alone)
    uids |= {str(ds.SOPInstanceUID): ("NEW", ds.PixelData) for ds in (late, alone)}
    assert doors.everything("NEW", to) == uids
    assert doors.qido("OLD") == set()

    doors.merge("NEW", "LAST")
    every = {*both, str(alone.StudyInstanceUID)}
    wait_for(lambda: manifests(last) == {("LAST", study) for study in every}, what="manifests again", timeout=60)
    uids = {uid: ("LAST", data) for uid, (_, data) in uids.items()}
    assert doors.everything("LAST", to) == uids
    assert (doors.qido("OLD"), doors.qido("NEW"), old.find(), new.find()) == (set(), set(), [], [])
    verified = live.vna("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr

    time.sleep(3)  # the journal is written within seconds
    live.stop()
    rebuilt = live.vna("reindex")
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    again = Doors(serve(**settings), dcmtk, tmp_path, doors.runs)
    assert again.everything("LAST", to) == uids
    assert (again.qido("OLD"), again.qido("NEW")) == (set(), set())
    (patient,) = again.c_find("PATIENT", "-P", "PatientID=LAST", "NumberOfPatientRelatedStudies")
    assert patient.NumberOfPatientRelatedStudies == 3
