"""A report as a page to print (PDF), in the words of its readers."""

# ruff: noqa: RUF001 (Turkish letters)

import threading
from collections.abc import Iterator
from html import escape
from importlib.resources import as_file, files
from io import BytesIO
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

from storage.elements import person_name, text
from vna.model.reports import PartName, Report
from vna.teleradiology.report_dataset import Place
from vna.teleradiology.sanitising import plain_text

FONT, _FILE = "Roboto", "Roboto[wdth,wght].ttf"
_HEADINGS = {
    PartName.TECHNIQUE: "Teknik",
    PartName.COMPARISON: "Karşılaştırma",
    PartName.FINDINGS: "Bulgular",
    PartName.CONCLUSION: "Sonuç ve Öneriler",
}
_ONE_AT_A_TIME = threading.Lock()
_LONGEST_LINE = 4000
_COLOUR = "#1c4966"


def written(place: Place) -> bytes:
    """The file; the same whenever it is made of the same by one version of the library."""
    made = BytesIO()
    with _ONE_AT_A_TIME:  # fonts keep state while a document is made
        register_font()
        document = SimpleDocTemplate(
            made,
            pagesize=A4,
            leftMargin=20 * mm,
            rightMargin=20 * mm,
            topMargin=18 * mm,
            bottomMargin=18 * mm,
            title=place.title,
            author=", ".join(_name(one.name) or one.number for one in place.report.radiologists),
            lang="tr",
            invariant=1,
        )
        document.build(list(_flow(place)))
    return made.getvalue()


def register_font() -> None:
    """Have the letters of both languages."""
    if FONT not in pdfmetrics.getRegisteredFontNames():
        with as_file(files("fontpkg_roboto") / "files" / _FILE) as path:
            pdfmetrics.registerFont(TTFont(FONT, str(path)))


def _style(name: str, size: float, **more: Any) -> ParagraphStyle:
    return ParagraphStyle(name, fontName=FONT, fontSize=size, leading=size * 1.35, **more)


_TITLE = _style("title", 17, textColor=_COLOUR, spaceAfter=6)
_ABOVE = _style("above", 9)
_HEADING = _style("heading", 12, textColor=_COLOUR, spaceBefore=9, spaceAfter=3, keepWithNext=1)
_BODY = _style("body", 10.5)


def _flow(place: Place) -> Iterator[Any]:
    report = place.report
    yield Paragraph(escape(place.title), _TITLE)
    for name, value in _above(place):
        if value:
            yield Paragraph(f"{escape(name)}: {escape(value)}", _ABOVE)
    yield Spacer(0, 3 * mm)
    for part in report.parts:
        yield Paragraph(_HEADINGS[part.name], _HEADING)
        yield from _lines(plain_text(part))
    if report.contrast:
        yield Paragraph("Kontrast madde", _HEADING)
        for agent in report.contrast:
            yield from _lines(" ".join(filter(None, (agent.substance, agent.concentration, agent.route))))
    if report.diagnoses:
        yield Paragraph("Tanılar", _HEADING)
        for coded in report.diagnoses:
            yield from _lines(f"{coded.code} {coded.text}".strip())
    yield Paragraph("Onay", _HEADING)
    for person in report.radiologists:
        yield from _lines(_name(person.name) or person.number)
    yield from _lines(_time(report.approved_at))


def _lines(said: str) -> Iterator[Any]:
    for line in said.split("\n"):
        for start in range(0, max(len(line), 1), _LONGEST_LINE):
            yield Paragraph(escape(line[start : start + _LONGEST_LINE]) or "&nbsp;", _BODY)


def _above(place: Place) -> Iterator[tuple[str, str]]:
    report, said = place.report, dict(place.study.elements)
    yield "Hasta", _name(person_name(said, "00100010"))
    yield "Dosya no", text(said, "00100020")
    yield "Doğum tarihi", _time(text(said, "00100030"))
    yield "İstem no", report.key.accession_number
    yield "Kurum", report.key.facility
    if place.order is not None:
        yield "Tetkik", place.order.sut.text or place.order.sut.code
    yield "Çekim tarihi", _time(text(said, "00080020"))
    yield "Rapor", _version(report)


def _version(report: Report) -> str:
    return f"{report.number} ({report.addendum_to} numaralı rapora ek)" if report.addendum_to else str(report.number)


def _name(name: str) -> str:
    """Family^given^middle^prefix^suffix, as it is read (PS3.5 6.2.1.1)."""
    family, given, middle, prefix, suffix = ([*name.partition("=")[0].split("^"), *[""] * 5])[:5]
    return " ".join(filter(None, (prefix, given, middle, family, suffix)))


def _time(at: str) -> str:
    date = f"{at[6:8]}.{at[4:6]}.{at[:4]}" if len(at) >= 8 else at
    return f"{date} {at[8:10]}:{at[10:12]}" if len(at) >= 12 else date
