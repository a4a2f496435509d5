"""TLS of one door, or of what calls for it, kept up with its files: they may change while the archive serves."""

import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vna.model.errors import VnaError
from vna.security.tls import client_context, server_context

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0

Signature = tuple[tuple[int, int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: our certificate with those that lead to its authority, its key (None: in the same file), and the
    authorities of the other side. For a client there may be no certificate, and no authorities but the machine's."""

    certificate: Path | None
    key: Path | None = None
    ca: Path | None = None

    @property
    def named(self) -> tuple[Path, ...]:
        """Those that there are."""
        return tuple(path for path in (self.certificate, self.key, self.ca) if path is not None)

    def signature(self) -> Signature:
        """What differs when a file is another one."""
        return tuple(map(_signature, self.named))


Making = Callable[[TlsFiles], ssl.SSLContext]


class Secured:
    """Gives the context of this moment: of the files as they were when they were last of use.

    They are looked at when a connection comes, at most once a second, and at once after `asked` changed: a number that
    the supervisor counts up on SIGHUP. Files that are no use are told of in the log and in `problem`, and change
    nothing.
    """

    def __init__(self, name: str, files: TlsFiles, make: Making, asked: Callable[[], int] = lambda: 0) -> None:
        """Unavailable names the file that is no use: at the start there are none before it."""
        self.name = name
        self.files = files
        self.problem = ""
        self._make = make
        self._asked = asked
        self._lock = threading.Lock()
        self._signature, self._answered = files.signature(), asked()
        self._looked_at = time.monotonic()
        self._context = make(files)

    def context(self) -> ssl.SSLContext:
        """For the next connection."""
        with self._lock:
            asked = self._asked()
            if asked != self._answered or time.monotonic() - self._looked_at >= _LOOK_SECONDS:
                self._look(asked)
            return self._context

    def _look(self, asked: int) -> None:
        self._looked_at = time.monotonic()
        found = self.files.signature()
        if found == self._signature and asked == self._answered:
            return
        self._signature, self._answered = found, asked
        try:
            self._context = self._make(self.files)
        except VnaError as exc:
            self.problem = str(exc)
            log.error("certificate not taken: the one before stays", extra={"door": self.name, "reason": str(exc)})
        else:
            self.problem = ""
            log.info("certificate taken", extra={"door": self.name, "file": str(self.files.named[0])})


class Calling:
    """What we call others with: made when it is first needed, as most archives call nobody over TLS."""

    def __init__(self, files: TlsFiles, asked: Callable[[], int] = lambda: 0) -> None:
        self._files = files
        self._asked = asked
        self._lock = threading.Lock()
        self._made: dict[bool, Secured] = {}

    def __call__(self, by_name: bool) -> ssl.SSLContext:
        """With `by_name` the certificate has to be for the host that we call. Unavailable names the file that is no
        use."""
        with self._lock:
            if by_name not in self._made:
                self._made[by_name] = Secured("calls", self._files, of_client if by_name else _of_any_name, self._asked)
        return self._made[by_name].context()


def of_server(files: TlsFiles, *, client_certificate: bool) -> ssl.SSLContext:
    """What a listener has of them."""
    assert files.certificate is not None
    return server_context(files.certificate, files.key, files.ca, client_certificate=client_certificate)


def of_client(files: TlsFiles) -> ssl.SSLContext:
    """What a client has of them."""
    return client_context(files.ca, files.certificate, files.key)


def _of_any_name(files: TlsFiles) -> ssl.SSLContext:
    context = of_client(files)
    context.check_hostname = False
    return context


def _signature(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
