"""`vna hold`: legal holds, which nobody's deleting, retention or eviction passes over."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

if TYPE_CHECKING:
    from storage.index.holds import Hold

app = typer.Typer(
    help="Legal holds: what is on hold is removed by nobody.", epilog=example("vna hold list"), no_args_is_help=True
)


@app.command(
    "add",
    epilog=example(
        "vna hold add 1.2.3 --reason 'court order 2026/17' --until 2030-12-31",
        "vna hold add --patient P1 --issuer HIS --reason 'a complaint'",
    ),
)
def add(
    context: typer.Context,
    study: Annotated[str, typer.Argument(metavar="[STUDY]", help="Study Instance UID.", show_default=False)] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; whoever is refused reads it.")] = "",
    patient: Annotated[
        str, typer.Option(metavar="ID", help="Everything of the patient with this Patient ID, now and later.")
    ] = "",
    issuer: Annotated[str, typer.Option(metavar="ISSUER", help="Only of this issuer. Default: of any.")] = "",
    until: Annotated[
        datetime | None, typer.Option(metavar="DATE", formats=["%Y-%m-%d"], help="Last day of it. Default: for ever.")
    ] = None,
) -> None:
    """Put a study, or everything of a patient, on hold: nobody deletes it, and no rule removes it."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    last = until.date() if until is not None else None
    with session.archive() as archive:
        hold = archive.keeping.holds.add(SYSTEM, study, patient_id=patient, issuer=issuer, reason=reason, until=last)
    say(f"on hold; `vna hold release {hold.name}` ends it")


@app.command("list", epilog=example("vna hold list", "vna hold list --format json"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the holds."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        rows = [_row(hold) for hold in archive.keeping.holds.listed(SYSTEM)]
    heads = ("Hold", "State", "Study", "Patient", "Issuer", "Until", "Since", "By", "Reason")
    show_rows(heads, rows, as_json=style is Format.JSON)


@app.command("release", epilog=example("vna hold release 5f0c2a19"))
def release(
    context: typer.Context, name: Annotated[str, typer.Argument(metavar="HOLD", help="Name of a hold.")]
) -> None:
    """End a hold."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.keeping.holds.release(SYSTEM, name)
    say(f"the hold {name} is over")


def _row(hold: "Hold") -> dict[str, str]:
    from vna.archive.holds import is_over

    return {
        "hold": hold.name,
        "state": "over" if is_over(hold) else "on",
        "study": hold.study_instance_uid,
        "patient": hold.patient_id,
        "issuer": hold.issuer,
        "until": hold.until,
        "since": hold.added_at[:19],
        "by": hold.added_by,
        "reason": hold.reason,
    }
