"""Whose an order is: of who ordered it, and of who performs it. Whoever is of no facility may know any."""

from storage.index import order_listings as listings
from storage.index import orders as rows
from storage.index.engine import Connection
from vna.model.access import Actor
from vna.model.errors import NotFound
from vna.model.orders import ANY_FACILITY, KnownOrder, OrderKey


def is_of(connection: Connection, actor: Actor, one: KnownOrder) -> bool:
    """Whether the actor's facility ordered or performs it: one that any centre may perform is of who has images of
    it."""
    order = one.order
    if not actor.facility or actor.facility in (order.key.facility, order.performing_facility):
        return True
    return order.performing_facility == ANY_FACILITY and listings.is_made_at(connection, order.key, actor.facility)


def check_own(connection: Connection, actor: Actor, key: OrderKey) -> None:
    """NotFound for an order that is of another facility, whether it is known or not; one that has not come yet is of
    who will have ordered it."""
    if not actor.facility:
        return
    known = rows.find(connection, key)
    if not (is_of(connection, actor, known) if known is not None else key.facility == actor.facility):
        raise NotFound("no such order is known at this facility")
