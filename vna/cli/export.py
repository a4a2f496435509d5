"""`vna export`: studies, a facility or everything as DICOM file-sets to hand over."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from vna.cli.help import example
from vna.cli.session import Session
from vna.model.export_form import Form

if TYPE_CHECKING:
    from vna.archive.exporting import Progress


class _WriteByDefault(TyperGroup):
    """`vna export DIR` is `vna export write DIR`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["write", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_WriteByDefault,
    help="Export studies as DICOM file-sets with DICOMDIR, to be handed over.",
    epilog=example("vna export /media/usb --facility 34001 --with-database", "vna export verify /media/usb"),
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the export.", show_default=False)]
Day = Annotated[datetime | None, typer.Option(metavar="DATE", formats=["%Y-%m-%d"], show_default=False)]


@app.command(
    "write",
    epilog=example(
        "vna export write /media/usb --facility 34001 --with-database --receiver 'City Hospital'",
        "vna export /export/all --all --form jpeg-lossless --media-size 4.7GB",
    ),
)
def write(
    context: typer.Context,
    folder: Folder,
    study: Annotated[list[str] | None, typer.Option(metavar="UID", help="A study; may be repeated.")] = None,
    facility: Annotated[str, typer.Option(metavar="CODE", help="The studies of a facility.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All studies.")] = False,
    from_date: Day = None,
    to_date: Day = None,
    form: Annotated[Form, typer.Option(help="As kept, or uncompressed pixels in JPEG Lossless SV1.")] = Form.ORIGINAL,
    media_size: Annotated[
        str, typer.Option(metavar="SIZE", help="Begin a new volume before one gets larger, such as 4.7GB; 0 never.")
    ] = "0",
    with_database: Annotated[
        bool, typer.Option("--with-database", help="The index of these studies too, in the database's own format.")
    ] = False,
    receiver: Annotated[str, typer.Option(metavar="NAME", help="For whom it is: the audit keeps it.")] = "",
) -> None:
    """Write studies with all corrections; deleted and rejected objects are left out. One that was cut goes on."""
    from storage.index.handing_over import Scope
    from vna.archive.exporting import Order
    from vna.cli.backup import bytes_of
    from vna.cli.output import progress_bar, remark, say
    from vna.model.access import SYSTEM
    from vna.model.errors import BadRequest

    if (bool(study) + bool(facility) + everything) != 1:
        raise BadRequest("say what is exported: --study UID, --facility CODE or --all")
    scope = Scope(tuple(study or ()), facility, _day(from_date), _day(to_date))
    order = Order(scope, form, bytes_of(media_size), with_database, receiver)
    session: Session = context.obj
    with session.archive() as archive, progress_bar() as bar:
        made = archive.keeping.exports.run(SYSTEM, folder, order, _tell(bar))
    for one in made["omitted"]:
        remark(f"left out: {one['sop_instance_uid']}: {one['reason']}")
    for one in made["notes"]:
        remark(f"{one['count']} {one['note']}")
    counts = made["counts"]
    say(
        f"{counts['studies']} studies, {counts['instances']} instances, {counts['bytes']} bytes "
        f"on {len(made['volumes'])} volumes, verified; {made['omitted_count']} left out"
    )
    if made["omitted_count"]:
        raise typer.Exit(1)


@app.command("verify", epilog=example("vna export verify /media/usb", "vna export verify /media/cdrom"))
def verify(folder: Folder) -> None:
    """Check an export, or one medium of it: every file against the manifest, and where the DICOMDIR leads."""
    from vna.archive import exporting
    from vna.cli.output import progress_bar, remark, say

    with progress_bar() as bar:
        found = exporting.verify(folder, _tell(bar))
    for sentence in found.problems:
        remark(sentence)
    say(f"{found.files} files, {found.bytes} bytes; {found.problem_count} problems")
    if found.problem_count:
        raise typer.Exit(1)


@app.command(
    "minutes",
    epilog=example(
        "vna export minutes /media/usb --giver 'City Hospital' --receiver 'Ministry' --media SN1 --output minutes.pdf",
    ),
)
def minutes(
    context: typer.Context,
    folder: Folder,
    giver: Annotated[str, typer.Option(metavar="NAME", help="Who hands over.")],
    receiver: Annotated[str, typer.Option(metavar="NAME", help="Who takes over.")],
    output: Annotated[Path, typer.Option(metavar="FILE.pdf", help="Where the minutes go.")],
    media: Annotated[
        list[str] | None, typer.Option(metavar="SERIAL", help="Serial number of a medium; one for each, in order.")
    ] = None,
    giver_title: Annotated[str, typer.Option(metavar="TITLE", help="Title of who hands over.")] = "",
    receiver_title: Annotated[str, typer.Option(metavar="TITLE", help="Title of who takes over.")] = "",
    copies: Annotated[int, typer.Option(min=1, max=20, help="Copies, each numbered.")] = 2,
) -> None:
    """Write the minutes of a hand-over, in Turkish and English, to print and sign."""
    from vna.app import handover
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    parties = handover.Party(giver, giver_title), handover.Party(receiver, receiver_title)
    with session.archive() as archive:
        made = archive.keeping.exports.hand_over(SYSTEM, folder, giver, receiver, tuple(media or ()))
    output.write_bytes(handover.minutes(folder, made, *parties, tuple(media or ()), copies))
    say(f"{copies} copies in {output}")


def _day(date: datetime | None) -> str:
    return f"{date:%Y%m%d}" if date else ""


def _tell(bar: Any) -> Any:
    task = bar.add_task("export", total=None, note="")

    def tell(progress: "Progress") -> None:
        bar.update(task, description=progress.step, completed=progress.done, total=progress.total)

    return tell
