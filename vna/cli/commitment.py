"""`vna commitment`: requests for storage commitment, and what came of each."""

from enum import StrEnum
from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="Storage commitment: who asked for what to be kept, and the answers.",
    epilog=example("vna commitment list"),
    no_args_is_help=True,
)


class Stage(StrEnum):
    """How far a request is."""

    PENDING = "pending"
    CHECKED = "checked"
    REPORTED = "reported"


@app.command("list", epilog=example("vna commitment list", "vna commitment list --state checked --format json"))
def list_(
    context: typer.Context,
    state: Annotated[
        Stage | None, typer.Option(help="Only requests that are so far; `checked` ones are not reported yet.")
    ] = None,
    style: FormatOption = Format.TABLE,
) -> None:
    """List the newest thousand requests, received and sent."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "transaction": one.transaction_uid,
                "direction": one.direction.value,
                "partner": one.partner,
                "door": one.door,
                "state": one.state.value,
                "requested": one.requested_at[:19],
                "instances": str(one.instances),
                "failures": str(one.failures),
            }
            for one in archive.keeping.commitments.listed(SYSTEM, state=state or "")
        ]
    heads = ("Transaction", "Direction", "Partner", "Door", "State", "Requested", "Instances", "Failures")
    show_rows(heads, rows, as_json=style is Format.JSON)


@app.command("show", epilog=example("vna commitment show 2.25.17", "vna commitment show 2.25.17 --format json"))
def show(
    context: typer.Context,
    transaction: Annotated[str, typer.Argument(metavar="UID", help="Transaction UID.")],
    style: FormatOption = Format.TABLE,
) -> None:
    """Show the instances of a request, each with what came of it."""
    from vna.cli.committing import words_of
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM
    from vna.model.commitments import COMMITTED, UNKNOWN

    words = {COMMITTED: "committed", UNKNOWN: "not known yet"}
    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "direction": found.commitment.direction.value,
                "instance": one.sop_instance_uid,
                "class": one.sop_class_uid,
                "result": words.get(one.result) or words_of(one.result),
            }
            for found in archive.keeping.commitments.shown(SYSTEM, transaction)
            for one in found.outcomes
        ]
    show_rows(("Direction", "Instance", "SOP Class", "Result"), rows, as_json=style is Format.JSON)
