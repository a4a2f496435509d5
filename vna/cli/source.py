"""`vna source`: the table of systems that may feed us by HL7 messages."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="Known sources: which systems may send HL7 messages, and whence.",
    epilog=example("vna source list"),
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What we call it.")]


@app.command(
    "add",
    epilog=example("vna source add HIS --address 10.0.0.7", "vna source add RIS --application RISPROD"),
)
def add(
    context: typer.Context,
    name: Name,
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESSES", help="Addresses or networks it sends from, with commas between.")
    ] = None,
    application: Annotated[
        str | None, typer.Option(metavar="WORD", help="What it calls itself in MSH-3.", show_default="NAME")
    ] = None,
    sending_facility: Annotated[
        str | None, typer.Option(metavar="WORD", help="What it writes in MSH-4.", show_default="anything")
    ] = None,
    facility: Annotated[str | None, typer.Option(metavar="CODE", help="Code of the facility it belongs to.")] = None,
) -> None:
    """Add a source, or change what is given of one and keep the rest."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM, Source

    given = {
        "addresses": None if address is None else tuple(part.strip() for part in address.split(",") if part.strip()),
        "application": application,
        "sending_facility": sending_facility,
        "facility": facility,
    }
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    session: Session = context.obj
    with session.archive() as archive:
        known = next((source for source in archive.sources.all() if source.name == name), Source(name, name))
        archive.sources.add(SYSTEM, replace(known, **changes))
    say(f"{name} is known")


@app.command("list", epilog=example("vna source list", "vna source list --format json"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the known sources."""
    from vna.cli.output import show_rows

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "name": source.name,
                "application": source.application,
                "sending_facility": source.sending_facility,
                "addresses": ",".join(source.addresses),
                "facility": source.facility,
            }
            for source in archive.sources.all()
        ]
    heads = ("Name", "Application", "Sending facility", "Addresses", "Facility")
    show_rows(heads, rows, as_json=style is Format.JSON)


@app.command("remove", epilog=example("vna source remove HIS"))
def remove(context: typer.Context, name: Name) -> None:
    """Forget a source."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.sources.remove(SYSTEM, name)
    say(f"{name} is forgotten")
