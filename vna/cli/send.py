"""`vna send`: files to another application entity (C-STORE)."""

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dimse.delivery import Item
    from dimse.scu import StoreSCU
    from vna.cli.importing import Found

_BATCH = 1000
_LISTED = 20


def send(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="DICOM files, or folders with such.")],
    to: Annotated[str, typer.Option("--to", metavar="AET@HOST:PORT", help="Where to.")],
    parallel: Annotated[int, typer.Option(metavar="N", min=1, max=16, help="Associations at once.")] = 1,
) -> None:
    """Send DICOM files and folders to another application entity (C-STORE), under our own AE title."""
    from dimse.scu import StoreSCU, sender
    from vna.cli.importing import find
    from vna.cli.output import progress_bar, remark, say
    from vna.cli.sending import destination, require_listener

    session: Session = context.obj
    session.start_log(least="error")
    receiver = destination(to)
    require_listener(receiver)
    scu = StoreSCU(receiver, sender(session.settings.dimse.ae_title), parallel=parallel)
    counts: Counter[str] = Counter()
    with progress_bar() as bar:
        task = bar.add_task("send", total=None if bar.disable else sum(1 for _ in find(paths)), note="")
        for word, path, reason in _sent(scu, find(paths)):
            counts[word] += 1
            bar.advance(task)
            if reason and counts["remarks"] < _LISTED:
                counts["remarks"] += 1
                remark(f"{word}: {path}: {reason}")
    say(f"{counts['sent']} sent, {counts['failed']} failed, {counts['not DICOM']} not DICOM")
    if counts["failed"]:
        raise typer.Exit(1)


def _sent(scu: "StoreSCU", files: "Iterable[Found]") -> "Iterator[tuple[str, Path, str]]":
    """For each file what became of it, and why where that is worth a line."""
    from dimse.delivery import Verdict

    rest = iter(files)
    while batch := list(islice(rest, _BATCH)):
        paths: dict[int, Path] = {}
        items: list[Item] = []
        for file in batch:
            item = _item(file.path)
            if isinstance(item, tuple):
                yield item
            else:
                items.append(item)
                paths[id(item)] = file.path
        for end in scu.send(items):
            word = "failed" if end.verdict is Verdict.FAILED else "sent"
            yield word, paths[id(end.item)], "" if end.verdict is Verdict.COMPLETED else end.reason


def _item(path: Path) -> "Item | tuple[str, Path, str]":
    from vna.cli.sending import open_file
    from vna.model.errors import VnaError

    try:
        file = open_file(path)
    except VnaError as exc:
        return "failed", path, str(exc)
    except OSError as exc:
        return "failed", path, f"cannot be read: {exc.strerror}"
    return file.item() if file is not None else ("not DICOM", path, "")
