"""Telling the payer of examinations that are complete: once each, by a durable job, whoever is killed meanwhile.

What is sent is said before it is sent (`sending`). An attempt of which nobody knows the end is asked for first, and
sent again only when the payer does not have it.
"""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import orjson

from storage.index import events, jobs, notifications, orders
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.jobs.retries import KeepTrying
from vna.model.access import Action, Actor
from vna.model.codes import Facility
from vna.model.errors import NotFound, Unavailable
from vna.model.events import Event, EventKind
from vna.model.notifications import Answer, Notice, Notification, NotificationState, Payer
from vna.model.orders import KnownOrder, OrderKey, made_uid
from vna.model.profile import Profile
from vna.security.policy import Policy
from vna.teleradiology.reasons import Status
from vna.teleradiology.standing import Standings

log = logging.getLogger(__name__)

NOTIFY = "notify"
"""The kind of job that tells the payer of an order; its payload is the key as JSON."""

_OPEN = frozenset({NotificationState.WAITING, NotificationState.SENDING})
_OF_PAYER = frozenset({"payer-refused"})
_ACTOR, _LONGEST = "vna", 64


class Facilities(Protocol):
    """What is known of facilities (`vna.teleradiology.codes.Codes`)."""

    def facility(self, skrs: str) -> Facility | None:
        """By SKRS code."""
        ...


def begin(connection: Connection, key: OrderKey) -> None:
    """An order is complete: have the payer told, unless that was begun before."""
    if notifications.begin(connection, key):
        _queue(connection, key)


class Notifying:
    """Called with the payload of a job: one attempt. Without a `payer` nobody is told, and nothing is queued."""

    def __init__(
        self,
        database: Database,
        policy: Policy,
        profile: Profile,
        facilities: Facilities,
        standings: Standings,
        payer: Payer | None,
    ) -> None:
        self._database = database
        self._policy = policy
        self._profile = profile
        self._facilities = facilities
        self._standings = standings
        self._payer = payer

    def again(self, actor: Actor, key: OrderKey) -> bool:
        """Find out anew how an order stands, and tell the payer again when it is complete; whether it will be told.

        NotFound when the order is not known.
        """
        self._policy.check(actor, Action.FEED, str(key))
        self._standings.find_out([key])
        return self._again(actor, key)

    def after_refusal(self, actor: Actor, key: OrderKey) -> bool:
        """Tell the payer again of what it refused, or of what it could not be told yet; whether it will be told.
        What it accepted stays so. NotFound when the order is not known."""
        self._policy.check(actor, Action.LOOK_UP, str(key))
        with self._database.read() as connection:
            held = notifications.find(connection, key)
        return held is not None and held.state is not NotificationState.ACCEPTED and self._again(actor, key)

    def _again(self, actor: Actor, key: OrderKey) -> bool:
        with self._database.transaction() as connection:
            known = orders.find(connection, key, lock=True)
            if known is None:
                raise NotFound("no such order is known at this facility")
            if self._payer is None or not self._may_be_told(known):
                return False
            held = notifications.find(connection, key, lock=True)
            if held is None:
                held = Notification(key)
            elif held.state not in _OPEN:
                held = replace(held, state=NotificationState.WAITING, attempts=0, round=held.round + 1)
            notifications.put(connection, held)
            _queue(connection, key)
            if held.attempts == 0:
                _say(connection, actor.name, held)
        return True

    def __call__(self, payload: str) -> None:
        """One attempt. KeepTrying when the payer does not answer, or its code of the facility is not known."""
        key = OrderKey(*orjson.loads(payload))
        if self._payer is None:
            raise KeepTrying("there is no payer to notify: VNA_NATIONAL__PAYER says which")
        begun = self._begin(key)
        if begun is None:
            return
        known, sending, interrupted = begun
        try:
            answer = self._answer(self._payer, known, sending, interrupted=interrupted)
        except Unavailable as exc:
            self._unanswered(sending, str(exc))
            raise KeepTrying(str(exc)) from exc
        self._end(sending, answer)

    def _begin(self, key: OrderKey) -> tuple[KnownOrder, Notification, bool] | None:
        """Say that it is being sent, before it is; None when there is nothing to be sent any more. The last value is
        whether an earlier attempt may have arrived."""
        with self._database.transaction() as connection:
            known = orders.find(connection, key, lock=True)
            held = notifications.find(connection, key, lock=True)
            if held is None or held.state not in _OPEN:
                return None
            interrupted = held.state is NotificationState.SENDING
            if known is None or not (interrupted or self._may_be_told(known)):
                notifications.remove(connection, key)
                return None
            sending = replace(
                held,
                state=NotificationState.SENDING,
                attempts=held.attempts + 1,
                last_sent_at=time_text(datetime.now(UTC)),
            )
            notifications.put(connection, sending)
            if not interrupted:
                _say(connection, _ACTOR, sending)
        return known, sending, interrupted

    def _answer(self, payer: Payer, known: KnownOrder, sending: Notification, *, interrupted: bool) -> Answer | None:
        """None when it was not sent, as the order is complete no more."""
        notice = self._notice(known, sending)
        answer = payer.known(notice) if interrupted else None
        if answer is None and self._may_be_told(known):
            answer = payer.tell(notice)
        return answer

    def _may_be_told(self, known: KnownOrder) -> bool:
        return _is_complete(known) and self._profile.notification.tells(known.order.payer)

    def _notice(self, known: KnownOrder, sending: Notification) -> Notice:
        order = known.order
        facility = self._facilities.facility(order.key.facility)
        if facility is None or not facility.medula_code:
            raise Unavailable("the list facilities has no code by which the payer knows this facility")
        accession = order.key.accession_number if self._profile.notification.tells_accession(order.sut.code) else ""
        reference = made_uid(f"{order.key} {sending.round}").rpartition(".")[2][:20]
        return Notice(order, facility.medula_code, accession, reference, known.standing.performed_at)

    def _unanswered(self, sending: Notification, words: str) -> None:
        with self._database.transaction() as connection:
            if _is_current(connection, sending):
                notifications.put(connection, replace(sending, response_code="", response_message=words[:500]))

    def _end(self, sending: Notification, answer: Answer | None) -> None:
        with self._database.transaction() as connection:
            if not _is_current(connection, sending):
                return
            if answer is None:
                notifications.remove(connection, sending.key)
                return
            done = replace(
                sending,
                state=NotificationState.ACCEPTED if answer.accepted else NotificationState.REFUSED,
                response_code=answer.code,
                response_message=answer.message[:500],
            )
            notifications.put(connection, done)
            _say(connection, _ACTOR, done)
        if not answer.accepted:
            log.warning("the payer refused a notification", extra={"code": answer.code})


def after_reindex(connection: Connection) -> None:
    """Attempts of which the journal knows only the beginning are gone on with."""
    for key in notifications.unsent(connection):
        _queue(connection, key)


def replay(connection: Connection, event: Event) -> None:
    """Do again what an event of the journal tells of."""
    said = dict(event.detail["notification"])
    key = OrderKey(**said.pop("key"))
    state = NotificationState(said.pop("state"))
    notifications.put(connection, Notification(key=key, state=state, **said))


def _is_complete(known: KnownOrder) -> bool:
    """Whether nothing is missing, beside what the payer itself says."""
    stands = known.standing
    return stands.status in (Status.COMPLETE, Status.NOTIFIED, Status.REFUSED) and set(stands.reasons) <= _OF_PAYER


def _is_current(connection: Connection, sending: Notification) -> bool:
    """Whether it is still this attempt that counts: nobody had it told anew meanwhile."""
    held = notifications.find(connection, sending.key, lock=True)
    return held is not None and (held.round, held.state) == (sending.round, NotificationState.SENDING)


def _queue(connection: Connection, key: OrderKey) -> None:
    payload = orjson.dumps([key.facility, key.accession_number]).decode()
    name = str(key)
    jobs.schedule(connection, NOTIFY, order_key=name if len(name) <= _LONGEST else made_uid(name), payload=payload)


def _say(connection: Connection, actor: str, one: Notification) -> None:
    events.append(
        connection,
        EventKind.NOTIFICATION_CHANGED,
        at=datetime.now(UTC),
        actor=actor,
        study_instance_uid=str(one.key)[:64],
        detail={
            "notification": {
                "key": {"facility": one.key.facility, "accession_number": one.key.accession_number},
                "state": one.state.value,
                "attempts": one.attempts,
                "last_sent_at": one.last_sent_at,
                "response_code": one.response_code,
                "response_message": one.response_message,
                "round": one.round,
            }
        },
    )
