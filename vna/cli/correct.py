"""`vna correct` and `vna study`: what images say, and where they belong."""

from typing import Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="Corrections of what images say, and taking them back.",
    epilog=example("vna correct list 1.2.3"),
    no_args_is_help=True,
)
study_app = typer.Typer(
    help="Where studies, series and instances belong.",
    epilog=example("vna study move 1.2.3 --to-study 1.2.4 --reason 'wrong order'"),
    no_args_is_help=True,
)

Study = Annotated[str, typer.Argument(metavar="STUDY", help="Study Instance UID.")]
Series = Annotated[str, typer.Option("--series", metavar="UID", help="Only this series of it.")]
Instance = Annotated[str, typer.Option("--instance", metavar="UID", help="Only this instance of the series.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with it.")]


@app.command("set", epilog=example("vna correct set 1.2.3 PatientName=Deneme^Ayse --reason 'typed wrongly'"))
def set_(
    context: typer.Context,
    study: Study,
    values: Annotated[list[str], typer.Argument(metavar="KEYWORD=VALUE...", help="What it is to say.")],
    reason: Reason,
    series: Series = "",
    instance: Instance = "",
) -> None:
    """Correct attributes of a study, a series or an instance; of a patient in all of his studies."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    pairs = [value.partition("=") for value in values]
    if not all(equals for _, equals, _ in pairs):
        raise typer.BadParameter("a correction looks like StudyDescription=Thorax")
    said = {keyword: value for keyword, _, value in pairs}
    session: Session = context.obj
    with session.archive() as archive:
        name = archive.keeping.corrections.correct(SYSTEM, study, series, instance, said=said, reason=reason)
        archive.catch_up()
    say(f"corrected; `vna correct revoke {name}` takes it back")


@app.command("list", epilog=example("vna correct list 1.2.3", "vna correct list 1.2.3 --format json"))
def list_(context: typer.Context, study: Study, style: FormatOption = Format.TABLE) -> None:
    """List what was corrected of a study, and moved out of it or into it."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        rows = [
            {
                "name": one.name,
                "kind": one.kind.value,
                "series": one.series_instance_uid,
                "instance": one.sop_instance_uid,
                "said": ", ".join(f"{keyword}={value}" for keyword, value in one.values.items()),
                "at": one.made_at[:19],
                "by": one.actor,
                "reason": one.reason,
                "revoked": one.revoked_at[:19],
            }
            for one in archive.keeping.corrections.listed(SYSTEM, study)
        ]
    heads = ("Name", "Kind", "Series", "Instance", "Said", "At", "By", "Reason", "Revoked")
    show_rows(heads, rows, as_json=style is Format.JSON)


@app.command("revoke", epilog=example("vna correct revoke 4f1c09a2b7d3 --reason 'it was right'"))
def revoke(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a correction or move, as the list shows it.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with it.")] = "",
) -> None:
    """Take a correction or a move back."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.keeping.corrections.revoke(SYSTEM, name, reason=reason)
        archive.catch_up()
    say(f"{name} holds no longer")


@study_app.command(
    "move",
    epilog=example(
        "vna study move 1.2.3 --series 1.2.3.1 --to-study 1.2.4 --reason 'of the other order'",
        "vna study move 1.2.3 --to-patient P2 --to-issuer HIS --reason 'wrong patient chosen'",
        "vna study move 1.2.3 --to-patient P3 --to-name Deneme^Ayse --reason 'wrong patient chosen'",
    ),
)
def move(
    context: typer.Context,
    study: Study,
    reason: Reason,
    series: Series = "",
    instance: Instance = "",
    to_study: Annotated[str, typer.Option("--to-study", metavar="UID", help="Into this study, held or new.")] = "",
    to_series: Annotated[str, typer.Option("--to-series", metavar="UID", help="Into this series of it.")] = "",
    to_patient: Annotated[str, typer.Option("--to-patient", metavar="ID", help="To this Patient ID.")] = "",
    to_issuer: Annotated[str, typer.Option("--to-issuer", metavar="NAME", help="Issuer of that Patient ID.")] = "",
    to_name: Annotated[str, typer.Option("--to-name", metavar="NAME", help="Name, of a patient not known here.")] = "",
    to_birth_date: Annotated[str, typer.Option("--to-birth-date", metavar="YYYYMMDD", help="When born.")] = "",
    to_sex: Annotated[str, typer.Option("--to-sex", metavar="M|F|O", help="Sex.")] = "",
) -> None:
    """Move a study, a series or an instance to another study or patient; the bytes stay as they came."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM
    from vna.model.identifiers import PatientKey

    patient = PatientKey(to_patient, to_issuer) if to_patient else None
    called = {"PatientName": to_name, "PatientBirthDate": to_birth_date, "PatientSex": to_sex}
    session: Session = context.obj
    with session.archive() as archive:
        name = archive.keeping.corrections.move(
            SYSTEM,
            study,
            series,
            instance,
            to_study=to_study,
            to_series=to_series,
            to_patient=patient,
            called={keyword: value for keyword, value in called.items() if value},
            reason=reason,
        )
        said = next(one.said for one in archive.keeping.corrections.listed(SYSTEM, study) if one.name == name)
        archive.catch_up()
    if patient is not None and not said.get("PatientName"):
        say(f"nobody knows what {to_patient} is called: his images have no name now; `vna correct set` gives one")
    say(f"moved; `vna correct revoke {name}` takes it back")
