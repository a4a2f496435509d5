"""Examinations as rules about priors see them: one that is made or planned, or an earlier one."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Examination:
    """What is known of one; whatever is empty is not known.

    `date` and `time` are as DICOM writes them. `codes` are Code Values of the procedure. `body_parts` are Body Part
    Examined of every series that says one. `instances` counts all of them, `elsewhere` those that are not here and can
    be had.
    """

    study_instance_uid: str = ""
    date: str = ""
    time: str = ""
    facility: str = ""
    description: str = ""
    modalities: frozenset[str] = frozenset()
    codes: frozenset[str] = field(default=frozenset(), repr=False)
    body_parts: frozenset[str] = frozenset()
    instances: int = 0
    elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class Planned:
    """An examination that is planned, or only expected, as whoever tells of it says; `facility` is where."""

    patient_id: str = field(repr=False)
    issuer: str = ""
    birth_date: str = field(default="", repr=False)
    facility: str = ""
    modality: str = ""
    description: str = ""
    codes: tuple[str, ...] = ()
    body_part: str = ""

    @property
    def examination(self) -> Examination:
        """As rules see it."""
        return Examination(
            facility=self.facility,
            description=self.description,
            modalities=frozenset(filter(None, [self.modality])),
            codes=frozenset(self.codes),
            body_parts=frozenset(filter(None, [self.body_part])),
        )
