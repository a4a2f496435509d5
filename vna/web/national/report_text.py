"""A report as plain text, its parts under the names that they have nationally."""

# ruff: noqa: RUF001 (Turkish letters)

from vna.model.reports import PartName, Report
from vna.teleradiology.sanitising import plain_text as text_of_part

_NAMES = {
    PartName.TECHNIQUE: "Teknik",
    PartName.COMPARISON: "Karşılaştırma",
    PartName.FINDINGS: "Bulgular",
    PartName.CONCLUSION: "Sonuç ve Öneriler",
}


def plain_text(report: Report) -> str:
    """Heading and parts; an addendum says that it is one."""
    heading = ["Ek rapor"] if report.addendum_to else []
    parts = [f"{_NAMES[part.name]}:\n{text_of_part(part)}" for part in report.parts]
    return "\n\n".join([*heading, *parts])
