"""`vna retention`: what the rules say."""

from collections import Counter

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="Rules of how long studies are kept.", epilog=example("vna retention list"), no_args_is_help=True
)


@app.command("list", epilog=example("vna retention list", "vna retention list --format json"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the studies whose time is over by the rules, and count them by rule."""
    from vna.cli.output import remark, show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    rows: list[dict[str, str]] = []
    studies: Counter[str] = Counter()
    size: Counter[str] = Counter()
    with session.archive() as archive:
        for one in archive.keeping.care.retention.due(SYSTEM):
            studies[one.rule.name] += 1
            size[one.rule.name] += one.bytes
            rows.append(
                {
                    "rule": one.rule.name,
                    "then": "on hold" if one.held else one.rule.then,
                    "study": one.study_instance_uid,
                    "date": one.study_date,
                    "facility": one.facility,
                    "instances": str(one.instances),
                    "bytes": str(one.bytes),
                }
            )
    heads = ("Rule", "Then", "Study", "Date", "Facility", "Instances", "Bytes")
    show_rows(heads, rows, as_json=style is Format.JSON)
    for rule, count in studies.items():
        remark(f"{rule}: {count} studies, {size[rule]} bytes")
