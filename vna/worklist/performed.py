"""Modality performed procedure steps: what a modality tells of the examination that it makes (PS3.4 F.7)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from storage.elements import text
from storage.index import events, performed_steps
from storage.index import orders as order_rows
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.performed_steps import Step
from vna.model.access import Action, Actor
from vna.model.dictionary import keyword_of
from vna.model.errors import (
    DuplicateInstance,
    Finished,
    InvalidValue,
    MissingAttribute,
    MissingValue,
    NotFound,
)
from vna.model.events import Event, EventKind
from vna.model.identifiers import is_ae_title, is_uid
from vna.model.matching import items_of
from vna.model.orders import ANY_FACILITY, KnownOrder, OrderKey, OrderState
from vna.model.query import Element
from vna.security.policy import Policy
from vna.worklist.orders import Orders

Elements = dict[str, Element]

STATUS: Final = "00400252"
_STATION, _START_DATE, _START_TIME, _SERIES = "00400241", "00400244", "00400245", "00400340"
_SCHEDULED, _STUDY, _ACCESSION, _MODALITY = "00400270", "0020000D", "00080050", "00080060"

_AT_CREATION: Final = (_STATION, _START_DATE, _START_TIME, STATUS, "00400253", _MODALITY, _SCHEDULED)
_AT_THE_END: Final = ("00400250", "00400251")
"""Type 1 of PS3.4 Table F.7.2-1, for N-CREATE and for the final state. What is of type 2 there may be missing:
modalities leave it out."""
_FIXED: Final = (
    *(_SCHEDULED, "00100010", "00100020", "00100021", "00100030", "00100040", "00081120"),
    *(_STATION, _START_DATE, _START_TIME, "00400253", _MODALITY, "00200010"),
)
"""What N-SET may not change, of the same table."""

STATES: Final[Mapping[str, OrderState]] = {
    "IN PROGRESS": OrderState.IN_PROGRESS,
    "COMPLETED": OrderState.COMPLETED,
    "DISCONTINUED": OrderState.DISCONTINUED,
}
"""How far an order is when the only step that was made for it says this (PS3.3 C.4.14)."""
_IN_PROGRESS: Final = "IN PROGRESS"
_CHARACTER_SET: Final = "00080005"


class PerformedSteps:
    """The steps that modalities tell of, and the orders that follow them. Who may store images may tell of them."""

    def __init__(self, database: Database, policy: Policy, orders: Orders) -> None:
        self._database = database
        self._policy = policy
        self._orders = orders

    def create(self, actor: Actor, sop_instance_uid: str, elements: Elements) -> None:
        """A step begins (PS3.4 F.7.2.1).

        MissingAttribute, MissingValue or InvalidValue where it does not say what it has to; DuplicateInstance when it
        is known.
        """
        self._policy.check(actor, Action.STORE, sop_instance_uid)
        if not is_uid(sop_instance_uid):
            raise InvalidValue("the SOP Instance UID is none")
        _require(elements, _AT_CREATION)
        _require_scheduled(elements)
        if text(elements, STATUS) != _IN_PROGRESS:
            raise InvalidValue("a step begins with the status IN PROGRESS")
        step = _step(sop_instance_uid, actor.facility, elements)
        with self._database.transaction() as connection:
            at = datetime.now(UTC)
            if not performed_steps.add(connection, step, time_text(at)):
                raise DuplicateInstance("this performed procedure step is known")
            self._tell(connection, actor, step, at)

    def set(self, actor: Actor, sop_instance_uid: str, elements: Elements) -> None:
        """A step goes on or ends (PS3.4 F.7.2.2): attributes take the place of those that were said.

        NotFound when it is not known at the caller's facility, Finished when it is over, InvalidValue where an
        attribute changes that may not; MissingAttribute or MissingValue when it ends without what is known by then.
        """
        self._policy.check(actor, Action.STORE, sop_instance_uid)
        with self._database.transaction() as connection:
            known = _known(connection, actor, sop_instance_uid, lock=True)
            if known.status != _IN_PROGRESS:
                raise Finished("Performed Procedure Step Object may no longer be updated")
            _require_unchanged(known.elements, elements)
            step = _step(sop_instance_uid, known.facility, {**known.elements, **elements})
            _require_ended(step)
            at = datetime.now(UTC)
            performed_steps.put(connection, step, time_text(at))
            self._tell(connection, actor, step, at)

    def get(self, actor: Actor, sop_instance_uid: str) -> Elements:
        """All that is known of a step (PS3.4 F.8.2.1); NotFound when it is not known at the caller's facility."""
        self._policy.check(actor, Action.QUERY, "")
        with self._database.read() as connection:
            return _known(connection, actor, sop_instance_uid).elements

    def _tell(self, connection: Connection, actor: Actor, step: Step, at: datetime) -> None:
        for state, keys in _following(connection, step).items():
            self._orders.advance(connection, actor, keys, state)
        events.append(
            connection,
            EventKind.STEP_CHANGED,
            at=at,
            actor=actor.name,
            study_instance_uid=step.study_instance_uid,
            detail={"step": step.sop_instance_uid, "facility": step.facility, "elements": step.elements},
        )


def replay(connection: Connection, event: Event) -> None:
    """Do again what an event of the journal tells of; orders tell of themselves."""
    detail = event.detail
    step = _step(str(detail["step"]), str(detail["facility"]), dict(detail["elements"]))
    performed_steps.put(connection, step, time_text(event.at))


def _known(connection: Connection, actor: Actor, sop_instance_uid: str, *, lock: bool = False) -> Step:
    step = performed_steps.find(connection, sop_instance_uid, lock=lock)
    if step is None or (actor.facility and step.facility not in ("", actor.facility)):
        raise NotFound("no such performed procedure step is known")
    return step


def _step(sop_instance_uid: str, facility: str, elements: Elements) -> Step:
    scheduled = items_of(elements.get(_SCHEDULED))
    numbers = [text(item, _ACCESSION) for item in scheduled]
    return Step(
        sop_instance_uid,
        text(elements, STATUS),
        facility,
        text(elements, _STATION)[:16],
        next((text(item, _STUDY) for item in scheduled), ""),
        tuple(dict.fromkeys(filter(None, numbers))),
        f"{text(elements, _START_DATE)}{text(elements, _START_TIME)}"[:32],
        dict(sorted((tag, value) for tag, value in elements.items() if tag != _CHARACTER_SET)),
    )


def _following(connection: Connection, step: Step) -> dict[OrderState, list[OrderKey]]:
    """The orders that a step was made for, by how far they are: one that has several steps goes on while one of them
    does, and was made when one of them was."""
    following: dict[OrderState, list[OrderKey]] = {}
    for item in items_of(step.elements.get(_SCHEDULED)):
        number = text(item, _ACCESSION)
        key = _order(connection, number, text(item, _STUDY), step.facility) if number else None
        if key is not None:
            said = performed_steps.statuses(connection, step.study_instance_uid, number)
            state = next(state for status, state in STATES.items() if status in said)
            following.setdefault(state, []).append(key)
    return following


def _order(connection: Connection, accession_number: str, study: str, facility: str) -> OrderKey | None:
    """The one that the worklist gave with this study; without it the only one with this number that the facility
    performs."""
    found = order_rows.with_accession(connection, accession_number)
    mine = [one.order for one in found if _is_performed_by(one, facility)]
    meant = [order for order in mine if order.study_instance_uid == study] or mine
    return meant[0].key if len(meant) == 1 else None


def _is_performed_by(known: KnownOrder, facility: str) -> bool:
    return not facility or known.order.performed_at in (facility, ANY_FACILITY)


def _require(elements: Elements, tags: tuple[str, ...]) -> None:
    for tag in tags:
        if tag not in elements:
            raise MissingAttribute(f"{keyword_of(tag)} is missing")
        if not any(elements[tag].get("Value") or ()):
            raise MissingValue(f"{keyword_of(tag)} has no value")


def _require_scheduled(elements: Elements) -> None:
    for item in items_of(elements[_SCHEDULED]):
        _require(dict(item), (_STUDY,))
        if not is_uid(text(item, _STUDY)):
            raise InvalidValue("StudyInstanceUID of ScheduledStepAttributesSequence is no UID")
    if not is_ae_title(text(elements, _STATION)):
        raise InvalidValue("PerformedStationAETitle is no AE title")


def _require_unchanged(known: Elements, said: Elements) -> None:
    for tag in _FIXED:
        if tag in said and said[tag].get("Value") and said[tag] != known.get(tag):
            raise InvalidValue(f"{keyword_of(tag)} cannot be changed once the step has begun")


def _require_ended(step: Step) -> None:
    """Of a step that ends. One that was discontinued may be without series: nothing may have been acquired."""
    if step.status not in STATES:
        raise InvalidValue("PerformedProcedureStepStatus is none of IN PROGRESS, COMPLETED and DISCONTINUED")
    if step.status != _IN_PROGRESS:
        _require(step.elements, _AT_THE_END)
    if step.status == "COMPLETED":
        _require(step.elements, (_SERIES,))
