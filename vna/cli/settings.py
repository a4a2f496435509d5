"""`vna settings`: what is in force, and where it comes from."""

from enum import StrEnum
from typing import Annotated

import typer

from vna.cli.session import Session


class Format(StrEnum):
    """How a list is written."""

    TABLE = "table"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="For eyes or for programs.")]


def settings(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """Show every setting: value in force, where it comes from. Secrets are hidden."""
    from vna.cli.output import complain, show_json, show_table
    from vna.settings import table

    session: Session = context.obj
    loaded = session.loaded()
    rows = list(table(loaded))
    if style is Format.JSON:
        show_json({row.variable: {"value": row.value, "source": row.source} for row in rows})
    else:
        show_table(("Setting", "Value", "From"), [(row.variable, row.value, row.source) for row in rows])
    for name in loaded.unknown:
        complain(f"{name} is in the environment and is no setting: it is ignored")
