"""`vna tags`: attributes that searches know beside the usual ones."""

from enum import StrEnum
from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="Search tags: attributes that searches find quickly, beside the usual ones.",
    epilog=example("vna tags list"),
    no_args_is_help=True,
)

Name = Annotated[
    str, typer.Argument(metavar="ATTRIBUTE", help="Keyword or tag; for one inside a sequence its path with points.")
]


class LevelName(StrEnum):
    """The levels that a tag can have."""

    STUDY = "study"
    SERIES = "series"
    IMAGE = "image"


@app.command(
    "add",
    epilog=example(
        "vna tags add BodyPartExamined", "vna tags add PerformedProtocolCodeSequence.CodeValue --level series"
    ),
)
def add(
    context: typer.Context,
    name: Name,
    level: Annotated[
        LevelName | None,
        typer.Option("--level", help="What it is searched of.", show_default="that of the attribute, else study"),
    ] = None,
) -> None:
    """Let searches know an attribute; what is held already is read in the background."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM
    from vna.model.query import Level

    session: Session = context.obj
    with session.archive() as archive:
        chosen = archive.tags.add(SYSTEM, name, None if level is None else Level[level.name])
    say(f"{name} is a search tag of level {LevelName[chosen.name].value}; `vna tags list` says when it is ready")


@app.command("list", epilog=example("vna tags list", "vna tags list --format json"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the search tags."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM
    from vna.model.dictionary import keyword_of

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "attribute": ".".join(keyword_of(one) or one for one in tag.path),
                "tag": ".".join(tag.path),
                "level": LevelName[tag.level.name].value,
                "state": "ready" if tag.ready else "filling",
            }
            for tag in archive.tags.all(SYSTEM)
        ]
    show_rows(("Attribute", "Tag", "Level", "State"), rows, as_json=style is Format.JSON)


@app.command("remove", epilog=example("vna tags remove BodyPartExamined"))
def remove(context: typer.Context, name: Name) -> None:
    """Forget a search tag."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.tags.remove(SYSTEM, name)
    say(f"{name} is no search tag any more")
