"""`vna verify`: is everything that was stored still there, byte for byte."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.session import Session

if TYPE_CHECKING:
    from vna.app.wiring import Application
    from vna.archive.care import Checked


def verify(
    context: typer.Context,
    study: Annotated[str, typer.Option("--study", metavar="UID", help="Only this study.")] = "",
    sample: Annotated[
        float, typer.Option(metavar="PERCENT", min=0.0, max=100.0, help="Only so many of all objects, at random.")
    ] = 100.0,
    again: Annotated[bool, typer.Option("--again", help="Begin anew, instead of where a run was cut.")] = False,
    rate: Annotated[
        str, typer.Option(metavar="BYTES", help="Most bytes a second, such as 50MB. Default: VNA_VERIFY__RATE.")
    ] = "",
    repair: Annotated[bool, typer.Option("--repair", help="Put right what is damaged and whole elsewhere.")] = False,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="A backup that --repair may take bytes from.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every damaged object there, one JSON line each.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result for programs.")] = False,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="List what was found damaged before, instead of verifying.")
    ] = False,
    forget: Annotated[
        str,
        typer.Option(metavar="SOPInstanceUID", help="Give up what is damaged under this UID, instead of verifying."),
    ] = "",
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Remove what a crash left and nothing names, instead of verifying.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --sweep: only count.")] = False,
) -> None:
    """Read every stored object and compare it with digest, index and journal; exit code 1 on any damage."""
    from vna.model.errors import BadRequest

    session: Session = context.obj
    if forget and sweep:
        raise BadRequest("--forget and --sweep are two different things")
    if source is not None and (not repair or not source.is_dir()):
        raise BadRequest("--from names a folder that --repair may take bytes from")
    if study and sample < 100:
        raise BadRequest("--study and --sample are two different things")
    limit = _bytes(rate) if rate else None
    with session.archive() as archive:
        if sweep:
            _sweep(archive, dry_run=dry_run)
        elif forget:
            _forget(archive, forget)
        elif damaged:
            _damaged(archive)
        else:
            what = _what(archive, study, sample, limit, again=again)
            _verify(archive, *what, source if repair else None, report, repair=repair, as_json=as_json)


def _bytes(text: str) -> int:
    from pydantic import ByteSize, TypeAdapter, ValidationError

    from vna.model.errors import BadRequest

    try:
        return int(TypeAdapter(ByteSize).validate_python(text.removesuffix("/s")))
    except ValidationError:
        raise BadRequest("--rate takes bytes a second, such as 50MB") from None


def _sweep(archive: "Application", *, dry_run: bool) -> None:
    """All of it where no archive runs; else only what has been left over for a day."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM
    from vna.model.errors import Conflict

    if not dry_run:
        try:
            archive.reindex.refuse_while_serving(SYSTEM)
        except Conflict:
            pass
        else:
            say(f"{archive.care.sweep(SYSTEM)} leftovers removed")
            return
    swept = archive.keeping.care.sweeping.sweep(SYSTEM, dry_run=dry_run)
    words = "would be removed" if dry_run else "removed"
    say(f"{swept.removed} leftovers {words}, {swept.bytes} bytes; {swept.young} were first seen less than a day ago")


def _forget(archive: "Application", sop_instance_uid: str) -> None:
    from vna.cli.output import remark, say
    from vna.model.access import SYSTEM

    for name in archive.care.forget(SYSTEM, sop_instance_uid):
        remark(f"forgotten: {name}")
    say(f"{sop_instance_uid} is given up; the next `vna reindex` leaves it out of the index")


def _damaged(archive: "Application") -> None:
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    for one in archive.keeping.care.verifying.damaged(SYSTEM):
        say(f"{one.blob}: {one.damage} ({one.found_at[:19]})")


def _what(
    archive: "Application", study: str, sample: float, rate: int | None, *, again: bool
) -> "tuple[Iterator[Checked], int, int]":
    """What is looked at, how many bytes there are, and how many of them were looked at before."""
    from vna.cli.output import remark
    from vna.model.access import SYSTEM

    verifying = archive.keeping.care.verifying
    size = archive.care.amount(SYSTEM, study)[1]
    if study:
        return verifying.study(SYSTEM, study, rate=rate), size, 0
    if sample < 100:
        return verifying.sample(SYSTEM, sample, rate=rate), int(size * sample / 100), 0
    run = None if again else verifying.standing(SYSTEM)
    if run is None:
        return verifying.everything(SYSTEM, rate=rate), size, 0
    remark(f"going on after {run.objects} objects, begun {run.begun_at[:19]}; --again begins anew")
    return verifying.everything(SYSTEM, run, rate=rate), size, run.bytes


def _verify(
    archive: "Application",
    found: "Iterator[Checked]",
    size: int,
    done: int,
    backup: Path | None,
    report: Path | None,
    *,
    repair: bool,
    as_json: bool,
) -> None:
    from vna.archive.care import Damage
    from vna.cli.output import byte_bar, remark, say, show_json
    from vna.model.access import SYSTEM

    care = archive.keeping.care
    run = care.verifying.standing(SYSTEM) if done else None
    sound, forgotten = (run.sound, run.forgotten) if run else (0, 0)
    orphans = repaired = 0
    damaged: list[dict[str, object]] = []
    before = [] if run is None else list(care.verifying.damaged(SYSTEM))
    for one in before:
        remark(f"damaged: {one.blob}: {one.damage}")
        damaged.append({"blob": one.blob, "uid": one.sop_instance_uid, "size": one.size, "damage": one.damage})
    with byte_bar() as bar:
        task = bar.add_task("verify", total=size, completed=done, note="")
        for checked in found:
            bar.advance(task, checked.size)
            if checked.damage is None:
                sound += 1
            elif checked.damage is Damage.ORPHAN:
                orphans += 1
            elif checked.forgotten:
                forgotten += 1
            elif repair and (words := care.repairing.repair(SYSTEM, checked, backup)):
                care.verifying.repaired(SYSTEM, checked)
                repaired += 1
                sound += 1
                remark(f"repaired from {words}: {checked.blob}: {checked.damage.value}")
            else:
                remark(f"damaged: {checked.blob}: {checked.damage.value}")
                damaged.append(_row(checked))
    if report is not None:
        _write(report, damaged)
    if orphans:
        remark(
            f"{orphans} objects that neither index nor journal names: harmless, "
            "`vna reindex` takes in what can be read, `vna verify --sweep` removes them"
        )
    if forgotten:
        remark(f"{forgotten} damaged objects that were given up")
    if as_json:
        counts = {"sound": sound, "damaged": len(damaged), "forgotten": forgotten, "repaired": repaired}
        show_json({**counts, "orphans": orphans, "objects": damaged})
    else:
        say(f"{sound} sound, {len(damaged)} damaged" + (f", {repaired} repaired" if repaired else ""))
    if damaged:
        raise typer.Exit(1)


def _row(checked: "Checked") -> dict[str, object]:
    assert checked.damage is not None
    return {
        "blob": checked.blob,
        "uid": checked.sop_instance_uid,
        "size": checked.size,
        "damage": checked.damage.value,
    }


def _write(report: Path, damaged: list[dict[str, object]]) -> None:
    import orjson

    with report.open("wb") as file:
        for row in damaged:
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
