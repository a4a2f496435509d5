"""`vna restore`: an archive again from a backup."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.backup import PlaceArgument, RateOption, bytes_of
from vna.cli.session import Session

if TYPE_CHECKING:
    from vna.archive.restore_testing import Tested


def restore(
    context: typer.Context,
    where: PlaceArgument,
    stamp: Annotated[str, typer.Option("--backup", metavar="STAMP", help="Which one; without it the newest.")] = "",
    rate: RateOption = "0",
    test: Annotated[
        bool, typer.Option("--test", help="Restore into a temporary place, count, compare, read and report.")
    ] = False,
    scratch: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where --test restores; without it the system's folder.")
    ] = None,
    sample: Annotated[float, typer.Option(min=0, max=100, help="Percent of the objects that --test compares.")] = 100,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Report of --test to sign: .pdf, .html or .txt.")
    ] = None,
) -> None:
    """Restore a backup into an empty archive, every digest compared; or test that it can be restored."""
    session: Session = context.obj
    session.start_log(least="error")
    if test:
        _test(session, where, stamp, scratch, sample / 100, report)
        return
    _restore(session, where, stamp, bytes_of(rate))


def _restore(session: Session, where: str, stamp: str, rate: int) -> None:
    from vna.app.backups import place_at
    from vna.app.blobs import ready_blobs
    from vna.app.restoring import restore
    from vna.archive.restore import newest
    from vna.cli.output import progress_bar, remark, say

    place = place_at(session.settings, where)
    manifest = newest(place, stamp)
    damaged = known = 0
    with progress_bar() as bar:
        task = bar.add_task("restore", total=manifest.objects, note=manifest.stamp)
        for one in restore(session.settings, place, manifest, ready_blobs(session.settings), rate):
            bar.advance(task)
            if one.problem and one.known:
                known += 1
            elif one.problem:
                damaged += 1
                remark(f"{one.name} {one.problem}")
    if known:
        remark(f"{known} objects were damaged when the backup was made, and are not in it")
    whole = manifest.objects - damaged - known
    say(f"backup {manifest.stamp}: {whole} objects restored, {damaged} damaged; {sum(manifest.rows.values())} rows")
    if damaged:
        raise typer.Exit(1)


def _test(session: Session, where: str, stamp: str, scratch: Path | None, sample: float, report: Path | None) -> None:
    from tempfile import gettempdir

    from vna.app import restore_report
    from vna.app.backups import place_at
    from vna.app.restoring import try_out
    from vna.archive.restore import newest
    from vna.archive.restore_testing import Tested
    from vna.cli.output import progress_bar, remark, say
    from vna.model.errors import NotFound

    if report is not None:
        restore_report.form_of(report)
    if scratch is not None and not scratch.is_dir():
        raise NotFound(f"there is no folder {scratch}, in which --scratch restores")
    place = place_at(session.settings, where)
    manifest = newest(place, stamp)
    outcome: Tested | None = None
    with progress_bar() as bar:
        task = bar.add_task("restore test", total=manifest.objects, note=manifest.stamp)
        for one in try_out(session.settings, place, manifest, scratch or Path(gettempdir()), sample=sample):
            if isinstance(one, Tested):
                outcome = one
            else:
                bar.advance(task)
    assert outcome is not None
    if report is not None:
        restore_report.write(report, outcome)
    for sentence in outcome.differences:
        remark(sentence)
    if outcome.noted:
        remark(f"{outcome.noted} objects are noted as bad: the next backup there copies them anew")
    words = "passed" if outcome.passed else f"failed: {outcome.difference_count} differences"
    line = f"{outcome.compared} objects compared, {outcome.instances_read} read"
    say(f"restore test of backup {manifest.stamp} {words}; {line}")
    _remember(session, outcome, f"{words}; {line}")
    if not outcome.passed:
        raise typer.Exit(1)


def _remember(session: Session, outcome: "Tested", words: str) -> None:
    """In the archive that the settings name, for the alarm; a machine that has none tests all the same."""
    from storage.index.backup_runs import TEST
    from vna.archive.backup_owner import is_foreign
    from vna.archive.backup_standing import ended
    from vna.cli.output import remark
    from vna.model.access import SYSTEM
    from vna.model.errors import VnaError

    url = session.settings.database_url
    if url.startswith("sqlite") and not Path(url.removeprefix("sqlite:///")).exists():
        return
    run = ended(TEST, outcome.place, outcome.manifest.stamp, outcome.began_at, words, failed=not outcome.passed)
    try:
        with session.archive() as archive:
            if is_foreign(archive.database, outcome.manifest):
                remark("the backup is of another archive: the test is not remembered as one of this archive's")
                return
            archive.keeping.backup_standing.remember(SYSTEM, run)
    except VnaError as exc:
        remark(f"the archive could not be told of the test: {exc}")
