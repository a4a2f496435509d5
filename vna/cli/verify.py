"""`vna verify`: is everything that was stored still there, byte for byte."""

from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.session import Session

if TYPE_CHECKING:
    from vna.app.wiring import Application


def verify(
    context: typer.Context,
    forget: Annotated[
        str,
        typer.Option(metavar="SOPInstanceUID", help="Give up what is damaged under this UID, instead of verifying."),
    ] = "",
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Remove what a crash left and nothing names, instead of verifying.")
    ] = False,
) -> None:
    """Read every stored object and compare it with digest, index and journal; exit code 1 on any damage."""
    from vna.model.errors import BadRequest

    session: Session = context.obj
    with session.archive() as archive:
        if forget and sweep:
            raise BadRequest("--forget and --sweep are two different things")
        if sweep:
            _sweep(archive)
        elif forget:
            _forget(archive, forget)
        else:
            _verify(archive)


def _sweep(archive: "Application") -> None:
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    archive.reindex.refuse_while_serving(SYSTEM)
    say(f"{archive.care.sweep(SYSTEM)} leftovers removed")


def _forget(archive: "Application", sop_instance_uid: str) -> None:
    from vna.cli.output import remark, say
    from vna.model.access import SYSTEM

    for name in archive.care.forget(SYSTEM, sop_instance_uid):
        remark(f"forgotten: {name}")
    say(f"{sop_instance_uid} is given up; the next `vna reindex` leaves it out of the index")


def _verify(archive: "Application") -> None:
    from vna.archive.care import Damage
    from vna.cli.output import progress_bar, remark, say
    from vna.model.access import SYSTEM

    sound = damaged = orphans = forgotten = 0
    with progress_bar() as bar:
        task = bar.add_task("verify", total=archive.care.total(SYSTEM), note="")
        for checked in archive.care.verify(SYSTEM):
            bar.advance(task)
            if checked.damage is None:
                sound += 1
            elif checked.damage is Damage.ORPHAN:
                orphans += 1
            elif checked.forgotten:
                forgotten += 1
            else:
                damaged += 1
                remark(f"damaged: {checked.blob}: {checked.damage.value}")
    if orphans:
        remark(
            f"{orphans} objects that neither index nor journal names: harmless, "
            "`vna reindex` takes in what can be read, `vna verify --sweep` removes them"
        )
    if forgotten:
        remark(f"{forgotten} damaged objects that were given up")
    say(f"{sound} sound, {damaged} damaged")
    if damaged:
        raise typer.Exit(1)
