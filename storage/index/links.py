"""Access links and the visits that opening one begins: rows in, model values out."""

from dataclasses import dataclass

import sqlalchemy as sa

from storage.index.schema import link_visits, links, studies


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link to one study: only the SHA-256 of its secret is kept."""

    link_id: str
    digest: bytes
    study_instance_uid: str
    description: str
    uses_left: int
    created_at: str
    expires_at: str
    reader: str = ""
    reader_facility: str = ""


def study_is_held(connection: sa.Connection, study_instance_uid: str) -> bool:
    """Whether there is anything that a link to it would show."""
    statement = sa.select(studies.c.id).where(studies.c.study_instance_uid == study_instance_uid)
    return connection.execute(statement).first() is not None


def put(connection: sa.Connection, row: LinkRow) -> None:
    """Add a link."""
    connection.execute(sa.insert(links).values({name: getattr(row, name) for name in LinkRow.__slots__}))


def by_digest(connection: sa.Connection, digest: bytes) -> LinkRow | None:
    """One link by the digest of its secret."""
    row = connection.execute(sa.select(links).where(links.c.digest == digest)).one_or_none()
    return LinkRow(*row) if row is not None else None


def all_links(connection: sa.Connection) -> list[LinkRow]:
    """Links by age."""
    return [LinkRow(*row) for row in connection.execute(sa.select(links).order_by(links.c.created_at))]


def remove(connection: sa.Connection, link_id: str) -> LinkRow | None:
    """Remove a link and its visits; the link as it was, or None when there is none."""
    row = connection.execute(sa.select(links).where(links.c.link_id == link_id)).one_or_none()
    connection.execute(sa.delete(link_visits).where(link_visits.c.link_id == link_id))
    connection.execute(sa.delete(links).where(links.c.link_id == link_id))
    return LinkRow(*row) if row is not None else None


def spend(connection: sa.Connection, link_id: str, now: str) -> bool:
    """Take one use, in one statement, so that two at once never spend the same; False when none is left to take."""
    statement = (
        sa.update(links)
        .where(links.c.link_id == link_id, links.c.uses_left > 0, links.c.expires_at > now)
        .values(uses_left=links.c.uses_left - 1)
    )
    return bool(connection.execute(statement).rowcount)


def put_visit(connection: sa.Connection, digest: bytes, link_id: str, expires_at: str, now: str) -> None:
    """Begin a visit, and forget the link's own that are over."""
    over = sa.delete(link_visits).where(link_visits.c.link_id == link_id, link_visits.c.expires_at <= now)
    connection.execute(over)
    connection.execute(sa.insert(link_visits).values(digest=digest, link_id=link_id, expires_at=expires_at))


def visited(connection: sa.Connection, digest: bytes, now: str) -> LinkRow | None:
    """The link of a visit that is not over."""
    statement = (
        sa.select(links)
        .join(link_visits, link_visits.c.link_id == links.c.link_id)
        .where(link_visits.c.digest == digest, link_visits.c.expires_at > now)
    )
    row = connection.execute(statement).one_or_none()
    return LinkRow(*row) if row is not None else None
