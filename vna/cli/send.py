"""`vna send`: files to another application entity (C-STORE)."""

import typer


def send(context: typer.Context) -> None:
    """Send."""
