"""`vna forward`: what is sent to other archives."""

import time
from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="What is sent to other archives, by rules (`forward` in the settings) or by hand.",
    epilog=example("vna forward list"),
    no_args_is_help=True,
)

_PAUSE = 0.3


@app.command("list", epilog=example("vna forward list", "vna forward list --format json"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List destinations with their rules: studies that wait or were given up, instances that failed, the last error."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "to": one.to,
                "rules": ", ".join(f"{rule.name} ({rule.when.value}, {rule.priority.word})" for rule in one.rules),
                "waiting": str(one.waiting),
                "given_up": str(one.given_up),
                "failed": str(one.failed),
                "error": one.last_error,
            }
            for one in archive.keeping.forwarding.desk.listed(SYSTEM)
        ]
    show_rows(("To", "Rules", "Waiting", "Given up", "Failed", "Last error"), rows, as_json=style is Format.JSON)


@app.command("study", epilog=example("vna forward study 1.2.3 --to PACS", "vna forward study 1.2.3 --to PACS --again"))
def study(
    context: typer.Context,
    study: Annotated[str, typer.Argument(metavar="STUDY", help="Study Instance UID.")],
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="An AE title, or a source with a STOW-RS service.")],
    again: Annotated[bool, typer.Option("--again", help="What arrived there before, too.")] = False,
    background: Annotated[
        bool, typer.Option("--background", help="Leave it to the running archive instead of waiting.")
    ] = False,
) -> None:
    """Send one study, whatever the rules say, and wait until it is there."""
    from vna.cli.output import complain, progress_bar, say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        sending = archive.keeping.forwarding
        since = sending.desk.send(SYSTEM, study, to, again=again)
        if background:
            say(f"{study} will be sent to {to}")
            return
        worker, trouble = sending.by_hand(), ""
        with progress_bar() as bar:
            task = bar.add_task(study[-24:], total=None, note="")
            while True:
                here, known, busy = sending.desk.progress(SYSTEM, study, to, since)
                trouble = sending.desk.trouble(SYSTEM, study, to)
                bar.update(task, total=here, completed=known, note=trouble[:60])
                if not busy or trouble:
                    break
                if not worker.once():
                    time.sleep(_PAUSE)
        reasons = sending.desk.failed(SYSTEM, study, to)
    if trouble:
        complain(f"{study} is not there yet, and is tried again: {trouble}")
        raise typer.Exit(1)
    if reasons:
        complain(f"{len(reasons)} instances were not taken, and are tried again: {reasons[0]}")
        raise typer.Exit(1)
    say(f"{study}: {known} instances are at {to}")


@app.command("retry", epilog=example("vna forward retry", "vna forward retry --to PACS"))
def retry(
    context: typer.Context,
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="Only what goes there.")] = "",
) -> None:
    """Have what failed, waits after a failure or was given up tried now."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        count = archive.keeping.forwarding.desk.retry(SYSTEM, to)
    say(f"{count} studies are tried again")
