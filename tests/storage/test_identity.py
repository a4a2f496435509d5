"""Which instance a file is of, from its first bytes."""

from __future__ import annotations

import pytest

from storage.identity import identity
from tests.objects import ct, part10
from vna.model.errors import CannotUnderstand
from vna.pacing import Pace

FILE = part10(ct(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.1", SOPInstanceUID="1.2.3.1.1"))


def test_it_is_the_same_however_few_bytes_are_there_or_not_known_yet() -> None:
    known = identity(FILE, whole=True)
    assert known is not None
    assert (known.study_instance_uid, known.series_instance_uid) == ("1.2.3", "1.2.3.1")
    assert known.sop_instance_uid == known.meta_sop_instance_uid == "1.2.3.1.1"
    answers = {identity(FILE[:size], whole=False) for size in range(400, len(FILE))}
    assert answers == {None, known}


@pytest.mark.parametrize("content", [b"<html>" * 100, b"{}", bytes(500)])
def test_what_is_no_dicom_is_not_understood(content: bytes) -> None:
    with pytest.raises(CannotUnderstand):
        identity(content, whole=True)


def test_uids_within_sequences_are_not_those_of_the_object() -> None:
    ds = ct(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.1", SOPInstanceUID="1.2.3.1.1")
    inner = ct(StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1", SOPInstanceUID="1.2.9.1.1")
    del inner.PixelData
    ds.ReferencedStudySequence = [inner]
    known = identity(part10(ds), whole=True)
    assert known is not None
    assert (known.study_instance_uid, known.sop_instance_uid) == ("1.2.3", "1.2.3.1.1")


def test_a_pace_makes_up_for_nothing_but_the_last_moment() -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(1000, clock=lambda: now[0], sleep=sleep)
    now[0] = 100.0
    for _ in range(10):
        pace.take(500)
    assert now[0] == pytest.approx(100 + 5 - 0.1, abs=0.051)
    Pace(0, sleep=sleep).take(1 << 40)
    assert sum(slept) == pytest.approx(4.9, abs=0.051)
