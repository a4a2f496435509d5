"""Holding what only one may have at a time: by which name, and how one stays at it."""

import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from vna.model.errors import VnaError


def holder() -> str:
    """A name of this process's own for what it holds; another one at every call."""
    return f"{socket.gethostname()}:{os.getpid()}:{random.getrandbits(32):08x}"


@contextmanager
def saying(again: Callable[[], object], seconds: float, name: str) -> Iterator[None]:
    """Says `again` every so many seconds, in a thread called `name`, that one is still at it; a time that fails is made
    up for by the next."""
    done = threading.Event()

    def say() -> None:
        while not done.wait(seconds):
            with suppress(VnaError):
                again()

    thread = threading.Thread(target=say, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
