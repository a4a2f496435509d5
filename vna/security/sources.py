"""Known sources: which systems may feed us by HL7 messages, known by what they call themselves and whence they come,
and which archives we read from."""

import ipaddress
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from storage.index import accounts, events
from storage.index.accounts import SOURCE_SECRETS, SourceRow
from storage.index.engine import Connection, Database
from vna.model.access import Action, Actor, ActorKind
from vna.model.certificates import Certificate
from vna.model.errors import NotAuthorized, NotFound
from vna.model.events import Event, EventKind
from vna.model.sources import MessageProfile, Messages, RemoteArchive, Source
from vna.security.acceptable import require_acceptable, with_login_of
from vna.security.bindings import certificates_of, certificates_text, require_certificate
from vna.security.policy import Policy

_FRESH_SECONDS = 2.0
_FEEDS = frozenset({Action.FEED})
_CONNECTIONS = RemoteArchive().connections

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

    def listed(self, actor: Actor) -> tuple[Source, ...]:
        """The same for whoever administers them."""
        self._policy.check(actor, Action.ADMIN)
        return self.all()

    def get(self, actor: Actor, name: str) -> Source:
        """A known source by name, with the login of its archive; NotFound when it is not known."""
        self._policy.check(actor, Action.ADMIN, name)
        for source in self.all():
            if source.name == name:
                return source
        raise NotFound(f"no source {name} is known")

    def archives(self, *, anew: bool = False) -> tuple[Source, ...]:
        """Those with an archive behind them, the one to ask first first; for use cases that asked the policy before.
        With `anew` as they are now, not as they were within two seconds."""
        known = (source for source in (self.all() if anew else self._fresh()) if source.archive.is_there)
        return tuple(sorted(known, key=lambda source: (-source.archive.priority, source.name)))

    def add(self, actor: Actor, source: Source) -> None:
        """Add a source, or put this in the place of what is known of it."""
        self._policy.check(actor, Action.ADMIN, source.name)
        row = _row(source)
        with self._database.transaction() as connection:
            accounts.put_source(connection, row)
            _tell(connection, actor, {name: getattr(row, name) for name in row.__slots__ if name not in SOURCE_SECRETS})
        self._read_at = 0.0

    def put(self, actor: Actor, source: Source, *, with_login: bool) -> bool:
        """Add a source, or put this in the place of what is known of it; whether it is new.

        Where it comes without a login, the one that is known of it stays (`acceptable.with_login_of`).
        """
        self._policy.check(actor, Action.ADMIN, source.name)
        known = next((one for one in self.all() if one.name == source.name), None)
        if known is not None and not with_login:
            require_acceptable(source)
            source = with_login_of(known, source)
        if known is not None:
            source = replace(source, certificates=known.certificates)  # said by command alone
        self.add(actor, source)
        return known is None

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

    def actor_for(
        self, application: str, sending_facility: str, address: str, certificate: Certificate | None = None
    ) -> Actor:
        """Who sends. In `local` mode anyone may; else NotAuthorized when none is called so and sends from there.

        One that is bound to certificates has to have shown one of them in any mode.
        """
        for source in self._from(address):
            if _same(source.application, application) and (
                not source.sending_facility or _same(source.sending_facility, sending_facility)
            ):
                require_certificate(source.certificates, certificate)
                return Actor(ActorKind.SOURCE, source.name, _FEEDS, source.facility, address)
        if self._local:
            return Actor(ActorKind.LOCAL, application, _FEEDS, "", address)
        raise NotAuthorized("no source is known that is called so in MSH-3 and MSH-4 and sends from this address")

    def known(self, actor: Actor) -> Source | None:
        """What is known of the source that `actor_for` said it is; None of anybody else."""
        if actor.kind is not ActorKind.SOURCE:
            return None
        return next((source for source in self._fresh() if source.name == actor.name), None)

    def receivers(self, facility: str) -> tuple[Source, ...]:
        """Those of a facility that take HL7 messages, by name, for use cases that asked the policy before."""
        return tuple(one for one in self.all() if one.facility == facility and one.messages.host)

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
    """Do again what an event of the journal tells of: without the login of an archive, which is not in there."""
    detail = dict(event.detail)
    if detail.get("removed"):
        accounts.remove_source(connection, detail["name"])
    else:
        accounts.replay_source(connection, detail)


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
    said: dict[str, Any] = {one.name: getattr(row, one.name) for one in fields(RemoteArchive)}
    archive = RemoteArchive(**{**said, "tls": bool(row.tls), "connections": row.connections or _CONNECTIONS})
    messages = Messages(
        MessageProfile(row.hl7_profile or MessageProfile.HOSPITAL),
        row.hl7_character_set,
        row.hl7_host,
        row.hl7_port,
        bool(row.hl7_tls),
    )
    certificates = certificates_of(row.certificates)
    return Source(
        row.name, row.application, row.sending_facility, addresses, row.facility, archive, messages, certificates
    )


def _row(source: Source) -> SourceRow:
    require_acceptable(source)
    archive = source.archive
    said: dict[str, Any] = {one.name: getattr(archive, one.name) for one in fields(archive)}
    return SourceRow(
        source.name,
        source.application,
        source.sending_facility,
        ",".join(source.addresses),
        source.facility,
        **{**said, "tls": int(archive.tls)},
        hl7_profile=source.messages.profile.value,
        hl7_character_set=source.messages.character_set,
        hl7_host=source.messages.host,
        hl7_port=source.messages.port,
        hl7_tls=int(source.messages.tls),
        certificates=certificates_text(source.certificates),
    )


def _tell(connection: Connection, actor: Actor, detail: dict[str, object]) -> None:
    events.append(connection, EventKind.SOURCE_CHANGED, at=datetime.now(UTC), actor=actor.name, detail=detail)
