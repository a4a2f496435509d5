"""`vna token`: bearer tokens for programs."""

import re
from datetime import timedelta
from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="Bearer tokens: how programs log in on HTTP.", epilog=example("vna token list"), no_args_is_help=True
)

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def lifetime(text: str) -> timedelta | None:
    """`30d`, `12h` or `45m`; None for `never`."""
    from vna.model.errors import BadRequest

    if text == "never":
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", text)
    if found is None:
        raise BadRequest(f"{text} is no time span: write 30d, 12h, 45m or never")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


@app.command("add", epilog=example("vna token add ayse --expires 30d --rights query,retrieve"))
def add(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="The user it stands for.")],
    rights: Annotated[
        str | None,
        typer.Option(
            metavar="RIGHTS", help="Fewer rights than the user has, with commas between.", show_default="the user's"
        ),
    ] = None,
    priority: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Highest class of its requests: interactive, routine, bulk.",
            show_default="the user's",
        ),
    ] = None,
    expires: Annotated[str, typer.Option(metavar="SPAN", help="How long it works: 30d, 12h, 45m or never.")] = "90d",
    description: Annotated[str, typer.Option(metavar="WORDS", help="What it is for.")] = "",
) -> None:
    """Make a token and print it, this once: it is kept nowhere."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM
    from vna.model.errors import BadRequest
    from vna.model.priority import priority_of
    from vna.security.rights import parse_rights

    session: Session = context.obj
    span = lifetime(expires)
    granted = None if rights is None else parse_rights(rights)
    highest = priority_of(priority or "")
    if granted is not None and not granted:
        raise BadRequest("a token without any right is of no use")
    with session.archive() as archive:
        secret = archive.accounts.add_token(
            SYSTEM, user, rights=granted, lifetime=span, description=description, priority=highest
        )
        say(secret)


@app.command("list", epilog=example("vna token list"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the tokens, without their secrets."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM
    from vna.security.rights import rights_text

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "token_id": token.token_id,
                "user": token.user_name,
                "rights": rights_text(token.rights),
                "priority": token.priority.word,
                "expires_at": f"{token.expires_at:%Y-%m-%dT%H:%M:%SZ}" if token.expires_at else "never",
                "description": token.description,
            }
            for token in archive.accounts.tokens(SYSTEM)
        ]
    show_rows(("Token", "User", "Rights", "Priority", "Expires", "Description"), rows, as_json=style is Format.JSON)


@app.command("remove", epilog=example("vna token remove 1f2e3d4c"))
def remove(
    context: typer.Context,
    token_id: Annotated[str, typer.Argument(metavar="TOKEN", help="Its short name, from `vna token list`.")],
) -> None:
    """Remove a token: it stops working."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.accounts.remove_token(SYSTEM, token_id)
    say(f"token {token_id} is removed")
