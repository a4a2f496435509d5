"""`vna store`: the stores of the archive, and moves between them."""

from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="The stores of the archive: how they stand, and what lies where.",
    epilog=example("vna store list"),
    no_args_is_help=True,
)

_LOOK_SECONDS = 0.5


@app.command("list", epilog=example("vna store list", "vna store list --format json"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List every store: whether it answers, what the index knows to lie there, and its free space."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "store": one.name,
                "state": one.problem or "answers",
                "objects": str(one.objects),
                "bytes": str(one.size),
                "free": "" if one.free is None else str(one.free),
            }
            for one in archive.keeping.stores.all(SYSTEM)
        ]
    show_rows(("Store", "State", "Objects", "Bytes", "Free"), rows, as_json=style is Format.JSON)


@app.command(
    "move",
    epilog=example(
        "vna store move --study 1.2.3 --to archive", "vna store move --facility 11110001 --to archive --no-wait"
    ),
)
def move(
    context: typer.Context,
    to: Annotated[str, typer.Option(metavar="STORE", help="Name of the store.")],
    study: Annotated[str, typer.Option(metavar="UID", help="Study Instance UID of what is moved.")] = "",
    facility: Annotated[str, typer.Option(metavar="CODE", help="Facility whose instances are moved.")] = "",
    replica: Annotated[
        list[str] | None, typer.Option(metavar="STORE", help="A store that holds a copy too; may be repeated.")
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait until it is done.")] = False,
) -> None:
    """Move a study, or what a facility has, to another store, by a job: what is copied is compared first.

    Rules of placement say more: what they want elsewhere they move back.
    """
    import time

    from vna.cli.output import progress_bar, say
    from vna.model.access import SYSTEM
    from vna.model.errors import Unavailable

    session: Session = context.obj
    with session.archive() as archive:
        stores = archive.keeping.stores
        job, number = stores.move(SYSTEM, to, study=study, facility=facility, replicas=tuple(replica or ()))
        if no_wait:
            say(f"{number} instances are moved by job {job}")
            return
        with progress_bar() as bar:
            task = bar.add_task("moving", total=number, note="")
            while True:
                archive.catch_up()
                found = stores.moving(SYSTEM, job)
                bar.update(task, completed=number if found.over else found.done, note=found.problem)
                if found.over or found.problem:
                    break
                time.sleep(_LOOK_SECONDS)
    if found.problem:
        raise Unavailable(f"job {job} is not done, and is tried again: {found.problem}")
    say(f"{number} instances are in {to}")
