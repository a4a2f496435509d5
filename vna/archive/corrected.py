"""What corrections that hold say of an instance: in the order in which they were made, wherever it was then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from storage.index import corrections
from storage.index.engine import Connection
from vna.model.corrections import CORRIGIBLE, Correction, CorrectionKind
from vna.model.identifiers import PatientKey
from vna.model.query import Level


@dataclass(frozen=True, slots=True)
class OfPatient:
    """A value that was said of a patient, and his Patient ID then; None where nobody knows."""

    value: str
    of: str | None


@dataclass(frozen=True, slots=True)
class Said:
    """`moved` is what the place says where it belongs now, `corrected` what was said of it afterwards, `patient` what
    of whose it was then."""

    moved: Mapping[str, str] = field(default_factory=dict)
    corrected: Mapping[str, str] = field(default_factory=dict)
    patient: Mapping[str, OfPatient] = field(default_factory=dict)

    def of_now(self, patient_id: str) -> Mapping[str, str]:
        """What was said of him who it is of by now."""
        return {keyword: one.value for keyword, one in self.patient.items() if one.of in (None, patient_id)}

    def of_merged(self, line: Sequence[PatientKey]) -> Mapping[str, str]:
        """What was said of those who were merged into him: `line` leads from one to the other."""
        before = {key.patient_id for key in line[:-1]} - {line[-1].patient_id}
        return {keyword: one.value for keyword, one in self.patient.items() if one.of in before}


def said(connection: Connection, study: str, series: str = "", instance: str = "") -> Said:
    """Of an instance by the UIDs with which it came; of all that came in a study without the other two."""
    moved: dict[str, str] = {}
    corrected: dict[str, str] = {}
    patient: dict[str, OfPatient] = {}
    if not corrections.any_made(connection):
        return Said()
    place = study, series
    for _, one in corrections.standing(connection, study):
        if not _is_of(one, *place, instance):
            continue
        if one.kind is CorrectionKind.MOVE:
            moved |= one.said
            corrected = {keyword: value for keyword, value in corrected.items() if keyword not in one.said}
            patient = {keyword: value for keyword, value in patient.items() if keyword not in one.said}
            place = one.said.get("StudyInstanceUID", place[0]), one.said.get("SeriesInstanceUID", place[1])
        else:
            for keyword, value in one.values.items():
                if CORRIGIBLE[keyword] is Level.PATIENT:
                    patient[keyword] = OfPatient(value, one.of)
                else:
                    corrected[keyword] = value
    return Said(moved, corrected, patient)


def _is_of(one: Correction, study: str, series: str, instance: str) -> bool:
    return (
        one.study_instance_uid == study
        and one.series_instance_uid in ("", series)
        and one.sop_instance_uid in ("", instance)
    )
