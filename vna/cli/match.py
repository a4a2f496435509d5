"""`vna match`: which images are of which orders, and what found no counterpart."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

if TYPE_CHECKING:
    from vna.app.wiring import Application

app = typer.Typer(
    help="Which images are of which orders; matched and released by hand.",
    epilog=example("vna match list 500059"),
    no_args_is_help=True,
)

_MOST = 10_000

Facility = Annotated[str, typer.Argument(metavar="FACILITY", help="SKRS code of the facility that ordered.")]
Accession = Annotated[str, typer.Argument(metavar="ACCESSION", help="Accession number of the order.")]
Study = Annotated[str, typer.Argument(metavar="STUDY", help="Study Instance UID.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with it.")]


@app.command(
    "list",
    epilog=example(
        "vna match list 500059 --from 20261101 --to 20261130",
        "vna match list 500059 --studies --modality CT --format json",
        "vna match list 500059 --accession A1",
    ),
)
def list_(
    context: typer.Context,
    facility: Facility,
    studies: Annotated[bool, typer.Option("--studies", help="Studies without an order instead.")] = False,
    accession: Annotated[str, typer.Option("--accession", metavar="NUMBER", help="What this order matched.")] = "",
    begin: Annotated[str, typer.Option("--from", metavar="TIME", help="From this local time, YYYYMMDDHHMMSS.")] = "",
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="To this local time.")] = "",
    modality: Annotated[str, typer.Option("--modality", metavar="CODE", help="Only of this modality.")] = "",
    style: FormatOption = Format.TABLE,
) -> None:
    """List orders without images and why, studies without an order and why, or what one order matched."""
    from vna.cli.output import remark, show_rows

    session: Session = context.obj
    with session.archive() as archive:
        if accession:
            heads, rows = _of_order(archive, facility, accession)
        elif studies:
            heads, rows = _studies(archive, facility, begin, end, modality)
        else:
            heads, rows = _orders(archive, facility, begin, end, modality)
    show_rows(heads, rows, as_json=style is Format.JSON)
    if len(rows) == _MOST:
        remark(f"these are the first {_MOST}: narrow them with --from and --to")


@app.command("add", epilog=example("vna match add 500059 A1 1.2.3 --reason 'typed wrongly at the modality'"))
def add(context: typer.Context, facility: Facility, accession: Accession, study: Study, reason: Reason = "") -> None:
    """Say that a study is of an order."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM
    from vna.model.orders import OrderKey

    session: Session = context.obj
    with session.archive() as archive:
        archive.national.matching.match(SYSTEM, OrderKey(facility, accession), study, reason)
    say(f"{study} is of the order {accession} of {facility}")


@app.command("release", epilog=example("vna match release 500059 A1 1.2.3 --reason 'another patient'"))
def release(
    context: typer.Context, facility: Facility, accession: Accession, study: Study, reason: Reason = ""
) -> None:
    """Say that a study is not of an order; no rule says so again."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM
    from vna.model.orders import OrderKey

    session: Session = context.obj
    with session.archive() as archive:
        archive.national.matching.release(SYSTEM, OrderKey(facility, accession), study, reason)
    say(f"{study} is not of the order {accession} of {facility}")


Rows = list[dict[str, str]]


def _of_order(archive: "Application", facility: str, accession: str) -> tuple[Sequence[str], Rows]:
    from vna.model.access import SYSTEM
    from vna.model.orders import OrderKey

    found = archive.national.matching.of_order(SYSTEM, OrderKey(facility, accession))
    rows = [
        {
            "study": one.study_instance_uid,
            "rule": one.rule.value,
            "by": one.actor,
            "at": one.at,
            "released": "yes" if one.released else "",
            "reason": one.reason,
        }
        for one in found
    ]
    return ("Study", "Rule", "By", "At", "Released", "Reason"), rows


def _orders(archive: "Application", facility: str, begin: str, end: str, modality: str) -> tuple[Sequence[str], Rows]:
    from vna.model.access import SYSTEM
    from vna.model.unmatched import REASONS

    def page(after: str) -> Sequence[Any]:
        return archive.national.unmatched.unmatched_orders(SYSTEM, facility, begin, end, modality, after=after)

    rows = [
        {
            "accession": one.order.key.accession_number,
            "requested": one.requested_at,
            "modality": one.order.modality,
            "sut": one.sut_code,
            "code": one.reason,
            "reason": REASONS[one.reason].english,
        }
        for one in _paged(page)
    ]
    return ("Accession", "Requested", "Modality", "SUT", "Code", "Reason"), rows


def _studies(archive: "Application", facility: str, begin: str, end: str, modality: str) -> tuple[Sequence[str], Rows]:
    from vna.model.access import SYSTEM
    from vna.model.unmatched import REASONS

    def page(after: str) -> Sequence[Any]:
        return archive.national.unmatched.unmatched_studies(SYSTEM, facility, begin, end, modality, after=after)

    rows = [
        {
            "study": one.study_instance_uid,
            "accession": one.accession_number,
            "date": one.study_date,
            "modalities": " ".join(one.modalities),
            "code": one.reason,
            "reason": REASONS[one.reason].english,
            "quarantine": "yes" if one.is_quarantined else "no",
        }
        for one in _paged(page)
    ]
    return ("Study", "Accession", "Date", "Modalities", "Code", "Reason", "Quarantine"), rows


def _paged(page: Callable[[str], Sequence[Any]]) -> Iterator[Any]:
    after, count = "", 0
    while some := page(after):
        yield from some[: _MOST - count]
        count += len(some)
        if count >= _MOST:
            return
        after = some[-1].position
