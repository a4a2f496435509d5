"""`vna user`: who logs in on HTTP."""

import sys
from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="Users: names, passwords and rights for HTTP.", epilog=example("vna user list"), no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="User name.")]


@app.command(
    "add",
    epilog=example(
        "vna user add ayse --rights query,retrieve",
        "vna user add dr-ali --role clinician --facility 34001",
        "echo secret-words | vna user add ayse --password-stdin",
    ),
)
def add(
    context: typer.Context,
    name: Name,
    rights: Annotated[
        str | None,
        typer.Option(
            metavar="RIGHTS", help="What the user may do, with commas between.", show_default="store,query,retrieve"
        ),
    ] = None,
    facility: Annotated[
        str | None, typer.Option(metavar="CODE", help="Code of the facility the user belongs to.")
    ] = None,
    priority: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Highest class of its requests: interactive, routine, bulk.",
            show_default="interactive",
        ),
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE",
            help="What the user is, which bounds rights and whose studies are reached: citizen, clinician, "
            "radiologist, hospital-administrator, national-operator, payer-clerk, payer-inspector.",
            show_default="none",
        ),
    ] = None,
    person: Annotated[str | None, typer.Option(metavar="NUMBER", help="National number of the person.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking.")
    ] = False,
) -> None:
    """Add a user; or change the password of one and what else is given, and keep the rest."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM
    from vna.model.errors import BadRequest
    from vna.model.priority import priority_of
    from vna.security.rights import parse_rights

    granted = None if rights is None else parse_rights(rights)
    highest = None if priority is None else priority_of(priority)
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif not sys.stdin.isatty():
        raise BadRequest("there is no terminal to ask for the password: give it with --password-stdin")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    session: Session = context.obj
    with session.archive() as archive:
        archive.accounts.add_user(SYSTEM, name, password, granted, facility, highest, role=role, person=person)
    say(f"{name} may log in")


@app.command("list", epilog=example("vna user list"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the users."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM
    from vna.security.rights import rights_text

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "name": user.name,
                "role": user.role.value if user.role is not None else "",
                "rights": rights_text(user.rights),
                "priority": user.priority.word,
                "facility": user.facility,
                "created_at": f"{user.created_at:%Y-%m-%dT%H:%M:%SZ}",
            }
            for user in archive.accounts.users(SYSTEM)
        ]
    show_rows(("Name", "Role", "Rights", "Priority", "Facility", "Since"), rows, as_json=style is Format.JSON)


@app.command("remove", epilog=example("vna user remove ayse"))
def remove(context: typer.Context, name: Name) -> None:
    """Remove a user and its tokens."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.accounts.remove_user(SYSTEM, name)
    say(f"{name} is removed")
