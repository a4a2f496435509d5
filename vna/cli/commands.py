"""The table of commands; docs/commands.md describes each."""

from pathlib import Path
from typing import Annotated

import typer

from vna.cli import (
    ae,
    audit,
    backup,
    codes,
    commitment,
    conformance,
    correct,
    delete,
    demo,
    export,
    facility,
    fetch,
    forward,
    hl7,
    hold,
    import_,
    jobs,
    link,
    manifest,
    match,
    migrate,
    migrate_from,
    node,
    patient,
    permits,
    prefetch,
    quarantine,
    reindex,
    rejection,
    report,
    restore,
    retention,
    schedule,
    send,
    serve,
    settings,
    source,
    store,
    tags,
    token,
    user,
    verify,
    xds,
)
from vna.cli.help import example
from vna.cli.session import Session

app = typer.Typer(
    help="A vendor-neutral archive for medical images.",
    epilog=example("vna serve --demo"),
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from vna.cli.output import say
        from vna.version import version

        say(f"vna {version()}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings file, instead of ./vna.toml.")
    ] = None,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """A vendor-neutral archive for medical images."""
    session: Session = context.obj
    session.config = config


for name, function, examples in (
    ("serve", serve.serve, ("vna serve", "VNA_HTTP__PORT=9000 vna serve --demo")),
    ("import", import_.import_, ("vna import /media/cdrom", "vna import --facility 34001 /data/old-pacs")),
    (
        "send",
        send.send,
        ("vna send study/ --to PACS@127.0.0.1:104", "vna send study/ --to PACS@127.0.0.1:104 --commit"),
    ),
    ("verify", verify.verify, ("vna verify", "vna verify --forget 1.2.826.0.1.3680043.10.1")),
    ("reindex", reindex.reindex, ("vna reindex",)),
    ("backup", backup.backup, ("vna backup /backup/vna --keep 14", "vna backup --status")),
    ("restore", restore.restore, ("vna restore /backup/vna", "vna restore --test /backup/vna --report test.pdf")),
    ("delete", delete.delete, ("vna delete 1.2.3 --reason 'sent by mistake'", "vna delete 1.2.3 --series 1.2.3.1")),
    (
        "prefetch",
        prefetch.prefetch,
        ("vna prefetch P1", "vna prefetch P1 --issuer HIS --modality CT"),
    ),
    ("fetch", fetch.fetch, ("vna fetch 1.2.3", "vna fetch --background 1.2.3 1.2.4")),
    ("migrate", migrate.migrate, ("vna migrate",)),
    (
        "migrate-from",
        migrate_from.migrate_from,
        (
            "vna migrate-from CITY --dry-run",
            "vna migrate-from CITY --rate '07:00-19:00=20MB/s, 19:00-07:00=unlimited' --report city.html",
        ),
    ),
    ("settings", settings.settings, ("vna settings", "vna settings --format json")),
    ("demo", demo.demo, ("vna demo demo-files",)),
):
    app.command(name, epilog=example(*examples))(function)

for group, words in (
    (ae.app, "ae"),
    (source.app, "source"),
    (manifest.app, "manifest"),
    (user.app, "user"),
    (token.app, "token"),
    (link.app, "link"),
    (permits.consents, "consent"),
    (permits.grants, "grant"),
    (permits.cases, "case"),
    (facility.app, "facility"),
    (tags.app, "tags"),
    (codes.app, "codes"),
    (report.app, "report"),
    (match.app, "match"),
    (quarantine.app, "quarantine"),
    (delete.app, "deleted"),
    (hold.app, "hold"),
    (retention.app, "retention"),
    (hl7.app, "hl7"),
    (jobs.app, "jobs"),
    (schedule.app, "schedule"),
    (commitment.app, "commitment"),
    (forward.app, "forward"),
    (node.app, "node"),
    (audit.app, "audit"),
    (store.app, "store"),
    (rejection.app, "rejection"),
    (correct.app, "correct"),
    (correct.study_app, "study"),
    (patient.app, "patient"),
    (export.app, "export"),
    (conformance.app, "conformance"),
    (xds.app, "xds"),
):
    app.add_typer(group, name=words)
