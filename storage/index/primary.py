"""Connections to PostgreSQL: to the server that may be written to, and to no other that says so of itself.

After a failover a primary that was left for dead may come back and take writes, which nobody would ever see again. A
replica that is promoted begins a new timeline, so of two servers that both take writes the one with the smaller
timeline is that one.
"""

import logging
import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from storage.index.address import places

log = logging.getLogger(__name__)

_PARAMETERS: dict[str, object] = {
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A server that vanished without a word is noticed within some ten seconds, whether it is asked or waited for."""

_GREETING = """
SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
SET tcp_user_timeout = 10000;
SELECT pg_is_in_recovery();
"""
"""The same for the server, which holds the locks of a node that vanished for as long as it believes in it."""
_STANDING = "SELECT s.system_identifier, pg_walfile_name(pg_current_wal_lsn()) FROM pg_control_system() AS s"

Connect = Callable[..., Any]


class Standing(NamedTuple):
    """Which cluster a server is of, and the timeline that it writes on; 0 where it does not say."""

    system: int
    timeline: int


class Primary:
    """Knows the newest timeline that was met, and remembers it in a file for the processes of this node."""

    def __init__(self, memory: Path | None) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._known = self._remembered()
        self._last: tuple[str, str] | None = None

    def connect(self, connect: Connect, parameters: dict[str, Any]) -> Any:
        """A connection to the host that may be written to; psycopg.OperationalError says of each why it is not."""
        hosts = places(parameters)
        several = len(hosts) > 1
        said = {**_PARAMETERS, **({"target_session_attrs": "read-write"} if several else {}), **parameters}
        reasons: list[str] = []
        found: list[tuple[Standing, tuple[str, str], Any]] = []
        known = self._newest()
        for place in sorted(hosts, key=lambda one: one != self._last):
            try:
                connection = connect(**_at(said, place))
            except psycopg.OperationalError as exc:
                reasons.append(str(exc).strip())
                continue
            try:
                standing = greeted(connection)
            except psycopg.Error as exc:
                connection.close()
                reasons.append(str(exc).strip())
                continue
            if _is_stale(standing, known):
                connection.close()
                reasons.append(f"{place[0]} was the primary once: its timeline is {standing.timeline}")
                log.error("an index that was left behind takes writes", extra={"host": place[0], "port": place[1]})
                continue
            found.append((standing, place, connection))
            if known.timeline:
                break  # as new as anything that was met; a node that knows nothing asks every host
        if not found:
            raise psycopg.OperationalError("; ".join(reasons))
        newest = max(found, key=lambda one: one[0].timeline)
        for one in found:
            if one is not newest:
                one[2].close()
        self._remember(newest[0])
        self._last = newest[1]
        return newest[2]

    def is_newest(self, timeline: int) -> bool:
        """Whether nothing newer was met since."""
        return not timeline or timeline >= self._known.timeline

    @property
    def timeline(self) -> int:
        """The newest that was met."""
        return self._known.timeline

    def _newest(self) -> Standing:
        remembered = self._remembered()
        with self._lock:
            if remembered.timeline and (not self._known.timeline or _is_stale(self._known, remembered)):
                self._known = remembered
            return self._known

    def _remember(self, standing: Standing) -> None:
        with self._lock:
            if standing == self._known or not standing.timeline:
                return
            self._known = standing
            if self._memory is not None:
                with suppress(OSError):
                    beside = self._memory.with_name(f"{self._memory.name}.{os.getpid()}")
                    beside.write_text(f"{standing.system} {standing.timeline}\n")
                    beside.replace(self._memory)

    def _remembered(self) -> Standing:
        try:
            system, timeline = (self._memory.read_text() if self._memory else "").split()
            return Standing(int(system), int(timeline))
        except (OSError, ValueError):
            return Standing(0, 0)


def greeted(connection: Any) -> Standing:
    """What the server says of itself; it is told to notice soon when we vanish."""
    connection.autocommit = True
    try:
        cursor = connection.execute(_GREETING)
        while cursor.nextset():
            pass
        if cursor.fetchone()[0]:
            return Standing(0, 0)
        try:
            system, segment = connection.execute(_STANDING).fetchone()
        except psycopg.errors.InsufficientPrivilege:  # where others run the database for us
            return Standing(0, 0)
        return Standing(int(system), int(segment[:8], 16))
    finally:
        connection.autocommit = False


def is_cut(connection: Any) -> bool:
    """Whether a connection that nobody uses was ended by the other side: then there is something to be read."""
    try:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        return bool(poll.poll(0))
    except (OSError, ValueError, psycopg.Error):
        return True


def _is_stale(standing: Standing, known: Standing) -> bool:
    return standing.system == known.system and 0 < standing.timeline < known.timeline


def _at(parameters: dict[str, Any], place: tuple[str, str]) -> dict[str, Any]:
    host, port = place
    said = {name: value for name, value in parameters.items() if name not in {"host", "port"}}
    if host:
        said["host"] = host
    if port:
        said["port"] = port
    return said
