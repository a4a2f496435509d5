"""The report of a restore test, to be signed: text, HTML or PDF, in English and Turkish."""

# ruff: noqa: RUF001 (Turkish letters)

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path

from vna.archive.restore_testing import Tested
from vna.model.errors import BadRequest

FORMS = (".pdf", ".html", ".txt")


@dataclass(frozen=True, slots=True)
class Line:
    """What is said, and under which name; a heading has no value."""

    name: str
    value: str = ""


def write(path: Path, tested: Tested) -> None:
    """Write it, in the form that the name of the file says."""
    lines = list(_lines(tested))
    path.write_bytes({".pdf": _pdf, ".html": _html, ".txt": _text}[form_of(path)](lines))


def form_of(path: Path) -> str:
    """BadRequest for a form that there is none of."""
    if path.suffix.lower() not in FORMS:
        raise BadRequest(f"a report is a file that ends in {', '.join(FORMS)}")
    return path.suffix.lower()


def _lines(tested: Tested) -> Iterator[Line]:
    manifest = tested.manifest
    yield Line("Restore test / Geri yükleme testi")
    yield Line("Result / Sonuç", "passed / başarılı" if tested.passed else "FAILED / BAŞARISIZ")
    yield Line("Test began / Test başlangıcı", f"{tested.began_at:%Y-%m-%d %H:%M:%S} UTC")
    yield Line("Test ended / Test bitişi", f"{tested.ended_at:%Y-%m-%d %H:%M:%S} UTC")
    yield Line("Backup / Yedek", f"{manifest.stamp} ({tested.place})")
    yield Line("Backup made / Yedeğin alınması", f"{manifest.began_at[:19]} - {manifest.ended_at[:19]} UTC")
    yield Line("Version, schema / Sürüm, şema", f"{manifest.version}, {manifest.schema_revision}")
    yield Line("Objects in the backup / Yedekteki nesneler", f"{manifest.objects} ({manifest.bytes} bytes / bayt)")
    compared = f"{tested.compared} ({tested.compared_bytes} bytes / bayt)"
    yield Line("Objects whose SHA-256 was compared / SHA-256 özeti karşılaştırılan nesneler", compared)
    read = f"{tested.studies_read} / {tested.instances_read}"
    yield Line("Studies and instances read / Okunan tetkik ve görüntüler", read)
    lacking = str(manifest.lacking_count)
    yield Line("Damaged before the backup / Yedekten önce bozuk olanlar", lacking)
    yield Line(f"Differences / Farklar: {tested.difference_count}")
    for sentence in tested.differences:
        yield Line("-", sentence)
    yield Line("Rows by table (backup, restored) / Tablo satır sayıları (yedek, geri yüklenen)")
    for table, count in sorted(manifest.rows.items()):
        yield Line(table, f"{count}, {tested.rows.get(table, 0)}")
    yield Line("Signatures / İmzalar")
    for role in ("Tested by / Testi yapan", "Approved by / Onaylayan"):
        yield Line(role, "")
        for part in ("Name / Ad soyad", "Date / Tarih", "Signature / İmza"):
            yield Line(part, "." * 50)


def _text(lines: list[Line]) -> bytes:
    return "".join(f"{one.name}: {one.value}\n" if one.value else f"\n{one.name}\n" for one in lines).encode()


def _html(lines: list[Line]) -> bytes:
    body = "".join(
        f"<tr><td>{escape(one.name)}</td><td>{escape(one.value)}</td></tr>"
        if one.value
        else f'<tr><th colspan="2" align="left">{escape(one.name)}</th></tr>'
        for one in lines
    )
    title = escape(lines[0].name)
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
    return f"{head}<table>{body}</table></html>".encode()


def _pdf(lines: list[Line]) -> bytes:
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    from vna.teleradiology.report_pdf import FONT, register_font

    register_font()
    heading = ParagraphStyle("heading", fontName=FONT, fontSize=12, leading=16, spaceBefore=8, keepWithNext=1)
    plain = ParagraphStyle("plain", fontName=FONT, fontSize=9.5, leading=13.5)
    flow = [
        Paragraph(f"{escape(one.name)}: {escape(one.value)}", plain)
        if one.value
        else Paragraph(escape(one.name), heading)
        for one in lines
    ]
    made = BytesIO()
    SimpleDocTemplate(made, pagesize=A4, title=lines[0].name, lang="en").build(flow)
    return made.getvalue()
