"""`vna serve`: every door in one command."""

from typing import Annotated

import typer

from vna.cli.session import Session


def serve(
    context: typer.Context,
    demo: Annotated[
        bool, typer.Option("--demo", help="Load a small generated study first, when the archive is empty.")
    ] = False,
) -> None:
    """Start the archive: HTTP, DICOM and HL7, until it is stopped (Ctrl-C)."""
    from vna.app.serving import serve as serve_until_stopped

    session: Session = context.obj
    session.start_log()
    for name in session.loaded().unknown:
        _warn(name)
    serve_until_stopped(session.settings, demo=demo)


def _warn(name: str) -> None:
    from vna.cli.output import complain

    complain(f"{name} is in the environment and is no setting: it is ignored")
