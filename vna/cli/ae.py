"""`vna ae`: the table of known application entities."""

from pathlib import Path
from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="Known AE titles: who may do what, and where C-MOVE sends to.",
    epilog=example("vna ae list"),
    no_args_is_help=True,
)

Title = Annotated[str, typer.Argument(metavar="AET", help="AE title.")]


@app.command("add", epilog=example("vna ae add PACS --host 10.0.0.5 --port 104 --facility 34001 --rights store,query"))
def add(
    context: typer.Context,
    title: Title,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address that C-MOVE sends to.")] = "",
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Port that C-MOVE sends to.")] = 0,
    facility: Annotated[str, typer.Option(metavar="CODE", help="Code of the facility it belongs to.")] = "",
    rights: Annotated[
        str, typer.Option(metavar="RIGHTS", help="What it may do, with commas between.")
    ] = "store,query,retrieve",
    coerce: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Rules (TOML) that change attributes of what it sent, on the way out."),
    ] = None,
) -> None:
    """Add an AE title, or change one."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM, Peer
    from vna.model.errors import BadRequest
    from vna.security.rights import parse_rights
    from vna.settings import read_coercion

    if bool(host) != bool(port):
        raise BadRequest("a C-MOVE destination needs both --host and --port")
    rules = read_coercion(coerce) if coerce is not None else None
    peer = Peer(title, host, port, facility, parse_rights(rights), rules)
    session: Session = context.obj
    with session.archive() as archive:
        archive.peers.add(SYSTEM, peer)
    say(f"{title} is known")


@app.command("list", epilog=example("vna ae list", "vna ae list --format json"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the known AE titles."""
    from vna.cli.output import show_json, show_table
    from vna.security.rights import rights_text

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "ae_title": peer.ae_title,
                "host": peer.host,
                "port": str(peer.port or ""),
                "facility": peer.facility,
                "rights": rights_text(peer.rights),
                "coercion": "yes" if peer.coercion else "",
            }
            for peer in archive.peers.all()
        ]
    if style is Format.JSON:
        show_json(rows)
    else:
        heads = ("AE title", "Host", "Port", "Facility", "Rights", "Coercion")
        show_table(heads, [tuple(row.values()) for row in rows])


@app.command("remove", epilog=example("vna ae remove PACS"))
def remove(context: typer.Context, title: Title) -> None:
    """Forget an AE title."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.peers.remove(SYSTEM, title)
    say(f"{title} is forgotten")
