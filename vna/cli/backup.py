"""`vna backup`: a consistent copy of the archive while it works."""

from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.session import Session

if TYPE_CHECKING:
    from storage.backups import Manifest
    from vna.archive.backup import Progress

PlaceArgument = Annotated[
    str, typer.Argument(metavar="DIR", help="A folder, or s3://bucket?endpoint=http://127.0.0.1:8333.")
]
RateOption = Annotated[str, typer.Option(metavar="SIZE", help="Most bytes a second, such as 50MiB; 0 is no limit.")]


def backup(
    context: typer.Context,
    where: PlaceArgument,
    keep: Annotated[int, typer.Option(min=0, help="Backups to keep there; the oldest go. 0 keeps all.")] = 0,
    rate: RateOption = "0",
) -> None:
    """Copy index and objects, consistently, while the archive works; what is there already is not copied again."""
    from vna.app.backups import place_at
    from vna.cli.output import progress_bar, remark, say
    from vna.model.access import SYSTEM
    from vna.pacing import Pace

    session: Session = context.obj
    pace = Pace(bytes_of(rate))
    with session.archive() as archive, progress_bar() as bar:
        place = place_at(session.settings, where, new=True)
        task = bar.add_task("backup", total=archive.keeping.backup.total(SYSTEM), note="")

        def tell(progress: "Progress") -> None:
            bar.update(task, completed=progress.looked, note=f"{progress.copied} copied")

        made = archive.keeping.backup.run(SYSTEM, place, keep=keep, pace=pace.take, tell=tell)
    for name in made.lacking:
        remark(f"damaged in the archive: {name}")
    say(summary(made))
    if made.lacking_count:
        raise typer.Exit(1)


def summary(made: "Manifest") -> str:
    """A backup in a line."""
    line = f"backup {made.stamp}: {made.objects} objects, {made.bytes} bytes, {made.copied} of them copied now"
    return f"{line}; {made.lacking_count} are damaged in the archive" if made.lacking_count else line


def bytes_of(text: str) -> int:
    """A size as people write it."""
    from pydantic import ByteSize, TypeAdapter, ValidationError

    from vna.model.errors import BadRequest

    try:
        return int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError as exc:
        raise BadRequest(f"{text} is no size: write 50MiB, or a number of bytes") from exc
