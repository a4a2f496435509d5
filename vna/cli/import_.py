"""`vna import`: files and folders into the archive."""

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vna.app.wiring import Application
    from vna.cli.importing import Became, Result
    from vna.settings import Settings

_LISTED = 20


def import_(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="DICOM files, or folders with such.")],
    facility: Annotated[str, typer.Option(metavar="CODE", help="Code of the facility the files come from.")] = "",
) -> None:
    """Import DICOM files and folders. Stopped, it goes on where it was when it is run again."""
    from vna.cli.importing import Became
    from vna.cli.output import say

    session: Session = context.obj
    counts: Counter[Became] = Counter()
    try:
        with session.archive() as archive:
            for result in _with_bar(_results(session.settings, archive, paths, facility), paths):
                counts[result.became] += 1
                if result.became is Became.REFUSED:
                    _list(result, counts[Became.REFUSED])
    finally:
        say(_summary(counts))
    if counts[Became.REFUSED]:
        raise typer.Exit(1)


def _results(settings: "Settings", archive: "Application", paths: list[Path], facility: str) -> "Iterator[Result]":
    from vna.cli.importing import Finished, Importer, find
    from vna.model.access import SYSTEM

    which = hashlib.sha256(f"{settings.database_url}\0{settings.storage_url}".encode()).hexdigest()[:16]
    finished = Finished(settings.data_dir / "imports" / f"{which}.sqlite")
    try:
        importer = Importer(archive.store, archive.retrieval, finished, replace(SYSTEM, facility=facility))
        yield from importer.run(find(paths))
    finally:
        finished.close()


def _with_bar(results: "Iterator[Result]", paths: list[Path]) -> "Iterator[Result]":
    from vna.cli.importing import find
    from vna.cli.output import progress_bar

    with progress_bar() as bar:
        total = None if bar.disable else sum(1 for _ in find(paths))
        task = bar.add_task("import", total=total, note="")
        for result in results:
            bar.advance(task)
            yield result


def _list(result: "Result", number: int) -> None:
    """The first refusals, a line each."""
    from vna.cli.output import remark

    if number <= _LISTED:
        remark(f"refused: {result.path}: {result.reason}")
    elif number == _LISTED + 1:
        remark("refused: more, not listed here")


def _summary(counts: "Counter[Became]") -> str:
    from vna.cli.importing import Became

    return ", ".join(f"{counts[became]} {became}" for became in Became)
