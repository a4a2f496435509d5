"""`vna audit`: the trail of who did what: searched, handed out, and checked."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

if TYPE_CHECKING:
    from storage.index.audit import Wanted

app = typer.Typer(
    help="The audit trail: who did what, to whose images, when and why.",
    epilog=example("vna audit search --patient P1", "vna audit verify"),
    no_args_is_help=True,
)

PatientOption = Annotated[str, typer.Option("--patient", metavar="ID", help="Patient ID, or `ID^^^ISSUER`.")]
StudyOption = Annotated[str, typer.Option("--study", metavar="UID", help="Study Instance UID.")]
ActorOption = Annotated[str, typer.Option("--actor", metavar="NAME", help="Who: user, token, AE title or source.")]
FacilityOption = Annotated[str, typer.Option("--facility", metavar="CODE", help="Whose images.")]
KindOption = Annotated[
    list[str] | None, typer.Option("--kind", metavar="KIND", help="Class of record, such as `instances-accessed`.")
]
SinceOption = Annotated[
    datetime | None, typer.Option("--since", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="From then on (UTC).")
]
UntilOption = Annotated[
    datetime | None, typer.Option("--until", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Before then (UTC).")
]


class Form(StrEnum):
    """How records are written to a file."""

    JSON = "json"
    CSV = "csv"


@app.command("search", epilog=example("vna audit search --patient P1", "vna audit search --actor doctor --format json"))
def search(
    context: typer.Context,
    patient: PatientOption = "",
    study: StudyOption = "",
    actor: ActorOption = "",
    facility: FacilityOption = "",
    kind: KindOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, metavar="COUNT", help="Most records.")] = 50,
    style: FormatOption = Format.TABLE,
) -> None:
    """Show the newest records that match."""
    from vna.audit.reading import plain
    from vna.cli.output import remark, show_json, show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    wanted = _wanted(patient, study, actor, facility, kind, since, until)
    with session.archive() as archive:
        page = archive.guarding.reading.search(SYSTEM, wanted, limit=limit)
    if style is Format.JSON:
        show_json([plain(row) for row in page.rows])
        return
    rows = [
        {
            "record": str(row.id),
            "time": row.at[:19],
            "kind": row.kind,
            "what": row.what,
            "actor": row.actor,
            "patient": row.patient,
            "study": row.study_instance_uid,
            "outcome": str(row.outcome),
            "why": row.reason or row.purpose,
        }
        for row in page.rows
    ]
    show_rows(("Record", "Time", "Kind", "What", "Actor", "Patient", "Study", "Outcome", "Why"), rows, as_json=False)
    if page.before:
        remark("There are more: --limit takes up to 10000, and `vna audit export` all of them.")


@app.command("export", epilog=example("vna audit export trail.jsonl", "vna audit export p1.csv --patient P1 --as csv"))
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; it must not be there yet.")],
    patient: PatientOption = "",
    study: StudyOption = "",
    actor: ActorOption = "",
    facility: FacilityOption = "",
    kind: KindOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    form: Annotated[Form, typer.Option("--as", help="A JSON object a line, or CSV.")] = Form.JSON,
) -> None:
    """Write every record that matches to a file, newest first."""
    from vna.audit.exporting import write
    from vna.cli.output import progress_bar, say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    wanted = _wanted(patient, study, actor, facility, kind, since, until)
    with session.archive() as archive, progress_bar() as bar:
        task = bar.add_task("exporting", total=None, note="")
        rows = archive.guarding.reading.export(SYSTEM, wanted)
        count = write(file, rows, csv=form is Form.CSV, told=lambda done: bar.update(task, completed=done))
    say(f"{count} records are in {file}")


@app.command("verify", epilog=example("vna audit verify", "vna audit verify --format json"))
def verify(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """Check every record, the chain over them and its seals; the first altered entry is named, and ends it with 1."""
    from vna.audit.verifying import told
    from vna.cli.output import progress_bar, say, show_json
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive, progress_bar() as bar:
        task = bar.add_task("verifying", total=None, note="")
        found = archive.guarding.verification.run(
            SYSTEM, lambda done, total: bar.update(task, completed=done, total=total)
        )
    findings = told(found.findings)
    if style is Format.JSON:
        show_json(_summary(found, findings))
    else:
        say(
            f"{found.rows} records in {found.batches} batches, {found.unchained} not chained yet; "
            f"{found.seals} seals in the object store, {found.stamps} time stamps"
            + (f", the last of {found.last_stamp[:19]}" if found.last_stamp else "")
        )
        for one in findings[:50]:
            say(f"{one.wrong.value}: {one.words}")
        if len(findings) > 50 or found.more:
            say(f"and {len(findings) - 50 + found.more} more; --format json lists a thousand")
        say(f"the first altered entry is record {findings[0].record}" if findings else "the trail is whole")
    if findings:
        raise typer.Exit(1)


def _summary(found: Any, findings: list[Any]) -> dict[str, Any]:
    return {
        "whole": not findings,
        "records": found.rows,
        "batches": found.batches,
        "not_chained": found.unchained,
        "seals": found.seals,
        "time_stamps": found.stamps,
        "last_time_stamp": found.last_stamp,
        "first": findings[0].record if findings else None,
        "findings": [{"record": one.record, "wrong": one.wrong.value, "words": one.words} for one in findings],
        "more": found.more,
    }


def _wanted(
    patient: str,
    study: str,
    actor: str,
    facility: str,
    kinds: list[str] | None,
    since: datetime | None,
    until: datetime | None,
) -> "Wanted":
    from storage.index.audit import Wanted
    from vna.model.audit import AuditKind
    from vna.model.errors import BadRequest

    known = {kind.value for kind in AuditKind}
    for kind in kinds or ():
        if kind not in known:
            raise BadRequest(f"there is no class of record called {kind}: {', '.join(sorted(known))}")
    identifier, _, issuer = patient.partition("^^^")
    return Wanted(
        patient=identifier,
        issuer=issuer,
        study_instance_uid=study,
        actor=actor,
        kinds=tuple(kinds or ()),
        facility=facility,
        since=_text(since),
        until=_text(until),
    )


def _text(at: datetime | None) -> str:
    from storage.index.events import time_text

    return time_text(at.replace(tzinfo=UTC)) if at else ""
