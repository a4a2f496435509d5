"""C-MOVE from the archive, to dcmtk's storescp and to destinations that misbehave."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest

from dimse.retrieve import MoveRules
from dimse.upper_layer.inprocess import listening
from tests.archives import Backend, ready
from tests.dimse.clients import (
    CT,
    EXPLICIT,
    IMPLICIT,
    MR,
    RLE,
    STUDY_ROOT,
    Answers,
    Receiver,
    identifier,
    move,
    received_of,
    receiving,
)
from tests.dimse.door import Door
from tests.dimse.test_get import STUDY_A, A, after, lose, rle_image, study_of
from tests.objects import ct, part10
from tests.peers import samples
from tests.peers.dcmtk import Dcmtk, StoreSCP
from tests.peers.orthanc import Modality, Orthanc
from tests.peers.processes import free_port
from tests.pixels.objects import ramp, values
from vna.app import build
from vna.app.doors import dimse_server


@pytest.fixture
def destination(door: Door) -> Iterator[Receiver]:
    """Known to the archive as DEST."""
    with receiving() as receiver:
        door.knows("DEST", receiver.port)
        yield receiver


def move_study(door: Door, destination: str = "DEST", **options: Any) -> Answers:
    return move(door.port, STUDY_ROOT, STUDY_A, destination, **options)


def test_what_arrives_is_what_was_stored_byte_for_byte(door: Door, destination: Receiver) -> None:
    stored = part10(ct(StudyInstanceUID=A))
    door.hold(stored)
    answers = move_study(door)
    assert answers.status == 0x0000
    assert answers.counts == (None, 1, 0, 0)
    (one,) = destination.received
    assert stored.endswith(one.data)
    assert len(one.data) > 512
    assert one.transfer_syntax_uid == EXPLICIT


def test_the_destination_hears_on_whose_request_it_is_sent_something(door: Door, destination: Receiver) -> None:
    door.hold(*study_of(1))
    move_study(door, calling="WORKSTATION", message_id=77)
    assert destination.received[0].originator == ("WORKSTATION", 77)


def test_nothing_found_is_a_success_without_suboperations(door: Door, destination: Receiver) -> None:
    answers = move_study(door)
    assert answers.status == 0x0000
    assert answers.counts == (None, 0, 0, 0)
    assert destination.associations == 0


def test_an_unknown_destination_is_refused(door: Door) -> None:
    door.hold(*study_of(1))
    answers = move_study(door, "NOBODY")
    assert answers.status == 0xA801
    assert "Move Destination" in answers.comment


def test_a_known_title_without_an_address_is_no_destination(door: Door) -> None:
    door.hold(*study_of(1))
    door.knows("QUERIER", 0, host="")
    assert move_study(door, "QUERIER").status == 0xA801


def test_an_identifier_without_its_unique_key_is_refused(door: Door, destination: Receiver) -> None:
    answers = move(door.port, STUDY_ROOT, identifier(QueryRetrieveLevel="SERIES", StudyInstanceUID=A), "DEST")
    assert answers.status == 0xA900
    assert "SeriesInstanceUID" in answers.comment


def test_a_destination_that_is_down_fails_all_with_a_reason(door: Door) -> None:
    door.hold(*study_of(3))
    door.knows("DOWN", free_port())
    answers = move_study(door, "DOWN")
    assert answers.status == 0xA702
    assert answers.counts == (None, 0, 3, 0)
    assert len(answers.failed) == 3
    assert answers.comment == "no connection to the peer"


def test_many_instances_go_over_parallel_associations(
    open_door: Callable[..., Door],
) -> None:
    door = open_door(rules=MoveRules(associations=3, few=5))
    door.hold(*study_of(24))
    with receiving() as receiver:
        receiver.decide = lambda _: after(0.02, 0)
        door.knows("DEST", receiver.port)
        assert move_study(door).counts == (None, 24, 0, 0)
    assert receiver.most_at_once == 3
    assert len(receiver.received) == len(receiver.uids) == 24


def test_a_setting_says_over_how_many_associations(tmp_path: Path) -> None:
    settings = Backend("sqlite+folder", tmp_path).settings(dimse={"move_associations": 4})
    ready(settings)
    door = Door(build(settings))
    door.hold(*study_of(24))
    with receiving() as receiver, listening(dimse_server(door.application), grace_seconds=0.2) as door.port:
        receiver.decide = lambda _: after(0.02, 0)
        door.knows("DEST", receiver.port)
        assert move_study(door).counts == (None, 24, 0, 0)
    door.application.close()
    assert receiver.most_at_once == 4


def test_few_instances_go_over_one_association(door: Door, destination: Receiver) -> None:
    door.hold(*study_of(20))
    assert move_study(door).counts == (None, 20, 0, 0)
    assert destination.associations == 1


def test_a_destination_that_takes_one_association_only_gets_everything_over_it(open_door: Callable[..., Door]) -> None:
    door = open_door(rules=MoveRules(associations=3, few=5))
    door.hold(*study_of(12))
    with receiving(maximum_associations=1) as receiver:
        door.knows("DEST", receiver.port)
        assert move_study(door).counts == (None, 12, 0, 0)
    assert len(receiver.uids) == 12


def test_one_failed_suboperation_does_not_end_the_others(door: Door, destination: Receiver) -> None:
    door.hold(*study_of(4))
    statuses = {f"{A}.1.2": 0xA700, f"{A}.1.3": 0xB007}
    destination.decide = lambda event: statuses.get(received_of(event).sop_instance_uid, 0)
    answers = move_study(door)
    assert answers.status == 0xB000
    assert answers.counts == (None, 2, 1, 1)
    assert answers.failed == [f"{A}.1.2"]


def test_warnings_alone_are_told_too(door: Door, destination: Receiver) -> None:
    door.hold(*study_of(2))
    destination.decide = lambda _: 0xB000
    answers = move_study(door)
    assert (answers.status, answers.counts) == (0xB000, (None, 0, 0, 2))
    assert not answers.failed


def test_an_association_that_is_lost_is_opened_again(door: Door, destination: Receiver) -> None:
    door.hold(*study_of(5))
    aborted: list[str] = []

    def abort_once(event: Any) -> int:
        uid = received_of(event).sop_instance_uid
        if uid == f"{A}.1.3" and not aborted:
            aborted.append(uid)
            event.assoc.abort()
            return -1
        return 0

    destination.decide = abort_once
    assert move_study(door).counts == (None, 5, 0, 0)
    assert destination.associations == 2
    assert len(destination.uids) == 5


def test_an_instance_that_ends_associations_is_given_up(door: Door, destination: Receiver) -> None:
    door.hold(*study_of(5))

    def abort_on_third(event: Any) -> int:
        if received_of(event).sop_instance_uid == f"{A}.1.3":
            event.assoc.abort()
            return -1
        return 0

    destination.decide = abort_on_third
    answers = move_study(door)
    assert answers.counts == (None, 4, 1, 0)
    assert answers.failed == [f"{A}.1.3"]


def test_a_destination_that_always_aborts_is_not_asked_for_ever(door: Door, destination: Receiver) -> None:
    door.hold(*study_of(12))

    def abort(event: Any) -> int:
        event.assoc.abort()
        return -1

    destination.decide = abort
    answers = move_study(door)
    assert answers.status == 0xA702
    assert answers.counts == (None, 0, 12, 0)
    assert destination.associations == 3


def test_a_retrieval_can_be_cancelled(door: Door, destination: Receiver) -> None:
    door.hold(*study_of(12))
    destination.decide = lambda _: after(0.05, 0)
    answers = move_study(door, on_pending=lambda assoc, context: assoc.send_c_cancel(1, context))
    assert answers.status == 0xFE00
    remaining, completed, failed, warnings = answers.counts
    assert remaining
    assert (remaining or 0) + (completed or 0) == 12
    assert (failed, warnings) == (0, 0)
    assert len(destination.received) == completed


def test_sending_ends_when_the_requestor_is_gone(door: Door, destination: Receiver) -> None:
    door.hold(*study_of(20))
    destination.decide = lambda _: after(0.05, 0)
    move_study(door, on_pending=lambda assoc, _: assoc.abort())
    after(0.5, 0)
    count = len(destination.received)
    after(0.3, 0)
    assert count == len(destination.received) < 20
    assert not [thread for thread in threading.enumerate() if thread.name == "dicom-sender"]


def test_pending_responses_count_down(door: Door, destination: Receiver) -> None:
    door.hold(*study_of(6))
    destination.decide = lambda _: after(0.12, 0)
    answers = move_study(door)
    remaining = [status.NumberOfRemainingSuboperations for status in answers.statuses[:-1]]
    assert remaining[0] == 6
    assert len(remaining) > 3
    assert remaining == sorted(set(remaining), reverse=True)


def test_an_instance_whose_bytes_are_lost_fails_alone(door: Door, destination: Receiver) -> None:
    door.hold(*study_of(3))
    lose(door, f"{A}.1.2")
    answers = move_study(door)
    assert answers.counts == (None, 2, 1, 0)
    assert answers.failed == [f"{A}.1.2"]
    assert destination.associations == 1


def test_a_class_the_destination_does_not_take_is_listed_as_failed(door: Door, destination: Receiver) -> None:
    door.hold(*study_of(2), ct(StudyInstanceUID=A, SOPClassUID=MR, SOPInstanceUID="1.2.9"))
    answers = move_study(door)
    assert answers.counts == (None, 2, 1, 0)
    assert answers.failed == ["1.2.9"]


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
def test_a_destination_that_refuses_the_stored_syntax_gets_another(door: Door, syntax: str) -> None:
    door.hold(rle_image())
    with receiving([(CT, [syntax])]) as receiver:
        door.knows("DEST", receiver.port)
        assert move_study(door).status == 0x0000
    assert receiver.received[0].transfer_syntax_uid == syntax


def test_dcmtk_moves_to_dcmtk_in_the_stored_syntax(door: Door, dcmtk: Dcmtk, storescp: Callable[..., StoreSCP]) -> None:
    source = rle_image()
    door.hold(source, *study_of(25))
    scp = storescp(ae_title="DCMTK")
    door.knows("DCMTK", scp.port)
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={A}")
    ran = dcmtk("movescu", "-v", "-S", "-aec", "VNA", "-aem", "DCMTK", *keys, "127.0.0.1", door.port)
    assert ran.returncode == 0, ran.stdout
    files = scp.files()
    assert len(files) == 26
    (compressed,) = (path for path in files if pydicom.dcmread(path).file_meta.TransferSyntaxUID == RLE)
    assert pydicom.dcmread(compressed).PixelData in source


def test_dcmtk_that_takes_implicit_only_gets_transcoded_pixels(
    door: Door, dcmtk: Dcmtk, storescp: Callable[..., StoreSCP]
) -> None:
    door.hold(rle_image())
    scp = storescp("+xi", ae_title="IMPLICIT")
    door.knows("IMPLICIT", scp.port)
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={A}")
    ran = dcmtk("movescu", "-v", "-S", "-aec", "VNA", "-aem", "IMPLICIT", *keys, "127.0.0.1", door.port)
    assert ran.returncode == 0, ran.stdout
    (path,) = scp.files()
    got = pydicom.dcmread(path)
    assert got.file_meta.TransferSyntaxUID == IMPLICIT
    assert np.array_equal(got.pixel_array, ramp(2, 16, 16))


def test_a_destination_that_refuses_associations_fails_all_with_a_reason(
    door: Door, storescp: Callable[..., StoreSCP]
) -> None:
    door.hold(*study_of(2))
    scp = storescp("--refuse", ae_title="REFUSING")
    door.knows("REFUSING", scp.port)
    answers = move_study(door, "REFUSING")
    assert answers.status == 0xA702
    assert answers.counts == (None, 0, 2, 0)
    # dcmtk sometimes closes before its rejection has been read
    assert "reject" in answers.comment or "does not take the association" in answers.comment


def test_patient_root_moves_a_patient(door: Door, dcmtk: Dcmtk, destination: Receiver, tmp_path: Path) -> None:
    door.hold(*study_of(2))
    keys = ("-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID=P1")
    ran = dcmtk("movescu", "-P", "-aec", "VNA", "-aem", "DEST", *keys, "127.0.0.1", door.port)
    assert ran.returncode == 0, ran.stdout
    assert len(destination.uids) == 2


ORTHANC_SAMPLES = (
    "MR_small_RLE.dcm",
    "JPEG2000.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "examples_ybr_color.dcm",
    "JPGExtended.dcm",
    "CT_small.dcm",
    "rtplan.dcm",
)


def test_orthanc_asks_for_what_it_then_receives_unchanged(door: Door, orthanc: Callable[..., Orthanc]) -> None:
    paths = [path for path in samples.pydicom_files() if path.name in ORTHANC_SAMPLES]
    assert len(paths) == len(ORTHANC_SAMPLES)
    door.hold(*(path.read_bytes() for path in paths))
    peer = orthanc(ae_title="ORTHANC", modalities={"vna": Modality("VNA", door.port)})
    door.knows("ORTHANC", peer.dicom_port)
    studies = [{"StudyInstanceUID": uid} for uid in sorted({pydicom.dcmread(p).StudyInstanceUID for p in paths})]
    asked = httpx.post(
        f"{peer.url}/modalities/vna/move",
        json={"Level": "STUDY", "Resources": studies, "TargetAet": "ORTHANC", "Synchronous": True},
        timeout=60,
    )
    assert asked.status_code == httpx.codes.OK, asked.text
    files = (httpx.get(f"{peer.url}/instances/{one}/file") for one in httpx.get(f"{peer.url}/instances").json())
    got = [pydicom.dcmread(io.BytesIO(file.content)) for file in files]
    found = sorted(map(_encoded, got), key=str)
    assert found == sorted((_encoded(pydicom.dcmread(path)) for path in paths), key=str)


def _encoded(ds: pydicom.FileDataset) -> tuple[str, dict[int, Any]]:
    """Orthanc writes blank values as empty ones."""
    encoded = {tag: b"" if value == b"  " else value for tag, value in values(ds).items()}
    return ds.file_meta.TransferSyntaxUID, encoded
