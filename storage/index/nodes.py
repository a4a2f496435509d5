"""Nodes of the archive: which there are, and which were heard of lately."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.index.keeping_schema import nodes
from storage.index.upserts import upsert


@dataclass(frozen=True, slots=True)
class Node:
    """A process tree of `vna serve`. Times are ISO 8601 UTC; `waiting` objects lie in its spool and nowhere else.

    `may_wait` says that there may be more of them than it told of, as it acknowledges from the spool and has not
    stopped in good order. `identity` is that of its data folder, which tells two of one name apart. `started_at` is
    empty when it stopped in good order.
    """

    name: str
    url: str
    version: str
    schema_revision: str
    started_at: str
    seen_at: str
    waiting: int
    waiting_bytes: int
    identity: str = ""
    may_wait: bool = True


_COLUMNS = tuple(nodes.c[name] for name in Node.__slots__)


def beat(connection: sa.Connection, node: Node) -> None:
    """A node is alive: its row as it says."""
    values = {name: getattr(node, name) for name in Node.__slots__} | {"may_wait": int(node.may_wait)}
    upsert(connection, nodes, values, key=("name",))


def known(connection: sa.Connection) -> list[Node]:
    """All nodes by name."""
    rows = connection.execute(sa.select(*_COLUMNS).order_by(nodes.c.name))
    return [_node(row) for row in rows]


def named(connection: sa.Connection, name: str) -> Node | None:
    """The node of this name."""
    row = connection.execute(sa.select(*_COLUMNS).where(nodes.c.name == name)).first()
    return _node(row) if row is not None else None


def _node(row: sa.Row[Any]) -> Node:
    return Node(**{**row._asdict(), "may_wait": bool(row.may_wait)})


def forget(connection: sa.Connection, name: str) -> bool:
    """A node that will not come back; False when there is none of this name."""
    return connection.execute(sa.delete(nodes).where(nodes.c.name == name)).rowcount == 1
