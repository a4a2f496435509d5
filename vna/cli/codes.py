"""`vna codes`: code tables of the national side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

if TYPE_CHECKING:
    from vna.model.codes import CodeVersion

app = typer.Typer(
    help="Code tables of the national side: examinations, facilities, periods, radiologists and others.",
    epilog=example("vna codes list"),
    no_args_is_help=True,
)

_SHOWN = 1000
_HEADS = ("List", "Version", "Codes", "Loaded", "By", "In force")


@app.command(
    "load",
    epilog=example("vna codes load sut sut.csv", "vna codes load facilities kurumlar.csv --version 2026-11"),
)
def load(
    context: typer.Context,
    list_name: Annotated[str, typer.Argument(metavar="LIST", help="Which list; `vna codes list` names them.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="CSV with a header row, UTF-8 or Windows-1254, with ; or ,")
    ],
    version: Annotated[
        str, typer.Option("--version", metavar="NAME", help="Name of this version.", show_default="the time")
    ] = "",
) -> None:
    """Put a list in force; the versions before it are kept."""
    from vna.cli.output import progress_bar, say
    from vna.model.access import SYSTEM
    from vna.teleradiology import code_files
    from vna.teleradiology.codes import named

    session: Session = context.obj
    codes = code_files.read(file, named(list_name))
    with session.archive() as archive, progress_bar() as bar:
        task = bar.add_task(list_name, total=len(codes), note="")
        loaded = archive.national.codes.load(
            SYSTEM, list_name, version, codes, lambda done, _all: bar.update(task, completed=done)
        )
    say(_summary(loaded))


@app.command("list", epilog=example("vna codes list", "vna codes list --format json"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """Say which lists there are and which versions of them were loaded."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM
    from vna.teleradiology.code_lists import LISTS

    session: Session = context.obj
    with session.archive() as archive:
        versions = archive.national.codes.versions(SYSTEM)
    loaded = {one.list_name for one in versions}
    rows = [_row(one) for one in versions]
    rows += [dict.fromkeys(map(str.lower, _HEADS), "") | {"list": name} for name in LISTS if name not in loaded]
    show_rows(_HEADS, rows, as_json=style is Format.JSON)


@app.command("show", epilog=example("vna codes show sut", "vna codes show facilities 500059 --format json"))
def show(
    context: typer.Context,
    list_name: Annotated[str, typer.Argument(metavar="LIST", help="Which list.")],
    code: Annotated[str, typer.Argument(metavar="CODE", help="Only this code.", show_default="the first 1000")] = "",
    after: Annotated[str, typer.Option("--after", metavar="CODE", help="Only codes that come after this one.")] = "",
    style: FormatOption = Format.TABLE,
) -> None:
    """Show codes of the version in force."""
    from vna.cli.output import remark, show_rows
    from vna.model.access import SYSTEM
    from vna.model.errors import NotFound

    session: Session = context.obj
    with session.archive() as archive:
        codes = archive.national.codes.listed(SYSTEM, list_name, after=after, limit=_SHOWN)
        if code:
            found = archive.national.codes.find(list_name, code)
            if found is None:
                raise NotFound(f"the list {list_name} has no code {code}")
            codes = [found]
    rows = [
        {"code": one.code, "text": one.text, "more": ", ".join(f"{k}={v}" for k, v in one.values.items())}
        for one in codes
    ]
    show_rows(("Code", "Text", "More"), rows, as_json=style is Format.JSON)
    if len(rows) == _SHOWN:
        remark(f"there may be more: vna codes show {list_name} --after {rows[-1]['code']}")


@app.command("demo", epilog=example("vna codes demo"))
def demo(context: typer.Context) -> None:
    """Load a small demonstration set of every list; its facilities and people are invented."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM
    from vna.teleradiology import demonstration

    session: Session = context.obj
    with session.archive() as archive:
        for loaded in demonstration.load(archive.national.codes, SYSTEM):
            say(_summary(loaded))


def _summary(loaded: "CodeVersion") -> str:
    return f"{loaded.list_name}: version {loaded.version} with {loaded.codes} codes is in force"


def _row(one: "CodeVersion") -> dict[str, str]:
    return {
        "list": one.list_name,
        "version": one.version,
        "codes": str(one.codes),
        "loaded": one.loaded_at,
        "by": one.loaded_by,
        "in force": "yes" if one.in_force else "",
    }
