"""`vna migrate`: the database schema up to date."""

import typer

from vna.cli.session import Session


def migrate(context: typer.Context) -> None:
    """Bring the database schema up to date (serve does it itself on the embedded default)."""
    from vna.app.migration import migrate as bring_up_to_date
    from vna.cli.output import say

    session: Session = context.obj
    session.start_log(least="error")
    before, after = bring_up_to_date(session.settings)
    say(f"the schema was up to date ({after})" if before == after else f"the schema is now at {after}")
