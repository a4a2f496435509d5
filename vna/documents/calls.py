"""Calls to several communities at once: bounded in number, and waited for only so long."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from vna.model.errors import Unavailable, VnaError

log = logging.getLogger(__name__)

_LINES_A_REQUEST = 2
"""Calls that nobody waits for any more leave this much room for new ones to the same community."""


class Closing(Protocol):
    """What a call brings; it is closed when nobody wants it."""

    def close(self) -> None: ...


T = TypeVar("T", bound=Closing)


class Call(Generic[T]):
    """One call in a thread of its own, which ends by itself: whoever began it waits, or does not."""

    def __init__(self, home: str, ask: Callable[[], T]) -> None:
        self.home = home
        self._ask = ask
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._answer: T | None = None
        self._error: VnaError | None = None
        self._abandoned = False

    def wait(self, deadline: float) -> T:
        """What it brought; raises what it raised, Unavailable when it is not done by then (time.monotonic)."""
        self._done.wait(max(0.0, deadline - time.monotonic()))
        with self._lock:
            answer, self._answer = self._answer, None
            if answer is not None:
                return answer
            self._abandoned = True
        raise self._error or Unavailable("it does not answer in time")

    def abandon(self) -> None:
        """Nobody wants it any more."""
        with self._lock:
            self._abandoned = True
            answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()

    def run(self) -> None:
        """Ask, in the thread that this is for."""
        try:
            answer = self._ask()
        except VnaError as error:
            self._error = error
        except Exception:
            log.exception("call to a community failed", extra={"home": self.home})
            self._error = Unavailable("the call to it failed; the archive's log says why")
        else:
            with self._lock:
                is_wanted = not self._abandoned
                self._answer = answer if is_wanted else None
            if not is_wanted:
                answer.close()
        finally:
            self._done.set()


class Lines:
    """So many requests are forwarded at once, and twice as many calls may be under way to one community: one that
    hangs keeps nothing from the others."""

    def __init__(self, requests: int, homes: Iterable[str]) -> None:
        self._requests = threading.BoundedSemaphore(requests)
        self._lines = {home: threading.BoundedSemaphore(requests * _LINES_A_REQUEST) for home in homes}

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """While one request is forwarded; Unavailable when as many are as may be."""
        if not self._requests.acquire(blocking=False):
            raise Unavailable("as many requests to other communities are under way as may be at once")
        try:
            yield
        finally:
            self._requests.release()

    def begin(self, home: str, ask: Callable[[], T]) -> Call[T]:
        """Ask a community; Unavailable when it has not answered many calls before."""
        line = self._lines[home]
        if not line.acquire(blocking=False):
            raise Unavailable("it has not answered earlier calls yet")
        call = Call(home, ask)

        def run() -> None:
            try:
                call.run()
            finally:
                line.release()

        try:
            threading.Thread(target=run, name=f"community {home}", daemon=True).start()
        except BaseException:
            line.release()
            raise
        return call
