"""Instance availability notices: who is told of a study when it has come to rest, and of what cannot be had any more
(PS3.4 R)."""

import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Protocol

import orjson

from storage.blobs.base import BlobStore
from storage.index import availability, jobs
from storage.index.availability import Listed
from storage.index.engine import Database
from storage.index.events import time_text
from storage.part10 import read_file_meta
from storage.values import Element
from vna.jobs.dispatch import Subscriber
from vna.jobs.retries import GivenUp
from vna.model.access import Peer
from vna.model.errors import CannotUnderstand, NotFound
from vna.model.events import Event, EventKind

log = logging.getLogger(__name__)

NOTIFY = "availability-notice"
"""The kind of job; its payload is a `_Notice` as JSON."""

_CAME = frozenset({EventKind.INSTANCE_STORED, EventKind.INSTANCE_RESTORED, EventKind.STUDY_KNOWN})
_WENT = frozenset({EventKind.INSTANCE_DELETED, EventKind.AVAILABILITY_CHANGED})

_PAGE = 2000
_HEAD_BYTES = 4096
_STEP_CLASS = "1.2.840.10008.3.1.2.3.3"
_NAMESPACE = uuid.UUID("4b0e7a0e-7a52-53f2-9a0c-3d0f3f2b9d11")

Elements = dict[str, Element]


class Notifying(Protocol):
    """What tells an application entity, by N-CREATE."""

    def notify(self, peer: Peer, sop_instance_uid: str, elements: Elements) -> None:
        """Return when it has it, or had it before; Unavailable, NotAuthorized or Rejected say why not."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where instances are retrieved: an AE title, and the address of DICOMweb where it is known to the public."""

    ae_title: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class _Notice:
    """A study on its way to a receiver: `seed` is that of the notices' UIDs, the others say how far it is."""

    receiver: str
    study: str
    seed: str
    past: bool = False
    after: int = 0


def noticing(database: Database, receivers: Sequence[str], idle: timedelta) -> Subscriber:
    """Has receivers told of a study when nothing of it has come for `idle`; at once where something went."""

    def notice(batch: Sequence[Event]) -> None:
        now = datetime.now(UTC)
        due = {event.study_instance_uid: time_text(now + idle) for event in batch if event.kind in _CAME}
        due |= {event.study_instance_uid: time_text(now) for event in batch if event.kind in _WENT}
        if not due:
            return
        with database.transaction() as connection:
            for study in sorted(due):
                for receiver in receivers:
                    payload = _text(_Notice(receiver, study, uuid.uuid4().hex))
                    key = f"{receiver} {study}"
                    jobs.schedule(connection, NOTIFY, order_key=key, payload=payload, run_after=due[study])

    return notice


class Availabilities:
    """Does the jobs: what is told is how the study is then, some thousand instances a notice."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        peer_of: Callable[[str], Peer | None],
        notifying: Notifying,
        place: Place,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._peer_of = peer_of
        self._notifying = notifying
        self._place = place

    def __call__(self, payload: str) -> str | None:
        """One notice. One that was sent before a crash goes out again under the same UID."""
        now = _Notice(**orjson.loads(payload))
        peer = self._peer_of(now.receiver)
        if peer is None or not peer.host:
            raise GivenUp(
                f"{now.receiver} has no address: vna ae add {now.receiver} --host HOST --port PORT, then vna jobs retry"
            )
        page = availability.gone if now.past else availability.held
        with self._database.read() as connection:
            found = page(connection, now.study, after=now.after, limit=_PAGE)
            step = availability.performed_step(connection, now.study)
        listed = [one for one in map(self._with_class, found) if one.sop_class_uid]
        if listed:
            uid = f"2.25.{uuid.uuid5(_NAMESPACE, f'{now.seed} {now.past} {now.after}').int}"
            self._notifying.notify(peer, uid, notice_elements(now.study, listed, self._place, step))
            fields = {"study_instance_uid": now.study, "receiver": now.receiver, "instances": len(listed)}
            log.info("availability told", extra=fields)
        if len(found) == _PAGE:
            return _text(_Notice(now.receiver, now.study, now.seed, now.past, found[-1].key))
        return None if now.past else _text(_Notice(now.receiver, now.study, now.seed, past=True))

    def _with_class(self, one: Listed) -> Listed:
        """What was deleted has its SOP Class in its bytes alone; without those it is passed over."""
        if one.sop_class_uid:
            return one
        try:
            meta = read_file_meta(self._blobs.read(one.blob, 0, min(one.size, _HEAD_BYTES)))
        except (NotFound, CannotUnderstand):
            return one
        return Listed(one.key, one.series_instance_uid, one.sop_instance_uid, meta.sop_class_uid, one.availability)


def notice_elements(study: str, listed: Iterable[Listed], place: Place, step: str = "") -> Elements:
    """The attributes of one notice: those of PS3.4 Table R.3.2-1 and no other, which is forbidden."""
    ordered = sorted(listed, key=lambda one: one.series_instance_uid)
    by_series = groupby(ordered, key=lambda one: one.series_instance_uid)
    steps = [{"00081150": _one("UI", _STEP_CLASS), "00081155": _one("UI", step), "00404019": _items([])}]
    return {
        "00081111": _items(steps if step else []),
        "00081115": _items(
            [
                {
                    "00081199": _items([_reference(study, one, place) for one in those]),
                    "0020000E": _one("UI", series_uid),
                }
                for series_uid, those in by_series
            ]
        ),
        "0020000D": _one("UI", study),
    }


def _reference(study: str, one: Listed, place: Place) -> Elements:
    said = {
        "00080054": _one("AE", place.ae_title),
        "00080056": _one("CS", one.availability.name),
        "00081150": _one("UI", one.sop_class_uid),
        "00081155": _one("UI", one.sop_instance_uid),
    }
    if place.url:
        path = f"studies/{study}/series/{one.series_instance_uid}/instances/{one.sop_instance_uid}"
        said["00081190"] = _one("UR", f"{place.url}/{path}")
    return said


def _one(vr: str, value: Any) -> Element:
    return {"vr": vr, "Value": [value]}


def _items(items: list[Elements]) -> Element:
    return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}


def _text(notice: _Notice) -> str:
    return orjson.dumps(notice).decode()
