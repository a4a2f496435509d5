"""`vna ae`: the table of known application entities."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

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


@app.command(
    "add",
    epilog=example(
        "vna ae add PACS --host 10.0.0.5 --port 104 --facility 34001 --rights store,query",
        "vna ae add CT1 --address 10.0.7.0/24 --certificate CN=CT1,O=City --certificate /etc/vna/ct1-next.pem",
    ),
)
def add(
    context: typer.Context,
    title: Title,
    host: Annotated[str | None, typer.Option(metavar="HOST", help="Address that C-MOVE sends to.")] = None,
    port: Annotated[
        int | None, typer.Option(metavar="PORT", min=0, max=65535, help="Port that C-MOVE sends to.")
    ] = None,
    facility: Annotated[str | None, typer.Option(metavar="CODE", help="Code of the facility it belongs to.")] = None,
    rights: Annotated[
        str | None,
        typer.Option(
            metavar="RIGHTS", help="What it may do, with commas between.", show_default="store,query,retrieve"
        ),
    ] = None,
    priority: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Highest class of its requests: interactive, routine, bulk.",
            show_default="interactive",
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESSES",
            help="Addresses or networks it calls from, with commas between; `any` for all.",
            show_default="any",
        ),
    ] = None,
    certificate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CERTIFICATE",
            help="A certificate it shows: its SHA-256, its subject (CN=CT1,O=Hospital) or a PEM file; may be given "
            "several times. `any`: it needs none.",
            show_default="any",
        ),
    ] = None,
    tls: Annotated[bool | None, typer.Option("--tls/--no-tls", help="Call it over TLS.")] = None,
    coerce: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Rules (TOML) that change attributes of what it sent, on the way out."),
    ] = None,
) -> None:
    """Add an AE title, or change what is given of one and keep the rest."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM, Peer
    from vna.model.errors import BadRequest
    from vna.model.priority import priority_of
    from vna.security.bindings import addresses_of
    from vna.security.rights import PEER_RIGHTS, parse_rights
    from vna.settings import read_coercion

    given = {
        "host": host,
        "port": port,
        "facility": facility,
        "rights": None if rights is None else parse_rights(rights, PEER_RIGHTS),
        "priority": None if priority is None else priority_of(priority),
        "coercion": None if coerce is None else read_coercion(coerce),
        "addresses": None if address is None else () if address == "any" else addresses_of(address),
        "certificates": None if not certificate else () if certificate == ["any"] else tuple(certificate),
        "tls": tls,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    session: Session = context.obj
    with session.archive() as archive:
        peer = replace(archive.peers.get(title) or Peer(title.strip()), **changes)
        if bool(peer.host) != bool(peer.port):
            raise BadRequest("a C-MOVE destination needs both --host and --port")
        archive.peers.add(SYSTEM, peer)
    say(f"{peer.ae_title} is known")


@app.command("list", epilog=example("vna ae list", "vna ae list --format json"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the known AE titles."""
    from vna.cli.output import show_rows
    from vna.security.rights import rights_text

    session: Session = context.obj
    shown = _short if style is Format.TABLE else str
    with session.archive() as archive:
        rows = [
            {
                "ae_title": peer.ae_title,
                "host": peer.host,
                "port": str(peer.port or ""),
                "facility": peer.facility,
                "rights": rights_text(peer.rights),
                "priority": peer.priority.word,
                "coercion": "yes" if peer.coercion else "",
                "addresses": ",".join(peer.addresses),
                "certificates": "; ".join(map(shown, peer.certificates)),
                "tls": "yes" if peer.tls else "",
            }
            for peer in archive.peers.all()
        ]
    heads = (
        "AE title",
        "Host",
        "Port",
        "Facility",
        "Rights",
        "Priority",
        "Coercion",
        "Addresses",
        "Certificates",
        "TLS",
    )
    show_rows(heads, rows, as_json=style is Format.JSON)


def _short(name: str) -> str:
    """A fingerprint by its beginning, a subject whole."""
    return f"{name[:12]}..." if "=" not in name else name


@app.command("remove", epilog=example("vna ae remove PACS"))
def remove(context: typer.Context, title: Title) -> None:
    """Forget an AE title."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.peers.remove(SYSTEM, title)
    say(f"{title} is forgotten")
