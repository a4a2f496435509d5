"""`vna node`: the nodes of the archive, and what waits in their spools."""

from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="The nodes of the archive: which run, and what waits in their spools.",
    epilog=example("vna node list"),
    no_args_is_help=True,
)


@app.command("list", epilog=example("vna node list", "vna node list --format json"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List every node that was ever started."""
    from vna.archive.nodes import is_alive
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "node": node.name,
                "state": "running" if is_alive(node) else "silent" if node.started_at else "stopped",
                "seen": node.seen_at[:19],
                "url": node.url,
                "version": node.version,
                "waiting": str(node.waiting),
                "bytes": str(node.waiting_bytes),
            }
            for node in archive.keeping.nodes.all(SYSTEM)
        ]
    show_rows(("Node", "State", "Seen", "URL", "Version", "Waiting", "Bytes"), rows, as_json=style is Format.JSON)


@app.command("forget", epilog=example("vna node forget node-3", "vna node forget node-3 --lost"))
def forget(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NODE", help="Name of a node.")],
    lost: Annotated[
        bool, typer.Option("--lost", help="Its disk is lost, and with it what lies in its spool alone.")
    ] = False,
) -> None:
    """Forget a node that will not come back; refused while it runs or its spool may hold what is nowhere else."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.keeping.nodes.forget(SYSTEM, name, lost=lost)
    say(f"{name} is forgotten")


@app.command("drain", epilog=example("vna node drain"))
def drain(context: typer.Context) -> None:
    """Wait until nothing waits in this node's spool, before its machine is taken away; stop what sends to it first."""
    from vna.app.spooling import drained, waiting
    from vna.cli.output import progress_bar, say

    session: Session = context.obj
    with session.archive() as archive:
        archive.catch_up()
        first, _ = waiting(archive.blobs)()
        with progress_bar() as bar:
            task = bar.add_task("draining", total=first, note="")
            for left, answers in drained(archive.blobs, archive.settings):
                note = "" if answers else "the object store does not answer"
                bar.update(task, total=max(first, left), completed=max(first, left) - left, note=note)
    say("nothing waits in the spool of this node")
