"""Reports of examinations: parts, versions and who approved them."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from vna.model.orders import Coded, OrderKey, Person


class ReportKind(StrEnum):
    """What reports are of."""

    RADIOLOGY = "radiology"
    PATHOLOGY = "pathology"


class ReportState(StrEnum):
    """An approved one never changes: what is to be said after it is an addendum, a report of its own."""

    DRAFT = "draft"
    APPROVED = "approved"


class PartName(StrEnum):
    """The four parts of a report, by the number that OBX-5 gives them."""

    TECHNIQUE = "1"
    COMPARISON = "2"
    FINDINGS = "3"
    CONCLUSION = "4"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a report: plain text, or sanitised HTML where `is_html`."""

    name: PartName
    text: str
    is_html: bool = False


@dataclass(frozen=True, slots=True)
class Contrast:
    """A contrast agent: route, active substance, concentration (OBX-17)."""

    route: str
    substance: str
    concentration: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """One version of a report of an order. `number` counts versions of an order from 1; `addendum_to` is the number of
    the approved one it adds to, 0 for a report in its own right.

    `approved_at` is local time as in `vna.model.orders`; `reason_rating` and `quality_rating` go from 1 to 5, 0 where
    not said (OBX-13).
    """

    key: OrderKey
    number: int
    parts: tuple[Part, ...]
    kind: ReportKind = ReportKind.RADIOLOGY
    state: ReportState = ReportState.DRAFT
    addendum_to: int = 0
    approved_at: str = ""
    radiologists: tuple[Person, ...] = ()
    reason_rating: int = 0
    quality_rating: int = 0
    contrast: tuple[Contrast, ...] = ()
    diagnoses: tuple[Coded, ...] = ()
    source: str = ""
    received_at: str = ""

    def as_plain(self) -> dict[str, Any]:
        """For JSON; `from_plain` reads it."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """What `as_plain` wrote."""
        values = dict(plain)
        values["key"] = OrderKey(**values["key"])
        values["parts"] = tuple(Part(PartName(p["name"]), p["text"], p["is_html"]) for p in values["parts"])
        values["kind"], values["state"] = ReportKind(values["kind"]), ReportState(values["state"])
        values["radiologists"] = tuple(Person(**one) for one in values["radiologists"])
        values["contrast"] = tuple(Contrast(**one) for one in values["contrast"])
        values["diagnoses"] = tuple(Coded(**one) for one in values["diagnoses"])
        return cls(**values)
