"""`vna restore`: an archive again from a backup."""

from typing import Annotated

import typer

from vna.cli.backup import PlaceArgument, RateOption, bytes_of
from vna.cli.session import Session


def restore(
    context: typer.Context,
    where: PlaceArgument,
    stamp: Annotated[str, typer.Option("--backup", metavar="STAMP", help="Which one; without it the newest.")] = "",
    rate: RateOption = "0",
) -> None:
    """Restore a backup into an empty archive, every digest compared."""
    session: Session = context.obj
    session.start_log(least="error")
    _restore(session, where, stamp, bytes_of(rate))


def _restore(session: Session, where: str, stamp: str, rate: int) -> None:
    from vna.app.backups import place_at, restore
    from vna.app.blobs import ready_blobs
    from vna.archive.restore import newest
    from vna.cli.output import progress_bar, remark, say

    place = place_at(session.settings, where)
    manifest = newest(place, stamp)
    damaged = known = 0
    with progress_bar() as bar:
        task = bar.add_task("restore", total=manifest.objects, note=manifest.stamp)
        for one in restore(session.settings, place, manifest, ready_blobs(session.settings), rate):
            bar.advance(task)
            if one.problem and one.known:
                known += 1
            elif one.problem:
                damaged += 1
                remark(f"{one.name} {one.problem}")
    if known:
        remark(f"{known} objects were damaged when the backup was made, and are not in it")
    whole = manifest.objects - damaged - known
    say(f"backup {manifest.stamp}: {whole} objects restored, {damaged} damaged; {sum(manifest.rows.values())} rows")
    if damaged:
        raise typer.Exit(1)
