"""C-GET from the archive, by dcmtk and by pynetdicom."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from tests.dimse.clients import (
    BOTH,
    CT,
    EXPLICIT,
    IMPLICIT,
    MR,
    PATIENT_ROOT,
    PATIENT_STUDY_ONLY,
    RLE,
    STUDY_ROOT,
    get,
    identifier,
    received_of,
)
from tests.dimse.door import Door
from tests.objects import ct, part10
from tests.peers.dcmtk import Dcmtk
from tests.pixels.objects import compressed, image, ramp, read_as, rle
from tests.pixels.test_codecs import deadly_file
from vna.model.access import Action
from vna.model.errors import OutOfResources, Unavailable

A, B, C = "1.2.3.1", "1.2.3.2", "1.2.3.3"
POPULATION = {  # SOP Instance UID to patient, study, series
    f"{A}.1.1": ("P1", A, f"{A}.1"),
    f"{A}.1.2": ("P1", A, f"{A}.1"),
    f"{A}.2.1": ("P1", A, f"{A}.2"),
    f"{B}.1.1": ("P1", B, f"{B}.1"),
    f"{C}.1.1": ("P2", C, f"{C}.1"),
}


@pytest.fixture
def populated(door: Door) -> Door:
    for uid, (patient, study, series) in POPULATION.items():
        door.hold(ct(SOPInstanceUID=uid, PatientID=patient, StudyInstanceUID=study, SeriesInstanceUID=series))
    return door


def study_of(count: int, **elements: Any) -> list[Dataset]:
    return [
        ct(StudyInstanceUID=A, SeriesInstanceUID=f"{A}.1", SOPInstanceUID=f"{A}.1.{n}", InstanceNumber=n, **elements)
        for n in range(1, count + 1)
    ]


STUDY_A = identifier(QueryRetrieveLevel="STUDY", StudyInstanceUID=A)


@pytest.mark.parametrize(
    ("model", "keys", "expected"),
    [
        (PATIENT_ROOT, {"QueryRetrieveLevel": "PATIENT", "PatientID": "P1"}, f"{A}.1.1 {A}.1.2 {A}.2.1 {B}.1.1"),
        (PATIENT_ROOT, {"QueryRetrieveLevel": "STUDY", "PatientID": "P1", "StudyInstanceUID": B}, f"{B}.1.1"),
        (PATIENT_ROOT, {"QueryRetrieveLevel": "STUDY", "PatientID": "P2", "StudyInstanceUID": B}, ""),
        (
            PATIENT_ROOT,
            {
                "QueryRetrieveLevel": "SERIES",
                "PatientID": "P1",
                "StudyInstanceUID": A,
                "SeriesInstanceUID": [f"{A}.1", f"{A}.2"],
            },
            f"{A}.1.1 {A}.1.2 {A}.2.1",
        ),
        (PATIENT_STUDY_ONLY, {"QueryRetrieveLevel": "PATIENT", "PatientID": "P2"}, f"{C}.1.1"),
        (PATIENT_STUDY_ONLY, {"QueryRetrieveLevel": "STUDY", "PatientID": "P2", "StudyInstanceUID": C}, f"{C}.1.1"),
        (STUDY_ROOT, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": [B, C]}, f"{B}.1.1 {C}.1.1"),
        (
            STUDY_ROOT,
            {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": A, "SeriesInstanceUID": f"{A}.1"},
            f"{A}.1.1 {A}.1.2",
        ),
        (
            STUDY_ROOT,
            {
                "QueryRetrieveLevel": "IMAGE",
                "StudyInstanceUID": A,
                "SeriesInstanceUID": f"{A}.1",
                "SOPInstanceUID": [f"{A}.1.2", f"{A}.2.1"],
            },
            f"{A}.1.2",
        ),
        (STUDY_ROOT, {"QueryRetrieveLevel": "IMAGE", "SOPInstanceUID": f"{B}.1.1"}, f"{B}.1.1"),
        (STUDY_ROOT, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "9.9"}, ""),
    ],
)
def test_unique_keys_name_what_is_fetched_at_every_level(
    populated: Door, model: str, keys: dict[str, Any], expected: str
) -> None:
    answers = get(populated.port, model, identifier(**keys))
    assert answers.status == 0x0000
    assert answers.uids == set(expected.split())
    assert answers.counts == (None, len(expected.split()), 0, 0)


@pytest.mark.parametrize(
    ("model", "keys", "said"),
    [
        (STUDY_ROOT, {"StudyInstanceUID": A}, "QueryRetrieveLevel"),
        (STUDY_ROOT, {"QueryRetrieveLevel": "PATIENT", "PatientID": "P1"}, "Study Root"),
        (PATIENT_STUDY_ONLY, {"QueryRetrieveLevel": "SERIES", "SeriesInstanceUID": f"{A}.1"}, "QueryRetrieveLevel"),
        (STUDY_ROOT, {"QueryRetrieveLevel": "STUDY", "PatientID": "P1"}, "StudyInstanceUID must be given"),
        (STUDY_ROOT, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""}, "StudyInstanceUID must be given"),
        (STUDY_ROOT, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2.*"}, "StudyInstanceUID must be UIDs"),
        (PATIENT_ROOT, {"QueryRetrieveLevel": "PATIENT", "PatientID": "P*"}, "PatientID must be one value"),
        (PATIENT_ROOT, {"QueryRetrieveLevel": "PATIENT", "PatientID": ["P1", "P2"]}, "PatientID must be one value"),
    ],
)
def test_an_identifier_that_names_nothing_is_refused_with_a_reason(
    populated: Door, model: str, keys: dict[str, Any], said: str
) -> None:
    answers = get(populated.port, model, identifier(**keys))
    assert answers.status == 0xA900
    assert said in answers.comment
    assert not answers.received


def test_what_is_fetched_is_what_was_stored_byte_for_byte(door: Door) -> None:
    stored = part10(ct(StudyInstanceUID=A))
    door.hold(stored)
    (one,) = get(door.port, STUDY_ROOT, STUDY_A).received
    assert stored.endswith(one.data)
    assert len(one.data) > 512
    assert one.transfer_syntax_uid == EXPLICIT


def test_pending_responses_count_down_and_the_last_has_no_remainder(door: Door) -> None:
    door.hold(*study_of(6))
    answers = get(door.port, STUDY_ROOT, STUDY_A, on_store=lambda _: after(0.12, 0))
    pending = [status for status in answers.statuses if status.Status == 0xFF00]
    remaining = [status.NumberOfRemainingSuboperations for status in pending]
    assert remaining[0] == 6
    assert remaining == sorted(remaining, reverse=True)
    assert len(remaining) > 3
    assert all(status.NumberOfRemainingSuboperations + status.NumberOfCompletedSuboperations == 6 for status in pending)
    assert answers.counts == (None, 6, 0, 0)


def test_pending_responses_are_not_sent_for_each_of_many_instances(door: Door) -> None:
    door.hold(*study_of(60))
    answers = get(door.port, STUDY_ROOT, STUDY_A)
    assert answers.counts == (None, 60, 0, 0)
    assert len(answers.statuses) < 40


def test_sop_classes_that_were_not_negotiated_are_listed_as_failed(door: Door) -> None:
    door.hold(*study_of(2), ct(StudyInstanceUID=A, SOPClassUID=MR, SOPInstanceUID="1.2.9"))
    answers = get(door.port, STUDY_ROOT, STUDY_A)
    assert answers.status == 0xB000
    assert answers.counts == (None, 2, 1, 0)
    assert answers.failed == ["1.2.9"]


def test_when_nothing_can_be_sent_the_request_fails_with_a_reason(door: Door) -> None:
    door.hold(*study_of(2))
    answers = get(door.port, STUDY_ROOT, STUDY_A, accepting=[(MR, [IMPLICIT])])
    assert answers.status == 0xA702
    assert answers.counts == (None, 0, 2, 0)
    assert sorted(answers.failed) == [f"{A}.1.1", f"{A}.1.2"]
    assert "presentation context" in answers.comment


def test_an_instance_comes_in_the_stored_syntax_when_that_is_taken(door: Door) -> None:
    door.hold(rle_image())
    (one,) = get(door.port, STUDY_ROOT, STUDY_A, accepting=[(CT, [IMPLICIT]), (CT, [RLE])]).received
    assert one.transfer_syntax_uid == RLE


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
def test_an_instance_is_transcoded_when_its_syntax_is_not_taken(door: Door, syntax: str) -> None:
    door.hold(rle_image())
    (one,) = get(door.port, STUDY_ROOT, STUDY_A, accepting=[(CT, [syntax])]).received
    assert one.transfer_syntax_uid == syntax
    assert np.array_equal(read_as(one.data, syntax).pixel_array, ramp(2, 16, 16))


def test_an_instance_that_cannot_be_transcoded_fails_alone(door: Door) -> None:
    video = ct(StudyInstanceUID=A, SOPInstanceUID="1.2.9")
    video.PixelData = pydicom.encaps.encapsulate([b"\0\0\1\xba" * 10])
    video["PixelData"].VR = "OB"
    video["PixelData"].is_undefined_length = True
    door.hold(*study_of(2), part10(video, "1.2.840.10008.1.2.4.102"))
    answers = get(door.port, STUDY_ROOT, STUDY_A)
    assert answers.status == 0xB000
    assert answers.failed == ["1.2.9"]


def test_a_requestor_that_refuses_instances_is_told_which(door: Door) -> None:
    door.hold(*study_of(3))
    refused, warned = f"{A}.1.2", f"{A}.1.3"
    statuses = {refused: 0xA700, warned: 0xB000}
    answers = get(
        door.port,
        STUDY_ROOT,
        STUDY_A,
        on_store=lambda event: statuses.get(received_of(event).sop_instance_uid, 0),
    )
    assert answers.status == 0xB000
    assert answers.counts == (None, 1, 1, 1)
    assert answers.failed == [refused]


def test_a_retrieval_can_be_cancelled(door: Door) -> None:
    door.hold(*study_of(10))
    answers = get(
        door.port,
        STUDY_ROOT,
        STUDY_A,
        on_store=lambda _: after(0.05, 0),
        on_pending=lambda assoc, context: assoc.send_c_cancel(1, context),
    )
    assert answers.status == 0xFE00
    remaining, completed, failed, warnings = answers.counts
    assert remaining
    assert (remaining or 0) + (completed or 0) == 10
    assert (failed, warnings) == (0, 0)
    assert len(answers.received) == completed


def test_a_requestor_that_vanishes_harms_nobody(door: Door) -> None:
    door.hold(*study_of(5))

    def vanish(assoc: Any, _: int) -> None:
        assoc.abort()

    gone = get(door.port, STUDY_ROOT, STUDY_A, on_pending=vanish)
    assert all(status.get("Status") != 0x0000 for status in gone.statuses)
    assert get(door.port, STUDY_ROOT, STUDY_A).counts == (None, 5, 0, 0)


def test_who_may_not_retrieve_is_told_so(open_door: Callable[..., Door]) -> None:
    door = open_door(security={"mode": "enforced"})
    door.hold(*study_of(1))
    door.rights = frozenset({Action.STORE, Action.QUERY})
    answers = get(door.port, STUDY_ROOT, STUDY_A)
    assert answers.status == 0x0124
    assert not answers.received


@pytest.mark.parametrize(
    ("error", "status"),
    [(Unavailable("the index"), 0xA701), (OutOfResources("too many"), 0xA701), (RuntimeError("Ayşe"), 0xC000)],
)
def test_when_matches_cannot_be_found_the_status_says_why(
    door: Door, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(type(door.application.retrieval), "instances", fail)
    answers = get(door.port, STUDY_ROOT, STUDY_A)
    assert answers.status == status
    assert "Ay" not in answers.comment


def test_an_instance_whose_bytes_are_lost_fails_alone(door: Door) -> None:
    door.hold(*study_of(3))
    lose(door, f"{A}.1.2")
    answers = get(door.port, STUDY_ROOT, STUDY_A)
    assert answers.counts == (None, 2, 1, 0)
    assert answers.failed == [f"{A}.1.2"]


@pytest.mark.parametrize("syntax", ["+xe", "+xi", "+xd"])
def test_dcmtk_gets_a_study(door: Door, dcmtk: Dcmtk, tmp_path: Path, syntax: str) -> None:
    door.hold(*study_of(5))
    received = tmp_path / "received"
    received.mkdir()
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={A}")
    ran = dcmtk("getscu", "-v", "-S", syntax, "-aec", "VNA", "-od", received, *keys, "127.0.0.1", door.port)
    assert ran.returncode == 0, ran.stdout
    assert len(list(received.iterdir())) == 5


def test_a_context_without_the_scp_role_is_not_sent_on(door: Door) -> None:
    door.hold(*study_of(1))
    answers = get(door.port, STUDY_ROOT, STUDY_A, accepting=[])
    assert answers.status == 0xA702
    assert answers.failed == [f"{A}.1.1"]


def rle_image() -> bytes:
    pixels = ramp(2, 16, 16)
    uids = {"StudyInstanceUID": A, "SeriesInstanceUID": f"{A}.1", "SOPClassUID": CT, "SOPInstanceUID": generate_uid()}
    return compressed(image(pixels, PatientID="P1", **uids), RLE, [rle(frame) for frame in pixels])


def lose(door: Door, uid: str) -> None:
    from vna.model.access import SYSTEM
    from vna.model.instances import Selection

    (instance,) = door.application.retrieval.instances(SYSTEM, Selection(sop_instance_uids=(uid,)))
    door.application.blobs.delete(instance.blob)


def after(seconds: float, status: int) -> int:
    import time

    time.sleep(seconds)
    return status


def test_a_frame_that_kills_its_codec_fails_alone(door: Door) -> None:
    deadly = pydicom.dcmread(io.BytesIO(deadly_file()))
    uids = {"StudyInstanceUID": A, "SeriesInstanceUID": f"{A}.1", "SOPInstanceUID": "1.2.9"}
    for keyword, value in uids.items():
        setattr(deadly, keyword, value)
    out = io.BytesIO()
    deadly.save_as(out, enforce_file_format=True)
    door.hold(*study_of(3), out.getvalue())
    answers = get(door.port, STUDY_ROOT, STUDY_A, accepting=[*BOTH, (deadly.SOPClassUID, [IMPLICIT])])
    assert answers.counts == (None, 3, 1, 0)
    assert answers.failed == ["1.2.9"]
