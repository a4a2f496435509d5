"""Reading the whole list of a source's studies, whatever it gives at most in one answer.

An answer is believed to be whole when it is shorter than another one: then nothing cuts answers of its length. Whether
the longest is whole is found out by asking for the same in two parts: parts that add up prove it whole, parts that have
more prove it cut.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from storage.index import takeovers
from storage.index.engine import Database
from storage.index.takeovers import CUT, DONE, SPLIT, Seen, TakeoverRow
from vna.model.errors import Rejected, Unavailable, VnaError
from vna.model.identifiers import is_uid
from vna.model.query import Level, Match, Query
from vna.model.sources import Searching
from vna.routing import windows
from vna.routing.reaching import Reaching, Stopped
from vna.routing.scope import MODALITIES, PATIENT_ID, STUDY_DATE, Scope
from vna.routing.windows import Kind, Window

NUMBER_OF_INSTANCES: Final = "00201208"
_RETURNED: Final = frozenset({STUDY_DATE, MODALITIES, NUMBER_OF_INSTANCES, PATIENT_ID})
_FEW: Final = 20
"""No archive gives fewer than so many matches."""
_FAILURES: Final = 30
"""So many searches in a row that find nothing and fail are no matter of their size."""


@dataclass(slots=True)
class Answer:
    """What a search for one window brought; `failure` is why it ended early, if it did."""

    count: int = 0
    studies: list[Seen] = field(default_factory=list)
    undated: int = 0
    dates: list[str] = field(default_factory=list)
    patient_ids: list[str] = field(default_factory=list)
    at_limit: bool = False
    strays: int = 0
    failure: str = ""

    @property
    def is_cut(self) -> bool:
        """Whether there certainly is more."""
        return self.at_limit or bool(self.failure)


class Listing:
    """Walks along one source's list; every window that is done stays done."""

    def __init__(
        self,
        database: Database,
        searching: Searching,
        reaching: Reaching,
        takeover: TakeoverRow,
        scope: Scope,
        stopped: threading.Event,
        *,
        limit: int = 5000,
        told: Callable[[int], None],
    ) -> None:
        self._database = database
        self._searching = searching
        self._reaching = reaching
        self._key = takeover.key
        self._trusted, self._cap = takeover.trusted, takeover.cap
        self._scope = scope
        self._stopped = stopped
        self._limit = limit
        self._told = told
        self._failures = 0
        self._asked: dict[str, Answer] = {}

    def run(self) -> None:
        """Ask for every window that is open. Stopped when stopped, Unavailable when the source is gone."""
        while (row := self._next()) is not None:
            window = windows.read(row.span)
            answer = self._asked.pop(row.span, None) or self._ask(window)
            self._settle(window, answer)
        with self._database.transaction() as connection:
            takeovers.finish_list(connection, self._key)

    def _next(self) -> takeovers.WindowRow | None:
        with self._database.read() as connection:
            return takeovers.next_window(connection, self._key)

    def _settle(self, window: Window, answer: Answer) -> None:
        """Note an answer: the window is done, or parted into others."""
        if self._is_whole(answer):
            self._note(window, DONE, answer)
            return
        if answer.strays:
            self._note(window, CUT, answer, reason="the source passes over Study Date in searches")
            return
        parts = window.parted(answer.dates, answer.patient_ids)
        if not parts:
            self._note(window, CUT, answer, reason=answer.failure or f"the source gives {answer.count} studies at most")
            return
        if len(parts) > 2:  # by Patient ID: too many to be asked for a proof
            self._note(window, SPLIT, answer, parts=parts)
            return
        answers = [self._ask(part) for part in parts]
        whole = self._judge(answer, answers)
        without_day = () if whole or window.kind is not Kind.EVERYTHING else self._without_day(answer)
        self._note(window, SPLIT, answer, parts=(*without_day, *parts))
        self._asked = {part.span: found for part, found in zip(parts, answers, strict=True)}

    def _without_day(self, answer: Answer) -> tuple[Window, ...]:
        """Where not everything came in one answer, studies that have no date are looked for by Patient ID."""
        if self._scope.patient_id:
            return (Window(Kind.EXACTLY, text=self._scope.patient_id),)
        return Window().beginnings(answer.patient_ids)

    def _is_whole(self, answer: Answer) -> bool:
        self._trusted = max(self._trusted, answer.count - 1)
        if answer.is_cut:
            return False
        return answer.count < self._cap if self._cap else answer.count <= max(_FEW, self._trusted)

    def _judge(self, answer: Answer, parts: Sequence[Answer]) -> bool:
        """Whether it was whole, by its parts. That says nothing of others as long: a source can have as many as it
        gives at most. Studies without a date are in no part: with some there is no proof."""
        if answer.is_cut or any(part.strays for part in parts):
            return False
        together = sum(part.count for part in parts)
        each_smaller = all(part.count < answer.count and not part.is_cut for part in parts)
        whole = each_smaller and together == answer.count
        if self._cap and answer.count > self._cap:
            self._cap = 0
        if not whole and answer.undated + together > answer.count > self._trusted:
            self._cap = min(self._cap or answer.count, answer.count)
        with self._database.transaction() as connection:
            takeovers.learn(connection, self._key, self._trusted, self._cap)
        return whole

    def _note(
        self, window: Window, state: str, answer: Answer, *, parts: Sequence[Window] = (), reason: str = ""
    ) -> None:
        with self._database.transaction() as connection:
            takeovers.note_studies(connection, self._key, answer.studies)
            takeovers.settle_window(connection, self._key, window.span, state, found=answer.count, reason=reason)
            takeovers.add_windows(connection, self._key, [part.span for part in parts])
        self._told(len(answer.studies))

    def _ask(self, window: Window) -> Answer:
        """One search; one that fails while the source answers is an answer that is cut."""
        while True:
            if self._stopped.is_set():
                raise Stopped
            answer = Answer()
            try:
                self._read(window, answer)
            except VnaError as error:
                if isinstance(error, Unavailable) and self._reaching.wait():
                    continue
                answer.failure = str(error)
                self._failures = 0 if answer.count else self._failures + 1
                if self._failures > _FAILURES:
                    raise
            else:
                self._failures = 0
            return answer

    def _read(self, window: Window, answer: Answer) -> None:
        keys = {key.path: key for key in (*self._scope.keys, *window.keys)}
        query = Query(Level.STUDY, tuple(keys.values()), returns=_RETURNED, limit=self._limit)
        for match in self._searching.search(query):
            answer.count += 1
            self._take(window, match, answer)
        answer.at_limit = answer.count >= self._limit

    def _take(self, window: Window, match: Match, answer: Answer) -> None:
        said = match.elements
        uid, day = match.study_instance_uid, _day(said)
        if not is_uid(uid):
            raise Rejected("the source lists a study whose Study Instance UID is none")
        if day and not window.contains(day):
            answer.strays += 1
        if day:
            answer.dates.append(day)
        else:
            answer.undated += 1
        answer.patient_ids += values(said, PATIENT_ID)[:1]
        modalities = frozenset(one for one in values(said, MODALITIES) if len(one) <= 16)
        if self._scope.takes(modalities) and not self._is_outside(day):
            listed = ",".join(sorted(modalities)[:32])
            answer.studies.append(Seen(uid, day, listed, number(said, NUMBER_OF_INSTANCES)))

    def _is_outside(self, day: str) -> bool:
        return self._scope.has_days and not root(self._scope).contains(day)


def root(scope: Scope) -> Window:
    """The window with which a list begins."""
    if not scope.has_days:
        return Window()
    everything = Window(Kind.DAYS)
    return Window(Kind.DAYS, scope.first or everything.first, scope.last or everything.last)


def values(elements: Mapping[str, Any], tag: str) -> list[str]:
    """The values of an element as texts; a source may answer with anything."""
    element = elements.get(tag)
    found = element.get("Value") if isinstance(element, dict) else None
    listed = found if isinstance(found, list) else []
    return [str(one).strip() for one in listed if isinstance(one, (str, int)) and str(one).strip()]


def number(elements: Mapping[str, Any], tag: str) -> int:
    """A count; -1 where there is none that could be one."""
    found = values(elements, tag)[:1]
    return int(found[0]) if found and found[0].isdecimal() and len(found[0]) <= 9 else -1


def _day(elements: Mapping[str, Any]) -> str:
    """A date as eight digits, also where it was written with points (PS3.5 6.2 of old); empty where there is none."""
    found = "".join(values(elements, STUDY_DATE)[:1]).replace(".", "")
    return found if len(found) == 8 and found.isdecimal() else ""
