"""What commands write: results on standard output, everything else on standard error."""

import sys
from collections.abc import Mapping, Sequence

import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

_WIDE = 400
"""Columns where no terminal says how many: a table in a pipe is not cut."""


def say(text: str) -> None:
    """A result."""
    sys.stdout.write(text + "\n")


def complain(text: str) -> None:
    """One line about what went wrong."""
    sys.stderr.write("vna: " + " ".join(text.split()) + "\n")


def remark(text: str) -> None:
    """A line beside the result."""
    sys.stderr.write(text + "\n")


def show_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns for eyes; `cut -d` is better served by --format json."""
    console = Console(soft_wrap=False, width=None if sys.stdout.isatty() else _WIDE, highlight=False)
    table = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    console.print(table)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def show_json(value: object) -> None:
    """The same for programs."""
    say(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def show_rows(heads: Sequence[str], rows: Sequence[Mapping[str, str]], *, as_json: bool) -> None:
    """A list in either form: `heads` name the values of every row, in their order."""
    if as_json:
        show_json(rows)
    else:
        show_table(heads, [tuple(row.values()) for row in rows])


def progress_bar() -> Progress:
    """A bar on standard error; nothing at all where that is no terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def byte_bar() -> Progress:
    """A bar of bytes, with how fast they come and how long it takes yet."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
