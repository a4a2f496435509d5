"""An order as the scheduled procedure step that a modality is given (PS3.4 Table K.6-1, IHE RAD TF-2 4.5)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from storage.values import cached_value
from vna.model.dictionary import tag_of, vr_of
from vna.model.national import is_national_number
from vna.model.orders import ANY_FACILITY, Coded, Order, OrderState
from vna.model.query import Element

Elements = dict[str, Element]

LOINC: Final = "LN"
SUT: Final = "99SUT"
"""Coding schemes: of PS3.16 Table 8-1, and one of ours, which begins with 99 (PS3.16 8.2)."""
ICD_10: Final = "I10"
NATIONAL_AUTHORITY: Final = "2.16.840.1.113883.3.129.1.1.1"
"""The authority of national numbers."""

PRIORITIES: Final[Mapping[str, str]] = {
    "S": "STAT",
    "A": "HIGH",
    "P": "HIGH",
    "C": "HIGH",
    "T": "MEDIUM",
    "R": "ROUTINE",
}
"""Requested Procedure Priority by HL7's codes (OBR-27.6, table 0485); what is one of DICOM's words already stays."""
_WORDS: Final = frozenset({"STAT", "HIGH", "ROUTINE", "MEDIUM", "LOW"})


@dataclass(frozen=True, slots=True)
class Shown:
    """An order as one caller sees it: `facility` is the caller's, `station` the one that steps which are open to every
    station are shown for."""

    order: Order
    facility: str = ""
    station: str = ""

    @property
    def is_elsewhere(self) -> bool:
        """Whether whoever performs it is another facility than the one whose file number the order has."""
        performed_at, ordered_at = self.order.performed_at, self.order.key.facility
        return (self.facility or ordered_at if performed_at == ANY_FACILITY else performed_at) != ordered_at

    @property
    def patient_id(self) -> str:
        """The file number where it is the performing facility's own; elsewhere the national number, which means the
        same everywhere."""
        patient = self.order.patient
        if patient.patient_id and not (self.is_elsewhere and is_national_number(patient.national_number)):
            return patient.patient_id
        return patient.national_number

    @property
    def issuer(self) -> str:
        """Of a file number that is shown elsewhere."""
        is_file_number = self.patient_id == self.order.patient.patient_id
        return self.order.key.facility if self.is_elsewhere and is_file_number else ""

    @property
    def start(self) -> str:
        """When it is to be done; orders without a time are due since they were made."""
        return self.order.scheduled_at or self.order.requested_at


_STATUS: Final[Mapping[OrderState, str]] = {
    OrderState.SCHEDULED: "SCHEDULED",
    OrderState.IN_PROGRESS: "STARTED",
}  # PS3.3 C.4.10

Value = Callable[[Shown], str]

_TEXTS: Final[tuple[tuple[str, Value], ...]] = (
    ("AccessionNumber", lambda s: s.order.key.accession_number),
    ("ReferringPhysicianName", lambda s: s.order.ordering_doctor.name),
    ("AdmittingDiagnosesDescription", lambda s: "; ".join(one.text or one.code for one in s.order.diagnoses)),
    ("PatientName", lambda s: s.order.patient.name),
    ("PatientID", lambda s: s.patient_id),
    ("IssuerOfPatientID", lambda s: s.issuer),
    ("PatientBirthDate", lambda s: s.order.patient.birth_date),
    ("PatientSex", lambda s: s.order.patient.sex if s.order.patient.sex in ("M", "F", "O") else ""),
    ("OtherPatientIDs", lambda s: s.order.patient.national_number),
    ("AdditionalPatientHistory", lambda s: "\r\n".join(note.text for note in s.order.notes if note.text)),
    ("StudyInstanceUID", lambda s: s.order.study_instance_uid),
    ("RequestingPhysician", lambda s: s.order.ordering_doctor.name),
    ("RequestingService", lambda s: s.order.clinic.text or s.order.clinic.code),
    ("RequestedProcedureDescription", lambda s: s.order.sut.text or s.order.loinc.text),
    ("AdmissionID", lambda s: s.order.admission_reference),
    ("RequestedProcedureID", lambda s: s.order.key.accession_number),
    ("ReasonForTheRequestedProcedure", lambda s: s.order.clinical_information),
    ("RequestedProcedurePriority", lambda s: _priority(s.order.priority)),
    ("PlacerOrderNumberImagingServiceRequest", lambda s: s.order.key.accession_number),
    ("FillerOrderNumberImagingServiceRequest", lambda s: s.order.key.accession_number),
)
_STEP_TEXTS: Final[tuple[tuple[str, Value], ...]] = (
    ("Modality", lambda s: s.order.modality),
    ("ScheduledStationAETitle", lambda s: s.order.station_ae_title or s.station),
    ("ScheduledProcedureStepStartDate", lambda s: s.start[:8]),
    ("ScheduledProcedureStepStartTime", lambda s: s.start[8:]),
    ("ScheduledPerformingPhysicianName", lambda s: s.order.technician.name),
    ("ScheduledProcedureStepDescription", lambda s: s.order.sut.text or s.order.loinc.text),
    ("ScheduledProcedureStepID", lambda s: s.order.key.accession_number),
    ("ScheduledProcedureStepStatus", lambda s: _STATUS.get(s.order.state, "")),
)

_BLANK: Final = (
    "PatientWeight",
    "PatientSize",
    "MedicalAlerts",
    "Allergies",
    "PregnancyStatus",
    "PatientState",
    "SpecialNeeds",
    "ConfidentialityConstraintOnPatientDataDescription",
    "CurrentPatientLocation",
    "PatientTransportArrangements",
    "RequestedProcedureComments",
    "ReferencedStudySequence",
    "ReferencedPatientSequence",
)
"""Of the table too, and never known: they come back empty. Clients fill in what asks for nothing, as a Pregnancy Status
of 0, so as keys they narrow nothing."""

Items = Callable[[Shown], list[Elements]]

_SEQUENCES: Final[tuple[tuple[str, Items], ...]] = (
    ("IssuerOfAccessionNumberSequence", lambda s: [_written({"LocalNamespaceEntityID": s.order.key.facility})]),
    ("OtherPatientIDsSequence", lambda s: _national(s.order.patient.national_number)),
    ("RequestedProcedureCodeSequence", lambda s: _procedure(s.order)),
    ("ReasonForRequestedProcedureCodeSequence", lambda s: _codes((one, ICD_10) for one in s.order.diagnoses)),
    ("ScheduledProcedureStepSequence", lambda s: [_step(s)]),
)
_STEP_SEQUENCES: Final[tuple[tuple[str, Items], ...]] = (
    ("ScheduledProtocolCodeSequence", lambda s: _codes([(s.order.sut, SUT), (s.order.loinc, LOINC)])),
)


def _tag(keyword: str) -> str:
    tag = tag_of(keyword)
    assert tag is not None, keyword
    return tag


STEP: Final = _tag("ScheduledProcedureStepSequence")
_TOP: Final = frozenset(_tag(keyword) for keyword, _ in (*_TEXTS, *_SEQUENCES))
_INSIDE: Final = frozenset(_tag(keyword) for keyword, _ in (*_STEP_TEXTS, *_STEP_SEQUENCES))
_EMPTY: Final = frozenset(map(_tag, _BLANK))


def is_matched(path: tuple[str, ...]) -> bool:
    """Whether a key narrows; what is in the items of other sequences is not looked at."""
    return path[0] in _TOP and (path[0] != STEP or len(path) == 1 or path[1] in _INSIDE)


def is_returned(tag: str) -> bool:
    """Whether the worklist has an attribute, be it without a value."""
    return tag in _TOP or tag in _EMPTY


def elements_of(shown: Shown) -> Elements:
    """All that the worklist says of one order; attributes without a value are left out."""
    made = _written({keyword: value(shown) for keyword, value in _TEXTS})
    for keyword, items in _SEQUENCES:
        _put_items(made, keyword, items(shown))
    return made


def _step(shown: Shown) -> Elements:
    made = _written({keyword: value(shown) for keyword, value in _STEP_TEXTS})
    for keyword, items in _STEP_SEQUENCES:
        _put_items(made, keyword, items(shown))
    return made


def _put_items(elements: Elements, keyword: str, items: list[Elements]) -> None:
    if items:
        elements[_tag(keyword)] = {"vr": "SQ", "Value": items}


def _procedure(order: Order) -> list[Elements]:
    """One item (PS3.4 Table K.6-1): the national code, and LOINC's as its equivalent (PS3.3 Table 8.8-1)."""
    if not order.sut.code:
        return _codes([(order.loinc, LOINC)])
    made = _codes([(order.sut, SUT)])
    _put_items(made[0], "EquivalentCodeSequence", _codes([(order.loinc, LOINC)]))
    return made


def _codes(codes: Iterable[tuple[Coded, str]]) -> list[Elements]:
    return [
        _written({"CodeValue": one.code, "CodingSchemeDesignator": scheme, "CodeMeaning": one.text or one.code})
        for one, scheme in codes
        if one.code
    ]


def _national(number: str) -> list[Elements]:
    if not number:
        return []
    made = _written({"PatientID": number, "TypeOfPatientID": "TEXT"})
    issuer = _written({"UniversalEntityID": NATIONAL_AUTHORITY, "UniversalEntityIDType": "ISO"})
    _put_items(made, "IssuerOfPatientIDQualifiersSequence", [issuer])
    return [made]


def _priority(code: str) -> str:
    word = code.strip().upper()
    return word if word in _WORDS else PRIORITIES.get(word, "")


_LONGEST: Final[Mapping[str, int]] = {"SH": 16, "LO": 64, "LT": 10240, "UT": 10240}  # PS3.5 Table 6.2-1


def _written(values: Mapping[str, str]) -> Elements:
    """Elements of texts by keyword, each one value of its VR and no longer than that allows."""
    made: Elements = {}
    for keyword, value in values.items():
        if value:
            tag = _tag(keyword)
            vr = vr_of(tag)
            text = value if vr in ("LT", "ST", "UT") else value.replace("\\", "/")
            made[tag] = cached_value(vr, text[: _LONGEST.get(vr)].encode(), ("utf-8",))[0]
    return dict(sorted(made.items()))
