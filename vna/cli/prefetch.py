"""`vna prefetch`: fetch the priors of a patient who is expected, by the rules, and say which they are."""

from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

if TYPE_CHECKING:
    from vna.routing.prefetch import Prior


def prefetch(
    context: typer.Context,
    patient_id: Annotated[str, typer.Argument(metavar="PATIENT-ID", help="Patient ID.")],
    issuer: Annotated[
        str, typer.Option(metavar="WORD", help="Issuer of Patient ID; the facility when not given.")
    ] = "",
    birth_date: Annotated[str, typer.Option(metavar="YYYYMMDD", help="Birth date, where nothing is known here.")] = "",
    facility: Annotated[str, typer.Option(metavar="CODE", help="Facility in which the examination is made.")] = "",
    modality: Annotated[str, typer.Option(metavar="CT", help="Modality of the examination.")] = "",
    body_part: Annotated[str, typer.Option(metavar="CHEST", help="Body Part Examined.")] = "",
    description: Annotated[str, typer.Option(metavar="WORDS", help="What the examination is called.")] = "",
    style: FormatOption = Format.TABLE,
) -> None:
    """Fetch the priors of a patient who is expected, by the rules, and say what will be fetched."""
    from vna.cli.output import complain, show_rows
    from vna.model.access import SYSTEM
    from vna.model.dates import normal_date
    from vna.model.errors import BadRequest
    from vna.model.examinations import Planned

    if birth_date and not normal_date(birth_date):
        raise BadRequest("--birth-date is written YYYYMMDD")
    planned = Planned(
        patient_id,
        issuer,
        birth_date=normal_date(birth_date),
        facility=facility,
        modality=modality,
        description=description,
        body_part=body_part,
    )
    session: Session = context.obj
    with session.archive() as archive:
        found, problems = archive.prefetch.now(SYSTEM, planned)
    show_rows(
        ("Study", "Date", "Modalities", "Description", "Instances", "What becomes of it"),
        [_row(prior) for prior in found],
        as_json=style is Format.JSON,
    )
    for problem in problems:
        complain(problem)
    if problems:
        raise typer.Exit(1)


def _row(prior: "Prior") -> dict[str, str]:
    one = prior.examination
    return {
        "study": one.study_instance_uid,
        "date": one.date,
        "modalities": ",".join(sorted(one.modalities)),
        "description": one.description,
        "instances": str(one.instances),
        "decision": prior.decision.value,
    }
