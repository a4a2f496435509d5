"""`vna migrate-from`: what another archive holds, copied and accounted for."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.session import Session

if TYPE_CHECKING:
    from vna.app.wiring import Application
    from vna.routing.migration import Choice, Progress
    from vna.routing.reconciliation import Reconciliation
    from vna.routing.scope import Scope

_LINE_SECONDS = 60.0
"""How often a line is written where no terminal shows a bar."""

_LISTED = 20


def migrate_from(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A known source (vna source add) with an archive.")],
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="Only studies of this day and later.")] = "",
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Only studies of this day and before.")] = "",
    modality: Annotated[str, typer.Option(metavar="CT,MR", help="Only studies with one of these modalities.")] = "",
    patient: Annotated[str, typer.Option(metavar="ID", help="Only studies of this Patient ID.")] = "",
    parallel: Annotated[int, typer.Option(metavar="N", min=1, max=16, help="Studies at once.")] = 4,
    rate: Annotated[
        str,
        typer.Option(
            metavar="RATES",
            help="Most bytes or instances a second, by time of day: '07:00-19:00=20MB/s, 19:00-07:00=50/s'.",
        ),
    ] = "unlimited",
    door: Annotated[
        str, typer.Option(metavar="DOOR", help="Only through this door: WADO-RS, C-GET, WADO-URI, RAD-69.")
    ] = "",
    compare: Annotated[
        str,
        typer.Option(
            metavar="WHICH",
            help="What is held already is read again to compare it: others (what came another way), all, none.",
        ),
    ] = "others",
    recheck: Annotated[bool, typer.Option("--recheck", help="Look at every study again, done or not.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed or is not complete.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List and count, and copy nothing.")] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the whole report: .csv, .json or .html.")
    ] = None,
) -> None:
    """Take over what another archive holds. Stopped, it goes on where it was when it is run again."""
    from vna.cli.takeover_report import writer
    from vna.model.access import SYSTEM
    from vna.model.errors import BadRequest

    try:
        scope = _scope(first, last, modality, patient)
        choice = _choice(parallel, rate, door, compare, recheck=recheck, retry_failed=retry_failed, copies=not dry_run)
        write = writer(report) if report is not None else None
    except BadRequest as exc:
        raise typer.BadParameter(str(exc), context) from exc
    session: Session = context.obj
    with session.archive() as archive:
        stopped = threading.Event()
        try:
            with _until_signal(stopped):
                _show(archive, source, scope, choice, stopped)
        finally:
            done = _reconciled(archive, source, scope)
        if done is None:
            return
        _summary(archive, done, source, scope, copies=choice.copies)
        if write is not None:
            write(done, archive.reconciling.findings(SYSTEM, source, scope))
        _end(done, stopped=stopped.is_set(), copies=choice.copies)


def _scope(first: str, last: str, modality: str, patient: str) -> "Scope":
    from vna.routing.scope import Scope

    modalities = tuple(sorted({one.strip() for one in modality.split(",")})) if modality else ()
    return Scope(_date(first), _date(last), modalities, patient)


def _date(text: str) -> date | None:
    from vna.model.errors import BadRequest

    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise BadRequest(f"{text[:40]} is no day: write it as 2019-12-31") from exc


def _choice(
    parallel: int, rate: str, door: str, compare: str, *, recheck: bool, retry_failed: bool, copies: bool
) -> "Choice":
    from vna.model.errors import BadRequest
    from vna.routing.migration import Choice
    from vna.routing.one_study import Compare
    from vna.routing.timetable import read_timetable

    if compare not in set(Compare):
        raise BadRequest(f"{compare[:40]} is nothing that can be compared: write {', '.join(Compare)}")
    return Choice(
        parallel,
        read_timetable(rate),
        door,
        Compare(compare),
        recheck=recheck,
        retry_failed=retry_failed,
        copies=copies,
    )


@contextmanager
def _until_signal(stopped: threading.Event) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM asks for an end, the second one ends."""

    def ask(number: int, _frame: object) -> None:
        if stopped.is_set():
            signal.signal(number, signal.SIG_DFL)
            raise KeyboardInterrupt
        stopped.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(archive: "Application", source: str, scope: "Scope", choice: "Choice", stopped: threading.Event) -> None:
    """The bar, or where there is no terminal a line now and then."""
    from vna.cli.output import progress_bar, remark
    from vna.model.access import SYSTEM

    begun = said_at = time.monotonic()
    with progress_bar() as bar:
        task = bar.add_task("list", total=None, note="")
        phase = "listing"
        first: Progress | None = None
        for progress in archive.migration.run(SYSTEM, source, scope, choice, stopped):
            if progress.phase != phase or first is None:
                phase, first, begun = progress.phase, progress, time.monotonic()
                bar.reset(task, description="copy" if phase == "copying" else "list", total=None)
            note = _note(progress, first, time.monotonic() - begun)
            counts_instances = progress.instances > 0
            if phase == "copying":
                total, completed = (
                    (progress.instances, progress.instances_done)
                    if counts_instances
                    else (progress.studies, progress.studies_done)
                )
                bar.update(task, total=max(total, completed), completed=completed, note=note)
            else:
                bar.update(task, completed=progress.studies, note=note)
            if bar.disable and time.monotonic() - said_at > _LINE_SECONDS:
                said_at = time.monotonic()
                remark(note)


def _note(progress: "Progress", first: "Progress", seconds: float) -> str:
    """How far it is, how fast, and how long it may still take."""
    if progress.phase == "listing":
        return f"{progress.studies} studies listed" + (f", {progress.note}" if progress.note else "")
    said = [f"{progress.studies_done} of {progress.studies} studies"]
    if progress.instances:
        said.append(f"{progress.instances_done} of {progress.instances} instances")
    if seconds > 1:
        said.append(f"{(progress.bytes - first.bytes) / seconds / 1e6:.1f} MB/s")
    done = progress.instances_done - first.instances_done
    left = progress.instances - progress.instances_done
    if done > 0 and left > 0 and seconds > 5:
        said.append(f"about {_span(left * seconds / done)} left")
    if progress.note:
        said.append(progress.note)
    return ", ".join(said)


def _span(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} seconds"


def _reconciled(archive: "Application", source: str, scope: "Scope") -> "Reconciliation | None":
    """What there is to report, also of a run that was ended by an error; None where nothing was begun."""
    from vna.model.access import SYSTEM
    from vna.model.errors import VnaError

    try:
        return archive.reconciling.figures(SYSTEM, source, scope)
    except VnaError:
        return None


def _summary(archive: "Application", done: "Reconciliation", source: str, scope: "Scope", *, copies: bool) -> None:
    from itertools import islice

    from vna.cli.output import remark, show_table
    from vna.model.access import SYSTEM

    heads = ("Year", "Modality", "Studies there", "here", "Instances there", "here")
    show_table(
        heads,
        [
            (year, modality, *map(str, (one.studies, one.studies_here, one.instances, one.instances_here)))
            for (year, modality), one in done.by_year.items()
        ],
    )
    for words, reason in done.cut[:_LISTED]:
        remark(f"may be longer than what was listed: {words}: {reason}")
    if not copies:
        return
    found = list(islice(archive.reconciling.findings(SYSTEM, source, scope), _LISTED + 1))
    for one in found[:_LISTED]:
        remark(f"{one.what}: {one.sop_instance_uid or 'study ' + one.study_instance_uid}: {one.reason}")
    if len(found) > _LISTED:
        remark("more is not listed here: --report FILE writes all of it")


def _end(done: "Reconciliation", *, stopped: bool, copies: bool) -> None:
    """The last line, and 1 for whatever does not add up."""
    from vna.cli.output import say

    totals, figures = done.totals, done.totals.figures
    states = totals.by_state
    if not copies:
        whole = "" if done.is_listed else "at least "
        there, here = figures.instances, figures.instances_here
        say(f"{whole}{figures.studies} studies with {there} instances there, {here} of them here")
        if not done.is_listed or done.cut:
            raise typer.Exit(1)
        return
    say(done.sentence)
    if stopped or states["listed"] or not done.is_listed:
        say("stopped before the end: the same command goes on where it was")
    elif states["incomplete"] or states["failed"]:
        say("what failed or is not complete is tried again with --retry-failed")
    if stopped or not done.adds_up:
        raise typer.Exit(1)
