"""Storage Commitment Push Model as provider (PS3.4 J.3)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID
from pynetdicom import AE, evt

from conformance.suite.check import Failed, NotApplicable, Target, check
from conformance.suite.corpus import CT, over_dicom
from conformance.suite.dicom import Peer, offer, watched
from conformance.suite.objects import reference
from conformance.suite.session import Session

PUSH: Final = "1.2.840.10008.1.20.1"
INSTANCE: Final = "1.2.840.10008.1.20.1.1"
COVERS = (PUSH,)


@dataclass(slots=True)
class Requester:
    """A modality that takes reports, on its association or on a new one; also those that others left waiting."""

    reports: list[tuple[int, Dataset]] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def take(self, event: evt.Event) -> tuple[int, None]:
        """N-EVENT-REPORT."""
        request: Any = event.request
        with self.news:
            self.reports.append((int(request.EventTypeID), event.event_information))
            self.news.notify_all()
        return 0x0000, None

    def of(self, transaction: str, seconds: float) -> tuple[int, Dataset] | None:
        """The report of that transaction; None when it does not come in time."""
        with self.news:
            self.news.wait_for(lambda: self._named(transaction), seconds)
            return next(iter(self._named(transaction)), None)

    def _named(self, transaction: str) -> list[tuple[int, Dataset]]:
        return [one for one in self.reports if one[1].get("TransactionUID") == transaction]


@contextmanager
def requester(session: Session) -> Iterator[tuple[Requester, Peer]]:
    """Associated, and listening where the server is to know us."""
    taking = Requester()
    handlers = [(evt.EVT_N_EVENT_REPORT, taking.take)]
    with _listening(session, handlers), session.dicom.open(offer(PUSH), handlers=handlers) as peer:
        peer.need(PUSH)
        yield taking, peer


@contextmanager
def _listening(session: Session, handlers: list[Any]) -> Iterator[None]:
    place = session.caller.listen
    if place is None:
        yield
        return
    ae = AE(session.caller.ae_title)
    ae.add_supported_context(PUSH, scu_role=False, scp_role=True)
    ae.add_supported_context(PUSH)
    server = ae.start_server((place.host, place.port), block=False, evt_handlers=[*watched(session), *handlers])
    assert server is not None
    try:
        yield
    finally:
        server.shutdown()


def ask(peer: Peer, transaction: str, *instances: Dataset) -> Dataset:
    """N-ACTION (PS3.4 J.3.2.1.1)."""
    ds = Dataset()
    ds.TransactionUID = UID(transaction)
    ds.ReferencedSOPSequence = Sequence([reference(one) for one in instances])
    return peer.action(PUSH, INSTANCE, 1, ds)


def reported(session: Session, *instances: Dataset) -> tuple[int, Dataset]:
    """Event type and information of the report of these."""
    transaction = session.uid()
    with requester(session) as (taking, peer):
        status = ask(peer, transaction, *instances)
        if status.Status != 0x0000:
            raise Failed(f"N-ACTION is answered {status.Status:04X} {status.get('ErrorComment', '')}".rstrip())
        report = taking.of(transaction, session.caller.timeout)
    if report is not None:
        return report
    if taking.reports:
        raise Failed(f"{len(taking.reports)} reports came, none with the Transaction UID of the request")
    if session.caller.listen is None:
        raise NotApplicable("no report came on the association, and --listen is not named")
    raise Failed(f"no N-EVENT-REPORT came within {session.caller.timeout:g} seconds")


@check("dimse.commitment.request", "PS3.4 J.3.2", "N-ACTION is answered 0000", Target.DIMSE, covers=COVERS)
def request(session: Session) -> None:
    corpus = over_dicom(session)
    with requester(session) as (_, peer):
        status = ask(peer, session.uid(), corpus.first()).Status
    if status != 0x0000:
        raise Failed(f"N-ACTION is answered {status:04X}")


@check(
    "dimse.commitment.committed",
    "PS3.4 J.3.3.1",
    "What was stored is committed: event type 1 names every instance",
    Target.DIMSE,
    covers=COVERS,
)
def committed(session: Session) -> None:
    corpus = over_dicom(session)
    wanted = corpus.of(corpus.study(0))
    kind, said = reported(session, *wanted)
    if kind != 1:
        raise Failed(f"the event type is {kind}, not 1 (all committed)")
    named = sorted(str(one.ReferencedSOPInstanceUID) for one in said.get("ReferencedSOPSequence") or [])
    if named != sorted(str(one.SOPInstanceUID) for one in wanted):
        raise Failed(f"{len(named)} of {len(wanted)} instances are named as committed")
    if said.get("FailedSOPSequence"):
        raise Failed("the report has a Failed SOP Sequence too")


@check(
    "dimse.commitment.failures",
    "PS3.4 J.3.3.1",
    "What was never stored is not committed: event type 2, Failed SOP Sequence with the reason 0112",
    Target.DIMSE,
    covers=COVERS,
)
def failures(session: Session) -> None:
    corpus = over_dicom(session)
    nobody = Dataset()
    nobody.SOPClassUID, nobody.SOPInstanceUID = UID(CT), UID(session.uid())
    kind, said = reported(session, corpus.first(), nobody)
    if kind != 2:
        raise Failed(f"the event type is {kind}, not 2 (failures exist)")
    failed = [
        (str(one.ReferencedSOPInstanceUID), one.get("FailureReason")) for one in said.get("FailedSOPSequence") or []
    ]
    if failed != [(str(nobody.SOPInstanceUID), 0x0112)]:
        raise Failed(f"Failed SOP Sequence has {failed}")
    named = [str(one.ReferencedSOPInstanceUID) for one in said.get("ReferencedSOPSequence") or []]
    if named != [str(corpus.first().SOPInstanceUID)]:
        raise Failed(f"Referenced SOP Sequence has {len(named)} instances, not the one that was stored")


@check(
    "dimse.commitment.other-class",
    "PS3.4 J.3.3.1",
    "What is held under another SOP class is not committed: the reason is 0119",
    Target.DIMSE,
    covers=COVERS,
)
def other_class(session: Session) -> None:
    one = over_dicom(session).first()
    other = Dataset()
    other.SOPClassUID, other.SOPInstanceUID = UID("1.2.840.10008.5.1.4.1.1.4"), one.SOPInstanceUID
    kind, said = reported(session, other)
    reasons = [item.get("FailureReason") for item in said.get("FailedSOPSequence") or []]
    if kind != 2 or reasons not in ([0x0119], [0x0112]):
        raise Failed(f"the event type is {kind}, the reasons are {reasons}")
