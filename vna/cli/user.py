"""`vna user`: who logs in on HTTP."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

if TYPE_CHECKING:
    from vna.security.users import Details

app = typer.Typer(
    help="Users: names, passwords and rights for HTTP.", epilog=example("vna user list"), no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="User name.")]
RightsOption = Annotated[
    str | None,
    typer.Option(
        "--rights",
        metavar="RIGHTS",
        help="What the user may do, with commas between.",
        show_default="store,query,retrieve",
    ),
]
FacilityOption = Annotated[
    str | None, typer.Option("--facility", metavar="CODE", help="Code of the facility the user belongs to.")
]
PriorityOption = Annotated[
    str | None,
    typer.Option(
        "--priority",
        metavar="CLASS",
        help="Highest class of its requests: interactive, routine, bulk.",
        show_default="interactive",
    ),
]
RoleOption = Annotated[
    str | None,
    typer.Option(
        "--role",
        metavar="ROLE",
        help="What the user is, which bounds rights and whose studies are reached: citizen, clinician, radiologist, "
        "hospital-administrator, national-operator, payer-clerk, payer-inspector. Empty takes it away.",
        show_default="none",
    ),
]
PersonOption = Annotated[
    str | None,
    typer.Option(
        "--person",
        metavar="NUMBER",
        help="National number of the person; - reads it from standard input.",
        show_default=False,
    ),
]
AddressesOption = Annotated[
    str | None,
    typer.Option(
        "--addresses",
        metavar="NETWORKS",
        help="Addresses or networks that logins are taken from, with commas between. Empty: any.",
        show_default=False,
    ),
]


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
    rights: RightsOption = None,
    facility: FacilityOption = None,
    priority: PriorityOption = None,
    role: RoleOption = None,
    person: PersonOption = None,
    addresses: AddressesOption = None,
    temporary: Annotated[
        bool, typer.Option("--temporary", help="The password has to be changed at the first login.")
    ] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking.")
    ] = False,
) -> None:
    """Add a user; or change the password of one and what else is given, and keep the rest."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM
    from vna.model.errors import BadRequest

    details = _details(rights, facility, priority, role, person, addresses)
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif not sys.stdin.isatty():
        raise BadRequest("there is no terminal to ask for the password: give it with --password-stdin")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    session: Session = context.obj
    with session.archive() as archive:
        archive.accounts.add_user(SYSTEM, name, password, details=details, temporary=temporary)
    say(f"{name} may log in")


@app.command("change", epilog=example("vna user change ayse --addresses 10.0.0.0/8 --role clinician"))
def change(
    context: typer.Context,
    name: Name,
    rights: RightsOption = None,
    facility: FacilityOption = None,
    priority: PriorityOption = None,
    role: RoleOption = None,
    person: PersonOption = None,
    addresses: AddressesOption = None,
) -> None:
    """Change what is given of a user, and keep the rest and the password."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    details = _details(rights, facility, priority, role, person, addresses)
    session: Session = context.obj
    with session.archive() as archive:
        archive.accounts.change_user(SYSTEM, name, details)
    say(f"{name} is changed")


@app.command("unlock", epilog=example("vna user unlock ayse"))
def unlock(context: typer.Context, name: Name) -> None:
    """Let a user log in again whose logins failed too often."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        had_failed = archive.accounts.unlock(SYSTEM, name)
    say(f"{name} is unlocked" if had_failed else f"no login of {name} failed lately")


@app.command("logout", epilog=example("vna user logout ayse"))
def logout(context: typer.Context, name: Name) -> None:
    """Log a user out of every browser. Somebody whom a provider logged in is `oidc/` and the name there."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        ended = archive.accounts.end_sessions(SYSTEM, name)
    say(f"{ended} sessions of {name} are over")


def _details(
    rights: str | None,
    facility: str | None,
    priority: str | None,
    role: str | None,
    person: str | None,
    addresses: str | None,
) -> "Details":
    from vna.model.priority import priority_of
    from vna.security.addresses import parse_addresses
    from vna.security.rights import parse_rights
    from vna.security.users import Details

    return Details(
        rights=None if rights is None else parse_rights(rights),
        facility=facility,
        priority=None if priority is None else priority_of(priority),
        role=None if role is None else role.strip(),
        person=None if person is None else _number(person),
        addresses=None if addresses is None else parse_addresses(addresses),
    )


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
                "rights": rights_text(user.rights),
                "priority": user.priority.word,
                "facility": user.facility,
                "role": user.role.value if user.role is not None else "",
                "person": "known" if user.has_person else "",
                "addresses": ",".join(user.addresses),
                "created_at": f"{user.created_at:%Y-%m-%dT%H:%M:%SZ}",
            }
            for user in archive.accounts.users(SYSTEM)
        ]
    show_rows(
        ("Name", "Rights", "Priority", "Facility", "Role", "Person", "Addresses", "Since"),
        rows,
        as_json=style is Format.JSON,
    )


@app.command("remove", epilog=example("vna user remove ayse"))
def remove(context: typer.Context, name: Name) -> None:
    """Remove a user and its tokens."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.accounts.remove_user(SYSTEM, name)
    say(f"{name} is removed")


def _number(said: str) -> str:
    """A national number, or the next line of standard input: other users of the machine can read command lines."""
    return sys.stdin.readline().strip() if said == "-" else said
