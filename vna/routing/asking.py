"""Searches of several archives at once: bounded in time, number and size, and ended when nobody waits any more."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson

from vna.model.errors import Unavailable, VnaError
from vna.model.query import Match, Query
from vna.model.sources import Searching, Source, Terms
from vna.routing.credible import Judge, asked_elsewhere

log = logging.getLogger(__name__)

_LINES = 8
"""Searches of one source that may be under way, those that nobody waits for any more among them."""
_TICK = 0.05


@dataclass(frozen=True, slots=True)
class Bounds:
    """For one search of several archives: seconds in all, matches and bytes of each source, sources."""

    seconds: float = 10.0
    matches: int = 1000
    answer_bytes: int = 8 << 20
    kept_bytes: int = 16 << 20
    sources: int = 32


@dataclass(slots=True)
class Heard:
    """What one source has given so far; `reason` says why that is not the whole, once it is known."""

    source: Source
    judge: Judge
    matches: list[Match] = field(default_factory=list)
    reason: str = ""
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def outcome(self) -> str:
        """In one word."""
        return "whole" if not self.reason else "partial" if self.matches else "nothing"


class Asking:
    """Asks sources, each in a thread of its own; one that hangs uses up its own lines alone."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._lock = threading.Lock()
        self._under_way: dict[str, int] = {}

    def begin(
        self, query: Query, doors: Sequence[tuple[Source, Sequence[tuple[str, Searching]]]], wanted: Callable[[], bool]
    ) -> "Asked":
        """Begin to ask all of them."""
        asked = Asked(time.monotonic() + self._bounds.seconds, wanted)
        for source, searching in doors:
            asked.heard.append(self._begun(query, source, searching, asked))
        return asked

    def _begun(self, query: Query, source: Source, searching: Sequence[tuple[str, Searching]], asked: "Asked") -> Heard:
        heard = Heard(source, Judge(query))
        if not self._take(source.name):
            heard.reason = "it has not answered earlier searches yet"
            heard.done.set()
            return heard

        def run() -> None:
            try:
                self._listen(query, searching, heard, asked.terms(self._bounds.answer_bytes))
            finally:
                heard.done.set()
                self._give_back(source.name)

        try:
            threading.Thread(target=run, name=f"search of {source.name}", daemon=True).start()
        except BaseException:
            self._give_back(source.name)
            raise
        return heard

    def _listen(self, query: Query, searching: Sequence[tuple[str, Searching]], heard: Heard, terms: Terms) -> None:
        """Through the first door that works: another is tried when one gave nothing but an error."""
        for _, door in searching:
            heard.reason = ""
            try:
                self._take_all(door, query, heard, terms)
            except VnaError as error:
                heard.reason = _without_name(str(error), heard.source.name)
            except Exception:
                log.exception("search of a source failed", extra={"source": heard.source.name})
                heard.reason = "the search of it failed; the archive's log says why"
            if not heard.reason or heard.matches or terms.over:
                return

    def _take_all(self, door: Searching, query: Query, heard: Heard, terms: Terms) -> None:
        most, size = self._bounds.matches, 0
        coming = door.search(asked_elsewhere(query, most + 1), terms)
        try:
            for number, match in enumerate(coming):
                if terms.over:
                    raise Unavailable("it does not answer in time")
                if number >= most:
                    heard.reason = f"it has more than {most} matches"
                    return
                found = heard.judge.judged(match)
                if found is not None:
                    size += len(orjson.dumps(dict(found.elements)))
                    if size > self._bounds.kept_bytes:
                        heard.reason = "its matches are larger than may be kept"
                        return
                    heard.matches.append(found)
        finally:
            coming.close()  # type: ignore[attr-defined]  # a generator

    def _take(self, name: str) -> bool:
        with self._lock:
            count = self._under_way.get(name, 0)
            if count >= _LINES:
                return False
            self._under_way[name] = count + 1
            return True

    def _give_back(self, name: str) -> None:
        with self._lock:
            left = self._under_way.pop(name) - 1
            if left:
                self._under_way[name] = left


class Asked:
    """What was asked of several sources, until it is answered or too late."""

    def __init__(self, until: float, wanted: Callable[[], bool]) -> None:
        self.heard: list[Heard] = []
        self._until = until
        self._wanted = wanted
        self._over = threading.Event()

    def terms(self, answer_bytes: int) -> Terms:
        """For each source."""
        return Terms(self._until, lambda: not self._over.is_set(), answer_bytes)

    def wait(self) -> list[Heard]:
        """What each has given, when all have answered, the time is over, or nobody waits any more."""
        for one in self.heard:
            while not one.done.is_set() and time.monotonic() < self._until and self._wanted():
                one.done.wait(min(_TICK, max(0.0, self._until - time.monotonic())))
        return self.end()

    def end(self) -> list[Heard]:
        """Let go of whoever has not answered yet, and take what is there."""
        late = [one for one in self.heard if not one.done.is_set()]
        self._over.set()
        return [_as_it_is(one, late=one in late) for one in self.heard]


def _as_it_is(heard: Heard, *, late: bool) -> Heard:
    """A copy: whoever is late may still be at it."""
    reason = "it does not answer in time" if late else heard.reason
    return Heard(heard.source, heard.judge, list(heard.matches), reason)


def _without_name(text: str, name: str) -> str:
    """What is said of a source is said after its name."""
    for start in (f"{name}: ", f"{name} "):
        if text.startswith(start):
            return text[len(start) :]
    return text
