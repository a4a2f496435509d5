"""Files of code lists: CSV with a header row, UTF-8 or Windows-1254, parted by `;`, `,` or tabs."""

import csv
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from vna.model.codes import Code
from vna.model.errors import BadRequest, TooLarge
from vna.model.national import is_national_number, may_be_foreign
from vna.teleradiology.code_lists import CodeList, plain_name

MOST_BYTES = 64 << 20
MOST_CODES = 200_000
_LONGEST_CODE = 64
_LONGEST_CELL = 4000
_MOST_COLUMNS = 100
_SEPARATORS = (";", ",", "\t")

Told = Callable[[int, int], None]
"""How many of how many codes are done."""


def read(path: Path, kind: CodeList) -> tuple[Code, ...]:
    """Every code of the file; BadRequest or TooLarge in words that name file and line."""
    return tuple(parse(_content(path), kind, path.name))


def parse(content: bytes, kind: CodeList, name: str = "the file") -> Iterator[Code]:
    """The codes of a list as they come; the first that cannot be one ends it."""
    text = _decoded(content, name)
    lines = csv.reader(text.splitlines(keepends=True), delimiter=_separator(text), strict=True)
    try:
        heads = next(lines, [])
        columns = _columns(heads, kind, name)
        yield from _codes(lines, columns, kind, name)
    except csv.Error as exc:
        raise BadRequest(f"{name}, line {lines.line_num}: {exc}") from exc


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise TooLarge(f"{path} is larger than {MOST_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as exc:
        raise BadRequest(f"{path} cannot be read: {exc.strerror}") from exc


def _decoded(content: bytes, name: str) -> str:
    with suppress(UnicodeDecodeError):
        return content.decode("utf-8-sig")
    try:
        return content.decode("cp1254")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise BadRequest(f"{name}, line {line}: this is neither UTF-8 nor Windows-1254") from exc


def _separator(text: str) -> str:
    head = text.partition("\n")[0]
    return max(_SEPARATORS, key=head.count)


def _columns(heads: list[str], kind: CodeList, name: str) -> list[str]:
    if len(heads) > _MOST_COLUMNS:
        raise TooLarge(f"{name}, line 1: there are more than {_MOST_COLUMNS} columns")
    columns = [kind.known_as.get(plain_name(head), head.strip()) for head in heads]
    for needed in ("code", *kind.needed):
        if needed not in columns:
            names = kind.code if needed == "code" else next(one for one in kind.columns if one[0] == needed)
            raise BadRequest(f"{name}, line 1: no column is named {' or '.join(dict.fromkeys(names))}")
    for column in columns:
        if column and columns.count(column) > 1:
            raise BadRequest(f"{name}, line 1: two columns say {column}")
    return columns


def _codes(lines: Iterator[list[str]], columns: list[str], kind: CodeList, name: str) -> Iterator[Code]:
    seen: set[str] = set()
    aliases: set[str] = set()
    for row in lines:
        if not any(cell.strip() for cell in row):
            continue
        where = f"{name}, line {lines.line_num}"  # type: ignore[attr-defined]  # a csv reader has it
        if len(row) > len(columns):
            raise BadRequest(f"{where}: there are {len(row)} cells, and {len(columns)} columns")
        code = _code(dict(zip(columns, map(str.strip, row), strict=False)), kind, where)
        if code.code in seen:
            raise BadRequest(f"{where}: the code {code.code} is there a second time")
        alias = code.value(kind.alias) if kind.alias else ""
        if alias and alias in aliases:
            raise BadRequest(f"{where}: the {kind.alias} {alias} is there a second time")
        if len(seen) == MOST_CODES:
            raise TooLarge(f"{where}: a list has at most {MOST_CODES} codes")
        seen.add(code.code)
        aliases.add(alias)
        yield code


def _code(cells: dict[str, str], kind: CodeList, where: str) -> Code:
    cells.pop("", None)
    code, text = cells.pop("code", ""), cells.pop("text", "")
    if not code:
        raise BadRequest(f"{where}: there is no code")
    if len(code) > _LONGEST_CODE or not code.isprintable():
        raise BadRequest(f"{where}: a code is at most {_LONGEST_CODE} printable characters")
    if any(len(cell) > _LONGEST_CELL or "\0" in cell for cell in (text, *cells.values())):
        raise BadRequest(f"{where}: a cell is longer than {_LONGEST_CELL} characters or has a NUL in it")
    if kind.of_persons and not (is_national_number(code) or may_be_foreign(code)):
        raise BadRequest(f"{where}: this is no national number")
    for column in kind.numbers:
        value = cells.get(column, "")
        if not (value.isascii() and value.isdigit() and len(value) <= 4):
            raise BadRequest(f"{where}: {column} is a whole number")
    for column in kind.digits:
        value = cells.get(column, "")
        if value and not (value.isascii() and value.isdigit()):
            raise BadRequest(f"{where}: {column} is digits alone")
    if kind.alias and len(cells.get(kind.alias, "")) > _LONGEST_CODE:
        raise BadRequest(f"{where}: {kind.alias} is at most {_LONGEST_CODE} characters long")
    return Code(code, text, {column: value for column, value in cells.items() if value})
