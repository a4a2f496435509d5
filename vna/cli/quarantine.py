"""`vna quarantine`: images that match no order, where a facility wants them kept out of sight."""

from itertools import islice
from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="Images that match no order, kept out of sight where a facility says so.",
    epilog=example("vna quarantine list"),
    no_args_is_help=True,
)

_MOST = 10_000


@app.command("list", epilog=example("vna quarantine list", "vna quarantine list --facility 500059 --format json"))
def list_(
    context: typer.Context,
    facility: Annotated[str, typer.Option("--facility", metavar="CODE", help="Only of this facility.")] = "",
    style: FormatOption = Format.TABLE,
) -> None:
    """List the studies in quarantine, the oldest first, and why each is there."""
    from vna.cli.output import remark, show_rows
    from vna.model.access import SYSTEM
    from vna.model.unmatched import REASONS

    session: Session = context.obj
    with session.archive() as archive:
        found = list(islice(archive.national.quarantine.listed(SYSTEM, facility), _MOST))
        reasons = archive.national.unmatched.of_quarantine(SYSTEM, [one.study_instance_uid for one in found])
    rows = [
        {
            "study": one.study_instance_uid,
            "facility": one.facility,
            "accession": one.accession_number,
            "modality": one.modality,
            "date": one.study_date,
            "instances": str(one.instances),
            "since": one.known_at,
            "reason": REASONS[reasons[one.study_instance_uid]].english,
        }
        for one in found
    ]
    heads = ("Study", "Facility", "Accession", "Modality", "Date", "Instances", "Since", "Reason")
    show_rows(heads, rows, as_json=style is Format.JSON)
    if len(rows) == _MOST:
        remark(f"these are the first {_MOST}")


@app.command("release", epilog=example("vna quarantine release 1.2.3 --reason 'an emergency, ordered afterwards'"))
def release(
    context: typer.Context,
    study: Annotated[str, typer.Argument(metavar="STUDY", help="Study Instance UID.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with it.")] = "",
) -> None:
    """Let a study be seen though no order matches it."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.national.quarantine.release(SYSTEM, study, reason)
    say(f"{study} leaves quarantine")
