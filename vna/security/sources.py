"""Known sources: which systems may feed us by HL7 messages, known by what they call themselves and whence they come."""

import ipaddress
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from storage.index import accounts, events
from storage.index.accounts import SourceRow
from storage.index.engine import Connection, Database
from vna.model.access import Action, Actor, ActorKind, Source
from vna.model.errors import BadRequest, NotAuthorized, NotFound
from vna.model.events import Event, EventKind
from vna.security.policy import Policy

_FRESH_SECONDS = 2.0
_FEEDS = frozenset({Action.FEED})

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Sources:
    """The table of sources, asked at every connection and message: read again when older than two seconds.

    What a message says of its sender proves nothing; the address beside it, and a client certificate where TLS asks for
    one, does.
    """

    def __init__(self, database: Database, policy: Policy, *, local: bool) -> None:
        self._database = database
        self._policy = policy
        self._local = local
        self._read_at = 0.0
        self._table: tuple[Source, ...] = ()

    def all(self) -> tuple[Source, ...]:
        """Every known source, by name."""
        with self._database.read() as connection:
            return tuple(_source(row) for row in accounts.all_sources(connection))

    def add(self, actor: Actor, source: Source) -> None:
        """Add a source, or put this in the place of what is known of it."""
        self._policy.check(actor, Action.ADMIN, source.name)
        row = _row(source)
        with self._database.transaction() as connection:
            accounts.put_source(connection, row)
            _tell(connection, actor, {name: getattr(row, name) for name in row.__slots__})
        self._read_at = 0.0

    def remove(self, actor: Actor, name: str) -> None:
        """Forget a source; NotFound when it is not known."""
        self._policy.check(actor, Action.ADMIN, name)
        with self._database.transaction() as connection:
            if not accounts.remove_source(connection, name):
                raise NotFound(f"no source {name} is known")
            _tell(connection, actor, {"name": name, "removed": True})
        self._read_at = 0.0

    def admits(self, address: str) -> bool:
        """Whether a connection from there can be that of a known source; in `local` mode any can."""
        return self._local or any(self._from(address))

    def actor_for(self, application: str, sending_facility: str, address: str) -> Actor:
        """Who sends. In `local` mode anyone may; else NotAuthorized when none is called so and sends from there."""
        for source in self._from(address):
            if _same(source.application, application) and (
                not source.sending_facility or _same(source.sending_facility, sending_facility)
            ):
                return Actor(ActorKind.SOURCE, source.name, _FEEDS, source.facility, address)
        if self._local:
            return Actor(ActorKind.LOCAL, application, _FEEDS, "", address)
        raise NotAuthorized("no source is known that is called so in MSH-3 and MSH-4 and sends from this address")

    def _from(self, address: str) -> Iterator[Source]:
        at = _address(address)
        return (
            source
            for source in self._fresh()
            if at is not None and any(at in _network(one) for one in source.addresses)
        )

    def _fresh(self) -> tuple[Source, ...]:
        now = time.monotonic()
        if now - self._read_at > _FRESH_SECONDS or not self._read_at:
            self._table = self.all()
            self._read_at = now
        return self._table


def replay(connection: Connection, event: Event) -> None:
    """Do again what an event of the journal tells of."""
    detail = dict(event.detail)
    if detail.get("removed"):
        accounts.remove_source(connection, detail["name"])
    else:
        accounts.put_source(connection, SourceRow(**detail))


def _same(known: str, said: str) -> bool:
    return known.casefold() == said.casefold()


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _network(text: str) -> _Network:
    return ipaddress.ip_network(text, strict=False)


def _source(row: SourceRow) -> Source:
    addresses = tuple(filter(None, row.addresses.split(",")))
    return Source(row.name, row.application, row.sending_facility, addresses, row.facility)


def _row(source: Source) -> SourceRow:
    _require_acceptable(source)
    return SourceRow(
        source.name, source.application, source.sending_facility, ",".join(source.addresses), source.facility
    )


def _require_acceptable(source: Source) -> None:
    for text in (source.name, source.application):
        if not 0 < len(text) <= 64 or not text.isprintable() or text != text.strip():
            raise BadRequest("a source and what it calls itself are 1 to 64 printable characters")
    if not source.addresses:
        raise BadRequest("a source needs an address or a network that it sends from")
    for address in source.addresses:
        try:
            _network(address)
        except ValueError as exc:
            raise BadRequest(f"{address} is no address or network: write 10.0.0.7 or 10.0.0.0/24") from exc


def _tell(connection: Connection, actor: Actor, detail: dict[str, object]) -> None:
    events.append(connection, EventKind.SOURCE_CHANGED, at=datetime.now(UTC), actor=actor.name, detail=detail)
