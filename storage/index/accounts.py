"""Users, tokens, known AE titles and sources: rows in, model values out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.schema import facts, peers, sources, tokens, users


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user; `rights` is a comma list of actions, `priority` the name of a class or empty, `role` that of a role.

    `person` is a national number, `addresses` a comma list of networks; `temporary` is 0 or 1.
    """

    name: str
    password_hash: str
    rights: str
    facility: str
    created_at: str
    priority: str = ""
    role: str = ""
    person: str = field(default="", repr=False)
    addresses: str = ""
    password_at: str = ""
    temporary: int = 0


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A bearer token: only the SHA-256 of its secret is kept. An empty `expires_at` never expires."""

    token_id: str
    digest: bytes
    user_name: str
    description: str
    rights: str
    created_at: str
    expires_at: str
    priority: str = ""


@dataclass(frozen=True, slots=True)
class PeerRow:
    """A known application entity; `coercion` is a rule set as JSON, or empty, `addresses` a comma list, `certificates`
    a list as JSON, or empty, `tls` 0 or 1."""

    ae_title: str
    host: str
    port: int
    facility: str
    rights: str
    coercion: str
    priority: str = ""
    addresses: str = ""
    certificates: str = ""
    tls: int = 0


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A known system elsewhere; `addresses` is a comma list, `tls` and `hl7_tls` 0 or 1."""

    name: str
    application: str
    sending_facility: str
    addresses: str
    facility: str
    ae_title: str = ""
    host: str = ""
    port: int = 0
    tls: int = 0
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    wado_uri: str = ""
    wado_rs: str = ""
    qido_rs: str = ""
    rad69: str = ""
    repository_unique_id: str = ""
    user_name: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    retrieve_location_uid: str = ""
    retrieve_ae_title: str = ""
    priority: int = 0
    bandwidth: int = 0
    connections: int = 0
    bulk_bandwidth: int = 0
    bulk_connections: int = 0
    hl7_profile: str = ""
    hl7_character_set: str = ""
    hl7_host: str = ""
    hl7_port: int = 0
    hl7_tls: int = 0
    certificates: str = ""


SOURCE_SECRETS = ("password", "token")
"""What of a source is in its row and nowhere else."""


def _upsert(connection: sa.Connection, table: sa.Table, key: str, values: dict[str, Any]) -> None:
    module = sqlite if connection.dialect.name == "sqlite" else postgresql
    rest = {name: value for name, value in values.items() if name != key}
    connection.execute(module.insert(table).values(**values).on_conflict_do_update(index_elements=[key], set_=rest))


def _values(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}


def put_user(connection: sa.Connection, row: UserRow) -> None:
    """Add a user, or change one."""
    _upsert(connection, users, "name", _values(row))


def put_token(connection: sa.Connection, row: TokenRow) -> None:
    """Add a token."""
    _upsert(connection, tokens, "token_id", _values(row))


def put_peer(connection: sa.Connection, row: PeerRow) -> None:
    """Add an application entity, or change one."""
    _upsert(connection, peers, "ae_title", _values(row))


def put_source(connection: sa.Connection, row: SourceRow) -> None:
    """Add a source, or change one."""
    _upsert(connection, sources, "name", _values(row))


def replay_source(connection: sa.Connection, said: Mapping[str, Any]) -> None:
    """What an event says of a source: its secrets are not in there, and stay as they are."""
    known = {column.name for column in sources.columns} - set(SOURCE_SECRETS)
    _upsert(connection, sources, "name", {name: value for name, value in said.items() if name in known})


def user(connection: sa.Connection, name: str) -> UserRow | None:
    """One user by name."""
    row = connection.execute(sa.select(users).where(users.c.name == name)).one_or_none()
    return UserRow(*row) if row is not None else None


def all_users(connection: sa.Connection) -> list[UserRow]:
    """Users by name."""
    return [UserRow(*row) for row in connection.execute(sa.select(users).order_by(users.c.name))]


def token_by_digest(connection: sa.Connection, digest: bytes) -> TokenRow | None:
    """One token by the digest of its secret."""
    row = connection.execute(sa.select(tokens).where(tokens.c.digest == digest)).one_or_none()
    return TokenRow(*row) if row is not None else None


def all_tokens(connection: sa.Connection) -> list[TokenRow]:
    """Tokens by age."""
    return [TokenRow(*row) for row in connection.execute(sa.select(tokens).order_by(tokens.c.created_at))]


def peer(connection: sa.Connection, ae_title: str) -> PeerRow | None:
    """One application entity by title."""
    row = connection.execute(sa.select(peers).where(peers.c.ae_title == ae_title)).one_or_none()
    return PeerRow(*row) if row is not None else None


def all_peers(connection: sa.Connection) -> list[PeerRow]:
    """Application entities by title."""
    return [PeerRow(*row) for row in connection.execute(sa.select(peers).order_by(peers.c.ae_title))]


def all_sources(connection: sa.Connection) -> list[SourceRow]:
    """Sources by name."""
    return [SourceRow(*row) for row in connection.execute(sa.select(sources).order_by(sources.c.name))]


def remove_user(connection: sa.Connection, name: str) -> bool:
    """Remove a user and the tokens of it; False when there is none."""
    connection.execute(sa.delete(tokens).where(tokens.c.user_name == name))
    return bool(connection.execute(sa.delete(users).where(users.c.name == name)).rowcount)


def remove_token(connection: sa.Connection, token_id: str) -> bool:
    """Remove a token; False when there is none."""
    return bool(connection.execute(sa.delete(tokens).where(tokens.c.token_id == token_id)).rowcount)


def remove_granted(connection: sa.Connection, user_name: str, description: str, *, expired_at: str, keep: int) -> None:
    """Remove tokens of this description that have expired, and of a user all but the newest `keep`."""
    described = tokens.c.description == description
    connection.execute(sa.delete(tokens).where(described, tokens.c.expires_at != "", tokens.c.expires_at <= expired_at))
    own = sa.select(tokens.c.token_id).where(described, tokens.c.user_name == user_name)
    held = connection.execute(own.order_by(tokens.c.created_at.desc())).scalars().all()
    if len(held) > keep:
        connection.execute(sa.delete(tokens).where(tokens.c.token_id.in_(held[keep:])))


def remove_peer(connection: sa.Connection, ae_title: str) -> bool:
    """Remove an application entity; False when there is none."""
    return bool(connection.execute(sa.delete(peers).where(peers.c.ae_title == ae_title)).rowcount)


def remove_source(connection: sa.Connection, name: str) -> bool:
    """Remove a source; False when there is none."""
    return bool(connection.execute(sa.delete(sources).where(sources.c.name == name)).rowcount)


def fact(connection: sa.Connection, name: str) -> str:
    """A small fact about the archive; "" when it is not known."""
    return connection.execute(sa.select(facts.c.value).where(facts.c.name == name)).scalar_one_or_none() or ""


def put_fact(connection: sa.Connection, name: str, value: str) -> None:
    """Note a small fact."""
    _upsert(connection, facts, "name", {"name": name, "value": value})


def claim_fact(connection: sa.Connection, name: str, value: str) -> str:
    """Note a small fact unless it is known; what is known then, whoever was first."""
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(module.insert(facts).values(name=name, value=value).on_conflict_do_nothing())
    return fact(connection, name)


def remove_fact(connection: sa.Connection, name: str) -> None:
    """Forget a small fact."""
    connection.execute(sa.delete(facts).where(facts.c.name == name))
