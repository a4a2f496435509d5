"""Broken DICOM doors (`mutations` says how)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydicom import Dataset

import dimse.answers
import dimse.commitment
import dimse.entity
import dimse.extended
import dimse.find
import dimse.identifiers
import dimse.procedure_step
import dimse.retrieve
import dimse.status
import dimse.store
import dimse.suboperations
import vna.worklist.performed
from dimse.extended import FindOptions
from dimse.upper_layer import associate_request, dul, negotiation
from dimse.upper_layer.handlers import StoreAnswer
from tests.conformance.mutations import Mutation, after, around, asked, constant, entry, valued, without
from vna.archive.retrieve import Retrieval
from vna.archive.search import Search
from vna.model.errors import BadRequest, DuplicateInstance, Finished, InvalidValue, NotFound
from vna.worklist.orders import Orders
from vna.worklist.performed import PerformedSteps
from vna.worklist.schedule import Schedule


def _accepts(change: Any) -> Any:
    def make(real: Any) -> Any:
        return lambda encoded, contexts, roles: real(encoded, *change(list(contexts), dict(roles)))

    return make


def _acknowledges_only(_: Any) -> Any:
    def complete(self: Any, assoc: Any, command: Any, sink: Any) -> StoreAnswer:
        sink.abandon()
        return StoreAnswer(0)

    return complete


def _set(**values: Any) -> Any:
    """Change an answer of C-FIND."""

    def change(ds: Dataset) -> Dataset:
        for keyword, value in values.items():
            if "ScheduledProcedureStepSequence" in ds and keyword.startswith(("Scheduled", "Modality")):
                setattr(ds.ScheduledProcedureStepSequence[0], keyword, value)
            else:
                setattr(ds, keyword, value)
        return ds

    return change


def _unset(*keywords: str) -> Any:
    def change(ds: Dataset) -> Dataset:
        for keyword in keywords:
            if keyword in ds:
                delattr(ds, keyword)
        return ds

    return change


def _two_steps(ds: Dataset) -> Dataset:
    if "ScheduledProcedureStepSequence" in ds:
        ds.ScheduledProcedureStepSequence.append(Dataset())
    return ds


def _ascii_names(ds: Dataset) -> Dataset:
    if ds.get("PatientName"):
        ds.PatientName = str(ds.PatientName).encode("ascii", "ignore").decode()
    return ds


def _first_uid(query: Any) -> Any:
    return replace(query, keys=tuple(replace(key, values=key.values[:1]) for key in query.keys))


def _other_words(outgoing: Any) -> Any:
    outgoing.chunks = (bytes(chunk).replace(b"private text", b"PRIVATE TEXT") for chunk in outgoing.chunks)
    return outgoing


ANSWER = dimse.answers.Answers, "dataset"
FIND = Search, "find"
OVER = {"00400252": {"vr": "CS", "Value": ["COMPLETED"]}}
STEP = dimse.procedure_step.STEP_STATUS

MUTATIONS: tuple[Mutation, ...] = (
    # association
    constant(dimse.entity, "SUCCESS", 0x0110, "dimse.echo.success"),
    constant(negotiation, "ABSTRACT_SYNTAX_NOT_SUPPORTED", 1, "dimse.association.unknown-abstract-syntax"),
    constant(negotiation, "TRANSFER_SYNTAXES_NOT_SUPPORTED", 3, "dimse.association.unknown-transfer-syntax"),
    constant(associate_request, "MOST_CONTEXTS", 100, "dimse.association.many-contexts"),
    around(
        "contexts that are rejected are not answered", dul, "complete_accept",
        _accepts(lambda contexts, roles: ([one for one in contexts if one.result == 0], roles)),
        "dimse.association.results",
    ),
    around(
        "more roles are agreed to than were proposed", dul, "complete_accept",
        _accepts(lambda contexts, roles: (contexts, dict.fromkeys(roles, (True, True)))),
        "dimse.association.roles",
    ),
    constant(
        dimse.extended, "answer_extended", lambda uid, asked: b"\x01" * len(asked), "dimse.association.extended"
    ),
    # storage
    around("what comes is acknowledged and thrown away", dimse.store.ArchiveStore, "complete", _acknowledges_only,
           "dimse.store.kind.ct-image", "dimse.store.small-fragments", "dimse.store.large"),
    constant(dimse.store, "_refusal", lambda error: StoreAnswer(0), "dimse.store.garbage", "dimse.store.other-class"),
    after("values are other ones on the way out", Retrieval, "dataset", _other_words, "dimse.store.every-element"),
    # C-FIND
    constant(dimse.find, "_status_of", lambda error: 0, "dimse.find.no-level", "dimse.find.unknown-level"),
    after("a key is not returned", *ANSWER, _unset("StudyID"), "dimse.find.returned"),
    after("nobody says where to retrieve from", *ANSWER, _unset("RetrieveAETitle"), "dimse.find.returned"),
    after("more is returned than was asked", *ANSWER, _set(PatientComments="x"), "dimse.find.only-asked"),
    after("instances are counted wrong", *ANSWER, _set(NumberOfStudyRelatedInstances=99),
          "dimse.find.optional.NumberOfStudyRelatedInstances"),
    asked("dates are not matched", *FIND, without("00080020"), "dimse.find.match.single-value-date",
          "dimse.find.match.range", "dimse.find.match.range-before", "dimse.find.required.study.StudyDate"),
    asked("times are not matched", *FIND, without("00080030"), "dimse.find.match.range-time",
          "dimse.find.required.study.StudyTime", "dimse.find.combined-datetime"),
    asked("accession numbers are not matched", *FIND, without("00080050"), "dimse.find.match.single-value",
          "dimse.find.match.together", "dimse.find.required.study.AccessionNumber"),
    asked("names are not matched", *FIND, without("00100010"), "dimse.find.match.wildcard-none",
          "dimse.find.required.study.PatientName"),
    asked("patients are not told apart", *FIND, without("00100020"), "dimse.find.patient",
          "dimse.find.patient-studies", "dimse.find.required.study.PatientID"),
    asked("modalities are not matched", *FIND, without("00080060", "00080061"), "dimse.find.required.series.Modality",
          "dimse.find.relational", "dimse.find.optional.ModalitiesInStudy-match"),
    asked("instance numbers are not matched", *FIND, without("00200013"), "dimse.find.required.image.InstanceNumber"),
    asked("series numbers are not matched", *FIND, without("00200011"), "dimse.find.required.series.SeriesNumber"),
    asked("study IDs are not matched", *FIND, without("00200010"), "dimse.find.required.study.StudyID"),
    asked("studies are not told apart", *FIND, without("0020000D"), "dimse.find.study", "dimse.find.nothing"),
    asked("series are not told apart", *FIND, without("0020000E"), "dimse.find.image"),
    asked("of a list the first is looked for", *FIND, _first_uid, "dimse.find.match.uid-list"),
    asked("an asterisk is a letter", *FIND, valued(lambda text: text.replace("*", "#")),
          "dimse.find.match.wildcard-asterisk"),
    asked("a question mark is a letter", *FIND, valued(lambda text: text.replace("?", "#")),
          "dimse.find.match.wildcard-question", "dimse.find.match.wildcard-id"),
    asked("ranges have one end", *FIND, valued(lambda text: text.partition("-")[0] if "Conf" not in text else text),
          "dimse.find.match.range-after"),
    constant(dimse.find, "negotiated", lambda assoc, uid: FindOptions(), "dimse.find.relational",
             "dimse.find.combined-datetime", "dimse.find.fuzzy"),
    # character sets
    after("names lose their letters", *ANSWER, _ascii_names, "dimse.charset.latin5.returned",
          "dimse.charset.utf8.returned", "dimse.charset.japanese.returned"),
    constant(dimse.identifiers, "character_set", lambda identifier: (), "dimse.charset.latin5.found",
             "dimse.charset.cyrillic.found"),
    # C-GET, C-MOVE
    after("an instance is left out", dimse.retrieve.GetProvider, "_items", lambda items: items[:-1],
          "dimse.get.study", "dimse.get.patient"),
    constant(dimse.suboperations.Tally, "final_status", lambda self, cancelled: 0, "dimse.get.refused-store",
             "dimse.get.no-context", "dimse.move.refused-store"),
    around("one that failed is not named", dimse.suboperations.Reports, "_failed_list",
           lambda real: lambda self, uids: real(self, uids[:-1]), "dimse.get.refused-store",
           "dimse.move.refused-store"),
    after("another instance is sent", dimse.retrieve.MoveProvider, "_items", lambda items: items[:1] * len(items),
          "dimse.move.study", "dimse.move.series", "dimse.move.image"),
    entry(dimse.status.RETRIEVE_STATUS, NotFound, 0xA702, "dimse.move.unknown-destination"),
    entry(dimse.status.RETRIEVE_STATUS, BadRequest, 0x0000, "dimse.get.no-unique-key", "dimse.move.no-unique-key"),
    around("nobody says who asked for it", dimse.retrieve, "Originator",
           lambda real: lambda title, number: real("OTHER", number), "dimse.move.originator"),
    # worklist
    after("there are two steps in a match", *ANSWER, _two_steps, "dimse.worklist.one-step"),
    after("a match has no study", *ANSWER, _set(StudyInstanceUID=""), "dimse.worklist.return-keys"),
    after("a date is no date", *ANSWER, _set(ScheduledProcedureStepStartDate="2026-12-02"), "dimse.worklist.values",
          "dimse.worklist.order"),
    asked("the worklist knows no modality", Schedule, "find", without("00080060"), "dimse.worklist.match.modality"),
    asked("the worklist knows no accession number", Schedule, "find", without("00080050"), "dimse.worklist.cancelled"),
    asked("the worklist knows no name", Schedule, "find", without("00100010"), "dimse.worklist.match.patient-name"),
    asked("the worklist knows no date", Schedule, "find", without("00400002"), "dimse.worklist.nothing"),
    constant(Orders, "take", lambda self, connection, actor, tidings: None, "dimse.worklist.order"),
    # performed steps
    entry(STEP, Finished, 0x0106, "dimse.step.final"),
    entry(STEP, DuplicateInstance, 0x0000, "dimse.step.twice"),
    entry(STEP, NotFound, 0x0110, "dimse.step.unknown"),
    entry(STEP, InvalidValue, 0x0000, "dimse.step.not-in-progress"),
    constant(dimse.procedure_step, "MAY_NO_LONGER_BE_UPDATED", 0xA501, "dimse.step.final"),
    constant(vna.worklist.performed, "_require", lambda elements, tags: None, "dimse.step.missing-attribute"),
    constant(PerformedSteps, "get", lambda self, actor, uid: OVER, "dimse.step.read"),
    constant(PerformedSteps, "_tell", lambda self, connection, actor, step, at: None, "dimse.step.order"),
    constant(dimse.procedure_step, "SUCCESS", 0x0110, "dimse.step.create", "dimse.step.complete",
             "dimse.step.discontinue"),
    # storage commitment
    constant(dimse.commitment, "ALL_COMMITTED", 2, "dimse.commitment.committed"),
    constant(dimse.commitment, "FAILURES_EXIST", 1, "dimse.commitment.failures", "dimse.commitment.other-class"),
    constant(dimse.commitment, "SUCCESS", 0x0110, "dimse.commitment.request"),
    after("what failed is not named", dimse.commitment, "result_elements",
          lambda elements: {tag: one for tag, one in elements.items() if tag != "00081198"},
          "dimse.commitment.failures"),
)  # fmt: skip
