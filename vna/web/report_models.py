"""What the API of reports takes and gives, as OpenAPI has it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from vna.model.orders import Coded, OrderKey, Person
from vna.model.reports import Contrast, Part, PartName, Report, ReportKind, ReportState
from vna.web.national.fields import local_time

PartWord = Literal["technique", "comparison", "findings", "conclusion"]


def _local(said: str) -> str:
    try:
        return local_time(said) if said else ""
    except ValueError:
        raise ValueError("the time of approval looks like 2026-11-30T10:15:00 or 20261130101500, local") from None


LocalTime = Annotated[str, AfterValidator(_local), Field(max_length=40)]
"""Empty, or a local time in any of the forms of the API."""


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PartModel(_Said):
    """A part: plain text, or HTML, of which what acts, links or is fetched is taken out."""

    name: PartWord
    text: str
    html: bool = False


class PersonModel(_Said):
    """A person by national number and name (`FAMILY^GIVEN^MIDDLE^PREFIX`)."""

    number: str = ""
    name: str = ""


class ContrastModel(_Said):
    """A contrast agent by its active substance."""

    route: str = ""
    substance: str
    concentration: str = ""


class CodedModel(_Said):
    """A code (ICD-10) with its text."""

    code: str = ""
    text: str = ""


class _Content(_Said):
    parts: tuple[PartModel, ...] = ()
    radiologists: tuple[PersonModel, ...] = ()
    reason_rating: Annotated[int, Field(ge=0, le=5)] = 0
    quality_rating: Annotated[int, Field(ge=0, le=5)] = 0
    contrast: tuple[ContrastModel, ...] = ()
    diagnoses: tuple[CodedModel, ...] = ()


class Filing(_Content):
    """A draft, or a report that was approved already. `number` is a draft to be replaced, 0 for one's own or a new
    one; `addendum_to` the approved version it adds to, 0 for the report in its own right where there is one."""

    kind: Literal["radiology", "pathology"] = "radiology"
    state: Literal["draft", "approved"] = "draft"
    number: Annotated[int, Field(ge=0)] = 0
    addendum_to: Annotated[int, Field(ge=0)] = 0
    approved_at: LocalTime = ""

    def report(self, key: OrderKey, source: str) -> Report:
        """As the model has it."""
        return Report(
            key=key,
            number=self.number,
            parts=tuple(Part(PartName[one.name.upper()], one.text, one.html) for one in self.parts),
            kind=ReportKind(self.kind),
            state=ReportState(self.state),
            addendum_to=self.addendum_to,
            approved_at=self.approved_at,
            radiologists=persons(self.radiologists),
            reason_rating=self.reason_rating,
            quality_rating=self.quality_rating,
            contrast=tuple(Contrast(one.route, one.substance, one.concentration) for one in self.contrast),
            diagnoses=tuple(Coded(one.code, one.text) for one in self.diagnoses),
            source=source,
        )


class Approval(_Said):
    """Who approves a draft, where the draft does not say so, and when (local, `2026-11-30T10:15:00`; empty: now)."""

    radiologists: tuple[PersonModel, ...] = ()
    approved_at: LocalTime = ""


class ReportModel(_Content):
    """One version. `approved_at` is local time, `received_at` is in UTC."""

    number: int
    kind: str
    state: str
    addendum_to: int
    approved_at: str
    received_at: str
    source: str


class ReportsModel(_Said):
    """All versions of an order's report; `order_known` is False where the order itself has not come yet."""

    facility: str
    accession_number: str
    order_known: bool
    reports: tuple[ReportModel, ...]


def persons(said: tuple[PersonModel, ...]) -> tuple[Person, ...]:
    """As the model has them."""
    return tuple(Person(one.number, one.name) for one in said)


def shown(report: Report) -> ReportModel:
    """A version for whoever may read it."""
    return ReportModel(
        number=report.number,
        kind=report.kind.value,
        state=report.state.value,
        addendum_to=report.addendum_to,
        approved_at=report.approved_at,
        received_at=report.received_at,
        source=report.source,
        parts=tuple(PartModel(name=_WORDS[one.name], text=one.text, html=one.is_html) for one in report.parts),
        radiologists=tuple(PersonModel(number=one.number, name=one.name) for one in report.radiologists),
        reason_rating=report.reason_rating,
        quality_rating=report.quality_rating,
        contrast=tuple(
            ContrastModel(route=one.route, substance=one.substance, concentration=one.concentration)
            for one in report.contrast
        ),
        diagnoses=tuple(CodedModel(code=one.code, text=one.text) for one in report.diagnoses),
    )


_WORDS: dict[PartName, PartWord] = {
    PartName.TECHNIQUE: "technique",
    PartName.COMPARISON: "comparison",
    PartName.FINDINGS: "findings",
    PartName.CONCLUSION: "conclusion",
}
