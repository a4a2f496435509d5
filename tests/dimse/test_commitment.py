"""Storage commitment over the archive's own door, asked by pynetdicom: the answer comes from bytes (PS3.4 J)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, MRImageStorage, generate_uid
from pynetdicom import AE, evt
from pynetdicom.presentation import build_role

from dimse.commitment import PUSH_MODEL_INSTANCE
from dimse.models import STORAGE_COMMITMENT
from dimse.upper_layer.inprocess import listening
from tests.archives import Backend, put, ready, rows
from tests.objects import ct, part10
from vna.app import Application, build
from vna.app.doors import dimse_server
from vna.model.access import SYSTEM, Peer
from vna.model.commitments import State

SCU = "SCU1"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Application]:
    settings = Backend("sqlite+folder", tmp_path).settings(commitment={"max_instances": 20, "same_association": 5})
    ready(settings)
    application = build(settings)
    yield application
    application.close()


@pytest.fixture
def port(archive: Application) -> Iterator[int]:
    with listening(dimse_server(archive), grace_seconds=0.2) as number:
        yield number


class Requester:
    """A modality: asks, and takes reports on either association."""

    def __init__(self) -> None:
        self.reports: list[tuple[int, Dataset, bool]] = []
        self.status = 0x0000
        self.came = threading.Event()
        self._ae = AE(SCU)
        self._ae.add_requested_context(STORAGE_COMMITMENT)
        self._ae.add_supported_context(STORAGE_COMMITMENT, scu_role=False, scp_role=True)

    def _take(self, event: evt.Event, *, same: bool) -> tuple[int, None]:
        request: Any = event.request
        self.reports.append((int(request.EventTypeID), event.event_information, same))
        self.came.set()
        return self.status, None

    def on(self, event: evt.Event) -> tuple[int, None]:
        return self._take(event, same=True)

    def anew(self, event: evt.Event) -> tuple[int, None]:
        return self._take(event, same=False)

    @contextmanager
    def listening(self) -> Iterator[int]:
        server = self._ae.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.anew)]
        )
        try:
            yield server.socket.getsockname()[1]  # type: ignore[union-attr]
        finally:
            server.shutdown()  # type: ignore[union-attr]

    @contextmanager
    def associated(self, port: int, calling: str = SCU) -> Iterator[Any]:
        self._ae.ae_title = calling
        assoc = self._ae.associate("127.0.0.1", port, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.on)])
        assert assoc.is_established
        yield assoc
        assoc.release()


def asked(*instances: Dataset, transaction: str = "") -> Dataset:
    ds = Dataset()
    ds.TransactionUID = transaction or generate_uid()
    ds.ReferencedSOPSequence = Sequence([])
    for one in instances:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one.SOPClassUID, one.SOPInstanceUID
        ds.ReferencedSOPSequence.append(item)
    return ds


def action(assoc: Any, ds: Dataset | None, *, kind: int = 1, instance: str = PUSH_MODEL_INSTANCE) -> int:
    status, _ = assoc.send_n_action(ds, kind, STORAGE_COMMITMENT, instance)
    return int(status.Status)


def held(archive: Application, count: int = 1) -> list[Dataset]:
    made = [ct() for _ in range(count)]
    for one in made:
        put(archive, part10(one))
    return made


def blob(archive: Application, ds: Dataset) -> Path:
    ((name,),) = rows(archive, f"select blob from instances where sop_instance_uid = '{ds.SOPInstanceUID}'")
    return archive.settings.data_dir / "blobs" / str(name)


def failures(report: Dataset) -> dict[str, int]:
    return {item.ReferencedSOPInstanceUID: item.FailureReason for item in report.get("FailedSOPSequence", ())}


def test_the_answer_comes_from_bytes_on_a_new_association_in_the_role_of_the_provider(
    archive: Application, port: int
) -> None:
    good, damaged, missing, other, gone, deleted = held(archive, 6)
    content = bytearray(blob(archive, damaged).read_bytes())
    content[-1] ^= 1  # same size
    blob(archive, damaged).write_bytes(content)
    blob(archive, missing).unlink()
    other.SOPClassUID = MRImageStorage
    unknown, foreign = ct(), ct(SOPClassUID="1.2.840.10008.1.1")
    archive.deletion.delete(SYSTEM, deleted.StudyInstanceUID)
    requester = Requester()
    with requester.listening() as own:
        archive.peers.add(SYSTEM, Peer(SCU, "127.0.0.1", own))
        ds = asked(good, damaged, missing, other, gone, deleted, unknown, foreign)
        with requester.associated(port) as assoc:
            assert action(assoc, ds) == 0x0000
        _let_go(archive, ds.TransactionUID)
        archive.workers().drain()

    ((event_type, report, same),) = requester.reports
    assert (event_type, same) == (2, False)
    assert report.TransactionUID == ds.TransactionUID
    assert report.RetrieveAETitle == "VNA"
    assert failures(report) == {
        damaged.SOPInstanceUID: 0x0110,
        missing.SOPInstanceUID: 0x0112,
        other.SOPInstanceUID: 0x0119,
        deleted.SOPInstanceUID: 0x0112,
        unknown.SOPInstanceUID: 0x0112,
        foreign.SOPInstanceUID: 0x0122,
    }
    kept = [(item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) for item in report.ReferencedSOPSequence]
    assert kept == [(CTImageStorage, one.SOPInstanceUID) for one in (good, gone)]
    assert archive.keeping.commitments.state(SYSTEM, ds.TransactionUID) is State.REPORTED


def _let_go(archive: Application, transaction: str) -> None:
    """Wait until the association's end was noticed: then it reports no more."""
    deadline = threading.Event()
    for _ in range(100):
        if rows(archive, f"select held_until from commitments where transaction_uid = '{transaction}'") == [("",)]:
            return
        deadline.wait(0.05)
    raise AssertionError("the end of the association was not noticed")


def test_a_requester_that_stays_gets_the_report_on_its_own_association_and_no_other(
    archive: Application, port: int
) -> None:
    (good,) = held(archive)
    requester = Requester()
    with requester.associated(port) as assoc:
        ds = asked(good)
        assert action(assoc, ds) == 0x0000
        archive.workers().once()
        assert requester.came.wait(5)
        _until(lambda: archive.keeping.commitments.state(SYSTEM, ds.TransactionUID) is State.REPORTED)
        assert action(assoc, asked(good)) == 0x0000  # the association serves on

    ((event_type, report, same),) = requester.reports[:1]
    assert (event_type, same, failures(report)) == (1, True, {})
    assert "FailedSOPSequence" not in report


def _until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(100):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError("it did not come to that")


def test_a_requester_without_an_address_waits_for_a_person_and_is_told_after_vna_ae_add(
    archive: Application, port: int
) -> None:
    (good,) = held(archive)
    requester = Requester()
    ds = asked(good)
    with requester.associated(port) as assoc:
        assert action(assoc, ds) == 0x0000
    _let_go(archive, ds.TransactionUID)
    archive.workers().drain()
    ((state, error),) = rows(archive, "select state, last_error from jobs where kind = 'commitment-report'")
    assert state == "dead"
    assert f"vna ae add {SCU} --host HOST --port PORT" in str(error)

    with requester.listening() as own:
        archive.peers.add(SYSTEM, Peer(SCU, "127.0.0.1", own))
        (job,) = archive.jobs.all(SYSTEM, state="dead")
        archive.jobs.retry(SYSTEM, job.job_id)
        archive.workers().drain()

    assert [(kind, same) for kind, _, same in requester.reports] == [(1, False)]
    assert rows(archive, "select count(*) from jobs") == [(0,)]


def test_a_report_that_is_refused_is_sent_again(archive: Application, port: int) -> None:
    (good,) = held(archive)
    requester = Requester()
    requester.status = 0x0110
    ds = asked(good)
    with requester.listening() as own:
        archive.peers.add(SYSTEM, Peer(SCU, "127.0.0.1", own))
        with requester.associated(port) as assoc:
            assert action(assoc, ds) == 0x0000
        _let_go(archive, ds.TransactionUID)
        archive.workers().drain()
        assert archive.keeping.commitments.state(SYSTEM, ds.TransactionUID) is State.CHECKED
        requester.status = 0x0000
        (job,) = archive.jobs.all(SYSTEM, kind="commitment-report")
        archive.jobs.retry(SYSTEM, job.job_id)
        archive.workers().drain()

    assert len(requester.reports) == 2
    assert archive.keeping.commitments.state(SYSTEM, ds.TransactionUID) is State.REPORTED


def test_requests_that_say_something_else_are_refused_with_the_status_that_says_so(
    archive: Application, port: int
) -> None:
    (good,) = held(archive)
    known = asked(good)
    without_uid, without_list, empty, broken = asked(good), asked(good), asked(), asked(good)
    del without_uid.TransactionUID
    del without_list.ReferencedSOPSequence
    broken.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = ""
    with Requester().associated(port) as assoc:
        assert action(assoc, known) == 0x0000
        assert action(assoc, known) == 0x0131  # the same Transaction UID while pending
        assert action(assoc, asked(good), kind=2) == 0x0123
        assert action(assoc, asked(good), instance="1.2.3") == 0x0112
        for wrong in (without_uid, without_list, empty, broken):
            assert action(assoc, wrong) == 0x0115
        assert action(assoc, asked(*([good] * 21))) == 0x0213
        assert action(assoc, asked(*([good] * 20))) == 0x0000
    assert rows(archive, "select count(*) from commitments") == [(2,)]


def test_the_role_of_the_provider_is_accepted_of_those_who_bring_results(port: int) -> None:
    ae = AE(SCU)
    ae.add_requested_context(STORAGE_COMMITMENT)
    assoc = ae.associate("127.0.0.1", port, ext_neg=[build_role(STORAGE_COMMITMENT, scp_role=True)])
    try:
        (context,) = assoc.accepted_contexts
        assert (context.as_scu, context.as_scp) == (False, True)
    finally:
        assoc.release()


def test_requests_and_results_are_there_again_after_a_reindex(archive: Application, port: int) -> None:
    good, missing = held(archive, 2)
    blob(archive, missing).unlink()
    done, pending = asked(good, missing), asked(good)
    with Requester().associated(port) as assoc:
        assert action(assoc, done) == 0x0000
    _let_go(archive, done.TransactionUID)
    while archive.workers().once():
        pass
    archive.keeping.commitments.was_reported(SYSTEM, done.TransactionUID)
    with Requester().associated(port) as assoc:
        assert action(assoc, pending) == 0x0000
    before = archive.keeping.commitments.shown(SYSTEM, done.TransactionUID)[0].outcomes
    archive.dispatcher().drain()

    list(archive.reindex.run(SYSTEM))

    (found,) = archive.keeping.commitments.shown(SYSTEM, done.TransactionUID)
    assert (found.commitment.state, found.outcomes) == (State.REPORTED, before)
    assert [one.result for one in before] == [0, 0x0112]
    archive.workers().drain()
    assert archive.keeping.commitments.state(SYSTEM, pending.TransactionUID) is State.CHECKED
