"""Nodes of the archive: which there are, and which were heard of lately."""

from dataclasses import dataclass

import sqlalchemy as sa

from storage.index.keeping_schema import nodes
from storage.index.upserts import upsert


@dataclass(frozen=True, slots=True)
class Node:
    """A process tree of `vna serve`. Times are ISO 8601 UTC; `waiting` objects lie in its spool and nowhere else."""

    name: str
    url: str
    version: str
    schema_revision: str
    started_at: str
    seen_at: str
    waiting: int
    waiting_bytes: int


_COLUMNS = tuple(nodes.c[name] for name in Node.__slots__)


def beat(connection: sa.Connection, node: Node) -> None:
    """A node is alive: its row as it says."""
    values = {name: getattr(node, name) for name in Node.__slots__}
    upsert(connection, nodes, values, key=("name",))


def known(connection: sa.Connection) -> list[Node]:
    """All nodes by name."""
    return [Node(*row) for row in connection.execute(sa.select(*_COLUMNS).order_by(nodes.c.name))]


def forget(connection: sa.Connection, name: str) -> bool:
    """A node that will not come back; False when there is none of this name."""
    return connection.execute(sa.delete(nodes).where(nodes.c.name == name)).rowcount == 1
