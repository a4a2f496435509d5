"""`vna consent`, `vna grant`, `vna case`: what lets somebody see more than is theirs (docs/access.md)."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

if TYPE_CHECKING:
    from storage.index.permits import Permit, PermitStudy

consents = typer.Typer(
    help="Consents of patients: a facility may see what others have of them.",
    epilog=example("vna consent list"),
    no_args_is_help=True,
)
grants = typer.Typer(
    help="Grants between facilities: radiologists of one may see studies of the other.",
    epilog=example("vna grant list"),
    no_args_is_help=True,
)
cases = typer.Typer(
    help="Cases of the payer's inspectors: the studies that one of them looks at.",
    epilog=example("vna case list"),
    no_args_is_help=True,
)

Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why, or where the paper is.")]
Since = Annotated[
    datetime | None, typer.Option("--from", metavar="DATE", formats=["%Y-%m-%d"], help="First day. Default: now.")
]
Until = Annotated[datetime | None, typer.Option(metavar="DATE", formats=["%Y-%m-%d"], help="Last day of it.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name, as the list shows it.")]


@consents.command("add", epilog=example("vna consent add 10000000146 34001 --until 2027-06-30 --reason 'form 17'"))
def add_consent(
    context: typer.Context,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="National number of the patient.")],
    facility: Annotated[str, typer.Argument(metavar="FACILITY", help="Code of the facility that may see.")],
    reason: Reason = "",
    since: Since = None,
    until: Until = None,
) -> None:
    """Record that a patient lets the clinicians of a facility see what other facilities have."""
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        permit = archive.guarding.permits.consent(
            SYSTEM, number, facility, reason=reason, since=_first(since), until=_after(until)
        )
    _added("consent", permit)


@grants.command("add", epilog=example("vna grant add 34002 34001 --until 2027-12-31 --reason 'contract 9'"))
def add_grant(
    context: typer.Context,
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Code of the facility whose studies they are.")],
    reader: Annotated[str, typer.Argument(metavar="READER", help="Code of the facility whose radiologists may see.")],
    reason: Reason = "",
    since: Since = None,
    until: Until = None,
) -> None:
    """Record that a facility lets the radiologists of another one see its studies, until a day."""
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        permit = archive.guarding.permits.grant(
            SYSTEM, owner, reader, reason=reason, since=_first(since), until=_after(until)
        )
    _added("grant", permit)


@cases.command(
    "add",
    epilog=example(
        "vna case add inspector1 --study 1.2.3 --until 2027-03-31 --reason 'file 2027/8'",
        "vna case add inspector1 --order 34001:A100 --until 2027-03-31 --reason 'file 2027/9'",
    ),
)
def add_case(
    context: typer.Context,
    inspector: Annotated[str, typer.Argument(metavar="USER", help="User name of the inspector.")],
    study: Annotated[list[str] | None, typer.Option(metavar="UID", help="A study; may be said several times.")] = None,
    order: Annotated[
        list[str] | None,
        typer.Option(metavar="FACILITY:NUMBER", help="An order, by its accession number; may be said several times."),
    ] = None,
    reason: Reason = "",
    since: Since = None,
    until: Until = None,
) -> None:
    """Record what an inspector looks at, until a day."""
    from storage.index.permits import PermitStudy
    from vna.model.access import SYSTEM

    about = [PermitStudy(study_instance_uid=uid) for uid in study or ()] + [_order(text) for text in order or ()]
    session: Session = context.obj
    with session.archive() as archive:
        permit = archive.guarding.permits.case(
            SYSTEM, inspector, about, reason=reason, since=_first(since), until=_after(until)
        )
    _added("case", permit)


@consents.command("list", epilog=example("vna consent list", "vna consent list --format json"))
def list_consents(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the consents."""
    _list(context, "consent", ("Patient", "Facility"), style)


@grants.command("list", epilog=example("vna grant list"))
def list_grants(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the grants."""
    _list(context, "grant", ("Owner", "Reader"), style)


@cases.command("list", epilog=example("vna case list"))
def list_cases(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the cases."""
    _list(context, "case", ("About", "Inspector"), style)


@consents.command("revoke", epilog=example("vna consent revoke 5f0c2a19"))
def revoke_consent(context: typer.Context, name: Name) -> None:
    """End a consent now."""
    _revoke(context, "consent", name)


@grants.command("revoke", epilog=example("vna grant revoke 5f0c2a19"))
def revoke_grant(context: typer.Context, name: Name) -> None:
    """End a grant now."""
    _revoke(context, "grant", name)


@cases.command("revoke", epilog=example("vna case revoke 5f0c2a19"))
def revoke_case(context: typer.Context, name: Name) -> None:
    """End a case now."""
    _revoke(context, "case", name)


def _added(kind: str, permit: "Permit") -> None:
    from vna.cli.output import say

    say(f"recorded; `vna {kind} revoke {permit.name}` ends it")


def _list(context: typer.Context, kind: str, heads: tuple[str, str], style: Format) -> None:
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM
    from vna.security.permits import state_of

    session: Session = context.obj
    with session.archive() as archive:
        found = list(archive.guarding.permits.listed(SYSTEM, kind))
    rows = [
        {
            "name": one.name,
            "state": state_of(one),
            heads[0].lower(): one.subject or ", ".join(map(_named, one.about)),
            heads[1].lower(): one.reader,
            "from": one.since[:19],
            "until": one.until[:19],
            "by": one.added_by,
            "reason": one.reason,
        }
        for one in found
    ]
    show_rows(("Name", "State", *heads, "From", "Until", "By", "Reason"), rows, as_json=style is Format.JSON)


def _revoke(context: typer.Context, kind: str, name: str) -> None:
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.guarding.permits.revoke(SYSTEM, kind, name)
    say(f"the {kind} {name} is over")


def _order(text: str) -> "PermitStudy":
    from storage.index.permits import PermitStudy

    facility, _, number = text.partition(":")
    return PermitStudy(facility=facility, accession_number=number)


def _named(one: "PermitStudy") -> str:
    return one.study_instance_uid or f"{one.facility}:{one.accession_number}"


def _first(day: datetime | None) -> datetime | None:
    return day.replace(tzinfo=UTC) if day is not None else None


def _after(day: datetime | None) -> datetime | None:
    return day.replace(tzinfo=UTC) + timedelta(days=1) if day is not None else None
