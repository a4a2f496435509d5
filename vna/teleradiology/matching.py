"""Orders meet images: kept up from events, and by hand.

Whatever happens to an order or a study, both sides of it are looked at anew as they are now, so that events may come
twice and in any order. What is looked at is a neighbourhood: the orders with the accession numbers concerned, others of
the same patient and doctor that may share an acquisition, and the studies that name any of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from storage.index import events, jobs, matches, other_patient_ids, quarantine, subjects
from storage.index import orders as order_rows
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.model.access import SYSTEM, Action, Actor
from vna.model.errors import BadRequest, NotAuthorized, NotFound
from vna.model.events import Event, EventKind
from vna.model.matches import Match, MatchRule, Outline, Subject
from vna.model.orders import OrderKey
from vna.model.profile.matching import MatchingProfile
from vna.security.policy import Policy
from vna.teleradiology.matching_rule import Pair, assigned, is_together
from vna.teleradiology.quarantine import release_soon

MATCH = "match"
"""The kind of job that looks at every study; its payload is the key that the next step begins behind."""

OF_IMAGES = frozenset(
    {
        EventKind.INSTANCE_STORED,
        EventKind.INSTANCE_REPLACED,
        EventKind.INSTANCE_DELETED,
        EventKind.INSTANCE_RESTORED,
        EventKind.INSTANCE_CORRECTED,
        EventKind.INSTANCE_FORGOTTEN,
        EventKind.INSTANCE_QUARANTINED,
        EventKind.STUDY_REASSIGNED,
        EventKind.STUDY_KNOWN,
        EventKind.STEP_CHANGED,
    }
)
"""Events whose `study_instance_uid` is a study that may have changed."""

_STEP = 200
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class _Around:
    """A neighbourhood: orders to be decided on, all that bear on it, and what was decided before."""

    decided: frozenset[OrderKey]
    orders: tuple[Outline, ...]
    subjects: Mapping[str, Subject]
    before: Mapping[Pair, Match]


class Matching:
    """Which studies are of which orders."""

    def __init__(self, database: Database, policy: Policy, rules: MatchingProfile) -> None:
        self._database = database
        self._policy = policy
        self._rules = rules

    def __call__(self, batch: Sequence[Event]) -> None:
        """As a subscriber: follow what happened."""
        studies = {event.study_instance_uid for event in batch if event.kind in OF_IMAGES} - {""}
        arrived = {e.study_instance_uid for e in batch if e.kind is EventKind.INSTANCE_QUARANTINED}
        keys = {key for event in batch if (key := _concerned(event)) is not None}
        if not (studies or keys):
            return
        with self._database.transaction() as connection:
            self.look(connection, studies, keys)
            seen = quarantine.visible(connection, arrived)
            for study in sorted(arrived):
                if study in seen or matches.is_matched(connection, study):
                    release_soon(connection, study, SYSTEM, "")
            for study in sorted({e.study_instance_uid for e in batch if e.kind is EventKind.INSTANCE_RESTORED}):
                quarantine.finish(connection, study)

    def every(self, payload: str) -> str | None:
        """A step of a job of kind MATCH."""
        with self._database.read() as connection:
            page = subjects.after(connection, int(payload or 0), _STEP)
        with self._database.transaction() as connection:
            self.look(connection, {uid for _, uid in page}, set())
        return str(page[-1][0]) if len(page) == _STEP else None

    def look(self, connection: Connection, studies: Iterable[str], keys: Iterable[OrderKey]) -> None:
        """Decide anew on these studies and orders, in the caller's transaction."""
        studies = set(studies)
        subjects.note(connection, studies)
        around = self._around(connection, studies, set(keys))
        said = {uid: around.subjects[uid].other_ids if uid in around.subjects else () for uid in studies}
        other_patient_ids.keep(connection, said)
        released = {pair for pair, match in around.before.items() if match.released}
        by_hand = {pair for pair, match in around.before.items() if match.by_person and not match.released}
        wanted = assigned(around.orders, around.subjects.values(), self._rules, released=released, by_hand=by_hand)
        for pair in sorted(around.before.keys() | wanted.keys(), key=str):
            if pair[0] in around.decided:
                self._settle(connection, pair, around.before.get(pair), wanted.get(pair), around.subjects)

    def match(self, actor: Actor, key: OrderKey, study_instance_uid: str, reason: str) -> None:
        """A person says that a study is of an order. NotFound when one of them is not known."""
        self._allow(actor, key, reason)
        with self._database.transaction() as connection:
            if order_rows.find(connection, key, lock=True) is None:
                raise NotFound("no such order is known at this facility")
            if not subjects.find(connection, [study_instance_uid]):
                raise NotFound("no such study is known")
            match = Match(key, study_instance_uid, MatchRule.HAND, actor.name, reason)
            write(connection, match)
            release_soon(connection, study_instance_uid, actor, reason)

    def release(self, actor: Actor, key: OrderKey, study_instance_uid: str, reason: str) -> None:
        """A person says that a study is not of an order: no rule says so again. NotFound when they were no pair."""
        self._allow(actor, key, reason)
        with self._database.transaction() as connection:
            known = matches.of_orders(connection, [key], lock=True)
            held = [one for one in known if one.study_instance_uid == study_instance_uid and not one.released]
            if not held:
                raise NotFound("this study is not matched with this order")
            write(connection, replace(held[0], actor=actor.name, reason=reason, released=True))

    def of_order(self, actor: Actor, key: OrderKey) -> list[Match]:
        """What is known of an order, pairs that were released too."""
        self._policy.check(actor, Action.LOOK_UP, str(key))
        with self._database.read() as connection:
            return matches.of_orders(connection, [key])

    def of_study(self, actor: Actor, study_instance_uid: str) -> list[Match]:
        """What is known of a study, pairs that were released too."""
        self._policy.check(actor, Action.LOOK_UP, study_instance_uid)
        with self._database.read() as connection:
            return matches.of_studies(connection, [study_instance_uid])

    def _allow(self, actor: Actor, key: OrderKey, reason: str) -> None:
        self._policy.check(actor, Action.MATCH, str(key))
        if actor.facility not in ("", key.facility):
            raise NotAuthorized("the order is of another facility")
        if not reason.strip() or len(reason) > _LONGEST_REASON or "\0" in reason:
            raise BadRequest(f"a reason is needed, of at most {_LONGEST_REASON} characters")

    def _around(self, connection: Connection, studies: set[str], keys: set[OrderKey]) -> _Around:
        """Everything that bears on these: whose decision may change, and what that decision looks at."""
        before = matches.of_studies(connection, studies)
        keys = keys | {match.key for match in before}
        before += matches.of_orders(connection, keys)
        touched = studies | {match.study_instance_uid for match in before}
        before += matches.of_studies(connection, touched)
        keys |= {match.key for match in before}
        known = subjects.find(connection, touched)
        numbers = {number for subject in known.values() for number in subject.accession_numbers}
        numbers |= {key.accession_number for key in keys}
        orders = {one.key: one for one in matches.outlines(connection, numbers)}
        of_patients = matches.of_patients(connection, orders.values())
        near = self._together(orders, of_patients)
        further = self._together(near, of_patients)
        decided = frozenset(near.keys() | keys)
        orders = {one.key: one for one in matches.outlines(connection, {k.accession_number for k in further})} | further
        missing = subjects.naming(connection, {key.accession_number for key in orders}) - known.keys()
        known |= subjects.find(connection, missing)
        before += matches.of_orders(connection, orders.keys() | decided)
        known |= subjects.find(connection, {match.study_instance_uid for match in before} - known.keys())
        return _Around(decided, tuple(orders.values()), known, {(m.key, m.study_instance_uid): m for m in before})

    def _together(self, those: Mapping[OrderKey, Outline], among: Iterable[Outline]) -> dict[OrderKey, Outline]:
        """Those, with whatever may share an acquisition with one of them, whether or not it was cancelled."""
        alive = [replace(one, cancelled=False) for one in those.values()]
        found = dict(those)
        for one in among:
            if one.key not in found and any(is_together(one, other, self._rules) for other in alive):
                found[one.key] = one
        return found

    def _settle(
        self,
        connection: Connection,
        pair: Pair,
        before: Match | None,
        rule: MatchRule | None,
        known: Mapping[str, Subject],
    ) -> None:
        if before is not None and (before.released or (before.rule is MatchRule.HAND and pair[1] in known)):
            return
        if rule is (before.rule if before is not None else None):
            return
        order_rows.find(connection, pair[0], lock=True)  # nobody matches by hand from here on
        if matches.find(connection, *pair) != before:
            return  # somebody did meanwhile: that is an event of its own
        if before is not None and rule is None:
            write(connection, replace(before, actor=SYSTEM.name), gone=True)
        elif rule is not None:
            write(connection, Match(*pair, rule, SYSTEM.name))
            release_soon(connection, pair[1], SYSTEM, "")


def write(connection: Connection, match: Match, *, gone: bool = False) -> None:
    """The row and the event that tells of it."""
    at = datetime.now(UTC)
    detail = {
        "facility": match.key.facility,
        "accession_number": match.key.accession_number,
        "study": match.study_instance_uid,
        "rule": match.rule.value,
        "reason": match.reason,
        "released": match.released,
        "gone": gone,
    }
    _apply(connection, detail, match.actor, time_text(at))
    events.append(
        connection,
        EventKind.MATCH_CHANGED,
        at=at,
        actor=match.actor,
        study_instance_uid=match.study_instance_uid,
        detail=detail,
    )


def replay(connection: Connection, event: Event) -> None:
    """Do again what an event of the journal tells of."""
    _apply(connection, event.detail, event.actor, time_text(event.at))


def again(connection: Connection) -> None:
    """Have every study looked at: after a reindex."""
    quarantine.sweep(connection)
    jobs.schedule(connection, MATCH, order_key=MATCH, payload="0", priority=jobs.BULK)


def _apply(connection: Connection, detail: Mapping[str, Any], actor: str, at: str) -> None:
    key, study = OrderKey(detail["facility"], detail["accession_number"]), detail["study"]
    if detail["gone"]:
        matches.remove(connection, key, study)
        return
    rule = MatchRule(detail["rule"])
    matches.put(connection, Match(key, study, rule, actor, detail["reason"], bool(detail["released"]), at))


def _concerned(event: Event) -> OrderKey | None:
    """The order that an event tells of, where others may follow from it: what a rule made follows from nothing."""
    detail = event.detail
    if event.kind is EventKind.ORDER_CHANGED:
        return OrderKey(**detail["order"]["key"])
    is_said = detail.get("released") or detail.get("rule") == MatchRule.HAND.value
    if event.kind is EventKind.MATCH_CHANGED and is_said:
        return OrderKey(detail["facility"], detail["accession_number"])
    return None
