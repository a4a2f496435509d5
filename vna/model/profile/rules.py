"""Rules of billing and completeness, each with the date from which it is in force, by the ordering date."""

from datetime import date

from pydantic import Field, field_validator

from vna.model.profile.periods import Unit, day_of
from vna.model.profile.section import DatedRule, Section
from vna.model.profile.sut_codes import codes_of


class Span(Section):
    """Days, both included."""

    first: date
    last: date

    def has(self, requested_at: str) -> bool:
        """Whether an order of this time is of these days."""
        day = day_of(requested_at)
        return day is not None and self.first <= day <= self.last


class DuplicateRule(DatedRule):
    """The same examination of the same patient again within `months`, unless the code list `periods` has a period of
    its own for the code. `list_unit` is what the numbers of that list count: which, the list does not say."""

    months: int = Field(default=6, ge=0, le=1200)
    list_unit: Unit = Unit.MONTHS


class DuplicateQueryRule(DatedRule):
    """Earlier examinations have to be asked for before one is ordered, at most `within_hours` before."""

    within_hours: int = Field(default=24, ge=1, le=8760)


class LookRule(DatedRule):
    """Whoever orders an examination again has to have opened images or report of the earlier one. It holds for these
    patient classes (PV1-2), and not for these priorities (OBR-27)."""

    patient_classes: frozenset[str] = frozenset({"O"})
    but_priorities: frozenset[str] = frozenset()


class ImagesRule(DatedRule):
    """Images are required; `ownership` has other dates by what the list `facilities` says of the facility."""

    ownership: dict[str, date] = Field(default_factory=dict)

    def in_force_at(self, requested_at: str, ownership: str) -> bool:
        """Whether it holds for an order of this time at a facility of this ownership."""
        own = self.ownership.get(ownership.replace("İ", "i").casefold())
        return (DatedRule(since=own) if own else self).in_force(requested_at)


class DoseRule(DatedRule):
    """A radiation dose report is required of these modalities, except for orders of the days `waived`."""

    modalities: frozenset[str] = frozenset({"CT", "MG"})
    waived: tuple[Span, ...] = ()


class EndoscopyRule(DatedRule):
    """Endoscopy is what is ordered with one of these modalities or SUT codes (`803870-804510/10` is a range). Its
    images, still or video, are required from a date of its own."""

    modalities: frozenset[str] = frozenset({"ES"})
    sut_codes: tuple[str, ...] = ()

    @field_validator("sut_codes")
    @classmethod
    def _are_codes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        codes_of(value)
        return value

    def is_endoscopy(self, modality: str, sut_code: str) -> bool:
        """Whether an order is of endoscopy."""
        return modality in self.modalities or sut_code in codes_of(self.sut_codes)


class RulesProfile(Section):
    """Each rule is a section of its own. `windows` is a file (CSV: `start,end,rule`) of outages that were announced,
    named from the folder of the site's profile; what it says counts as soon as it is written."""

    windows: str = ""
    duplicate: DuplicateRule = DuplicateRule()
    duplicate_query: DuplicateQueryRule = DuplicateQueryRule()
    look: LookRule = LookRule()
    loinc: DatedRule = DatedRule()
    images: ImagesRule = ImagesRule()
    reports: DatedRule = DatedRule()
    dose: DoseRule = DoseRule()
    endoscopy: EndoscopyRule = EndoscopyRule()
