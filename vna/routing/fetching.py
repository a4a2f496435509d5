"""Taking instances of one series from one archive elsewhere into this one: through any of its doors."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from storage.index.elsewhere import Kept
from vna.archive.store import Store
from vna.model.access import SYSTEM
from vna.model.errors import (
    CannotUnderstand,
    Conflict,
    Mismatch,
    NotAuthorized,
    NotFound,
    OutOfResources,
    Rejected,
    Unavailable,
    VnaError,
)
from vna.model.instances import Arrival, Door
from vna.model.priority import Priority
from vna.model.sources import Doors, Fetched, Fetching, Source, StudyPart

log = logging.getLogger(__name__)

_FEW = 4
"""Instances up to which they are asked for by name where the whole series could be."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of asking one archive: `reasons` say in words what went wrong.

    `lacking` are those that it says it does not have. `is_down` when no door of it answered at all.
    """

    reasons: Sequence[str]
    lacking: set[str]
    is_down: bool


@dataclass(slots=True)
class _Asking:
    """One archive being asked."""

    source: Source
    wanted: dict[str, Kept]
    came: Callable[[str], None]
    reasons: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    answered: bool = False


class Fetch:
    """Asks archives; `doors` makes the doors of one."""

    def __init__(self, store: Store, doors: Callable[[Source], Doors]) -> None:
        self._store = store
        self._doors = doors

    def run(
        self,
        source: Source,
        wanted: dict[str, Kept],
        first: Sequence[str],
        came: Callable[[str], None],
        priority: Priority = Priority.INTERACTIVE,
    ) -> Result:
        """Fetch what is wanted of one series, those named in `first` before the rest, by every door until it is here;
        `came` is told of each, and `wanted` loses it. Only a few that are in `first` go before what is routine.
        """
        asking = _Asking(source, wanted, came)
        lacking: set[str] | None = None
        for name, door in self._doors(source).fetching:
            if not wanted:
                break
            missed = self._through(name, door, _parts(door, wanted, first, priority), asking)
            if missed is not None:
                lacking = missed if lacking is None else lacking & missed
        if not asking.answered and not asking.reasons:
            asking.reasons.append(f"{source.name} has no door that gives instances")
        return Result(asking.reasons, (lacking or set()) & wanted.keys(), not asking.answered)

    def _through(self, name: str, door: Fetching, parts: Iterator[StudyPart], asking: "_Asking") -> set[str] | None:
        """Ask through one door; what it says is not there. None when it broke down."""
        missed: set[str] = set()
        for part in parts:
            try:
                self._take(door, part, asking)
            except NotFound:
                missed.update(part.sop_instance_uids or asking.wanted)
            except OutOfResources:  # it is this archive that has no room
                raise
            except VnaError as exc:
                asking.reasons.append(f"{asking.source.name} by {name}: {exc}")
                asking.answered |= not isinstance(exc, Unavailable | NotAuthorized)
                return None
            else:
                missed.update(() if part.sop_instance_uids else asking.wanted)
            asking.answered = True
        return (missed & asking.wanted.keys()) - asking.refused

    def _take(self, door: Fetching, part: StudyPart, asking: "_Asking") -> None:
        for fetched in door.fetch(part):
            uid = fetched.sop_instance_uid
            one = asking.wanted.get(uid)
            if one is None:  # nobody asked for it, or it is here
                continue
            try:
                self._keep(asking.source, one, fetched)
            except (Rejected, CannotUnderstand) as exc:
                asking.refused.add(uid)
                asking.reasons.append(f"what {asking.source.name} gives as {uid} is refused: {exc}")
                continue
            asking.answered = True
            del asking.wanted[uid]
            asking.came(uid)

    def _keep(self, source: Source, one: Kept, fetched: Fetched) -> None:
        if fetched.sop_class_uid != one.sop_class_uid:
            raise Mismatch("its SOP Class is not the one that the manifest names")
        actor = replace(SYSTEM, name=f"source {source.name}"[:64], facility=one.facility or source.facility)
        arrival = Arrival(
            Door.FETCH,
            calling_ae=source.archive.ae_title or source.name[:16],
            study_instance_uid=one.study_instance_uid,
            sop_class_uid=one.sop_class_uid,
            sop_instance_uid=one.sop_instance_uid,
        )
        with self._store.open(actor, arrival) as incoming:
            for chunk in fetched.chunks:
                incoming.write(chunk)
            if one.size > 0 and incoming.sha256 != one.sha256:
                uid = one.sop_instance_uid
                log.warning("content changed elsewhere", extra={"source": source.name, "sop_instance_uid": uid})
            with suppress(Conflict):  # other content came by another way meanwhile: that is what readers get
                self._store.accept(incoming, actor, arrival)


def _parts(door: Fetching, wanted: dict[str, Kept], first: Sequence[str], priority: Priority) -> Iterator[StudyPart]:
    """What is asked for, one request each: those that somebody waits for by name, then the rest."""
    any_one = next(iter(wanted.values()))
    part = StudyPart(any_one.study_instance_uid, any_one.series_instance_uid)
    urgent = [uid for uid in first if uid in wanted]
    urgent = urgent if len(urgent) <= _FEW else []
    if urgent:
        classes = tuple(sorted({wanted[uid].sop_class_uid for uid in urgent}))
        yield replace(part, sop_instance_uids=tuple(urgent), sop_class_uids=classes, priority=priority)
    rest = tuple(uid for uid in wanted if uid not in urgent)
    if rest:
        yield replace(
            part,
            sop_instance_uids=rest if door.by_name or len(rest) <= _FEW else (),
            sop_class_uids=tuple(sorted({one.sop_class_uid for one in wanted.values()})),
            priority=min(priority, Priority.ROUTINE),
        )
