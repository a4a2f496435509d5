"""Orders: placed, changed and cancelled, by whatever door they come."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from storage.index import events, identities
from storage.index import orders as rows
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.model.access import Action, Actor
from vna.model.errors import Conflict, NotFound, RuleBroken
from vna.model.events import Event, EventKind
from vna.model.identifiers import facility_identifier
from vna.model.orders import KnownOrder, Order, OrderedPatient, OrderKey, OrderState
from vna.security.policy import Policy

_OVER = frozenset({OrderState.COMPLETED, OrderState.DISCONTINUED})
_RANKS = {OrderState.SCHEDULED: 0, OrderState.IN_PROGRESS: 1, OrderState.COMPLETED: 2, OrderState.DISCONTINUED: 2}
"""How far each is; what is told late takes nothing back."""


class Told(StrEnum):
    """What is told of an order."""

    NEW = "new"
    CHANGED = "changed"
    CANCELLED = "cancelled"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Tiding:
    """What a message tells of one order: all of it where it is new or changed, else key and state."""

    told: Told
    order: Order


class Orders:
    """What was ordered. Whoever tells of orders needs the right to feed, whoever reads them to look up."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def place(self, actor: Actor, order: Order) -> None:
        """A new order; one that is known already is changed to this. Conflict when it was cancelled."""
        self._alone(actor, Tiding(Told.NEW, order))

    def change(self, actor: Actor, order: Order) -> None:
        """An order is as this says from now on, except that it is no less far; NotFound when it is not known, Conflict
        when it was cancelled."""
        self._alone(actor, Tiding(Told.CHANGED, order))

    def cancel(self, actor: Actor, key: OrderKey) -> None:
        """The examination is not to be made; NotFound when it is not known, Conflict when it was made. A cancelled one
        stays so."""
        self._alone(actor, Tiding(Told.CANCELLED, Order(key, OrderedPatient())))

    def take(self, connection: Connection, actor: Actor, tidings: Sequence[Tiding]) -> None:
        """All that a message tells, in the caller's transaction; those of one order in their order.

        RuleBroken when a known order is another patient's, as `expect` has it. Orders are locked by their keys' order,
        so that two messages never wait for each other.
        """
        self._policy.check(actor, Action.FEED)
        for tiding in sorted(tidings, key=lambda one: str(one.order.key)):
            known = rows.find(connection, tiding.order.key, lock=True)
            if known is not None:
                _expect(connection, known.order, tiding.order.patient)
            self._take(connection, actor, tiding, known)

    def expect(self, actor: Actor, key: OrderKey, patient: OrderedPatient) -> None:
        """RuleBroken when the order is known and another patient's: by national number, or by file number where one of
        them has none. What differs by a merge of file numbers is the same patient's."""
        self._policy.check(actor, Action.FEED, str(key))
        with self._database.glance() as connection:
            known = rows.find(connection, key)
            if known is not None:
                _expect(connection, known.order, patient)

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
        self._write(connection, actor, order, rows.find(connection, order.key, lock=True))

    def _write(self, connection: Connection, actor: Actor, order: Order, known: KnownOrder | None) -> None:
        order = since_merges(connection, order)
        if known is not None:
            if known.order.state is OrderState.CANCELLED:
                raise Conflict("the order was cancelled")
            order = replace(order, state=_reached(known.order.state, order.state))
            if order == replace(known.order, source=order.source):
                return
        write(connection, actor, order)

    def _alone(self, actor: Actor, tiding: Tiding) -> None:
        self._policy.check(actor, Action.FEED, str(tiding.order.key))
        with self._database.transaction() as connection:
            self._take(connection, actor, tiding, rows.find(connection, tiding.order.key, lock=True))

    def _take(self, connection: Connection, actor: Actor, tiding: Tiding, found: KnownOrder | None) -> None:
        order = tiding.order
        if found is None and tiding.told is not Told.NEW:
            raise NotFound("no such order is known at this facility")
        if found is None or tiding.told in (Told.NEW, Told.CHANGED):
            self._write(connection, actor, order, found)
            return
        known = found.order
        if tiding.told is Told.CANCELLED:
            order = replace(order, state=OrderState.CANCELLED)
        state = _reached(known.state, order.state)
        if state is not known.state:
            write(connection, actor, replace(known, state=state))

    def advance(self, connection: Connection, actor: Actor, keys: Sequence[OrderKey], state: OrderState) -> None:
        """How far these are, in the caller's transaction; those that are not known or were cancelled are left."""
        for key in sorted(keys, key=str):
            known = rows.find(connection, key, lock=True)
            if known is not None and known.order.state not in (OrderState.CANCELLED, state):
                write(connection, actor, replace(known.order, state=state))


def _expect(connection: Connection, known: Order, said: OrderedPatient) -> None:
    if not _differ(known.patient, said):
        return
    now = since_merges(connection, known).patient
    said = since_merges(connection, replace(known, patient=said)).patient
    if _differ(now, said) and not (now.patient_id == said.patient_id and _is_merged(connection, known.key, now)):
        raise RuleBroken("patient_differs", "the order is another patient's")


def _is_merged(connection: Connection, key: OrderKey, patient: OrderedPatient) -> bool:
    """Whether others were merged into this file number: orders of before have another national number, then."""
    number = facility_identifier(patient.patient_id, key.facility)
    return number is not None and len(identities.family(connection, number).keys) > 1


def _differ(known: OrderedPatient, said: OrderedPatient) -> bool:
    if known.national_number and said.national_number:
        return known.national_number != said.national_number
    return bool(known.patient_id and said.patient_id) and known.patient_id != said.patient_id


def _reached(known: OrderState, said: OrderState) -> OrderState:
    """How far an order is that was told to be so far: never less than before, and a cancelled one stays so."""
    if known is OrderState.CANCELLED:
        return known
    if said is OrderState.CANCELLED:
        if known in _OVER:
            raise Conflict("the examination was performed: its order cannot be cancelled")
        return said
    return said if _RANKS[said] > _RANKS[known] else known


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
