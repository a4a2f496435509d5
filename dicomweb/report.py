"""A structured report as a page to read (PS3.3 C.17.3, PS3.18 8.7.4)."""

from collections.abc import Iterator
from html import escape
from typing import Any

Item = dict[str, Any]

_CONTENT, _CONCEPT, _MEANING, _VALUE_TYPE = "0040A730", "0040A043", "00080104", "0040A040"
_VALUES = {  # value type: where its value is
    "TEXT": "0040A160",
    "DATETIME": "0040A120",
    "DATE": "0040A121",
    "TIME": "0040A122",
    "UIDREF": "0040A124",
    "PNAME": "0040A123",
}
_MEASURED, _NUMBER, _UNIT = "0040A300", "0040A30A", "004008EA"
_CODE, _REFERENCED, _REFERENCED_UID = "0040A168", "00081199", "00081155"
_REFERENCES = ("IMAGE", "COMPOSITE", "WAVEFORM")
_DEEPEST = 32
_ABOVE = (("Patient", "00100010"), ("Patient ID", "00100020"), ("Date", "00080023"), ("Accession number", "00080050"))
_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1c2733}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{color:#5b6b7b}dd{margin:0}
p{white-space:pre-line}
section{margin-left:1rem;border-left:2px solid #d5dde5;padding-left:1rem}h2{font-size:1.05rem;margin:.8rem 0 .2rem}"""


def html_report(header: Item) -> bytes:
    """The page of a report's header; text of the report is escaped, and nothing is fetched from anywhere."""
    title = _concept(header) or "Structured report"
    above = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(_text(header, tag))}</dd>" for name, tag in _ABOVE if _text(header, tag)
    )
    body = "".join(_items(header, 0))
    return (
        f"<!doctype html><html><head><meta charset=utf-8><title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1><dl>{above}</dl>{body}</body></html>"
    ).encode()


def text_report(header: Item) -> bytes:
    """The same in lines of plain text, what is within something else further to the right."""
    above = [f"{name}: {_text(header, tag)}" for name, tag in _ABOVE if _text(header, tag)]
    return "\n".join([_concept(header) or "Structured report", *above, "", *_lines(header, 0), ""]).encode()


def _lines(parent: Item, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    for item in parent.get(_CONTENT, {}).get("Value", []):
        yield "  " * depth + ": ".join(part for part in (_concept(item), _value(item)) if part)
        yield from _lines(item, depth + 1)


def _items(parent: Item, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    for item in parent.get(_CONTENT, {}).get("Value", []):
        name, value = escape(_concept(item)), escape(_value(item))
        inner = "".join(_items(item, depth + 1))
        if inner or not value:
            yield f"<section><h2>{name}{': ' + value if value else ''}</h2>{inner}</section>"
        else:
            yield f"<p><b>{name}</b> {value}</p>"


def _concept(item: Item) -> str:
    return _meaning(item, _CONCEPT)


def _meaning(item: Item, tag: str) -> str:
    codes = item.get(tag, {}).get("Value") or [{}]
    return _text(codes[0], _MEANING)


def _value(item: Item) -> str:
    kind = _text(item, _VALUE_TYPE)
    if kind in _VALUES:
        return _text(item, _VALUES[kind])
    if kind == "CODE":
        return _meaning(item, _CODE)
    if kind == "NUM":
        measured = (item.get(_MEASURED, {}).get("Value") or [{}])[0]
        return f"{_text(measured, _NUMBER)} {_meaning(measured, _UNIT)}".strip()
    references = item.get(_REFERENCED, {}).get("Value") or [{}]
    return (
        f"[{kind.lower()}] {_text(references[0], _REFERENCED_UID)}"
        if kind in ("IMAGE", "COMPOSITE", "WAVEFORM")
        else ""
    )


def _text(item: Item, tag: str) -> str:
    values = item.get(tag, {}).get("Value") or [""]
    value = values[0]
    if isinstance(value, dict):
        value = " ".join(part for part in str(value.get("Alphabetic", "")).split("^") if part)
    return "" if value is None else str(value)
