"""What the payer was told of orders: rows by order, the newest attempt."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.events import time_text
from storage.index.national_schema import notifications as table
from storage.index.national_schema import orders
from vna.model.notifications import Notification, NotificationState
from vna.model.orders import OrderKey


def begin(connection: sa.Connection, key: OrderKey) -> bool:
    """A notification that waits to be sent; False when there is one already."""
    statement = _module(connection).insert(table).values(**_values(Notification(key)))
    return connection.execute(statement.on_conflict_do_nothing().returning(table.c.id)).first() is not None


def put(connection: sa.Connection, notification: Notification) -> None:
    """Write one, in the place of what was known."""
    values = _values(notification)
    statement = _module(connection).insert(table).values(**values)
    kept = {name: value for name, value in values.items() if name not in ("facility", "accession_number")}
    connection.execute(statement.on_conflict_do_update(index_elements=["facility", "accession_number"], set_=kept))


def find(connection: sa.Connection, key: OrderKey, *, lock: bool = False) -> Notification | None:
    """The newest attempt of an order; with `lock`, nobody else changes it until the transaction ends."""
    wanted = sa.select(table).where(_is(key))
    row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    return None if row is None else _made(row)


def of(connection: sa.Connection, keys: Sequence[OrderKey]) -> dict[OrderKey, Notification]:
    """Those of several orders."""
    pairs = [(key.facility, key.accession_number) for key in keys]
    rows = connection.execute(sa.select(table).where(sa.tuple_(table.c.facility, table.c.accession_number).in_(pairs)))
    return {one.key: one for one in map(_made, rows)} if pairs else {}


def failed(
    connection: sa.Connection, facility: str, modality: str, between: tuple[datetime, datetime], limit: int
) -> list[Notification]:
    """Those that were refused, or had no answer, sent last between two moments, the newest first.

    `facility` and `modality` are empty for all.
    """
    begin, end = map(time_text, between)
    unanswered = sa.and_(table.c.state == NotificationState.SENDING.value, table.c.response_message != "")
    wanted = sa.select(table).where(
        sa.or_(table.c.state == NotificationState.REFUSED.value, unanswered),
        table.c.last_sent_at >= begin,
        table.c.last_sent_at < end,
    )
    if facility:
        wanted = wanted.where(table.c.facility == facility)
    if modality:
        same = sa.and_(orders.c.facility == table.c.facility, orders.c.accession_number == table.c.accession_number)
        wanted = wanted.join(orders, same).where(orders.c.modality == modality)
    newest = wanted.order_by(table.c.last_sent_at.desc(), table.c.id.desc()).limit(limit)
    return [_made(row) for row in connection.execute(newest)]


def remove(connection: sa.Connection, key: OrderKey) -> None:
    """Nothing is to be told of it for now."""
    connection.execute(sa.delete(table).where(_is(key)))


def unsent(connection: sa.Connection) -> list[OrderKey]:
    """Those that nobody said more of than that they are to be sent, or are being sent."""
    waiting = (NotificationState.WAITING.value, NotificationState.SENDING.value)
    rows = connection.execute(sa.select(table.c.facility, table.c.accession_number).where(table.c.state.in_(waiting)))
    return [OrderKey(*row) for row in rows]


def _is(key: OrderKey) -> sa.ColumnElement[bool]:
    return (table.c.facility == key.facility) & (table.c.accession_number == key.accession_number)


def _values(one: Notification) -> dict[str, Any]:
    return {
        "facility": one.key.facility,
        "accession_number": one.key.accession_number,
        "state": one.state.value,
        "attempts": one.attempts,
        "last_sent_at": one.last_sent_at,
        "response_code": one.response_code[:32],
        "response_message": one.response_message,
        "body": orjson.dumps({"round": one.round}).decode(),
    }


def _made(row: sa.Row[Any]) -> Notification:
    return Notification(
        key=OrderKey(row.facility, row.accession_number),
        state=NotificationState(row.state),
        attempts=row.attempts,
        last_sent_at=row.last_sent_at,
        response_code=row.response_code,
        response_message=row.response_message,
        round=orjson.loads(row.body or "{}").get("round", 1),
    )


def _module(connection: sa.Connection) -> Any:
    return sqlite if connection.dialect.name == "sqlite" else postgresql
