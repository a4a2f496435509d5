"""An update and a merge told by a hospital over MLLP are shown by QIDO-RS, C-FIND and the worklist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hl7.client import MLLPClient
from pydicom import Dataset, dcmread

from tests.archives import Backend, LiveArchive, start_archive
from tests.hl7.messages import adt
from tests.journeys.test_merging import Doors
from tests.objects import ct, part10
from tests.peers.dcmtk import Dcmtk
from tests.peers.processes import wait_for
from tests.worklist.ordering import order
from vna.app import build
from vna.model.access import SYSTEM

HERE = "500059"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveArchive]:
    backend = Backend("sqlite+folder", tmp_path)
    archive = start_archive(backend)
    for command in (
        ("ae", "add", "CT1", "--facility", HERE),
        ("source", "add", "his", "--application", "HIS", "--address", "127.0.0.1", "--facility", HERE),
    ):
        done = archive.vna(*command)
        assert done.returncode == 0, done.stderr
    application = build(backend.settings())
    application.national.orders.place(SYSTEM, order())
    application.close()
    yield archive
    archive.stop()


def test_an_update_and_a_merge_told_over_mllp_are_shown_by_every_door(
    live: LiveArchive, dcmtk: Dcmtk, tmp_path: Path
) -> None:
    doors, path = Doors(live, dcmtk, tmp_path), tmp_path / "one.dcm"
    ds = ct(PatientID="F1001", PatientName="ESKI^AD")
    path.write_bytes(part10(ds))
    stored = dcmtk("storescu", "-aet", "CT1", "127.0.0.1", live.dimse_port, path)
    assert stored.returncode == 0, stored.stdout
    kept, study = doors.blobs(), str(ds.StudyInstanceUID)

    def tell(message: str) -> None:
        with MLLPClient("127.0.0.1", live.hl7_port) as client:
            client.socket.settimeout(20)
            assert b"MSA|AA" in client.send_message(message.encode())

    def named() -> set[tuple[str, str]]:
        """Patient ID and name by each door."""
        (metadata,) = doors.metadata(study).json()
        (found,) = doors.c_find("STUDY", "-S", f"StudyInstanceUID={study}", "PatientID", "PatientName")
        (sent,) = doors.wado(study).values()
        (step,) = worklist()
        if doors.qido(metadata["00100020"]["Value"][0]) != {study}:
            return set()
        said = metadata["00100020"]["Value"][0], metadata["00100010"]["Value"][0]["Alphabetic"]
        return {said, *((str(one.PatientID), str(one.PatientName)) for one in (found, sent, step))}

    def worklist() -> list[Dataset]:
        out = doors.new_folder()
        keys = ("-k", "PatientID", "-k", "PatientName", "-k", "AccessionNumber=A1")
        done = dcmtk("findscu", "-W", "-X", "-od", out, "-aet", "CT1", "127.0.0.1", live.dimse_port, *keys)
        assert done.returncode == 0, done.stdout
        return [dcmread(one, force=True) for one in sorted(out.iterdir())]

    tell(adt("A08", "F1001^^^HBYS^MR", name="YENİ^AYŞE", charset="UNICODE UTF-8"))
    wait_for(lambda: named() == {("F1001", "YENİ^AYŞE")}, what="the new name at every door", timeout=30)

    tell(adt("A40", "F2002", mrg="F1001", name="ASIL^AYŞE", charset="UNICODE UTF-8", control_id="MSG2"))
    wait_for(lambda: named() == {("F2002", "ASIL^AYŞE")}, what="the survivor at every door", timeout=30)
    assert doors.qido("F1001") == set()
    assert doors.blobs() == kept
