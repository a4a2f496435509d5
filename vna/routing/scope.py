"""Which studies of a source are taken over."""

from dataclasses import dataclass
from datetime import date

import orjson

from vna.model.errors import BadRequest
from vna.model.query import Key

STUDY_DATE, STUDY_TIME, MODALITIES, PATIENT_ID = "00080020", "00080030", "00080061", "00100020"
_DAY = "%Y%m%d"


@dataclass(frozen=True, slots=True)
class Scope:
    """All studies, or those of some days, with some modalities, of one patient; what is empty narrows nothing."""

    first: date | None = None
    last: date | None = None
    modalities: tuple[str, ...] = ()
    patient_id: str = ""

    def __post_init__(self) -> None:
        """BadRequest for what chooses nothing, or cannot be asked for."""
        if self.first is not None and self.last is not None and self.last < self.first:
            raise BadRequest(f"no day is between {self.first} and {self.last}: the first day comes first")
        if not all(0 < len(one) <= 16 and one == one.upper() and "\\" not in one for one in self.modalities):
            raise BadRequest("modalities are written as in DICOM, such as CT or MR, with commas between")
        if any(mark in self.patient_id for mark in "*?\\") or len(self.patient_id) > 64:
            raise BadRequest("a Patient ID has at most 64 characters, and no * ? or backslash")

    @property
    def has_days(self) -> bool:
        """Whether only some days are meant: then studies without a date are not."""
        return self.first is not None or self.last is not None

    @property
    def keys(self) -> tuple[Key, ...]:
        """What every search asks for. Several modalities are not asked for: that is no key of one value."""
        keys = []
        if self.patient_id:
            keys.append(Key((PATIENT_ID,), "LO", (self.patient_id,)))
        if len(self.modalities) == 1:
            keys.append(Key((MODALITIES,), "CS", self.modalities))
        return tuple(keys)

    def takes(self, modalities: frozenset[str]) -> bool:
        """Whether a study with these modalities is one of them; where the source does not say, it may be."""
        return not self.modalities or not modalities or not modalities.isdisjoint(self.modalities)

    @property
    def text(self) -> str:
        """The same text for the same choice."""
        said = {
            "first": self.first.strftime(_DAY) if self.first else "",
            "last": self.last.strftime(_DAY) if self.last else "",
            "modalities": sorted(self.modalities),
            "patient_id": self.patient_id,
        }
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()

    @property
    def words(self) -> str:
        """For people, and without the patient."""
        said = []
        if self.has_days:
            said.append(f"from {self.first or 'the first day'} to {self.last or 'the last day'}")
        if self.modalities:
            said.append("with " + ", ".join(sorted(self.modalities)))
        if self.patient_id:
            said.append("of one patient")
        return "studies " + " ".join(said) if said else "all studies"
