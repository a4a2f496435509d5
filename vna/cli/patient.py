"""`vna patient`: merges, links, and their end."""

from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session

if TYPE_CHECKING:
    from vna.model.identifiers import PatientIdentifier

app = typer.Typer(
    help="Identifiers of patients: merged, linked, and apart again.",
    epilog=example("vna patient show '4711^^^&1.2.3&ISO'"),
    no_args_is_help=True,
)

One = Annotated[
    str, typer.Argument(metavar="PATIENT", help="VALUE^^^&OID&ISO, VALUE^^^ISSUER, or with --facility a file number.")
]
Other = Annotated[str, typer.Argument(metavar="OTHER", help="The other identifier.")]
Facility = Annotated[
    str, typer.Option("--facility", metavar="CODE", help="The identifiers are file numbers of this facility.")
]


def _read(text: str, facility: str) -> "PatientIdentifier":
    from vna.model.errors import BadRequest
    from vna.model.identifiers import facility_identifier, issued_identifier, patient_identifier

    found = facility_identifier(text, facility) if facility else patient_identifier(text) or issued_identifier(text)
    if found is None:
        raise BadRequest(
            "this is no patient identifier: VALUE^^^&OID&ISO, VALUE^^^ISSUER, or with --facility a file number"
        )
    return found


@app.command(
    "merge",
    epilog=example("vna patient merge '4711^^^&1.2.3&ISO' '4712^^^&1.2.3&ISO'", "vna patient merge M1^^^HIS M2^^^HIS"),
)
def merge(context: typer.Context, patient: One, other: Other, facility: Facility = "") -> None:
    """What is the first one's is the other's from now on."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.keeping.people.merge(SYSTEM, _read(patient, facility), _read(other, facility))
        archive.catch_up()
    say("merged")


@app.command("unmerge", epilog=example("vna patient unmerge '4711^^^&1.2.3&ISO'"))
def unmerge(context: typer.Context, patient: One, facility: Facility = "") -> None:
    """Take back that a patient was merged into another: images go back to whom their bytes name."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.keeping.people.unmerge(SYSTEM, _read(patient, facility))
        archive.catch_up()
    say("no longer merged")


@app.command("link", epilog=example("vna patient link '4711^^^&1.2.3&ISO' '99^^^&1.2.4&ISO'"))
def link(context: typer.Context, patient: One, other: Other, facility: Facility = "") -> None:
    """Say that two identifiers are one person's, who keeps both."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.keeping.people.link(SYSTEM, _read(patient, facility), _read(other, facility))
    say("linked")


@app.command("unlink", epilog=example("vna patient unlink '4711^^^&1.2.3&ISO' '99^^^&1.2.4&ISO'"))
def unlink(context: typer.Context, patient: One, other: Other, facility: Facility = "") -> None:
    """Say that they are not, after all."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.keeping.people.unlink(SYSTEM, _read(patient, facility), _read(other, facility))
    say("no longer linked")


@app.command("show", epilog=example("vna patient show '4711^^^&1.2.3&ISO'"))
def show(context: typer.Context, patient: One, facility: Facility = "") -> None:
    """Show into whom a patient was merged, who into him, and to whom he is linked."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        found = archive.keeping.people.shown(SYSTEM, _read(patient, facility))
    say(f"identifier   {found.identifier}")
    if found.survivor is not None:
        say(f"merged into  {found.survivor}")
    for one in found.subsumed:
        say(f"merged       {one}")
    for linked in found.linked:
        say(f"linked       {linked.identifier}  since {linked.made_at[:19]} by {linked.actor}")
    for key in found.images:
        say(f"in images    {key.patient_id}  {key.issuer}")
