"""Who failed to log in too often waits: counted by account and by address, for all nodes of an archive."""

import hashlib
import ipaddress
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.index import logins as rows
from storage.index.engine import Connection, Database
from storage.index.events import time_text

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LockoutRules:
    """So many failures of one account, or from one address, lock it for a while; none after the other for as long
    count anew. 0 never locks."""

    per_account: int = 10
    per_address: int = 50
    time: timedelta = timedelta(minutes=15)


class Lockout:
    """Counts failures of logins with passwords. A name that no account has is counted as others are, so that nobody
    learns which there are."""

    def __init__(self, database: Database, rules: LockoutRules) -> None:
        self._database = database
        self._rules = rules

    def is_locked(self, connection: Connection, name: str, address: str) -> bool:
        """Whether the account or the address is."""
        now = time_text(datetime.now(UTC))
        return any(row.locked_until > now for row in rows.failures(connection, [_account(name), _address(address)]))

    def failed(self, name: str, address: str) -> None:
        """Count a failure, before anybody is told of it."""
        now = datetime.now(UTC)
        at, since, until = time_text(now), time_text(now - self._rules.time), time_text(now + self._rules.time)
        subjects = [(_account(name), self._rules.per_account), (_address(address), self._rules.per_address)]
        with self._database.transaction() as connection:
            rows.tidy_failures(connection, since=since, now=at)
            for subject, most in sorted(subjects):
                if most and rows.fail(connection, subject, most, since=since, now=at, until=until) == most:
                    kind = subject.partition(":")[0]
                    log.warning("logins locked", extra={"by": kind, "address": address, "until": until})

    def forget(self, name: str) -> bool:
        """A login came through, or an administrator unlocks the account; False when there was nothing to forget."""
        with self._database.transaction() as connection:
            return rows.forget(connection, _account(name))


def _account(name: str) -> str:
    """By digest: people type passwords where names belong."""
    return f"account:{hashlib.sha256(name.encode()).hexdigest()}"


def _address(address: str) -> str:
    """An IPv6 network of 64 bits is one caller: it is what a line gets."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return f"address:{address[:60]}"
    mapped = getattr(found, "ipv4_mapped", None) or found
    if mapped.version == 6:
        return f"address:{ipaddress.ip_network((mapped, 64), strict=False)}"
    return f"address:{mapped}"
