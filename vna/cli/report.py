"""`vna report`: reports of orders, for people to try and to look."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

if TYPE_CHECKING:
    from vna.model.orders import OrderKey, Person
    from vna.model.reports import Part, Report

app = typer.Typer(
    help="Reports of orders: drafts, approved ones, addenda.",
    epilog=example("vna report list 500059 A1"),
    no_args_is_help=True,
)

Facility = Annotated[str, typer.Argument(metavar="FACILITY", help="Code of the facility that ordered.")]
Accession = Annotated[str, typer.Argument(metavar="ACCESSION", help="Accession number of the order.")]
By = Annotated[
    list[str] | None,
    typer.Option(metavar="NUMBER:NAME", help="Who approves it: national number and FAMILY^GIVEN. May come twice."),
]
At = Annotated[str, typer.Option("--at", metavar="TIME", help="When, as YYYYMMDDHHMMSS.", show_default="now")]


class Kind(StrEnum):
    """What reports are of."""

    RADIOLOGY = "radiology"
    PATHOLOGY = "pathology"


def _text(words: str) -> Any:
    return typer.Option(metavar="TEXT", help=f"{words}; @FILE takes it from a file.", show_default=False)


@app.command("list", epilog=example("vna report list 500059 A1", "vna report list 500059 A1 --format json"))
def list_(context: typer.Context, facility: Facility, accession: Accession, style: FormatOption = Format.TABLE) -> None:
    """List the versions of an order's report."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        found = archive.national.reports.of(SYSTEM, _key(facility, accession))
    rows = [
        {
            "version": str(one.number),
            "kind": one.kind.value,
            "state": one.state.value,
            "addendum_to": str(one.addendum_to or ""),
            "approved": one.approved_at,
            "by": ", ".join(person.name or person.number for person in one.radiologists),
            "source": one.source,
            "received": one.received_at[:19],
        }
        for one in found
    ]
    headings = ("Version", "Kind", "State", "Addendum to", "Approved", "By", "Source", "Received")
    show_rows(headings, rows, as_json=style is Format.JSON)


@app.command("show", epilog=example("vna report show 500059 A1", "vna report show 500059 A1 --number 2"))
def show(
    context: typer.Context,
    facility: Facility,
    accession: Accession,
    number: Annotated[int, typer.Option(metavar="N", help="The version.", show_default="all")] = 0,
) -> None:
    """Show what a report says, as plain text."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM
    from vna.model.errors import NotFound

    session: Session = context.obj
    with session.archive() as archive:
        found = archive.national.reports.of(SYSTEM, _key(facility, accession))
    chosen = [one for one in found if number in (0, one.number)]
    if not chosen:
        raise NotFound("there is no such report")
    for one in chosen:
        say("\n".join(_lines(one)))


@app.command(
    "file",
    epilog=example(
        "vna report file 500059 A1 --findings @findings.txt --conclusion 'Normal.'",
        "vna report file 500059 A1 --conclusion 'See again in May.' --approved --by '10000000382:DOE^JANE'",
    ),
)
def file(
    context: typer.Context,
    facility: Facility,
    accession: Accession,
    technique: Annotated[str, _text("How it was made")] = "",
    comparison: Annotated[str, _text("What it was compared with")] = "",
    findings: Annotated[str, _text("What was found")] = "",
    conclusion: Annotated[str, _text("Conclusion and recommendations")] = "",
    html: Annotated[bool, typer.Option("--html", help="The texts are HTML, not plain text.")] = False,
    kind: Annotated[Kind, typer.Option(help="What it is a report of.")] = Kind.RADIOLOGY,
    approved: Annotated[bool, typer.Option("--approved", help="It is final. Otherwise it is a draft.")] = False,
    by: By = None,
    at: At = "",
) -> None:
    """Keep a draft, or with --approved a final report; after an approved one it is an addendum."""
    from vna.model.access import SYSTEM
    from vna.model.reports import Report, ReportKind, ReportState

    said = {"technique": technique, "comparison": comparison, "findings": findings, "conclusion": conclusion}
    report = Report(
        key=_key(facility, accession),
        number=0,
        parts=tuple(_parts(said, is_html=html)),
        kind=ReportKind(kind.value),
        state=ReportState.APPROVED if approved else ReportState.DRAFT,
        approved_at=at,
        radiologists=_persons(by),
        source="vna report",
    )
    session: Session = context.obj
    with session.archive() as archive:
        _tell(archive.national.reports.file(SYSTEM, report))


@app.command("approve", epilog=example("vna report approve 500059 A1 1 --by '10000000382:DOE^JANE'"))
def approve(
    context: typer.Context,
    facility: Facility,
    accession: Accession,
    number: Annotated[int, typer.Argument(metavar="VERSION", help="The draft, as `vna report list` shows it.")],
    by: By = None,
    at: At = "",
) -> None:
    """Make a draft final. It never changes after that."""
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        _tell(archive.national.reports.approve(SYSTEM, _key(facility, accession), number, _persons(by), at))


def _key(facility: str, accession: str) -> "OrderKey":
    from vna.model.orders import OrderKey

    return OrderKey(facility, accession)


def _persons(by: list[str] | None) -> "tuple[Person, ...]":
    from vna.model.orders import Person

    return tuple(Person(*one.split(":", 1)) for one in by or ())


def _parts(said: dict[str, str], *, is_html: bool) -> "Iterator[Part]":
    from vna.model.errors import BadRequest
    from vna.model.reports import Part, PartName

    for name, text in said.items():
        if text.startswith("@"):
            try:
                text = Path(text[1:]).read_text("utf-8")
            except (OSError, UnicodeDecodeError) as exc:
                raise BadRequest(f"{text[1:]} cannot be read as text in UTF-8") from exc
        if text:
            yield Part(PartName[name.upper()], text, is_html)


def _tell(report: "Report") -> None:
    from vna.cli.output import say

    addendum = f", an addendum to {report.addendum_to}" if report.addendum_to else ""
    say(f"version {report.number} ({report.state.value}{addendum})")


def _lines(report: "Report") -> Iterator[str]:
    from vna.teleradiology.sanitising import plain_text

    addendum = f", addendum to {report.addendum_to}" if report.addendum_to else ""
    yield f"Version {report.number}: {report.kind.value}, {report.state.value}{addendum}"
    for person in report.radiologists:
        yield f"Approved by {person.name or person.number} {report.approved_at}".rstrip()
    for part in report.parts:
        yield f"\n{part.name.name.capitalize()}\n{plain_text(part)}"
    yield ""
