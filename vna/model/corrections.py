"""Corrections: what a person said that images are to say, or where they belong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vna.model.attributes import ATTRIBUTES
from vna.model.query import Level
from vna.model.values import FORMS

IDENTITY = ("PatientID", "IssuerOfPatientID")
PLACE = ("StudyInstanceUID", "SeriesInstanceUID")
_OF_IMAGES = ("ImageComments", "ImageLaterality", "ViewPosition", "AcquisitionDate", "AcquisitionTime")
_NEVER = (*IDENTITY, "TimezoneOffsetFromUTC", "NumberOfFrames", "Modality")

CORRIGIBLE: Mapping[str, Level] = {
    **{a.keyword: a.level for a in ATTRIBUTES if a.vr in FORMS and a.keyword not in _NEVER},
    **dict.fromkeys(_OF_IMAGES, Level.IMAGE),
}
"""What can be corrected, and whose attribute it is: text that says of a patient, study, series or instance what it is.
Who a patient is changes by a move or a merge; UIDs, and what says how pixels are read, never do."""


class CorrectionKind(StrEnum):
    """What a correction does."""

    ATTRIBUTES = "attributes"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class Correction:
    """One of a study, of a series of it or of an instance, by the UIDs that these had then; `said` are values by
    keyword; a correction of a patient names him in them, by the Patient ID that he had then, and is one of no other.
    Those of one `name` were made together. `revoked_at` is empty while it holds."""

    name: str
    kind: CorrectionKind
    study_instance_uid: str
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
    said: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    actor: str = ""
    made_at: str = ""
    revoked_at: str = ""
    revoked_by: str = ""

    @property
    def of(self) -> str | None:
        """The Patient ID of whom it is a correction; None where it is none of a patient, or does not say."""
        return self.said.get("PatientID") if self.kind is CorrectionKind.ATTRIBUTES else None

    @property
    def values(self) -> Mapping[str, str]:
        """What images are to say."""
        if self.kind is CorrectionKind.MOVE:
            return self.said
        return {keyword: value for keyword, value in self.said.items() if keyword not in IDENTITY}

    @property
    def target_study_uid(self) -> str:
        """Where what is moved is then; empty where nothing is."""
        return self.said.get("StudyInstanceUID", "")
