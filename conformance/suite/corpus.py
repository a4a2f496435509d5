"""The studies that checks of searching and retrieving look for: stored once a run, through the door that is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pydicom import Dataset

from conformance.suite import objects
from conformance.suite.check import Failed
from conformance.suite.dicom import EXPLICIT, IMPLICIT, offer
from conformance.suite.session import Session

CT, MR = objects.CT, objects.MR


@dataclass(frozen=True, slots=True)
class Corpus:
    """Two studies of one patient and one of another; `patient` is the first one's ID."""

    patient: str
    other_patient: str
    instances: tuple[Dataset, ...]

    def study(self, number: int) -> str:
        """UID of a study, in the order of their dates; 0 has a CT series of three and an MR series of two."""
        return list(dict.fromkeys(str(one.StudyInstanceUID) for one in self.instances))[number]

    def of(self, study: str, modality: str = "") -> list[Dataset]:
        """The instances of a study, or of its series of a modality."""
        return [one for one in self.instances if one.StudyInstanceUID == study and modality in ("", str(one.Modality))]

    def first(self, number: int = 0) -> Dataset:
        """The first instance of a study."""
        return self.of(self.study(number))[0]


_STUDIES: Final = (
    {"StudyDate": "20250310", "StudyTime": "083000", "StudyDescription": "Conformance head"},
    {"StudyDate": "20250711", "StudyTime": "140500", "StudyDescription": "Conformance chest"},
    {"StudyDate": "20251224", "StudyTime": "235900", "StudyDescription": "Conformance knee"},
)


def made(session: Session, door: str) -> Corpus:
    """The data sets; `door` keeps those that were stored through several doors apart."""
    patient, other = objects.patient_id(session, f"{door}1"), objects.patient_id(session, f"{door}2")
    instances: list[Dataset] = []
    for number, said in enumerate(_STUDIES):
        who = {"PatientID": patient, "PatientName": f"Conformance^Adam^{door}^^"}
        if number == 2:
            who = {"PatientID": other, "PatientName": f"Conformance^Berta^{door}^^", "PatientSex": "F"}
        of_study: dict[str, Any] = {
            **said,
            **who,
            "StudyInstanceUID": session.uid(),
            "AccessionNumber": f"{session.mark}{door}{number}",
            "StudyID": f"S{number}",
        }
        for series, (kind, count) in enumerate(((CT, 3), (MR, 2)) if number == 0 else ((CT, 1),), start=1):
            of_series: dict[str, Any] = {
                "SeriesInstanceUID": session.uid(),
                "SeriesNumber": series,
                "SeriesDescription": f"Series {series}",
                "BodyPartExamined": "HEAD",
            }
            instances += [
                objects.image(session, kind, InstanceNumber=one, **of_study, **of_series) for one in range(1, count + 1)
            ]
    return Corpus(patient, other, tuple(instances))


def over_dicom(session: Session) -> Corpus:
    """The corpus, stored by C-STORE."""

    def store() -> Corpus:
        corpus = made(session, "D")
        with session.dicom.open(offer(CT, MR, syntaxes=[EXPLICIT, IMPLICIT])) as peer:
            for one in corpus.instances:
                status = peer.store(one).Status
                if status >> 12 not in (0x0, 0xB):
                    raise Failed(f"C-STORE is answered with {status:04X}")
        return corpus

    return session.once("the studies to look for", store)
