"""What is done at regular times: by whichever node comes first, once."""

from dataclasses import dataclass

import sqlalchemy as sa

from storage.index.keeping_schema import regular
from storage.index.upserts import insert_new


@dataclass(frozen=True, slots=True)
class Last:
    """How something that is done at regular times stands; times are ISO 8601 UTC, empty for never. `due_at` is empty
    where it was only done by hand."""

    name: str
    due_at: str
    begun_at: str
    done_at: str
    outcome: str


_COLUMNS = tuple(regular.c[name] for name in Last.__slots__)


def claim(connection: sa.Connection, name: str, *, now: str, first: str, following: str) -> bool:
    """Whether it is due, and nobody else took it: then it is due again at `following`. `first` is when it is due
    where it was never known; what was done by hand before it ever was due is due at `following`."""
    insert_new(connection, regular, {"name": name, "due_at": first})
    untold = sa.update(regular).where(regular.c.name == name, regular.c.due_at == "")
    connection.execute(untold.values(due_at=following))
    due = sa.update(regular).where(regular.c.name == name, regular.c.due_at <= now)
    return connection.execute(due.values(due_at=following, begun_at=now)).rowcount == 1


def done(connection: sa.Connection, name: str, *, now: str, outcome: str) -> None:
    """It was done, and this came of it; known from now on where it was done by hand."""
    insert_new(connection, regular, {"name": name, "due_at": ""})
    connection.execute(sa.update(regular).where(regular.c.name == name).values(done_at=now, outcome=outcome[:500]))


def last(connection: sa.Connection, name: str) -> Last | None:
    """How it stands; None where it was never due."""
    row = connection.execute(sa.select(*_COLUMNS).where(regular.c.name == name)).first()
    return Last(*row) if row else None


def known(connection: sa.Connection) -> list[Last]:
    """Everything that was ever due, by name."""
    return [Last(*row) for row in connection.execute(sa.select(*_COLUMNS).order_by(regular.c.name))]
