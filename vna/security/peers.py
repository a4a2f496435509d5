"""Known application entities: who they are, what they may do, where C-MOVE reaches them."""

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

from storage.index import accounts, events
from storage.index.accounts import PeerRow
from storage.index.engine import Connection, Database
from vna.model.access import SYSTEM, Action, Actor, ActorKind, Peer
from vna.model.audit import NO_TRAIL, Trail
from vna.model.certificates import Certificate
from vna.model.coercion import coercion_of, coercion_text, require_allowed
from vna.model.errors import BadRequest, NotAuthorized, NotFound, Unavailable
from vna.model.events import EventKind
from vna.model.identifiers import is_ae_title
from vna.model.priority import priority_of
from vna.security.bindings import (
    addresses_of,
    certificates_of,
    certificates_text,
    is_within,
    require_bindings,
    require_fit,
)
from vna.security.policy import Policy
from vna.security.rights import PEER_RIGHTS, parse_rights, rights_text

_SEEDED = "peers seeded"
_FRESH_SECONDS = 2.0
_MISSED_SECONDS = 0.1
_LOCAL_RIGHTS = frozenset({Action.ECHO, Action.STORE, Action.QUERY, Action.RETRIEVE})


class Peers:
    """The table of AE titles, asked on every association: read again when older than two seconds.

    A title that is not in it may have been added since: for that it is read again after a tenth of a second.
    """

    def __init__(self, database: Database, policy: Policy, *, local: bool, trail: Trail = NO_TRAIL) -> None:
        self._database = database
        self._policy = policy
        self._trail = trail
        self._local = local
        self._read_at = 0.0
        self._table: dict[str, Peer] = {}

    def get(self, ae_title: str) -> Peer | None:
        """A known application entity by title."""
        title = ae_title.strip()
        found = self._fresh().get(title)
        if found is None:
            with suppress(Unavailable):  # then what was read a moment ago counts
                found = self._fresh(_MISSED_SECONDS).get(title)
        return found

    def all(self) -> tuple[Peer, ...]:
        """Every known application entity, by title."""
        with self._database.read() as connection:
            return tuple(_peer(row) for row in accounts.all_peers(connection))

    def add(self, actor: Actor, peer: Peer) -> None:
        """Add an application entity, or put this in the place of what is known of it."""
        self._policy.check(actor, Action.ADMIN, peer.ae_title)
        row = _row(peer)
        with self._database.transaction() as connection:
            accounts.put_peer(connection, row)
            _tell(connection, actor, {name: getattr(row, name) for name in row.__slots__})
        self._read_at = 0.0

    def remove(self, actor: Actor, ae_title: str) -> None:
        """Forget an application entity; NotFound when it is not known."""
        self._policy.check(actor, Action.ADMIN, ae_title)
        with self._database.transaction() as connection:
            if not accounts.remove_peer(connection, ae_title):
                raise NotFound(f"no AE title {ae_title} is known")
            _tell(connection, actor, {"ae_title": ae_title, "removed": True})
        self._read_at = 0.0

    def seed(self, peers: Iterable[Peer]) -> None:
        """At the first start only: put the settings' application entities into the table."""
        with self._database.transaction() as connection:
            if accounts.fact(connection, _SEEDED):
                return
            for peer in peers:
                row = _row(peer)
                accounts.put_peer(connection, row)
                _tell(connection, SYSTEM, {name: getattr(row, name) for name in row.__slots__})
            accounts.put_fact(connection, _SEEDED, "yes")

    def actor_for(self, calling_ae: str, address: str, certificate: Certificate | None = None) -> Actor:
        """Who calls, and has shown this certificate. In `local` mode anyone may store, query and retrieve whose title
        is not known; else NotAuthorized. A known title has to fit its address and certificate in any mode."""
        peer = self.get(calling_ae)
        if peer is not None:
            self._require_fit(peer, address, certificate)
            rights = peer.rights | {Action.ECHO}
            actor = Actor(ActorKind.AE, peer.ae_title, rights, peer.facility, address, priority=peer.priority)
            self._trail.entered(actor, "association")
            return actor
        if self._local:
            return Actor(ActorKind.LOCAL, calling_ae.strip(), _LOCAL_RIGHTS, "", address)
        why = "the calling AE title is not known"
        self._trail.kept_out(Actor(ActorKind.AE, calling_ae.strip(), address=address), "association", why)
        raise NotAuthorized(why)

    def _require_fit(self, peer: Peer, address: str, certificate: Certificate | None) -> None:
        try:
            require_fit(peer, address, certificate)
        except NotAuthorized as error:
            self._trail.kept_out(Actor(ActorKind.AE, peer.ae_title, address=address), "association", str(error))
            raise

    def certified(self, certificate: Certificate, address: str) -> Actor:
        """Who shows this certificate where no title is said; NotAuthorized when it is not that of exactly one."""
        found = [peer for peer in self._fresh().values() if peer.certificates and certificate.fits(peer.certificates)]
        fitting = [peer for peer in found if not peer.addresses or is_within(address, peer.addresses)]
        if len(fitting) != 1:
            raise NotAuthorized("the certificate is not that of exactly one AE title", authenticated=False)
        return self.actor_for(fitting[0].ae_title, address, certificate)

    def _fresh(self, seconds: float = _FRESH_SECONDS) -> dict[str, Peer]:
        now = time.monotonic()
        if now - self._read_at > seconds or not self._read_at:
            self._table = {peer.ae_title: peer for peer in self.all()}
            self._read_at = now
        return self._table


def _peer(row: PeerRow) -> Peer:
    rights, coercion, priority = parse_rights(row.rights), coercion_of(row.coercion), priority_of(row.priority)
    bound = addresses_of(row.addresses), certificates_of(row.certificates)
    return Peer(row.ae_title, row.host, row.port, row.facility, rights, coercion, priority, *bound, bool(row.tls))


def _row(peer: Peer) -> PeerRow:
    _require_acceptable(peer)
    rights, coercion = rights_text(peer.rights), coercion_text(peer.coercion)
    return PeerRow(
        peer.ae_title,
        peer.host,
        peer.port,
        peer.facility,
        rights,
        coercion,
        peer.priority.word,
        ",".join(peer.addresses),
        certificates_text(peer.certificates),
        int(peer.tls),
    )


def _require_acceptable(peer: Peer) -> None:
    if not is_ae_title(peer.ae_title):
        raise BadRequest("an AE title is 1 to 16 printable ASCII characters without backslash")
    if not 0 <= peer.port <= 65535:
        raise BadRequest("a port is a number from 1 to 65535")
    if not peer.rights or not peer.rights <= frozenset(PEER_RIGHTS):
        raise BadRequest(f"the rights of an AE title are one or more of {', '.join(PEER_RIGHTS)}")
    if peer.coercion is not None:
        require_allowed(peer.coercion)
    require_bindings(peer.addresses, peer.certificates)


def _tell(connection: Connection, actor: Actor, detail: dict[str, object]) -> None:
    events.append(connection, EventKind.PEER_CHANGED, at=datetime.now(UTC), actor=actor.name, detail=detail)
