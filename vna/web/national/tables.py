"""What the tracking page shows, as tables: on the page, as CSV and as a workbook."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from lxml import etree

from vna.model.orders import OrderKey

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheet programs take for the beginning of a formula."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row; `key` is the order that it is of, `is_good` says whether nothing is missing (None where that is not
    said)."""

    cells: tuple[str, ...]
    key: OrderKey | None = None
    is_good: bool | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by the names of their headings; `after` leads to the next page, `is_cut` says that there is more and no
    page of it."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    after: str = ""
    is_cut: bool = False


def as_csv(headings: Sequence[str], rows: Iterable[Row]) -> bytes:
    """Semicolons and a byte order mark, so that spreadsheet programs with a Turkish locale open it; cells that would
    begin a formula get an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(headings)
    writer.writerows([harmless(cell) for cell in row.cells] for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def harmless(cell: str) -> str:
    """The cell as text that no spreadsheet program takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="vna" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}
"""Everything of a workbook with one sheet, but the sheet (ECMA-376 Part 1, 12.2 and 12.3)."""
_NAMESPACES: Any = {None: _MAIN}
"""The types of lxml know no namespace without a prefix."""
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)


def as_xlsx(headings: Sequence[str], rows: Iterable[Row]) -> bytes:
    """A workbook in which every cell is text (ECMA-376 Part 1, 18.3.1.53), so that none is a formula."""
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as package:
        for name, text in _PARTS.items():
            package.writestr(ZipInfo(name, _FIXED_TIME), _XML + text, ZIP_DEFLATED)
        package.writestr(ZipInfo("xl/worksheets/sheet1.xml", _FIXED_TIME), _sheet(headings, rows), ZIP_DEFLATED)
    return file.getvalue()


def _sheet(headings: Sequence[str], rows: Iterable[Row]) -> bytes:
    sheet = etree.Element(f"{{{_MAIN}}}worksheet", nsmap=_NAMESPACES)
    data = etree.SubElement(sheet, f"{{{_MAIN}}}sheetData")
    for cells in (headings, *(row.cells for row in rows)):
        line = etree.SubElement(data, f"{{{_MAIN}}}row")
        for cell in cells:
            inline = etree.SubElement(etree.SubElement(line, f"{{{_MAIN}}}c", t="inlineStr"), f"{{{_MAIN}}}is")
            etree.SubElement(inline, f"{{{_MAIN}}}t").text = _printable(cell)
    return bytes(etree.tostring(sheet, xml_declaration=True, encoding="UTF-8", standalone=True))


def _printable(cell: str) -> str:
    """Without what XML cannot hold."""
    return "".join(character for character in cell if character >= " " or character in "\t\n")
