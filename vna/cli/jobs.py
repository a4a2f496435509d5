"""`vna jobs`: durable jobs, those that were given up above all."""

from enum import StrEnum
from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="Jobs in the background: waiting, being done, given up.", epilog=example("vna jobs list"), no_args_is_help=True
)

Ids = Annotated[list[int], typer.Argument(metavar="JOB...", help="Numbers of jobs, as `vna jobs list` shows them.")]


class State(StrEnum):
    """States that are asked for."""

    READY = "ready"
    RUNNING = "running"
    DEAD = "dead"


@app.command("list", epilog=example("vna jobs list", "vna jobs list --state dead --format json"))
def list_(
    context: typer.Context,
    state: Annotated[State | None, typer.Option(help="Only jobs in this state; `dead` ones were given up.")] = None,
    kind: Annotated[str, typer.Option(metavar="KIND", help="Only jobs of this kind.")] = "",
    style: FormatOption = Format.TABLE,
) -> None:
    """List the oldest thousand jobs, with what went wrong last."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "job": str(job.job_id),
                "kind": job.kind,
                "about": job.order_key,
                "state": job.state,
                "attempts": str(job.attempts),
                "since": job.created_at[:19],
                "next": job.run_after[:19],
                "error": job.last_error,
            }
            for job in archive.jobs.all(SYSTEM, state=state or "", kind=kind)
        ]
    show_rows(("Job", "Kind", "About", "State", "Tries", "Since", "Next", "Error"), rows, as_json=style is Format.JSON)


@app.command("retry", epilog=example("vna jobs retry 17", "vna jobs retry --dead"))
def retry(
    context: typer.Context,
    jobs: Annotated[
        list[int] | None, typer.Argument(metavar="JOB...", help="Numbers of jobs, as `vna jobs list` shows them.")
    ] = None,
    dead: Annotated[bool, typer.Option("--dead", help="All that were given up.")] = False,
) -> None:
    """Let jobs be tried again at once."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM
    from vna.model.errors import BadRequest

    if bool(jobs) == dead:
        raise BadRequest("name the jobs, or say --dead")
    session: Session = context.obj
    with session.archive() as archive:
        chosen = jobs or [job.job_id for job in archive.jobs.all(SYSTEM, state=State.DEAD.value)]
        for job in chosen:
            archive.jobs.retry(SYSTEM, job)
    say(f"{len(chosen)} jobs are tried again")


@app.command("drop", epilog=example("vna jobs drop 17"))
def drop(context: typer.Context, jobs: Ids) -> None:
    """Forget jobs, undone."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        for job in jobs:
            archive.jobs.drop(SYSTEM, job)
    say(f"{len(jobs)} jobs are dropped")
