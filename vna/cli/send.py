"""`vna send`: files to another application entity (C-STORE), which may be asked to keep them (N-ACTION)."""

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dimse.scu import Destination, StoreSCU
    from vna.cli.importing import Found
    from vna.model.commitments import Referenced
    from vna.model.destination import Item

_BATCH = 1000
_LISTED = 20
_COMMITTED_AT_ONCE = 5000


def send(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="DICOM files, or folders with such.")],
    to: Annotated[str, typer.Option("--to", metavar="AET@HOST:PORT", help="Where to.")],
    parallel: Annotated[int, typer.Option(metavar="N", min=1, max=16, help="Associations at once.")] = 1,
    commit: Annotated[
        bool, typer.Option("--commit", help="Ask for storage commitment afterwards, and wait for the result.")
    ] = False,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=1, help="How long a result is waited for.")
    ] = 60.0,
) -> None:
    """Send DICOM files and folders to another application entity (C-STORE), under our own AE title."""
    from dimse.scu import StoreSCU, sender
    from vna.cli.importing import find
    from vna.cli.output import progress_bar
    from vna.cli.sending import destination, require_listener
    from vna.model.errors import BadRequest

    try:
        receiver = destination(to)
    except BadRequest as exc:
        raise typer.BadParameter(str(exc), context, param_hint="'--to'") from exc
    session: Session = context.obj
    session.start_log(least="error")
    require_listener(receiver)
    scu = StoreSCU(receiver, sender(session.settings.dimse.ae_title), parallel=parallel)
    report = _Report()
    with progress_bar() as bar:
        task = bar.add_task("send", total=None if bar.disable else sum(1 for _ in find(paths)), note="")
        for end in _sent(scu, find(paths)):
            bar.advance(task)
            report.add(end)
    report.finish(to)
    if not report.counts.keys() & {"sent", "failed"}:
        raise BadRequest("nothing was sent: there is no DICOM instance in what was named")
    is_kept = not commit or _committed(session, receiver, report.sent, wait)
    if report.counts["failed"] or not is_kept:
        raise typer.Exit(1)


def _committed(session: Session, receiver: "Destination", sent: "list[Referenced]", wait: float) -> bool:
    """Whether the receiver keeps everything that it took."""
    from vna.cli.committing import Committing
    from vna.cli.output import progress_bar

    with session.archive() as archive, progress_bar() as bar:
        committing = Committing(archive, receiver, wait)
        task = bar.add_task("commit", total=len(sent), note="")
        for start in range(0, len(sent), _COMMITTED_AT_ONCE):
            part = sent[start : start + _COMMITTED_AT_ONCE]
            committing.ask(part)
            bar.advance(task, len(part))
    return committing.finish()


@dataclass(frozen=True, slots=True)
class _End:
    """What became of a file, why where that is worth a line, and whether sending it was begun at all."""

    word: str
    path: Path
    reason: str = ""
    begun: bool = True
    item: "Item | None" = None


class _Report:
    """A line for each of the first files with something to say, and one for all that had no association to go over."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.sent: list[Referenced] = []
        self._listed = 0
        self._never_begun: Counter[str] = Counter()

    def add(self, end: _End) -> None:
        from vna.cli.output import remark
        from vna.model.commitments import Referenced

        self.counts[end.word] += 1
        if end.item is not None and end.word == "sent":
            self.sent.append(Referenced(end.item.sop_class_uid, end.item.sop_instance_uid))
        if not end.begun:
            self._never_begun[end.reason] += 1
        elif end.reason and self._listed < _LISTED:
            self._listed += 1
            remark(f"{end.word}: {end.path}: {end.reason}")

    def finish(self, to: str) -> None:
        from vna.cli.output import remark, say

        for reason, number in self._never_begun.items():
            remark(f"failed: {number} not sent to {to}: {reason}")
        say(f"{self.counts['sent']} sent, {self.counts['failed']} failed, {self.counts['not DICOM']} not DICOM")


def _sent(scu: "StoreSCU", files: "Iterable[Found]") -> "Iterator[_End]":
    from vna.model.destination import Verdict

    rest = iter(files)
    while batch := list(islice(rest, _BATCH)):
        paths: dict[int, Path] = {}
        items: list[Item] = []
        for file in batch:
            item = _item(file.path)
            if isinstance(item, _End):
                yield item
            else:
                items.append(item)
                paths[id(item)] = file.path
        for sent in scu.send(items):
            word = "failed" if sent.verdict is Verdict.FAILED else "sent"
            reason = "" if sent.verdict is Verdict.COMPLETED else sent.reason
            yield _End(word, paths[id(sent.item)], reason, sent.begun, sent.item)


def _item(path: Path) -> "Item | _End":
    from vna.cli.sending import open_file
    from vna.model.errors import VnaError

    try:
        file = open_file(path)
    except VnaError as exc:
        return _End("failed", path, str(exc))
    except OSError as exc:
        return _End("failed", path, f"cannot be read: {exc.strerror}")
    return file.item() if file is not None else _End("not DICOM", path)
