"""The Query/Retrieve Information Models: their levels and unique keys (PS3.4 C.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vna.model.query import Level

UNIQUE_KEYS: Final[Mapping[Level, str]] = {
    Level.PATIENT: "00100020",
    Level.STUDY: "0020000D",
    Level.SERIES: "0020000E",
    Level.IMAGE: "00080018",
}


@dataclass(frozen=True, slots=True)
class InformationModel:
    """Levels from the root down."""

    name: str
    levels: tuple[Level, ...]

    def above(self, level: Level) -> tuple[Level, ...]:
        """The levels whose unique keys a hierarchical query of `level` has to give."""
        return self.levels[: self.levels.index(level)]


_PATIENT_ROOT = InformationModel("Patient Root", (Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE))
_STUDY_ROOT = InformationModel("Study Root", (Level.STUDY, Level.SERIES, Level.IMAGE))
_PATIENT_STUDY_ONLY = InformationModel("Patient/Study Only", (Level.PATIENT, Level.STUDY))

MODELS: Final[Mapping[str, InformationModel]] = {
    "1.2.840.10008.5.1.4.1.2.1.1": _PATIENT_ROOT,
    "1.2.840.10008.5.1.4.1.2.1.2": _PATIENT_ROOT,
    "1.2.840.10008.5.1.4.1.2.1.3": _PATIENT_ROOT,
    "1.2.840.10008.5.1.4.1.2.2.1": _STUDY_ROOT,
    "1.2.840.10008.5.1.4.1.2.2.2": _STUDY_ROOT,
    "1.2.840.10008.5.1.4.1.2.2.3": _STUDY_ROOT,
    "1.2.840.10008.5.1.4.1.2.3.1": _PATIENT_STUDY_ONLY,
    "1.2.840.10008.5.1.4.1.2.3.2": _PATIENT_STUDY_ONLY,
    "1.2.840.10008.5.1.4.1.2.3.3": _PATIENT_STUDY_ONLY,
}
"""By SOP Class UID of FIND, MOVE and GET (PS3.4 C.6.1.3, C.6.2.3, C.6.3.3)."""

MODALITY_WORKLIST: Final = "1.2.840.10008.5.1.4.31"
PERFORMED_STEP: Final = "1.2.840.10008.3.1.2.3.3"
PERFORMED_STEP_RETRIEVE: Final = "1.2.840.10008.3.1.2.3.4"
"""Modality Worklist Information Model - FIND (PS3.4 K.6.1.4), Modality Performed Procedure Step (F.7) and its
retrieval (F.8)."""

STORAGE_COMMITMENT: Final = "1.2.840.10008.1.20.1"
"""Storage Commitment Push Model (PS3.4 J.3)."""

AVAILABILITY_NOTIFICATION: Final = "1.2.840.10008.5.1.4.33"
"""Instance Availability Notification (PS3.4 R.3)."""

FIND_CLASSES: Final = ("1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.3.1")
