"""The data folder of a node: which one it is, and that one archive works in it."""

import fcntl
import os
import secrets
import time
from pathlib import Path
from typing import Final

from storage.write_once import write_once
from vna.model.errors import Conflict, Unavailable

_LOCK: Final = "serving.lock"
_IDENTITY: Final = "identity"
_PATIENCE: Final = 10.0
"""Seconds in which the processes of an archive that was killed have ended."""


def occupy(folder: Path) -> int:
    """A descriptor that says, as long as a process has it open, that an archive works here.

    Conflict when another one does: it would take what that one has in its spool for left behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(descriptor)
                raise Conflict(f"another archive works in {folder}: VNA_DATA_DIR gives this one a folder") from None
            time.sleep(0.1)
        else:
            return descriptor


def identity(folder: Path) -> str:
    """What tells this folder from that of another node; made when it is asked for first."""
    path = folder / _IDENTITY
    try:
        write_once(path, secrets.token_hex(8))
        return path.read_text("ascii").strip()[:64]
    except OSError as exc:
        raise Unavailable(f"{path} cannot be read or written: {exc.strerror}") from exc
