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
    where: Annotated[
        str, typer.Argument(metavar="[DIR]", help="A folder, or s3://bucket?endpoint=http://127.0.0.1:8333.")
    ] = "",
    keep: Annotated[int, typer.Option(min=0, help="Backups to keep there; the oldest go. 0 keeps all.")] = 0,
    rate: RateOption = "0",
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Make a place with backups of another archive this archive's.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Say what was done and what is overdue, instead of a backup.")
    ] = False,
) -> None:
    """Copy index and objects, consistently, while the archive works; what is there already is not copied again."""
    from vna.model.errors import BadRequest

    session: Session = context.obj
    if status:
        _status(session)
        return
    if not where:
        raise BadRequest("say where the backup goes: vna backup DIR")
    made = _made(session, where, keep, bytes_of(rate), take_over)
    if made.lacking_count:
        raise typer.Exit(1)


def _status(session: Session) -> None:
    from vna.cli.output import remark, show_rows
    from vna.model.access import SYSTEM

    with session.archive() as archive:
        standing = archive.keeping.backup_standing
        rows = [
            {
                "what": "restore test" if run.kind == "test" else run.kind,
                "place": run.place,
                "ended": run.ended_at[:19],
                "state": "failed" if run.failed else "good",
                "outcome": run.outcome,
            }
            for run in standing.latest(SYSTEM)
        ]
        overdue = standing.told(SYSTEM)
    show_rows(("What", "Place", "Ended", "State", "Outcome"), rows, as_json=False)
    for sentence in overdue:
        remark(sentence)
    if overdue:
        raise typer.Exit(1)


def _made(session: Session, where: str, keep: int, rate: int, take_over: bool) -> "Manifest":
    from datetime import UTC, datetime

    from storage.index.backup_runs import BACKUP
    from vna.app.backups import place_at
    from vna.archive.backup_standing import ended
    from vna.cli.output import progress_bar, remark, say
    from vna.model.access import SYSTEM
    from vna.model.errors import Taken, VnaError
    from vna.pacing import Pace

    began = datetime.now(UTC)
    with session.archive() as archive, progress_bar() as bar:
        remember = archive.keeping.backup_standing.remember
        try:
            place = place_at(session.settings, where, new=True)
            task = bar.add_task("backup", total=archive.keeping.backup.total(SYSTEM), note="")

            def tell(progress: "Progress") -> None:
                bar.update(task, completed=progress.looked, note=f"{progress.copied} copied")

            made = archive.keeping.backup.run(
                SYSTEM, place, keep=keep, take_over=take_over, pace=Pace(rate).take, tell=tell
            )
        except Taken:
            raise
        except (VnaError, OSError) as exc:
            remember(SYSTEM, ended(BACKUP, where, "", began, str(exc), failed=True))
            raise
        remember(SYSTEM, ended(BACKUP, where, made.stamp, began, summary(made), failed=False))
    for name in made.lacking:
        remark(f"damaged in the archive: {name}")
    say(summary(made))
    return made


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
