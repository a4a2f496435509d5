"""Instance Availability Notification as user, received by pynetdicom (PS3.4 R)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import CTImageStorage, generate_uid
from pynetdicom import AE, evt
from sqlalchemy import text

from dimse.models import AVAILABILITY_NOTIFICATION
from storage.index import elsewhere
from tests.archives import Backend, put, ready, rows
from tests.objects import ct, part10
from vna.app import Application, build
from vna.archive import availability
from vna.model.access import SYSTEM, Peer
from vna.model.instances import Availability

OF_A_NOTICE = {"ReferencedPerformedProcedureStepSequence", "ReferencedSeriesSequence", "StudyInstanceUID"}
OF_A_SERIES = {"SeriesInstanceUID", "ReferencedSOPSequence"}
OF_AN_INSTANCE = {
    "ReferencedSOPClassUID",
    "ReferencedSOPInstanceUID",
    "InstanceAvailability",
    "RetrieveAETitle",
    "RetrieveURL",
}
"""PS3.4 Table R.3.2-1, by hand: what a notice says, and no attribute beside it."""


class Receiver:
    """A workflow manager."""

    def __init__(self) -> None:
        self.notices: list[tuple[str, Dataset]] = []
        self.status = 0x0000

    def take(self, event: evt.Event) -> tuple[int, None]:
        request: Any = event.request
        assert request.AffectedSOPClassUID == AVAILABILITY_NOTIFICATION
        self.notices.append((str(request.AffectedSOPInstanceUID), event.attribute_list))
        return self.status, None


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def archive(tmp_path: Path, receiver: Receiver) -> Iterator[Application]:
    settings = Backend("sqlite+folder", tmp_path).settings(
        availability={"notify": "RIS", "after": 0}, http={"public_url": "https://pacs.example.org"}
    )
    ready(settings)
    application = build(settings)
    ae = AE("RIS")
    ae.add_supported_context(AVAILABILITY_NOTIFICATION)
    server: Any = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_CREATE, receiver.take)])
    application.peers.add(SYSTEM, Peer("RIS", "127.0.0.1", server.socket.getsockname()[1]))
    yield application
    server.shutdown()
    application.close()


def told(archive: Application) -> None:
    archive.dispatcher().drain()
    archive.workers().drain()


def states(notice: Dataset) -> dict[str, str]:
    return {
        one.ReferencedSOPInstanceUID: one.InstanceAvailability
        for of in notice.ReferencedSeriesSequence
        for one in of.ReferencedSOPSequence
    }


def keywords(ds: Dataset) -> set[str]:
    return {element.keyword for element in ds}


def test_a_study_that_has_come_to_rest_is_told_with_the_attributes_of_the_standard_and_no_other(
    archive: Application, receiver: Receiver
) -> None:
    study = generate_uid()
    first, second = ct(StudyInstanceUID=study), ct(StudyInstanceUID=study)
    for ds in (first, second):
        put(archive, part10(ds))
    told(archive)

    ((uid, notice),) = receiver.notices
    assert uid.startswith("2.25.")
    assert keywords(notice) == OF_A_NOTICE
    assert notice.StudyInstanceUID == study
    assert len(notice.ReferencedPerformedProcedureStepSequence) == 0
    found = {of.SeriesInstanceUID: of for of in notice.ReferencedSeriesSequence}
    assert found.keys() == {first.SeriesInstanceUID, second.SeriesInstanceUID}
    for ds in (first, second):
        of = found[ds.SeriesInstanceUID]
        assert keywords(of) == OF_A_SERIES
        (one,) = of.ReferencedSOPSequence
        assert keywords(one) == OF_AN_INSTANCE
        assert (one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID) == (CTImageStorage, ds.SOPInstanceUID)
        assert (one.InstanceAvailability, one.RetrieveAETitle) == ("ONLINE", "VNA")
        path = f"studies/{study}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
        assert one.RetrieveURL == f"https://pacs.example.org/dicom-web/{path}"


def test_what_is_deleted_and_what_is_elsewhere_is_told(archive: Application, receiver: Receiver) -> None:
    study, series = generate_uid(), generate_uid()
    stays, goes, moves = (ct(StudyInstanceUID=study, SeriesInstanceUID=series) for _ in range(3))
    for ds in (stays, goes, moves):
        put(archive, part10(ds))
    archive.deletion.delete(SYSTEM, study, series, goes.SOPInstanceUID)
    told(archive)
    assert states(receiver.notices[-2][1]) == dict.fromkeys((stays.SOPInstanceUID, moves.SOPInstanceUID), "ONLINE")
    gone = receiver.notices[-1][1]
    assert states(gone) == {goes.SOPInstanceUID: "UNAVAILABLE"}
    assert gone.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPClassUID == CTImageStorage

    heard = []
    for state in (Availability.NEARLINE, Availability.OFFLINE, Availability.OFFLINE):
        receiver.notices.clear()
        with archive.database.transaction() as connection:
            connection.execute(
                text("update instances set blob = '' where sop_instance_uid = :uid"), {"uid": moves.SOPInstanceUID}
            )
            elsewhere.rate(connection, study, series, state)
        told(archive)
        heard.append([states(notice).get(moves.SOPInstanceUID) for _, notice in receiver.notices[:1]])
    assert heard == [["NEARLINE"], ["OFFLINE"], []]  # the same again is no news


def test_a_receiver_that_refuses_is_told_again_and_one_that_has_it_counts_as_told(
    archive: Application, receiver: Receiver
) -> None:
    put(archive, part10(ct()))
    receiver.status = 0x0110
    told(archive)
    ((state, error),) = rows(archive, "select state, last_error from jobs")
    assert state == "ready"
    assert "RIS answers the notice with status 0110" in str(error)

    receiver.status = 0x0111
    (job,) = archive.jobs.all(SYSTEM)
    archive.jobs.retry(SYSTEM, job.job_id)
    archive.workers().drain()

    assert len({uid for uid, _ in receiver.notices}) == 1
    assert rows(archive, "select count(*) from jobs") == [(0,)]


def test_a_large_study_is_told_in_several_notices(
    archive: Application, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "_PAGE", 2)
    study = generate_uid()
    made = [ct(StudyInstanceUID=study) for _ in range(5)]
    for ds in made:
        put(archive, part10(ds))
    told(archive)

    assert [len(states(notice)) for _, notice in receiver.notices] == [2, 2, 1]
    assert len({uid for uid, _ in receiver.notices}) == 3
    assert {uid for _, notice in receiver.notices for uid in states(notice)} == {ds.SOPInstanceUID for ds in made}


def test_a_receiver_without_an_address_waits_for_a_person(archive: Application) -> None:
    archive.peers.remove(SYSTEM, "RIS")
    put(archive, part10(ct()))
    told(archive)
    assert rows(archive, "select state from jobs") == [("dead",)]
