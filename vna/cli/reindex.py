"""`vna reindex`: the index anew from the blob store alone."""

from collections import Counter
from contextlib import suppress

import typer

from vna.cli.session import Session


def reindex(context: typer.Context) -> None:
    """Empty the index and rebuild it from the blob store alone. The archive must not be running."""
    from vna.archive.reindex import FAILED, Step
    from vna.cli.output import progress_bar, remark, say
    from vna.model.access import SYSTEM
    from vna.model.errors import VnaError

    session: Session = context.obj
    counts: Counter[Step] = Counter()
    with session.archive() as archive, progress_bar() as bar:
        archive.reindex.refuse_while_serving(SYSTEM)
        with suppress(VnaError):
            archive.dispatcher().drain()  # what the journal does not know yet, as far as the index can still say
        task = bar.add_task("reindex", total=None, note="")
        for done in archive.reindex.run(SYSTEM):
            counts[done.step] += 1
            bar.advance(task)
            if done.step in FAILED:
                remark(f"{done.step.value}: {done.blob}" + (f": {done.reason}" if done.reason else ""))
    say(", ".join(f"{counts[step]} {step.value}" for step in Step))
    if any(counts[step] for step in FAILED):
        raise typer.Exit(1)
