"""A document of headings, paragraphs and tables, in Markdown or HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}th,td{border:1px solid #bbb;padding:.25rem .6rem;text-align:left;"
    "vertical-align:top}th{background:#f2f2f2}"
)


@dataclass(frozen=True, slots=True)
class Heading:
    """A title; level 1 is the document's own."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under their heads."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(slots=True)
class Document:
    """What was written so far."""

    blocks: list[Heading | Table | str] = field(default_factory=list)

    def heading(self, level: int, text: str) -> None:
        """Begin a section."""
        self.blocks.append(Heading(level, text))

    def say(self, text: str) -> None:
        """A paragraph."""
        self.blocks.append(text)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A table."""
        self.blocks.append(Table(heads, [tuple(row) for row in rows]))


def markdown(document: Document) -> str:
    """As Markdown."""
    return "\n\n".join(_markdown(block) for block in document.blocks) + "\n"


def _markdown(block: Heading | Table | str) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, str):
        return block
    lines = [_row(block.heads), "|" + "---|" * len(block.heads), *map(_row, block.rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def html(*documents: Document) -> str:
    """As one page."""
    title = next(block.text for block in documents[0].blocks if isinstance(block, Heading))
    body = "\n".join(_html(block) for document in documents for block in document.blocks)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _html(block: Heading | Table | str) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if isinstance(block, str):
        return f"<p>{escape(block)}</p>"
    heads = "".join(f"<th>{escape(head)}</th>" for head in block.heads)
    rows = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in block.rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>\n{rows}\n</tbody></table>"
