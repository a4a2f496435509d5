"""Which facilities are known: those that placed orders, and those of stations and sources."""

import sqlalchemy as sa

from storage.index.national_schema import orders
from storage.index.prepared import Prepared
from storage.index.schema import peers, sources

_KNOWN = [
    Prepared(sa.select(table.c.facility).where(table.c.facility == sa.bindparam("facility")).limit(1))
    for table in (orders, peers, sources)
]


def is_known(connection: sa.Connection, code: str) -> bool:
    """Whether it is the code of a facility that is known here."""
    return bool(code) and any(one.run(connection, facility=code).fetchone() is not None for one in _KNOWN)
