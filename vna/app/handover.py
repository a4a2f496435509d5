"""Minutes of a hand-over of images, to print and sign: a PDF in Turkish and English, in numbered copies."""

# ruff: noqa: RUF001 (Turkish letters)

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from storage.media import manifest

_MOST_FILES: Final = 500
"""Files that are listed one by one; of more the minutes have the manifest's digest, and that lists them."""


@dataclass(frozen=True, slots=True)
class Party:
    """Who signs."""

    name: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, and what is below it: lines, or the rows of a table, the first of them its heads."""

    heading: str
    lines: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    widths: tuple[float, ...] = ()


def minutes(
    folder: Path, made: Mapping[str, Any], giver: Party, receiver: Party, serials: Sequence[str], copies: int
) -> bytes:
    """The file."""
    blocks = list(_blocks(folder, made, giver, receiver, serials))
    return _pdf(blocks, copies)


def _blocks(
    folder: Path, made: Mapping[str, Any], giver: Party, receiver: Party, serials: Sequence[str]
) -> Iterator[Block]:
    yield Block("Taraflar / Parties", rows=_parties(giver, receiver), widths=(30, 70, 70))
    yield Block("Teslim edilenin kapsamı / What is handed over", lines=tuple(_scope(made)))
    yield Block("Ortamlar / Media", rows=tuple(_media(made, serials)), widths=(30, 23, 30, 32, 55))
    yield Block("Dosyalar / Files", *_files(folder, made))
    if made["database"]:
        rows = [("Tablo / Table", "Satır sayısı / Rows"), *((name, str(n)) for name, n in sorted(made["rows"].items()))]
        yield Block(
            "Veri tabanı: tablo başına satır sayısı / Database: rows per table", rows=tuple(rows), widths=(85, 85)
        )
    yield Block("Gereken kod çözücüler / Decoders needed", rows=tuple(_decoders(made)), widths=(48, 14, 50, 58))
    yield Block("İmzalar / Signatures", rows=_signatures(giver, receiver), widths=(85, 85))


def _parties(giver: Party, receiver: Party) -> tuple[tuple[str, ...], ...]:
    return (
        ("", "Teslim eden / Handed over by", "Teslim alan / Taken over by"),
        ("Ad / Name", giver.name, receiver.name),
        ("Unvan / Title", giver.title or "." * 30, receiver.title or "." * 30),
    )


def _scope(made: Mapping[str, Any]) -> Iterator[str]:
    scope, counts = made["scope"], made["counts"]
    if scope["facility"]:
        yield f"Kurum / Facility: {scope['facility']}"
    elif scope["study_uids"]:
        yield f"Seçilen tetkikler / Chosen studies: {len(scope['study_uids'])}"
    else:
        yield "Arşivin tamamı / The whole archive"
    if scope["from_date"] or scope["to_date"]:
        yield f"Tetkik tarihleri / Study dates: {_date(scope['from_date'])} - {_date(scope['to_date'])}"
    yield f"Hasta / Patients: {counts['patients']}; tetkik / studies: {counts['studies']}"
    yield f"Seri / Series: {counts['series']}; nesne / instances: {counts['instances']}; bayt / bytes {counts['bytes']}"
    yield f"Biçim / Form: {made['form']} (DICOM PS3.10, DICOMDIR)"
    yield f"Oluşturma / Created: {_time(made['began_at'])} - {_time(made['ended_at'])} UTC"
    yield f"Sürüm / Version: vna {made['version']}; dışa aktarım no / export no: {made['export']}"
    yield "Silinen ve reddedilen nesneler kapsam dışıdır. / Deleted and rejected objects are not part of it."
    if made["omitted_count"]:
        yield f"Okunamadığı için eksik / Left out since not readable: {made['omitted_count']} (export.json)"
    for one in made["notes"]:
        yield f"{one['count']}: {one['note']}"


def _media(made: Mapping[str, Any], serials: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """A serial number for each; more media than volumes are listed behind them."""
    yield (
        "Seri no / Serial number",
        "Cilt / Volume",
        "Dosya, bayt / Files, bytes",
        "Oluşturma / Created",
        "Bildirim özeti / SHA-256 of manifest",
    )
    parts = [*made["volumes"], *([made["database"]] if made["database"] else [])]
    for number in range(max(len(parts), len(serials))):
        serial = serials[number] if number < len(serials) else "." * 14
        if number >= len(parts):
            yield (serial, "", "", "", "")
            continue
        one = parts[number]
        yield serial, one["name"], f"{one['files']}, {one['bytes']}", _time(one["created_at"]), one["manifest_sha256"]


def _files(
    folder: Path, made: Mapping[str, Any]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[float, ...]]:
    parts = [*made["volumes"], *([made["database"]] if made["database"] else [])]
    said = (
        f"Her dosyanın boyutu, tarihi ve SHA-256 özeti ciltteki {manifest.NAME} dosyasındadır; onun özeti yukarıdadır.",
        f"Size, date and SHA-256 of every file are in {manifest.NAME} of its volume, whose own digest is above.",
    )
    if sum(one["files"] for one in parts) > _MOST_FILES or not all((folder / one["name"]).is_dir() for one in parts):
        return said, (), ()
    rows = [("Dosya / File", "Bayt / Bytes", "Oluşturma / Created", "SHA-256")]
    for one in parts:
        rows += [
            (f"{one['name']}/{line.path}", str(line.size), _time(line.created_at), line.sha256)
            for line in manifest.read(folder / one["name"])
        ]
    return said, tuple(rows), (60, 20, 32, 58)


def _decoders(made: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    yield "Ad / Name", "Sayı / Count", "Standart / Standard", "Ücretsiz yazılım / Free software"
    for one in made["decoders"]:
        yield f"{one['name']} ({one['uid']})", str(one["count"]), one["standard"], one["free"]


def _signatures(giver: Party, receiver: Party) -> tuple[tuple[str, ...], ...]:
    dots = "." * 44
    return (
        ("Teslim eden / Handed over by", "Teslim alan / Taken over by"),
        *((f"{one}: {dots}", f"{one}: {dots}") for one in ("Tarih / Date", "İmza / Signature")),
        (giver.name, receiver.name),
    )


def _time(at: str) -> str:
    return f"{datetime.fromisoformat(at):%d.%m.%Y %H:%M}"


def _date(date: str) -> str:
    return f"{date[6:]}.{date[4:6]}.{date[:4]}" if date else "..."


def _pdf(blocks: Sequence[Block], copies: int) -> bytes:
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import PageBreak, SimpleDocTemplate

    from vna.teleradiology.report_pdf import FONT, register_font

    register_font()
    flow: list[Any] = []
    for number in range(1, copies + 1):
        flow += [*_copy(blocks, number, copies), PageBreak()]
    made = BytesIO()

    def numbered(canvas: Any, document: Any) -> None:
        canvas.setFont(FONT, 8)
        canvas.drawRightString(A4[0] - 20 * mm, 10 * mm, f"{document.page}")

    title = "Teslim tutanağı / Hand-over minutes"
    document = SimpleDocTemplate(made, pagesize=A4, title=title, lang="tr", leftMargin=20 * mm, rightMargin=20 * mm)
    document.build(flow, onFirstPage=numbered, onLaterPages=numbered)
    return made.getvalue()


def _copy(blocks: Sequence[Block], number: int, copies: int) -> Iterator[Any]:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    from vna.teleradiology.report_pdf import FONT

    title = ParagraphStyle("title", fontName=FONT, fontSize=15, leading=20)
    heading = ParagraphStyle("heading", fontName=FONT, fontSize=11, leading=15, spaceBefore=8, keepWithNext=1)
    plain = ParagraphStyle("plain", fontName=FONT, fontSize=9, leading=12)
    small = ParagraphStyle("small", fontName=FONT, fontSize=7.5, leading=9.5, splitLongWords=1)
    yield Paragraph("Teslim tutanağı / Hand-over minutes", title)
    yield Paragraph(f"Nüsha {number} / {copies} (copy {number} of {copies})", plain)
    yield Paragraph("Tarih / Date: " + "." * 30, plain)
    for block in blocks:
        yield Paragraph(escape(block.heading), heading)
        for line in block.lines:
            yield Paragraph(escape(line), plain)
        if block.rows:
            yield _table(block, small)


def _table(block: Block, style: Any) -> Any:
    from reportlab.lib.colors import grey
    from reportlab.lib.units import mm
    from reportlab.platypus import LongTable, Paragraph

    rows = [[Paragraph(escape(cell), style) for cell in row] for row in block.rows]
    return LongTable(
        rows,
        colWidths=[width * mm for width in block.widths],
        repeatRows=1,
        style=[("GRID", (0, 0), (-1, -1), 0.25, grey), ("VALIGN", (0, 0), (-1, -1), "TOP")],
    )
