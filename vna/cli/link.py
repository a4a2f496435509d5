"""`vna link`: addresses that open one study."""

from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption
from vna.cli.token import lifetime

app = typer.Typer(
    help="Access links: addresses that open one study, for whoever has them.",
    epilog=example("vna link list"),
    no_args_is_help=True,
)


@app.command("add", epilog=example("vna link add --study 1.2.840.99999.1 --uses 3 --expires 7d"))
def add(
    context: typer.Context,
    study: Annotated[str, typer.Option(metavar="UID", help="Study Instance UID of what it opens.")],
    uses: Annotated[int, typer.Option(metavar="COUNT", help="How often it can be opened.")] = 1,
    expires: Annotated[str, typer.Option(metavar="SPAN", help="How long it works: 7d, 12h or 45m.")] = "7d",
    description: Annotated[str, typer.Option(metavar="WORDS", help="What it is for.")] = "",
) -> None:
    """Make an access link and print it, this once: it is kept nowhere."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM
    from vna.model.errors import BadRequest

    session: Session = context.obj
    span = lifetime(expires)
    if span is None:
        raise BadRequest("a link has to expire: write 7d, 12h or 45m")
    http = session.settings.http
    base = http.public_url or f"http://{f'[{http.host}]' if ':' in http.host else http.host}:{http.port}"
    with session.archive() as archive:
        say(f"{base}/l/{archive.links.add(SYSTEM, study, uses=uses, lifetime=span, description=description)}")


@app.command("list", epilog=example("vna link list"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the links, without their secrets."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "link_id": link.link_id,
                "study": link.study_instance_uid,
                "uses_left": str(link.uses_left),
                "expires_at": f"{link.expires_at:%Y-%m-%dT%H:%M:%SZ}",
                "description": link.description,
            }
            for link in archive.links.all(SYSTEM)
        ]
    show_rows(("Link", "Study", "Uses left", "Expires", "Description"), rows, as_json=style is Format.JSON)


@app.command("remove", epilog=example("vna link remove 1f2e3d4c"))
def remove(
    context: typer.Context,
    link_id: Annotated[str, typer.Argument(metavar="LINK", help="Its short name, from `vna link list`.")],
) -> None:
    """Remove a link: it stops working, where it is open too."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.links.remove(SYSTEM, link_id)
    say(f"link {link_id} is removed")
