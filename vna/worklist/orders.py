"""Orders: placed, changed and cancelled, by whatever door they come."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from storage.index import events, identities
from storage.index import orders as rows
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.model.access import Action, Actor
from vna.model.errors import Conflict, NotFound
from vna.model.events import Event, EventKind
from vna.model.identifiers import facility_identifier
from vna.model.orders import KnownOrder, Order, OrderKey, OrderState
from vna.security.policy import Policy

_OVER = frozenset({OrderState.COMPLETED, OrderState.DISCONTINUED})


class Orders:
    """What was ordered. Whoever tells of orders needs the right to feed, whoever reads them to look up."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def place(self, actor: Actor, order: Order) -> None:
        """A new order; one that is known already is changed to this. Conflict when it was cancelled."""
        self._policy.check(actor, Action.FEED, str(order.key))
        with self._database.transaction() as connection:
            self.put(connection, actor, order)

    def change(self, actor: Actor, order: Order) -> None:
        """An order is as this says from now on, except how far it is; NotFound when it is not known, Conflict when it
        was cancelled."""
        self._policy.check(actor, Action.FEED, str(order.key))
        with self._database.transaction() as connection:
            if rows.find(connection, order.key, lock=True) is None:
                raise NotFound("no such order is known at this facility")
            self.put(connection, actor, order)

    def cancel(self, actor: Actor, key: OrderKey) -> None:
        """The examination is not to be made; NotFound when it is not known, Conflict when it was made. A cancelled one
        stays so."""
        self._policy.check(actor, Action.FEED, str(key))
        with self._database.transaction() as connection:
            known = rows.find(connection, key, lock=True)
            if known is None:
                raise NotFound("no such order is known at this facility")
            if known.order.state in _OVER:
                raise Conflict("the examination was performed: its order cannot be cancelled")
            if known.order.state is not OrderState.CANCELLED:
                write(connection, actor, replace(known.order, state=OrderState.CANCELLED))

    def get(self, actor: Actor, key: OrderKey) -> KnownOrder:
        """The order with how it stands; NotFound when it is not known."""
        self._policy.check(actor, Action.LOOK_UP, str(key))
        with self._database.read() as connection:
            known = rows.find(connection, key)
        if known is None:
            raise NotFound("no such order is known at this facility")
        return known

    def put(self, connection: Connection, actor: Actor, order: Order) -> None:
        """`place` in the caller's transaction, for use cases that asked the policy."""
        order = since_merges(connection, order)
        known = rows.find(connection, order.key, lock=True)
        if known is not None:
            if known.order.state is OrderState.CANCELLED:
                raise Conflict("the order was cancelled")
            order = replace(order, state=known.order.state)
            if order == replace(known.order, source=order.source):
                return
        write(connection, actor, order)

    def advance(self, connection: Connection, actor: Actor, keys: Sequence[OrderKey], state: OrderState) -> None:
        """How far these are, in the caller's transaction; those that are not known or were cancelled are left."""
        for key in sorted(keys, key=str):
            known = rows.find(connection, key, lock=True)
            if known is not None and known.order.state not in (OrderState.CANCELLED, state):
                write(connection, actor, replace(known.order, state=state))


def since_merges(connection: Connection, order: Order) -> Order:
    """The order under the file number that stands for its own since the facility merged them."""
    if not identities.any_merged(connection):
        return order
    number = facility_identifier(order.patient.patient_id, order.key.facility)
    survivor = identities.survivor(connection, number) if number is not None else None
    return order if survivor is None else replace(order, patient=replace(order.patient, patient_id=survivor.value))


def write(connection: Connection, actor: Actor, order: Order) -> None:
    """The row and the event that tells of it."""
    at = datetime.now(UTC)
    rows.put(connection, order, time_text(at))
    key = str(order.key)[:64]
    events.append(
        connection,
        EventKind.ORDER_CHANGED,
        at=at,
        actor=actor.name,
        study_instance_uid=key,
        detail={"order": order.as_plain()},
    )


def replay(connection: Connection, event: Event) -> None:
    """Do again what an event of the journal tells of."""
    rows.replay(connection, dict(event.detail["order"]), time_text(event.at))
