"""`vna manifest`: what archives elsewhere say they keep, and what became of it."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli import manifest_pull
from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

if TYPE_CHECKING:
    from vna.model.manifests import Manifest

app = typer.Typer(
    help="Manifests of other archives: which images they keep, and whether those were downloaded.",
    epilog=example("vna manifest list"),
    no_args_is_help=True,
)

Uid = Annotated[str, typer.Argument(metavar="MANIFEST", help="SOP Instance UID of the manifest.")]


class State(StrEnum):
    """What became of manifests, as options say it."""

    CURRENT = "current"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"


class Download(StrEnum):
    """What became of their images, as options say it."""

    DOWNLOADED = "downloaded"
    NOT_DOWNLOADED = "not-downloaded"
    REPEATED = "repeated"


@app.command("list", epilog=example("vna manifest list", "vna manifest list --download not-downloaded"))
def list_(
    context: typer.Context,
    study: Annotated[str, typer.Option(metavar="UID", help="Only those that tell of this study.")] = "",
    facility: Annotated[str, typer.Option(metavar="CODE", help="Only those of this facility.")] = "",
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    download: Annotated[Download | None, typer.Option(help="Only those whose images were, or were not.")] = None,
    style: FormatOption = Format.TABLE,
) -> None:
    """List manifests that came, oldest first: how many instances each names, how many of those are missing, and whether
    they were downloaded (`downloaded`, `not downloaded`, `repeated`; empty: nobody asked yet)."""
    from vna.cli.output import show_rows
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        if study:
            found = iter(archive.manifests.of_study(SYSTEM, study))
        else:
            words = (download or "").replace("-", " ")
            found = archive.manifests.listed(SYSTEM, state=state or "", facility=facility, download=words)
        rows = [_row(one) for one in found]
    heads = ("Manifest", "Study", "Facility", "State", "Named", "Missing", "Download", "At", "Reason")
    show_rows(heads, rows, as_json=style is Format.JSON)


def _row(one: "Manifest") -> dict[str, str]:
    return {
        "manifest": one.sop_instance_uid,
        "study": one.study_instance_uid,
        "facility": one.facility,
        "state": one.state.value,
        "named": str(one.named),
        "missing": str(one.missing),
        "download": one.download.value,
        "at": (one.download_at or one.received_at)[:19],
        "reason": one.reason or "; ".join(one.problems[:1]),
    }


@app.command("show", epilog=example("vna manifest show 1.2.840.113619.2.5"))
def show(context: typer.Context, uid: Uid) -> None:
    """Show one manifest: what it names, where that is, and what was passed over or is missing."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        one = archive.manifests.get(SYSTEM, uid)
    say(f"manifest     {one.sop_instance_uid}, {one.state.value}")
    say(f"study        {one.study_instance_uid}")
    say(f"came         {one.received_at[:19]} by {one.door}, of facility {one.facility or '(not said)'}")
    say(f"names        {one.named} instances, {one.missing} of them missing")
    if one.download.value:
        say(f"download     {one.download.value} at {one.download_at[:19]}" + (f": {one.reason}" if one.reason else ""))
    for series in one.series:
        where = series.retrieve_location_uid or series.retrieve_ae_title or "(not said)"
        say(f"series       {series.series_instance_uid}: {len(series.instances)} instances, kept by {where}")
    for problem in one.problems:
        say(f"problem      {problem}")


@app.command("read", epilog=example("vna manifest read 1.2.840.113619.2.5"))
def read(
    context: typer.Context,
    uids: Annotated[list[str], typer.Argument(metavar="MANIFEST...", help="SOP Instance UIDs of manifests.")],
) -> None:
    """Have manifests read again: after a source was added that keeps what they name, say."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.manifests.request(SYSTEM, uids)
    say(f"{len(uids)} will be read again")


app.command(
    "pull",
    epilog=example(
        "vna manifest pull 'P1^^^&1.2.3&ISO' --registry https://x.example/xds/registry "
        "--repository https://x.example/xds/repository"
    ),
)(manifest_pull.pull)
