"""Access links: an address that opens one study for whoever has it, so often and so long as it was made for."""

import hashlib
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.index import events
from storage.index import links as rows
from storage.index.engine import Connection, Database
from storage.index.events import read_time, time_text
from storage.index.links import LinkRow
from vna.model.access import Action, Actor, ActorKind
from vna.model.errors import BadRequest, Gone, NotAuthorized, NotFound
from vna.model.events import EventKind
from vna.security.policy import Policy

log = logging.getLogger(__name__)

RIGHTS = frozenset({Action.QUERY, Action.RETRIEVE})
_VISIT = timedelta(hours=12)
_MOST_USES = 1_000_000


@dataclass(frozen=True, slots=True)
class Link:
    """An access link, without its secret."""

    link_id: str
    study_instance_uid: str
    description: str
    uses_left: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Visit:
    """What opening a link gave: `secret` shows from then on who asks, until `expires_at`."""

    secret: str
    study_instance_uid: str
    expires_at: datetime


class Links:
    """Makes links, spends their uses, and knows again who opened one. Secrets are kept as digests only."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def add(
        self, actor: Actor, study_instance_uid: str, *, uses: int, lifetime: timedelta, description: str = ""
    ) -> str:
        """Make a link to a study that is held and return its secret, which is kept nowhere."""
        self._policy.check(actor, Action.ADMIN, study_instance_uid)
        return self.issue(actor, study_instance_uid, uses=uses, lifetime=lifetime, description=description)[0]

    def issue(
        self,
        actor: Actor,
        study_instance_uid: str,
        *,
        uses: int,
        lifetime: timedelta,
        description: str = "",
        reader: str = "",
    ) -> tuple[str, datetime]:
        """`add` for use cases that asked the policy; the secret, and when the link's time is over.

        `reader` is who will open it, by national number: events of its opening name that and the actor's facility.
        """
        if not 1 <= uses <= _MOST_USES:
            raise BadRequest(f"a link can be opened 1 to {_MOST_USES} times")
        secret = secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        with self._database.transaction() as connection:
            if not rows.study_is_held(connection, study_instance_uid):
                raise NotFound(f"no study {study_instance_uid} is held")
            row = LinkRow(
                link_id=secrets.token_hex(4),
                digest=_digest(secret),
                study_instance_uid=study_instance_uid,
                description=description,
                uses_left=uses,
                created_at=time_text(now),
                expires_at=time_text(now + lifetime),
                reader=reader,
                reader_facility=actor.facility if reader else "",
            )
            rows.put(connection, row)
            detail = {"link": row.link_id, "uses": uses, "expires_at": row.expires_at}
            _tell(connection, EventKind.LINK_CHANGED, actor.name, row, detail)
        return secret, now + lifetime

    def remove(self, actor: Actor, link_id: str) -> None:
        """Remove a link; whoever has it open sees nothing more. NotFound when there is none."""
        self._policy.check(actor, Action.ADMIN, link_id)
        with self._database.transaction() as connection:
            row = rows.remove(connection, link_id)
            if row is None:
                raise NotFound(f"no link {link_id}")
            _tell(connection, EventKind.LINK_CHANGED, actor.name, row, {"link": link_id, "removed": True})

    def all(self, actor: Actor) -> tuple[Link, ...]:
        """Every link, oldest first."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            return tuple(
                Link(row.link_id, row.study_instance_uid, row.description, row.uses_left, read_time(row.expires_at))
                for row in rows.all_links(connection)
            )

    def look(self, secret: str) -> str:
        """The study that `open` would lead to, or what it would raise; nothing is spent."""
        with self._database.read() as connection:
            row = _openable(connection, secret)
        now = datetime.now(UTC)
        if not row.uses_left or read_time(row.expires_at) <= now:
            raise _over(row, now)
        return row.study_instance_uid

    def open(self, secret: str, address: str) -> Visit:
        """Spend a use. Gone when the last is spent, the time is over, or the study was deleted; NotFound when there is
        no such link."""
        now = datetime.now(UTC)
        visit_secret = secrets.token_urlsafe(32)
        with self._database.transaction() as connection:
            row = _openable(connection, secret)
            if not rows.spend(connection, row.link_id, time_text(now)):
                over = _over(row, now)
                log.warning("access link refused", extra={"link": row.link_id, "address": address, "reason": str(over)})
                raise over
            expires_at = min(read_time(row.expires_at), now + _VISIT)
            rows.put_visit(connection, _digest(visit_secret), row.link_id, time_text(expires_at), time_text(now))
            detail = {"link": row.link_id, "address": address}
            if row.reader:
                detail |= {"reader": row.reader, "facility": row.reader_facility}
            _tell(connection, EventKind.LINK_OPENED, _name(row), row, detail)
        log.info("access link opened", extra={"link": row.link_id, "study": row.study_instance_uid, "address": address})
        return Visit(visit_secret, row.study_instance_uid, expires_at)

    def visitor(self, secret: str, address: str) -> Actor:
        """Who opened a link, narrowed to its study; NotAuthorized once the visit is over or the link was removed."""
        with self._database.read() as connection:
            row = rows.visited(connection, _digest(secret), time_text(datetime.now(UTC)))
        if row is None:
            raise NotAuthorized("the access link has expired")
        return Actor(ActorKind.LINK, _name(row), RIGHTS, address=address, study_instance_uid=row.study_instance_uid)


def _openable(connection: Connection, secret: str) -> LinkRow:
    row = rows.by_digest(connection, _digest(secret))
    if row is None:
        raise NotFound("there is no such link")
    if not rows.study_is_held(connection, row.study_instance_uid):
        raise Gone("the study of this link is no longer held")
    return row


def _over(row: LinkRow, now: datetime) -> Gone:
    expired = read_time(row.expires_at) <= now
    return Gone("the link has expired" if expired else "the link has been used as often as it may be")


def _name(row: LinkRow) -> str:
    return f"link/{row.link_id}"


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _tell(connection: Connection, kind: EventKind, actor: str, row: LinkRow, detail: Mapping[str, object]) -> None:
    study = row.study_instance_uid
    events.append(connection, kind, at=datetime.now(UTC), actor=actor, study_instance_uid=study, detail=detail)
