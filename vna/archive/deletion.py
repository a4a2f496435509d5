"""Deleting, softly: hidden from every door at once, recoverable, and told of by an event for each instance."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from storage.blobs.base import BlobStore
from storage.index import deletion, elsewhere, events, lookup, manifests, quarantine
from storage.index.deletion import Gone
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.instances import Raced
from storage.metadata import Limits
from vna.archive.holds import refuse_held
from vna.archive.refiling import schedule
from vna.archive.reread import rows_again
from vna.archive.store import Provenance, Store, Tell, detail_of
from vna.model.access import Action, Actor, Coercion
from vna.model.coercion import coercion_of
from vna.model.errors import Conflict, NotFound, Unavailable, VnaError
from vna.model.events import EventKind
from vna.model.instances import QUARANTINED, DeletedInstance
from vna.model.manifests import SEARCH
from vna.security.policy import Policy

_BATCH = 200
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Restored:
    """One instance that was to be put back; `problem` says in words why it was not."""

    sop_instance_uid: str
    problem: str = ""


class Deletion:
    """Hides studies, series and instances, and puts them back. The bytes stay where they are."""

    def __init__(self, database: Database, blobs: BlobStore, policy: Policy, store: Store, limits: Limits) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy
        self._store = store
        self._limits = limits

    def delete(self, actor: Actor, study: str, series: str = "", instance: str = "", *, reason: str = "") -> int:
        """Hide a study, a series of it, or an instance of that one, in one transaction; how many instances.

        NotFound when it is not held, Conflict when it is on hold or some of it is another archive's to withdraw. What
        is stored again afterwards is new.
        """
        self._policy.check(actor, Action.DELETE, study)
        now = datetime.now(UTC)
        with self._database.transaction() as connection:
            others = elsewhere.count(connection, study, series, instance)
            if others and manifests.is_named(connection, study, series, SEARCH):  # what a search found may go
                raise Conflict(
                    f"{others} instances of it are kept by another archive: they go when it withdraws its manifest, or "
                    "when that is deleted here (vna manifest list --study)"
                )
            gone = deletion.delete(
                connection,
                study,
                series,
                instance,
                unless=partial(refuse_held, connection, study),
                at=time_text(now),
                by=actor.name,
                reason=reason,
            )
            tell_deleted(connection, study, gone, at=now, by=actor.name, reason=reason)
        self._store.forget()
        if not gone:
            raise NotFound(f"no such {'instance' if instance else 'series' if series else 'study'}")
        return len(gone)

    def deleted(self, actor: Actor, study: str = "") -> Iterator[DeletedInstance]:
        """What was deleted and not put back, of one study or of all, oldest first."""
        self._policy.check(actor, Action.DELETE, study)
        return self._listed(study)

    def restore(self, actor: Actor, study: str, series: str = "", instance: str = "") -> Iterator[Restored]:
        """Put back what was deleted of a study, a series or as an instance, as it came; one after another.

        NotFound when nothing of it was deleted.
        """
        self._policy.check(actor, Action.DELETE, study)
        with self._database.read() as connection:
            if not deletion.listed(connection, study, series, instance, limit=1):
                raise NotFound("nothing of that was deleted")
        return (self._restored(actor, one) for one in self._listed(study, series, instance))

    def admit(self, actor: Actor, study: str, *, reason: str, after: int, limit: int) -> tuple[int, int]:
        """Put back some of what is in quarantine of a study, from a key on: the last key, 0 when there is no more, and
        how many could not be."""
        self._policy.check(actor, Action.DELETE, study)
        with self._database.read() as connection:
            some = deletion.listed(connection, study, reason=QUARANTINED, after=after, limit=limit)
        for one in some:
            self._restored(actor, one, reason)
        failed = 0
        with self._database.transaction() as connection:
            for one in some:
                if lookup.content(connection, one.sop_instance_uid) is None:
                    failed += 1
                else:  # put back, or held as it came again otherwise
                    quarantine.set_aside(connection, one.blob, "came again in quarantine")
            quarantine.finish(connection, study)
        return (some[-1].key if len(some) == limit else 0), failed

    def put_back(self, actor: Actor, one: DeletedInstance, reason: str) -> Restored:
        """Put back one instance, for a reason that its event tells."""
        self._policy.check(actor, Action.DELETE)
        return self._restored(actor, one, reason)

    def hide(self, actor: Actor, study: str, among: Sequence[str], *, by: str, reason: str) -> int:
        """Hide some hundred instances of a study, those that are held; how many. `by` is whom it goes back to."""
        self._policy.check(actor, Action.DELETE, study)
        now = datetime.now(UTC)
        with self._database.transaction() as connection:
            gone = deletion.delete(connection, study, among=among, at=time_text(now), by=by, reason=reason)
            tell_deleted(connection, study, gone, at=now, by=by, reason=reason)
        self._store.forget()
        return len(gone)

    def _listed(self, study: str, series: str = "", instance: str = "") -> Iterator[DeletedInstance]:
        after = 0
        while True:
            with self._database.read() as connection:
                batch = deletion.listed(connection, study, series, instance, after=after, limit=_BATCH)
            yield from batch
            if len(batch) < _BATCH:
                return
            after = batch[-1].key

    def _restored(self, actor: Actor, one: DeletedInstance, reason: str = "") -> Restored:
        try:
            is_back = self._put_back(actor, one, reason)
        except VnaError as exc:
            return Restored(one.sop_instance_uid, str(exc))
        return Restored(one.sop_instance_uid, "" if is_back else "it is held again, as it was sent anew")

    def _put_back(self, actor: Actor, one: DeletedInstance, reason: str) -> bool:
        provenance = Provenance(
            actor=actor.name,
            source_ae=one.source_ae,
            source_address=one.source_address,
            door=one.door,
            received_at=one.received_at,
            facility=one.facility,
            coercion=coercion_of(one.rules),
        )
        new = rows_again(self._blobs, one.blob, one.size, one.sha256, provenance, self._limits)
        detail = detail_of(new, provenance) | {"received_at": time_text(one.received_at)}
        if reason:
            detail["reason"] = reason
        for _ in range(_ATTEMPTS):
            try:
                return self._store.add(new, provenance, tell=_restoring(actor, one, detail, provenance.coercion))
            except Raced:
                continue
        raise Unavailable("the index is too busy with this study")


def tell_deleted(
    connection: Connection, study: str, gone: Iterable[Gone], *, at: datetime, by: str, reason: str
) -> None:
    """The events of instances that were hidden, in the transaction that hid them."""
    for one in gone:
        events.append(
            connection,
            EventKind.INSTANCE_DELETED,
            at=at,
            actor=by,
            study_instance_uid=study,
            sop_instance_uid=one.sop_instance_uid,
            detail={"series": one.series_instance_uid, "blob": one.blob, "reason": reason},
        )


def _restoring(actor: Actor, one: DeletedInstance, detail: dict[str, object], coercion: Coercion | None = None) -> Tell:
    def tell(connection: Connection) -> None:
        if coercion is not None and coercion.corrected:  # which may hold no longer
            schedule(connection, [one.study_instance_uid], again=False)
        if not deletion.forget(connection, one.blob):
            raise NotFound("it was put back already")
        events.append(
            connection,
            EventKind.INSTANCE_RESTORED,
            at=datetime.now(UTC),
            actor=actor.name,
            study_instance_uid=one.study_instance_uid,
            sop_instance_uid=one.sop_instance_uid,
            detail=detail,
        )

    return tell
