"""`vna rejection`: rejection notes, and taking them back."""

from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="Rejection notes: what they hide, and taking them back.",
    epilog=example("vna rejection list"),
    no_args_is_help=True,
)


@app.command("list", epilog=example("vna rejection list", "vna rejection list --format json"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the rejection notes that came, and whether they hold."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM
    from vna.model.rejections import MEANINGS

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "note": one.note,
                "state": one.state.value,
                "code": one.code,
                "title": MEANINGS[one.code],
                "instances": str(one.named),
                "since": one.made_at[:19],
                "from": one.source_ae,
                "revoked_by": one.changed_by,
                "reason": one.reason,
            }
            for one in archive.keeping.rejections.listed(SYSTEM)
        ]
    heads = ("Note", "State", "Code", "Title", "Instances", "Since", "From", "Revoked by", "Reason")
    show_rows(heads, rows, as_json=style is Format.JSON)


@app.command("revoke", epilog=example("vna rejection revoke 1.2.3.4 --reason 'the image is good'"))
def revoke(
    context: typer.Context,
    note: Annotated[str, typer.Argument(metavar="NOTE", help="SOP Instance UID of the note.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with it.")] = "",
) -> None:
    """Take a note back: what it named is shown again, unless another note rejects it."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.keeping.rejections.revoke(SYSTEM, note, reason=reason)
        archive.catch_up()
    say(f"the rejection note {note} holds no longer")


@app.command("apply", epilog=example("vna rejection apply"))
def apply(context: typer.Context) -> None:
    """Look at every note again, after the settings of `iocm` were changed."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        count = archive.keeping.rejections.apply(SYSTEM)
        archive.catch_up()
    say(f"{count} rejection note{'s' if count != 1 else ''} looked at")
