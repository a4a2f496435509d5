"""`vna conformance`: does a server do what the standards ask, and what this one says of itself."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session

if TYPE_CHECKING:
    from conformance.suite.check import Check
    from conformance.suite.run import Report
    from conformance.suite.targets import Caller, Targets

app = typer.Typer(
    help="Check any server against the standards, or say what this one conforms to.",
    epilog=example("vna conformance run --dimse VNA@127.0.0.1:11112 --html report.html", "vna conformance statement"),
    no_args_is_help=True,
)


@app.command(
    "run",
    epilog=example(
        "vna conformance run --dimse VNA@127.0.0.1:11112 --dicomweb http://127.0.0.1:8080/dicom-web",
        "vna conformance run --dimse ORTHANC@pacs:4242 --only 'dimse.find.*' --html report.html --junit report.xml",
    ),
)
def run(
    dimse: Annotated[str, typer.Option(metavar="AET@HOST:PORT", help="Its DICOM application entity.")] = "",
    dicomweb: Annotated[str, typer.Option(metavar="URL", help="The root of its DICOMweb services.")] = "",
    wado: Annotated[str, typer.Option(metavar="URL", help="Its WADO-URI address.")] = "",
    xds_registry: Annotated[str, typer.Option(metavar="URL", help="Its XDS.b document registry.")] = "",
    xds_repository: Annotated[str, typer.Option(metavar="URL", help="Its XDS.b document repository.")] = "",
    xds_imaging_source: Annotated[str, typer.Option(metavar="URL", help="Its XDS-I.b imaging document source.")] = "",
    hl7: Annotated[str, typer.Option(metavar="HOST:PORT", help="Its HL7 v2 listener (MLLP).")] = "",
    sgk: Annotated[str, typer.Option(metavar="URL", help="Its SOAP look-ups by accession number.")] = "",
    tls_dimse: Annotated[str, typer.Option(metavar="AET@HOST:PORT", help="Its DICOM port that speaks TLS.")] = "",
    tls_http: Annotated[str, typer.Option(metavar="URL", help="Its HTTPS address.")] = "",
    tls_hl7: Annotated[str, typer.Option(metavar="HOST:PORT", help="Its MLLP port that speaks TLS.")] = "",
    tls_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificates (PEM) that the server's is checked against.")
    ] = None,
    tls_certificate: Annotated[Path | None, typer.Option(metavar="FILE", help="Our own certificate (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key (PEM).")] = None,
    calling: Annotated[str, typer.Option(metavar="AET", help="What we call ourselves.")] = "VNACONF",
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where we listen: the server has to know us as an AE title there.")
    ] = "",
    facility: Annotated[
        str, typer.Option(metavar="CODE", help="The facility that our HL7 orders and look-ups are of.")
    ] = "500059",
    domain: Annotated[
        str, typer.Option(metavar="OID", help="The affinity domain whose patients we register, for XDS.")
    ] = "",
    user: Annotated[str, typer.Option(metavar="NAME", help="A login; VNA_CONFORMANCE_PASSWORD is its password.")] = "",
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=1, help="How long an answer may take.")] = 30.0,
    only: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Only checks with such an id; may be repeated.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the checks instead of running them.")] = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="The results as JUnit XML.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="The results with all evidence, as a page.")] = None,
) -> None:
    """Run the checks of the standards against a server. Its door that is not named is left out; nothing is deleted."""
    from conformance.checks import every
    from conformance.suite.targets import Caller, Certificates, Targets, Unreadable, address, entity, place
    from vna.cli.output import say, show_rows
    from vna.model.errors import BadRequest

    checks = every(*(only or ()))
    if not checks:
        raise BadRequest("no check has such an id; --list shows them")
    if listed:
        rows = [{"id": one.id, "clause": one.clause, "target": one.target.value, "title": one.title} for one in checks]
        show_rows(("id", "clause", "target", "title"), rows, as_json=False)
        return
    try:
        targets = Targets(
            dimse=entity(dimse) if dimse else None,
            dicomweb=address(dicomweb) if dicomweb else "",
            wado=address(wado) if wado else "",
            xds_registry=address(xds_registry) if xds_registry else "",
            xds_repository=address(xds_repository) if xds_repository else "",
            xds_imaging_source=address(xds_imaging_source) if xds_imaging_source else "",
            hl7=place(hl7) if hl7 else None,
            sgk=address(sgk) if sgk else "",
            tls_dimse=entity(tls_dimse) if tls_dimse else None,
            tls_http=address(tls_http) if tls_http else "",
            tls_hl7=place(tls_hl7) if tls_hl7 else None,
        )
        listening = place(listen) if listen else None
    except Unreadable as exc:
        raise BadRequest(str(exc)) from exc
    if not targets.lines():
        raise BadRequest("name a door of the server, such as --dimse VNA@127.0.0.1:11112; --list shows the checks")
    caller = Caller(
        ae_title=calling,
        listen=listening,
        timeout=timeout,
        user=user,
        password=os.environ.get("VNA_CONFORMANCE_PASSWORD", ""),
        token=os.environ.get("VNA_CONFORMANCE_TOKEN", ""),
        tls=Certificates(tls_ca, tls_certificate, tls_key),
        facility=facility,
        domain=domain,
    )
    report = _run(checks, targets, caller)
    _write(report, junit, html)
    for text in _lines(report):
        say(text)
    if not report.is_clean:
        raise typer.Exit(1)


class _Form(StrEnum):
    """How a statement is written."""

    MD = "md"
    HTML = "html"


class _Kind(StrEnum):
    """Which statement it is."""

    BOTH = "both"
    DICOM = "dicom"
    IHE = "ihe"


@app.command(
    "statement",
    epilog=example(
        "vna conformance statement > conformance.md", "vna conformance statement --format html --kind dicom"
    ),
)
def statement(
    context: typer.Context,
    form: Annotated[_Form, typer.Option("--format", help="Markdown, or one HTML page.")] = _Form.MD,
    kind: Annotated[_Kind, typer.Option(help="The DICOM statement, the IHE one, or both.")] = _Kind.BOTH,
) -> None:
    """Write what this archive conforms to, from what its running code registers."""
    from conformance.statement import dicom, ihe
    from conformance.statement.document import html, markdown
    from conformance.statement.registered import registered
    from vna.cli.output import say
    from vna.version import version

    session: Session = context.obj
    with session.archive() as archive:
        found = registered(archive)
        documents = []
        if kind is not _Kind.IHE:
            documents.append(dicom.statement(archive, found, version()))
        if kind is not _Kind.DICOM:
            documents.append(ihe.statement(found, version()))
    say((html(*documents) if form is _Form.HTML else "\n".join(map(markdown, documents))).rstrip("\n"))


def _run(checks: "list[Check]", targets: "Targets", caller: "Caller") -> "Report":
    from conformance.suite.run import run as run_checks
    from conformance.suite.session import Session as Suite
    from vna.cli.output import progress_bar

    with progress_bar() as bar:
        task = bar.add_task("conformance", total=len(checks), note="")

        def begin(one: "Check") -> None:
            bar.update(task, advance=1, note=one.id)

        return run_checks(checks, Suite(targets, caller), begin)


def _lines(report: "Report") -> list[str]:
    from conformance.reports.text import lines

    return list(lines(report))


def _write(report: "Report", junit: Path | None, html: Path | None) -> None:
    from vna.version import version

    if junit is not None:
        from conformance.reports import junit as form

        junit.write_bytes(form.junit(report))
    if html is not None:
        from conformance.reports.html import html as page

        html.write_text(page(report, version()), encoding="utf-8")
