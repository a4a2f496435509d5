"""`vna delete` and `vna deleted`: hide studies, series and instances, and put them back."""

from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="What was deleted, and putting it back.", epilog=example("vna deleted list"), no_args_is_help=True
)

Study = Annotated[str, typer.Argument(metavar="STUDY", help="Study Instance UID.")]
Series = Annotated[str, typer.Option("--series", metavar="UID", help="Only this series of it.")]
Instance = Annotated[str, typer.Option("--instance", metavar="UID", help="Only the instance with this UID.")]


def delete(
    context: typer.Context,
    study: Study,
    series: Series = "",
    instance: Instance = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept with it.")] = "",
) -> None:
    """Hide a study, a series or an instance from every door; `vna deleted restore` puts it back."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        count = archive.deletion.delete(SYSTEM, study, series, instance, reason=reason)
    say(
        f"{count} instance{'s' if count != 1 else ''} deleted; `vna deleted restore {study}` puts back what was deleted"
    )


@app.command("list", epilog=example("vna deleted list", "vna deleted list --study 1.2.3 --format json"))
def list_(
    context: typer.Context,
    study: Annotated[str, typer.Option("--study", metavar="UID", help="Only of this study.")] = "",
    style: FormatOption = Format.TABLE,
) -> None:
    """List what was deleted."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "study": one.study_instance_uid,
                "series": one.series_instance_uid,
                "instance": one.sop_instance_uid,
                "deleted_at": f"{one.deleted_at:%Y-%m-%dT%H:%M:%SZ}",
                "by": one.deleted_by,
                "reason": one.reason,
            }
            for one in archive.deletion.deleted(SYSTEM, study)
        ]
    show_rows(("Study", "Series", "Instance", "Since", "By", "Reason"), rows, as_json=style is Format.JSON)


@app.command("restore", epilog=example("vna deleted restore 1.2.3", "vna deleted restore 1.2.3 --series 1.2.3.1"))
def restore(context: typer.Context, study: Study, series: Series = "", instance: Instance = "") -> None:
    """Put back what was deleted of a study; exit 1 when some of it could not be."""
    from vna.cli.output import progress_bar, remark, say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    back = failed = 0
    with session.archive() as archive, progress_bar() as bar:
        task = bar.add_task("restore", total=None, note="")
        for one in archive.deletion.restore(SYSTEM, study, series, instance):
            bar.advance(task)
            if one.problem:
                failed += 1
                remark(f"{one.sop_instance_uid}: {one.problem}")
            else:
                back += 1
    say(f"{back} put back" + (f", {failed} not" if failed else ""))
    if failed:
        raise typer.Exit(1)


@app.command(
    "purge", epilog=example("vna deleted purge --older-than 365 --dry-run", "vna deleted purge --study 1.2.3 --yes")
)
def purge(
    context: typer.Context,
    study: Annotated[str, typer.Option("--study", metavar="UID", help="Only of this study.")] = "",
    older_than: Annotated[
        int, typer.Option(metavar="DAYS", min=0, help="Only what was deleted so many days ago.")
    ] = 90,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Also what rejection notes hide; revoking them brings it back no more.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: nothing brings it back.")] = False,
) -> None:
    """Remove for good what was deleted, rows and bytes; what is on hold stays."""
    from datetime import timedelta

    from vna.cli.output import progress_bar, say
    from vna.model.access import SYSTEM
    from vna.model.errors import BadRequest

    if not (yes or dry_run):
        raise BadRequest("this cannot be taken back: --dry-run counts, --yes does it")
    session: Session = context.obj
    with session.archive() as archive, progress_bar() as bar:
        task = bar.add_task("purge", total=None, note="")
        done = archive.keeping.care.purging.purge(
            SYSTEM,
            timedelta(days=older_than),
            study=study,
            rejected=rejected,
            dry_run=dry_run,
            told=lambda count: bar.advance(task, count),
        )
    words = "would be purged" if dry_run else "purged"
    left = [f"{done.held} are on hold"] if done.held else []
    left += [f"{done.rejected} are hidden by rejection notes (--rejected)"] if done.rejected else []
    say("; ".join([f"{done.instances} instances {words}, {done.bytes} bytes", *left]))
