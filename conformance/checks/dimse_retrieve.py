"""Query/Retrieve Service Class: C-GET and C-MOVE as provider (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from pydicom import Dataset
from pynetdicom import AE, evt

from conformance.suite.check import Failed, NotApplicable, Target, check
from conformance.suite.corpus import CT, MR, Corpus, over_dicom
from conformance.suite.dicom import (
    EXPLICIT,
    IMPLICIT,
    PATIENT_GET,
    STUDY_GET,
    STUDY_MOVE,
    Peer,
    Retrieved,
    Stored,
    identifier,
    offer,
    stored_of,
    watched,
)
from conformance.suite.session import Session

GET, MOVE = ("C-GET",), ("C-MOVE",)


def keys_of(corpus: Corpus, level: str) -> tuple[Dataset, list[Dataset]]:
    """An identifier of a level, and the instances that it is of."""
    first = corpus.first()
    if level == "PATIENT":
        chosen = [one for one in corpus.instances if one.PatientID == corpus.patient]
        return identifier(QueryRetrieveLevel=level, PatientID=corpus.patient), chosen
    asked = identifier(QueryRetrieveLevel=level, StudyInstanceUID=first.StudyInstanceUID)
    chosen = corpus.of(corpus.study(0))
    if level != "STUDY":
        asked.SeriesInstanceUID = first.SeriesInstanceUID
        chosen = corpus.of(corpus.study(0), "CT")
    if level == "IMAGE":
        chosen = chosen[:2]
        asked.SOPInstanceUID = [str(one.SOPInstanceUID) for one in chosen]
    return asked, chosen


def compare(received: Sequence[Stored], wanted: Sequence[Dataset]) -> None:
    """Whether exactly these came."""
    came = sorted(one.sop_instance_uid for one in received)
    if came != sorted(str(one.SOPInstanceUID) for one in wanted):
        raise Failed(f"{len(wanted)} instances were to come, {len(came)} came, {len(set(came))} of them different")


def without_key() -> Dataset:
    """An identifier of the STUDY level that names no study."""
    return identifier(QueryRetrieveLevel="STUDY", PatientName="Conformance^*")


def judge_refused(done: Retrieved, received: Sequence[Stored]) -> None:
    """A failure, and nothing that came."""
    if received or done.status in (0x0000, 0xB000):
        raise Failed(f"the last response is {done.status:04X}, and {len(received)} instances came")


def judge_counts(done: Retrieved, completed: int) -> None:
    """Success, and the numbers of sub-operations of its response."""
    if done.status != 0x0000:
        raise Failed(f"the last response is {done.status:04X} {done.final.get('ErrorComment', '')}".rstrip())
    counts = {of: done.count(of) for of in ("Completed", "Failed", "Warning")}
    if counts["Completed"] is None and counts["Failed"] is None:
        raise Failed("the last response has no numbers of sub-operations")
    total = (counts["Completed"] or 0) + (counts["Warning"] or 0)
    if total != completed or counts["Failed"]:
        raise Failed(f"the last response counts {counts}, {completed} instances came")


# ------------------------------------------------------------------------------------------------------------ C-GET


@contextmanager
def getting(session: Session, model: str = STUDY_GET, **options: Any) -> Iterator[Peer]:
    """An association on which the server may store CT and MR with us."""
    offers = [*offer(model), *offer(CT, MR, syntaxes=[EXPLICIT, IMPLICIT])]
    with session.dicom.open(offers, roles=[CT, MR], **options) as peer:
        peer.need(model)
        yield peer


def get_level(model: str, level: str, session: Session) -> None:
    """C-GET of a level brings what belongs to it."""
    asked, wanted = keys_of(over_dicom(session), level)
    with getting(session, model) as peer:
        done = peer.get(model, asked)
    compare(peer.received, wanted)
    judge_counts(done, len(wanted))


for _name, _model, _level in (
    ("patient", PATIENT_GET, "PATIENT"),
    ("study", STUDY_GET, "STUDY"),
    ("series", STUDY_GET, "SERIES"),
    ("image-list", STUDY_GET, "IMAGE"),
):
    check(
        f"dimse.get.{_name}",
        "PS3.4 C.4.3.3.1",
        f"C-GET of the {_level} level brings exactly its instances, and counts them",
        Target.DIMSE,
        covers=GET,
    )(partial(get_level, _model, _level))


@check(
    "dimse.get.same-object",
    "PS3.4 B.4.1",
    "An instance comes back by C-GET as it was stored by C-STORE",
    Target.DIMSE,
    covers=GET,
)
def same_object(session: Session) -> None:
    asked, wanted = keys_of(over_dicom(session), "IMAGE")
    with getting(session) as peer:
        peer.get(STUDY_GET, asked)
    compare(peer.received, wanted)
    for one in peer.received:
        ours = next(ds for ds in wanted if ds.SOPInstanceUID == one.sop_instance_uid)
        came = one.dataset()
        wrong = [element.keyword for element in ours if came.get(element.tag) != element]
        if wrong:
            raise Failed(f"what came back differs in {', '.join(wrong[:6])}")


@check(
    "dimse.get.pending",
    "PS3.4 C.4.3.1.4, Table C.4-3",
    "Pending responses, where there are any, count down what remains",
    Target.DIMSE,
    covers=GET,
)
def pending(session: Session) -> None:
    asked, wanted = keys_of(over_dicom(session), "STUDY")
    with getting(session) as peer:
        done = peer.get(STUDY_GET, asked)
    remaining = [one.get("NumberOfRemainingSuboperations") for one in done.statuses if one.Status == 0xFF00]
    if any(number is None for number in remaining):
        raise Failed("a Pending response has no Number of Remaining Sub-operations")
    numbers = [int(number) for number in remaining if number is not None]
    if numbers != sorted(numbers, reverse=True) or (numbers and numbers[0] > len(wanted)):
        raise Failed(f"of {len(wanted)} instances {numbers} remain, one response after the other")


@check(
    "dimse.get.refused-store",
    "PS3.4 Table C.4-3",
    "When we refuse an instance, the last response is B000 (or a failure) and names it",
    Target.DIMSE,
    covers=GET,
)
def refused_store(session: Session) -> None:
    asked, wanted = keys_of(over_dicom(session), "IMAGE")
    with getting(session, answer=0xA700) as peer:
        done = peer.get(STUDY_GET, asked)
    judge_failures(done, wanted)


def judge_failures(done: Retrieved, wanted: Sequence[Dataset]) -> None:
    """Every sub-operation failed: the response has to say so."""
    if done.status == 0x0000:
        raise Failed("the last response is Success, though no instance could be stored")
    if done.count("Failed") != len(wanted):
        raise Failed(f"{len(wanted)} instances failed, the last response counts {done.count('Failed')}")
    listed = done.identifier.get("FailedSOPInstanceUIDList", []) if done.identifier is not None else []
    named = [listed] if isinstance(listed, str) else [str(uid) for uid in listed or []]
    if sorted(named) != sorted(str(one.SOPInstanceUID) for one in wanted):
        raise Failed(f"Failed SOP Instance UID List has {len(named)} of {len(wanted)} instances")


@check(
    "dimse.get.no-context",
    "PS3.4 C.4.3.1.4",
    "Instances whose SOP class we did not offer to take are counted as failed, the others come",
    Target.DIMSE,
    covers=GET,
)
def no_context(session: Session) -> None:
    corpus = over_dicom(session)
    asked, _ = keys_of(corpus, "STUDY")
    offers = [*offer(STUDY_GET), *offer(CT, syntaxes=[EXPLICIT, IMPLICIT])]
    with session.dicom.open(offers, roles=[CT]) as peer:
        done = peer.get(STUDY_GET, asked)
    compare(peer.received, corpus.of(corpus.study(0), "CT"))
    if done.status == 0x0000 or done.count("Failed") != 2:
        raise Failed(f"two MR images could not come: {done.status:04X}, {done.count('Failed')} failed")


@check(
    "dimse.get.nothing",
    "PS3.4 C.4.3.3.1",
    "C-GET of what is not there brings nothing and does not end the association",
    Target.DIMSE,
    covers=GET,
)
def get_nothing(session: Session) -> None:
    with getting(session) as peer:
        peer.get(STUDY_GET, identifier(QueryRetrieveLevel="STUDY", StudyInstanceUID=session.uid()))
        if peer.received:
            raise Failed("instances came")
        if not peer.assoc.is_established:
            raise Failed("the association was ended")


@check(
    "dimse.get.no-unique-key",
    "PS3.4 C.4.3.1.3.1",
    "C-GET of a level without its unique key is refused",
    Target.DIMSE,
    covers=GET,
)
def no_unique_key(session: Session) -> None:
    over_dicom(session)
    with getting(session) as peer:
        done = peer.get(STUDY_GET, without_key())
    judge_refused(done, peer.received)


# ----------------------------------------------------------------------------------------------------------- C-MOVE


@contextmanager
def destination(session: Session, answer: int = 0x0000) -> Iterator[list[Stored]]:
    """Our storage provider where the server knows it; what it gets."""
    place = session.caller.listen
    if place is None:
        raise NotApplicable(f"--listen is not named: the server has to know {session.caller.ae_title} as an AE title")
    received: list[Stored] = []

    def keep(event: evt.Event) -> int:
        received.append(stored_of(event))
        return answer

    ae = AE(session.caller.ae_title)
    ae.supported_contexts = [*AE().supported_contexts]
    for uid in (CT, MR):
        ae.add_supported_context(uid, [EXPLICIT, IMPLICIT])
    ae.add_supported_context("1.2.840.10008.1.1")
    handlers: list[Any] = [(evt.EVT_C_STORE, keep), *watched(session)]
    server = ae.start_server((place.host, place.port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield received
    finally:
        server.shutdown()


def move(session: Session, asked: Dataset, to: str) -> Retrieved:
    """One C-MOVE."""
    with session.dicom.open(offer(STUDY_MOVE)) as peer:
        return peer.move(STUDY_MOVE, asked, to)


def known(session: Session, done: Retrieved) -> Retrieved:
    """NotApplicable where the server does not know us."""
    if done.status == 0xA801:
        ours = f"{session.caller.ae_title} at {session.caller.listen}"
        raise NotApplicable(f"the server does not know {ours} as a move destination (A801)")
    return done


def move_level(level: str, session: Session) -> None:
    """C-MOVE of a level sends what belongs to it."""
    asked, wanted = keys_of(over_dicom(session), level)
    with destination(session) as received:
        done = known(session, move(session, asked, session.caller.ae_title))
    compare(received, wanted)
    judge_counts(done, len(wanted))


for _level in ("STUDY", "SERIES", "IMAGE"):
    check(
        f"dimse.move.{_level.lower()}",
        "PS3.4 C.4.2.3.1",
        f"C-MOVE of the {_level} level sends exactly its instances, and counts them",
        Target.DIMSE,
        covers=MOVE,
    )(partial(move_level, _level))


@check(
    "dimse.move.originator",
    "PS3.7 9.1.1.1.7, 9.1.1.1.8",
    "What C-MOVE sends names who asked for it and with which message",
    Target.DIMSE,
    covers=MOVE,
)
def originator(session: Session) -> None:
    asked, _ = keys_of(over_dicom(session), "IMAGE")
    with destination(session) as received, session.dicom.open(offer(STUDY_MOVE)) as peer:
        peer.need(STUDY_MOVE)
        answers = list(peer.assoc.send_c_move(asked, session.caller.ae_title, STUDY_MOVE, msg_id=77))
        known(session, Retrieved([status for status, _ in answers]))
    if not received:
        raise Failed("nothing came")
    said = {(one.originator, one.originator_message) for one in received}
    if said != {(session.caller.ae_title, 77)}:
        raise Failed(f"originator and message are {sorted(map(str, said))}, not {session.caller.ae_title} and 77")


@check(
    "dimse.move.unknown-destination",
    "PS3.4 Table C.4-2",
    "A move destination that nobody knows is refused with A801",
    Target.DIMSE,
    covers=MOVE,
)
def unknown_destination(session: Session) -> None:
    asked, _ = keys_of(over_dicom(session), "STUDY")
    done = move(session, asked, f"NOBODY{session.mark}")
    if done.status != 0xA801:
        raise Failed(f"the last response is {done.status:04X}, not A801")


@check(
    "dimse.move.refused-store",
    "PS3.4 Table C.4-2",
    "When the destination refuses an instance, the last response is B000 (or a failure) and names it",
    Target.DIMSE,
    covers=MOVE,
)
def move_refused(session: Session) -> None:
    asked, wanted = keys_of(over_dicom(session), "IMAGE")
    with destination(session, answer=0xA700):
        done = known(session, move(session, asked, session.caller.ae_title))
    judge_failures(done, wanted)


@check(
    "dimse.move.no-unique-key",
    "PS3.4 C.4.2.1.4.1",
    "C-MOVE of a level without its unique key is refused",
    Target.DIMSE,
    covers=MOVE,
)
def move_without_key(session: Session) -> None:
    over_dicom(session)
    with destination(session) as received:
        done = known(session, move(session, without_key(), session.caller.ae_title))
    judge_refused(done, received)
