"""`vna facility`: where facilities are, and whose: public ones of a province read for each other (docs/access.md)."""

from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="Facilities: their province, and whether they are public.",
    epilog=example("vna facility list"),
    no_args_is_help=True,
)

Code = Annotated[str, typer.Argument(metavar="CODE", help="Code of the facility.")]


@app.command("add", epilog=example("vna facility add 34001 --province 34 --ownership public"))
def add(
    context: typer.Context,
    code: Code,
    province: Annotated[str, typer.Option(metavar="PROVINCE", help="Where it is, by name or code.")] = "",
    ownership: Annotated[str, typer.Option(metavar="WHOSE", help="public, university or private.")] = "",
) -> None:
    """Say where a facility is and whose, in the place of what was said before."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.guarding.permits.put_facility(SYSTEM, code, province, ownership)
    say(f"{code} is known")


@app.command("list", epilog=example("vna facility list", "vna facility list --format json"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the facilities."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        found = list(archive.guarding.permits.facilities(SYSTEM))
    rows = [{"facility": one.code, "province": one.province, "ownership": one.ownership} for one in found]
    show_rows(("Facility", "Province", "Ownership"), rows, as_json=style is Format.JSON)


@app.command("remove", epilog=example("vna facility remove 34001"))
def remove(context: typer.Context, code: Code) -> None:
    """Forget what was said of a facility."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.guarding.permits.remove_facility(SYSTEM, code)
    say(f"{code} is forgotten")
