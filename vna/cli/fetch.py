"""`vna fetch`: have what other archives keep here."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.session import Session

if TYPE_CHECKING:
    from vna.app.wiring import Application

_PAUSE = 0.3


def fetch(
    context: typer.Context,
    studies: Annotated[list[str], typer.Argument(metavar="STUDY...", help="Study Instance UIDs.")],
    background: Annotated[
        bool, typer.Option("--background", help="Leave it to the running archive instead of waiting.")
    ] = False,
) -> None:
    """Fetch studies that other archives keep, and wait until they are here."""
    from vna.cli.output import complain, say
    from vna.model.access import SYSTEM
    from vna.model.errors import VnaError

    session: Session = context.obj
    problems = 0
    with session.archive() as archive:
        for study in studies:
            count = archive.fetching.request(SYSTEM, study)
            if background:
                say(f"{study}: {count} instances will be fetched")
                continue
            try:
                _bring(archive, study, count)
            except VnaError as exc:
                complain(f"{study}: {exc}")
                problems += 1
            else:
                say(f"{study}: all of it is here")
    if problems:
        raise typer.Exit(1)


def _bring(archive: "Application", study: str, count: int) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from vna.model.access import SYSTEM
    from vna.routing.flights import StillComing

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task(study[-24:], total=count)
        while left := archive.fetching.left(SYSTEM, study):
            bar.update(task, completed=count - left)
            try:
                archive.fetching.bring(SYSTEM, study, _PAUSE)
            except StillComing:
                time.sleep(_PAUSE)
