"""Reports of invented examinations."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

from typing import Any

from vna.model.orders import OrderKey, Person
from vna.model.reports import Part, PartName, Report, ReportState

KEY = OrderKey("500059", "A1")
RADIOLOGIST = Person("10000000382", "ÖRNEK^IŞIL^^Dr.")
FINDINGS = Part(PartName.FINDINGS, "Beyin parankiminde ve ventriküllerde patolojik bulgu saptanmamıştır. Şişlik yok.")
CONCLUSION = Part(PartName.CONCLUSION, "Normal inceleme; ek öneri yoktur.")


def draft(accession_number: str = "A1", facility: str = "500059", **changes: Any) -> Report:
    """Findings and a conclusion; `changes` are fields of the report."""
    usual: dict[str, Any] = {"number": 0, "parts": (FINDINGS, CONCLUSION), "source": "HIS"}
    return Report(OrderKey(facility, accession_number), **{**usual, **changes})


def approved(accession_number: str = "A1", facility: str = "500059", **changes: Any) -> Report:
    """The same, approved by a radiologist."""
    usual = {
        "state": ReportState.APPROVED,
        "radiologists": (RADIOLOGIST,),
        "approved_at": "20261130101500",
    }
    return draft(accession_number, facility, **{**usual, **changes})


def conclusion(text: str) -> tuple[Part, ...]:
    """Parts with another conclusion."""
    return (FINDINGS, Part(PartName.CONCLUSION, text))
