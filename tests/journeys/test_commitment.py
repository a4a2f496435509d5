"""Storage commitment with running archives: Orthanc asks and is asked, a crash in between loses no report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt

from dimse.commitment import PUSH_MODEL_INSTANCE
from dimse.models import STORAGE_COMMITMENT
from tests.archives import Backend, LiveArchive, start_archive
from tests.objects import ct, part10
from tests.peers.orthanc import Modality, Orthanc, start_orthanc
from tests.peers.processes import free_port


def within(seconds: float, look: Callable[[], Any]) -> Any:
    """What a look finds, as soon as that is something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)
    return found


@dataclass
class Site:
    archive: LiveArchive
    orthanc: Orthanc
    folder: Path

    def held(self, *datasets: Dataset) -> None:
        """In both."""
        for ds in datasets:
            data = part10(ds)
            httpx.post(f"{self.orthanc.url}/instances", content=data).raise_for_status()
            headers = {"Content-Type": "application/dicom"}
            httpx.post(f"{self.archive.dicomweb}/studies", content=data, headers=headers).raise_for_status()

    def blob(self, ds: Dataset) -> Path:
        (found,) = self.folder.glob(f"data/blobs/**/*{ds.SOPInstanceUID}*")
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("commitment")
    port = free_port()
    archive = start_archive(Backend("sqlite+folder", folder), DIMSE__PORT=str(port))
    orthanc = start_orthanc(
        tmp_path_factory.mktemp("orthanc"), modalities={"vna": Modality("VNA", port)}, DicomAlwaysAllowStore=True
    )
    added = archive.vna("ae", "add", "ORTHANC", "--host", "127.0.0.1", "--port", str(orthanc.dicom_port))
    assert added.returncode == 0, added.stderr
    yield Site(archive, orthanc, folder)
    archive.stop()
    orthanc.stop()


def test_orthanc_asks_and_is_told_what_the_bytes_say(site: Site) -> None:
    good, damaged, missing = ct(), ct(), ct()
    site.held(good, damaged, missing)
    content = bytearray(site.blob(damaged).read_bytes())
    content[-1] ^= 1
    site.blob(damaged).write_bytes(content)
    site.blob(missing).unlink()
    wanted = [
        {"SOPClassUID": one.SOPClassUID, "SOPInstanceUID": one.SOPInstanceUID} for one in (good, damaged, missing)
    ]

    asked = httpx.post(f"{site.orthanc.url}/modalities/vna/storage-commitment", json={"DicomInstances": wanted})
    asked.raise_for_status()

    def answer() -> dict[str, Any] | None:
        report = httpx.get(f"{site.orthanc.url}{asked.json()['Path']}").json()
        return report if report["Status"] != "Pending" else None

    report = within(20, answer)
    assert report["Status"] == "Failure"
    assert [one["SOPInstanceUID"] for one in report["Success"]] == [good.SOPInstanceUID]
    assert {one["SOPInstanceUID"]: one["FailureReason"] for one in report["Failures"]} == {
        damaged.SOPInstanceUID: 0x0110,
        missing.SOPInstanceUID: 0x0112,
    }


def test_vna_send_asks_orthanc_which_answers_at_our_door(site: Site, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.dcm").write_bytes(part10(ct()))

    sent = site.archive.vna(
        "send", str(tmp_path), "--to", f"ORTHANC@127.0.0.1:{site.orthanc.dicom_port}", "--commit", "--wait", "30"
    )

    assert sent.returncode == 0, sent.stderr
    assert sent.stdout.splitlines() == [
        "3 sent, 0 failed, 0 not DICOM",
        "3 committed, 0 not committed, 0 unknown",
    ]
    listed = site.archive.vna("commitment", "list", "--state", "reported")
    assert "sent" in listed.stdout


def test_vna_send_asks_our_own_archive_which_answers_on_the_same_association(site: Site, tmp_path: Path) -> None:
    ds = ct()
    (tmp_path / "1.dcm").write_bytes(part10(ds))

    sent = site.archive.vna("send", str(tmp_path), "--to", f"VNA@127.0.0.1:{site.archive.dimse_port}", "--commit")

    assert sent.returncode == 0, sent.stderr
    assert sent.stdout.splitlines()[-1] == "1 committed, 0 not committed, 0 unknown"


def test_a_report_comes_after_a_kill_and_a_restart(tmp_path: Path) -> None:
    backend = Backend("sqlite+folder", tmp_path)
    archive = start_archive(backend, COMMITMENT__SAME_ASSOCIATION="0")
    ds, transaction, reports = ct(), generate_uid(), []
    headers = {"Content-Type": "application/dicom"}
    httpx.post(f"{archive.dicomweb}/studies", content=part10(ds), headers=headers).raise_for_status()
    own = free_port()
    archive.vna("ae", "add", "CT1", "--host", "127.0.0.1", "--port", str(own))
    ae = AE("CT1")
    ae.add_requested_context(STORAGE_COMMITMENT)
    ae.add_supported_context(STORAGE_COMMITMENT, scu_role=False, scp_role=True)
    item, asked = Dataset(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    asked.TransactionUID, asked.ReferencedSOPSequence = transaction, [item]
    assoc = ae.associate("127.0.0.1", archive.dimse_port)
    status, _ = assoc.send_n_action(asked, 1, STORAGE_COMMITMENT, PUSH_MODEL_INSTANCE)
    archive.kill()
    assert status.Status == 0x0000

    def take(event: evt.Event) -> tuple[int, None]:
        reports.append(event.event_information)
        return 0x0000, None

    server = ae.start_server(("127.0.0.1", own), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, take)])
    again = start_archive(backend)
    try:
        within(90, lambda: reports)
    finally:
        again.stop()
        server.shutdown()  # type: ignore[union-attr]
    assert reports[0].TransactionUID == transaction
    assert [one.ReferencedSOPInstanceUID for one in reports[0].ReferencedSOPSequence] == [ds.SOPInstanceUID]
