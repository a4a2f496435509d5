"""`vna verify`: is everything that was stored still there, byte for byte."""

import typer

from vna.cli.session import Session


def verify(context: typer.Context) -> None:
    """Read every stored object and compare it with its digest and the index; exit code 1 on any damage."""
    from vna.archive.care import Damage
    from vna.cli.output import progress_bar, remark, say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    sound = damaged = orphans = 0
    with session.archive() as archive, progress_bar() as bar:
        task = bar.add_task("verify", total=archive.care.total(SYSTEM), note="")
        for checked in archive.care.verify(SYSTEM):
            bar.advance(task)
            if checked.damage is None:
                sound += 1
            elif checked.damage is Damage.ORPHAN:
                orphans += 1
            else:
                damaged += 1
                remark(f"damaged: {checked.blob}: {checked.damage.value}")
    if orphans:
        remark(f"{orphans} objects that no row of the index names: harmless, `vna reindex` takes them in")
    say(f"{sound} sound, {damaged} damaged")
    if damaged:
        raise typer.Exit(1)
