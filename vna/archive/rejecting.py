"""Rejection notes take effect: what they name is hidden as deleted things are, and put back when they are revoked
(RAD TF-3 4.66; Imaging Object Change Management).

A job of kind REJECT looks at one note, by its SOP Instance UID, as it is now: so it may be done for whatever cause, and
as often as one likes.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from storage.blobs.base import BlobStore
from storage.elements import text
from storage.index import deletion as index
from storage.index import jobs, lookup, manifests, rejections
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.limits import Limits
from storage.metadata import scan
from storage.part10 import read_file_meta
from storage.temporary import whole
from storage.values import Element
from vna.archive.deletion import Deletion
from vna.archive.rejection import RejectionRules, names, tell
from vna.jobs.dispatch import Subscriber
from vna.model.access import SYSTEM, Action, Actor
from vna.model.errors import Conflict, NotFound
from vna.model.events import Event, EventKind
from vna.model.identifiers import is_uid
from vna.model.instances import Door
from vna.model.manifests import KEY_OBJECT_SELECTION
from vna.model.rejections import HIDDEN, MEANINGS, NoteState, Rejection, reason_of
from vna.security.policy import Policy

log = logging.getLogger(__name__)

REJECT: Final = "reject"
"""The kind of job that looks at a note; its payload is its SOP Instance UID, then the key that the next step begins
behind."""

_GAINED = frozenset({EventKind.INSTANCE_STORED, EventKind.INSTANCE_REPLACED, EventKind.INSTANCE_RESTORED})
_BATCH = 200
_TOLD = 1000
_AGAIN = timedelta(minutes=1)
_REVOKED = "its rejection was revoked"


def noticing(database: Database) -> Subscriber:
    """Has notes looked at when they come or go."""

    def notice(batch: Sequence[Event]) -> None:
        gained = [event.sop_instance_uid for event in batch if event.kind in _GAINED]
        lost = [event for event in batch if event.kind is EventKind.INSTANCE_DELETED]
        if not gained and not lost:
            return
        with database.read() as connection:
            uids = manifests.key_objects(connection, gained, KEY_OBJECT_SELECTION, Door.FETCH.value)
            if lost and rejections.any_known(connection):
                gone = {one.sop_instance_uid for one in lost if not one.detail["reason"].startswith(HIDDEN)}
                uids |= {uid for uid in gone if rejections.find(connection, uid) is not None}
        if uids:
            with database.transaction() as connection:
                for uid in sorted(uids):
                    _schedule(connection, uid)

    return notice


def after_reindex(connection: Connection) -> None:
    """Every note and selection is looked at again."""
    uids = set(manifests.every_key_object(connection, KEY_OBJECT_SELECTION, Door.FETCH.value))
    for uid in sorted(uids | {one.note for one in _every(connection)}):
        _schedule(connection, uid)


def replay(connection: Connection, event: Event) -> None:
    """Note again what an event of the journal tells of; what is hidden follows by its own events."""
    detail = dict(event.detail)
    named, lifted = detail.pop("uids", ()), detail.pop("lifted", ())
    rejection = Rejection(**{**detail, "state": NoteState(detail["state"])})
    rejections.put(connection, rejection)
    rejections.name(connection, rejection.note, named)
    for uid in lifted:
        rejections.lift(connection, rejection.note, uid)


class Rejections:
    """Rejection notes: what they hide, and taking them back."""

    def __init__(
        self, database: Database, blobs: BlobStore, policy: Policy, deletion: Deletion, rules: RejectionRules
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy
        self._deletion = deletion
        self._rules = rules

    def listed(self, actor: Actor) -> Iterator[Rejection]:
        """Every note that is known, by UID."""
        self._policy.check(actor, Action.DELETE)
        return self._listed()

    def revoke(self, actor: Actor, note: str, *, reason: str = "") -> None:
        """A note holds no longer: a job puts back what no other one rejects, and hides the note.

        NotFound when there is no such note, Conflict when it was revoked before.
        """
        self._policy.check(actor, Action.DELETE)
        with self._database.transaction() as connection:
            rejection = rejections.find(connection, note)
            if rejection is None:
                raise NotFound("no such rejection note")
            if rejection.state is NoteState.REVOKED:
                raise Conflict("the rejection note was revoked before")
            self._end(connection, rejection, actor.name, reason)

    def apply(self, actor: Actor) -> int:
        """Have every note looked at again, as after other settings; how many there are."""
        self._policy.check(actor, Action.DELETE)
        with self._database.transaction() as connection:
            known = list(_every(connection))
            for one in known:
                _schedule(connection, one.note)
        return len(known)

    def __call__(self, payload: str) -> str | None:
        """One step of a job."""
        uid, _, after = payload.partition(" ")
        rejection = self._as_it_is(uid) if not after else self._known(uid)
        if rejection is None:
            return None
        last = self._some(rejection, int(after or 0))
        if last:
            return f"{uid} {last}"
        self._note_itself(rejection)
        return None

    # ---- whether a note holds

    def _known(self, uid: str) -> Rejection | None:
        with self._database.read() as connection:
            return rejections.find(connection, uid)

    def _as_it_is(self, uid: str) -> Rejection | None:
        with self._database.read() as connection:
            known = rejections.find(connection, uid)
            held = lookup.content(connection, uid)
            is_hidden = rejections.hidden(connection, uid) is not None
        if held is None and (known is None or known.state is NoteState.REVOKED or is_hidden):
            return known
        if held is None:
            assert known is not None
            with self._database.transaction() as connection:
                return self._end(connection, known, known.actor, "it was deleted")
        if known is not None and known.state is NoteState.STANDING:
            return known
        return self._begin(uid, held)

    def _begin(self, uid: str, held: lookup.Content) -> Rejection | None:
        """A selection came, or came again: None when it is no note."""
        with whole(self._blobs, held.blob, held.size) as buffer:
            elements = scan(buffer, read_file_meta(buffer), Limits()).elements
        code = title(elements)
        if not code:
            return None
        uids = sorted(set(named_in(elements)) - {uid})
        with self._database.transaction() as connection:
            facility, source_ae = rejections.origin(connection, uid)
            now = time_text(datetime.now(UTC))
            by = source_ae or SYSTEM.name
            rejection = Rejection(uid, code, facility, source_ae, by, NoteState.STANDING, now, named=len(uids))
            rejections.put(connection, rejection)
            rejections.name(connection, uid, uids)
            for start in range(0, len(uids) or 1, _TOLD):
                tell(connection, rejection, uids=uids[start : start + _TOLD])
            jobs.add(
                connection,
                REJECT,
                order_key=uid,
                payload=f"{uid} 0",
                run_after=time_text(datetime.now(UTC) + _AGAIN),  # what was being stored meanwhile
            )
        log.info("rejection note", extra={"sop_instance_uid": uid, "code": code, "instances": len(uids)})
        return rejection

    def _end(self, connection: Connection, rejection: Rejection, by: str, reason: str) -> Rejection:
        ended = replace(
            rejection,
            state=NoteState.REVOKED,
            changed_at=time_text(datetime.now(UTC)),
            changed_by=by,
            reason=reason,
        )
        rejections.put(connection, ended)
        tell(connection, ended)
        _schedule(connection, rejection.note)
        return ended

    # ---- what follows

    def _some(self, rejection: Rejection, after: int) -> int:
        """Some of what it names is hidden or put back; the last key, 0 when there is no more."""
        with self._database.read() as connection:
            some = rejections.named(connection, rejection.note, after, _BATCH)
        uids = [uid for _, uid in some]
        if rejection.state is NoteState.STANDING and self._rules.hides(rejection):
            self._hide(rejection, uids)
        else:
            self._put_back(uids)
        return some[-1][0] if len(some) == _BATCH else 0

    def _hide(self, rejection: Rejection, uids: Sequence[str]) -> None:
        with self._database.read() as connection:
            seen = rejections.seen(connection, uids, rejection.facility)
        for study, among in seen.items():
            reason = reason_of(rejection.code, rejection.note)
            self._deletion.hide(SYSTEM, study, among, by=rejection.actor, reason=reason)

    def _put_back(self, uids: Sequence[str]) -> None:
        """Those that no note rejects any more."""
        for uid in uids:
            with self._database.read() as connection:
                hidden = [one for one in index.listed(connection, instance=uid, limit=_BATCH) if _is_rejected(one)]
                notes = rejections.standing(connection, uid) if hidden else []
            if not hidden or any(self._rules.hides(one) and names(one, hidden[-1].facility) for one in notes):
                continue
            restored = self._deletion.put_back(SYSTEM, hidden[-1], _REVOKED)
            if restored.problem:
                log.warning("rejected instance stays away", extra={"sop_instance_uid": uid, "reason": restored.problem})

    def _note_itself(self, rejection: Rejection) -> None:
        """Hidden or shown, as the settings want it; one that was revoked is hidden."""
        hides = rejection.state is NoteState.REVOKED or self._rules.hides_note(rejection)
        with self._database.read() as connection:
            held = lookup.content(connection, rejection.note)
            hidden = [one for one in index.listed(connection, instance=rejection.note, limit=1) if _is_rejected(one)]
        if hides and held is not None:
            reason = reason_of(rejection.code, rejection.note)
            by = rejection.changed_by or rejection.actor
            self._deletion.hide(SYSTEM, held.study_instance_uid, [rejection.note], by=by, reason=reason)
        if not hides and held is None and hidden:
            self._deletion.put_back(SYSTEM, hidden[0], "settings show it")

    def _listed(self) -> Iterator[Rejection]:
        with self._database.read() as connection:
            known = list(_every(connection))
        yield from known


def title(elements: Mapping[str, Element]) -> str:
    """The code of a rejection note's title; empty when a data set is none."""
    if text(dict(elements), "00080016") != KEY_OBJECT_SELECTION:
        return ""
    codes = (text(item, "00080100") for item in _items(elements, "0040A043") if text(item, "00080102") in ("DCM", ""))
    return next((code for code in codes if code in MEANINGS), "")


def named_in(elements: Mapping[str, Element]) -> Iterator[str]:
    """The instances that a note names: in Current Requested Procedure Evidence Sequence (PS3.3 C.17.6.2), which has to
    list every one, or else in its content."""
    evidence = list(_references(elements, "0040A375", "00081115", "00081199"))
    yield from evidence or _references(elements, "0040A730", "00081199")


def _references(elements: Mapping[str, Element], *path: str) -> Iterator[str]:
    if not path:
        uid = text(dict(elements), "00081155")
        if is_uid(uid):
            yield uid
        return
    for item in _items(elements, path[0]):
        yield from _references(item, *path[1:])


def _items(elements: Mapping[str, Element], tag: str) -> Iterator[dict[str, Any]]:
    values: list[Any] = elements.get(tag, {}).get("Value") or []
    return (item for item in values if isinstance(item, dict))


def _is_rejected(one: Any) -> bool:
    return str(one.reason).startswith(HIDDEN)


def _every(connection: Connection) -> Iterator[Rejection]:
    after = ""
    while some := rejections.every(connection, after):
        yield from some
        after = some[-1].note


def _schedule(connection: Connection, uid: str) -> None:
    jobs.schedule(connection, REJECT, order_key=uid, payload=uid)
