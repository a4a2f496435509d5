"""`vna schedule`: what is done at regular times."""

from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(help="What is done at regular times.", epilog=example("vna schedule list"), no_args_is_help=True)


@app.command("list", epilog=example("vna schedule list", "vna schedule list --format json"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List what is done at regular times: when it was done, what came of it, when it is due."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "name": one.name,
                "every": str(one.every),
                "done": one.done_at[:19],
                "outcome": one.outcome,
                "due": "now" if one.running else one.due_at[:19],
            }
            for one in archive.keeping.schedule.all(SYSTEM)
        ]
    show_rows(("Name", "Every", "Done", "Outcome", "Due"), rows, as_json=style is Format.JSON)


@app.command("run", epilog=example("vna schedule run verify"))
def run(context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")]) -> None:
    """Have something done now; a running archive does it, else this command."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.keeping.schedule.run(SYSTEM, name)
    say(f"{name} is queued")
