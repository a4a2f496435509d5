"""`vna xds`: IHE document sharing."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli import xds_consumer
from vna.cli.help import example
from vna.cli.session import Session

if TYPE_CHECKING:
    from storage.index.jobs import Job
    from vna.app.wiring import Application

app = typer.Typer(
    help="IHE document sharing: manifests and reports published, documents found and fetched.",
    epilog=example("vna xds publish 1.2.3"),
    no_args_is_help=True,
)

_MEDIA_TYPES = {".pdf": "application/pdf", ".txt": "text/plain", ".xml": "text/xml"}
_DEAD = "dead"
_PATIENCE = 120.0
_PAUSE = 0.2


@app.command(
    "publish", epilog=example("vna xds publish 1.2.3", "vna xds publish 1.2.3 --report report.pdf --title 'CT, chest'")
)
def publish(
    context: typer.Context,
    studies: Annotated[list[str], typer.Argument(metavar="STUDY...", help="Study Instance UIDs.")],
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, exists=True, help="Publish this report (.pdf, .txt, .xml: CDA)."),
    ] = None,
    title: Annotated[str, typer.Option(metavar="WORDS", help="What the report is called.")] = "",
    replaces: Annotated[
        str,
        typer.Option("--replace", metavar="DOCUMENT", help="uniqueId of an earlier report, which this one replaces."),
    ] = "",
) -> None:
    """Provide the manifests of studies to the repository, or one report of one study."""
    from vna.cli.output import say
    from vna.model.errors import BadRequest

    if replaces and report is None:
        raise BadRequest("--replace is for a report: name its file with --report")
    session: Session = context.obj
    with session.archive() as archive:
        if report is not None:
            say(_report(archive, studies, report, title, replaces))
            return
        problems = [study for study in studies if not _published(archive, study)]
    if problems:
        raise typer.Exit(1)


def _report(archive: "Application", studies: list[str], report: Path, title: str, replaces: str) -> str:
    from vna.model.access import SYSTEM
    from vna.model.errors import BadRequest

    media_type = _MEDIA_TYPES.get(report.suffix.lower())
    if media_type is None or len(studies) != 1:
        raise BadRequest("a report is one file (.pdf, .txt or .xml) of one study")
    unique_id = archive.reports.publish(
        SYSTEM, studies[0], report.read_bytes(), media_type, title=title, replaces=replaces
    )
    return f"{studies[0]}: the report is document {unique_id}"


def _published(archive: "Application", study: str) -> bool:
    from vna.cli.output import complain, say
    from vna.model.access import SYSTEM
    from vna.model.errors import VnaError

    try:
        before = _failures(archive, study)
        archive.publishing.request(SYSTEM, study)
        error = _outcome(archive, study, before)
    except VnaError as exc:
        error = str(exc)
    if error:
        complain(f"{study}: {error}")
        return False
    found = archive.publishing.published(SYSTEM, study)
    if found is None or not found.entry_uuid:
        say(f"{study}: nothing is left of it, so that its manifest is removed")
    else:
        say(f"{study}: manifest {found.number} is document {found.unique_id}")
    return True


def _failures(archive: "Application", study: str) -> dict[int, int]:
    """How often each job of the study has failed."""
    return {job.job_id: job.attempts for job in _jobs(archive, study)}


def _jobs(archive: "Application", study: str) -> "list[Job]":
    from vna.documents.publishing import PUBLISH
    from vna.model.access import SYSTEM

    return [job for job in archive.jobs.all(SYSTEM, kind=PUBLISH) if job.order_key == study]


def _outcome(archive: "Application", study: str, before: dict[int, int]) -> str:
    """Done here, or waited for where an archive is running; what went wrong, empty when nothing did."""
    archive.catch_up()
    deadline = time.monotonic() + _PATIENCE
    while True:
        jobs = _jobs(archive, study)
        failed = next((job for job in jobs if job.attempts > before.get(job.job_id, 0)), None)
        if failed is not None:
            return f"{failed.last_error}; `vna jobs list` says whether it is tried again"
        if all(job.state == _DEAD for job in jobs):
            return ""
        if time.monotonic() > deadline:
            return "it is not done yet; `vna jobs list` says how it stands"
        time.sleep(_PAUSE)


app.command(
    "query",
    epilog=example("vna xds query 'P1^^^&1.2.3&ISO' --registry http://127.0.0.1:8080/xds/registry"),
)(xds_consumer.query)
app.command(
    "retrieve",
    epilog=example("vna xds retrieve 1.2.3.4 --repository http://127.0.0.1:8080/xds/repository --id 1.2.3"),
)(xds_consumer.retrieve)
