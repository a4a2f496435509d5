"""The work of storage commitment: bytes are read, whoever asked is told, and it is forgotten (PS3.4 J.3.3)."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from storage.blobs.base import BlobStore
from storage.index import commitments
from storage.index.commitments import Content, Unchecked
from storage.index.engine import Database
from storage.index.events import read_time, time_text
from vna import events as signals
from vna.archive.claims import Damage, damage_of
from vna.archive.commitment import Commitments, was_checked
from vna.archive.repairing import Replica
from vna.jobs.regular import was_done
from vna.jobs.retries import GivenUp, KeepTrying
from vna.model.access import SYSTEM, Peer
from vna.model.commitments import COMMITTED, Commitment, Direction, FailureReason, Reporter, State
from vna.model.errors import Unavailable, VnaError
from vna.model.instances import Door
from vna.model.sop_classes import STORAGE_CLASSES

log = logging.getLogger(__name__)

FORGET = "commitment-forget"
"""A job at regular times, without a payload."""

_STEP = 200
_STEP_SECONDS = 5.0
_STEP_BYTES = 1 << 30
_PATIENCE = timedelta(hours=1)
"""So long a store that does not answer is waited for, and what lies in a spool only; then that is not committed."""

_REASONS: Mapping[Damage, FailureReason] = {
    Damage.MISSING: FailureReason.NO_SUCH_INSTANCE,
    Damage.UNREADABLE: FailureReason.PROCESSING_FAILURE,
    Damage.SIZE: FailureReason.PROCESSING_FAILURE,
    Damage.DIGEST: FailureReason.PROCESSING_FAILURE,
}


class Checking:
    """Does the job CHECK: some instances a step, every byte of each."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        *,
        lasting: BlobStore | None = None,
        repair: Replica | None = None,
    ) -> None:
        """`lasting` is the same as `blobs` without what lies on the disk of one node only; `repair` puts a copy from
        another store in the place of what is damaged or gone."""
        self._database = database
        self._blobs = blobs
        self._lasting = lasting or blobs
        self._repair = repair

    def __call__(self, transaction_uid: str) -> str | None:
        """One step; the results of a step are kept with it, so that a restart goes on after them."""
        with self._database.read() as connection:
            found = commitments.find(connection, Direction.RECEIVED, transaction_uid)
            if found is None or found.state is not State.PENDING:
                return None
            batch = commitments.unchecked(connection, found.key, _STEP)
            known = commitments.held(connection, [one.sop_instance_uid for one in batch])
        results = self._results(found, batch, known)
        with self._database.transaction() as connection:
            now = commitments.find(connection, Direction.RECEIVED, transaction_uid, lock=True)
            if now is None or now.state is not State.PENDING:
                return None
            still = commitments.held(connection, [one.sop_instance_uid for one in batch[: len(results)]])
            done = [
                (number, result)
                for one, (number, result) in zip(batch, results, strict=False)
                if known.get(one.sop_instance_uid) == still.get(one.sop_instance_uid)
            ]  # what changed meanwhile is looked at again
            commitments.note(connection, found.key, done)
            if commitments.unchecked(connection, found.key, 1):
                return transaction_uid
            failures = commitments.failures(connection, found.key)
            was_checked(connection, now, failures, SYSTEM.name, datetime.now(UTC))
        outcome = "failures" if failures else "committed"
        signals.emit("commitment.checked", outcome=outcome, instances=found.instances, failures=len(failures))
        fields = {"transaction": transaction_uid, "instances": found.instances, "failures": len(failures)}
        log.info("storage commitment checked", extra=fields)
        return None

    def _results(
        self, found: Commitment, batch: Sequence[Unchecked], known: Mapping[str, Content]
    ) -> list[tuple[int, int]]:
        """Of the first at least, and of as many as there is time for."""
        is_old = datetime.now(UTC) - read_time(found.requested_at) > _PATIENCE
        results: list[tuple[int, int]] = []
        ends, size = time.monotonic() + _STEP_SECONDS, 0
        for one in batch:
            if results and (time.monotonic() > ends or size > _STEP_BYTES):
                break
            content = known.get(one.sop_instance_uid)
            try:
                result = self._result(one, content, is_old=is_old)
            except KeepTrying:
                if not results:
                    raise
                break
            results.append((one.number, result))
            size += content.size if content is not None else 0
        return results

    def _result(self, one: Unchecked, content: Content | None, *, is_old: bool) -> int:
        if content is None or not content.blob or content.door == Door.FETCH.value:
            known_class = one.sop_class_uid in STORAGE_CLASSES or content is not None
            return FailureReason.NO_SUCH_INSTANCE if known_class else FailureReason.CLASS_NOT_SUPPORTED
        if content.sop_class_uid != one.sop_class_uid:
            return FailureReason.CLASS_INSTANCE_CONFLICT
        damage = self._damage(content)
        if damage is None:
            return COMMITTED
        if damage is Damage.UNREADABLE and not is_old:
            raise KeepTrying("the blob store does not answer, or does not have yet what waits in a spool")
        fields = {"sop_instance_uid": one.sop_instance_uid, "blob": content.blob, "reason": damage.value}
        log.error("instance not committed", extra=fields)
        return _REASONS[damage]

    def _damage(self, content: Content) -> Damage | None:
        """UNREADABLE of what may be whole later."""
        damage = damage_of(self._lasting, content.blob, content.size, content.sha256)
        if damage is None or damage is Damage.UNREADABLE:
            return damage
        if self._lasting is not self._blobs:
            spooled = damage_of(self._blobs, content.blob, content.size, content.sha256)
            if spooled is None or spooled is Damage.UNREADABLE:
                return Damage.UNREADABLE
        try:
            mended = self._repair is not None and self._repair(SYSTEM, content.blob, content.size, content.sha256)
        except Unavailable:
            return Damage.UNREADABLE
        except VnaError as exc:
            log.warning("repair failed", extra={"blob": content.blob, "reason": str(exc)})
            return damage
        return damage_of(self._lasting, content.blob, content.size, content.sha256) if mended else damage


class Reporting:
    """Does the job REPORT: on a new association, as long as nobody has reported on the one that asked."""

    def __init__(
        self,
        database: Database,
        requests: Commitments,
        peer_of: Callable[[str], Peer | None],
        reporter: Reporter,
    ) -> None:
        self._database = database
        self._requests = requests
        self._peer_of = peer_of
        self._reporter = reporter

    def __call__(self, transaction_uid: str) -> None:
        """Once in effect; told twice after a crash in between, which does no harm."""
        with self._database.read() as connection:
            found = commitments.find(connection, Direction.RECEIVED, transaction_uid)
            if found is None or found.state is not State.CHECKED:
                return
            outcomes = commitments.outcomes(connection, found.key)
        if found.held_until > time_text(datetime.now(UTC)):
            raise Unavailable("the association that asked is still open, and may report")
        peer = self._peer_of(found.partner)
        if peer is None or not peer.host:
            raise GivenUp(
                f"{found.partner} has no address to report to: vna ae add {found.partner} --host HOST --port PORT, "
                "then vna jobs retry"
            )
        self._reporter.report(peer, transaction_uid, outcomes)
        self._requests.was_reported(SYSTEM, transaction_uid)


class Forgetting:
    """Does the job FORGET: results are kept for so many days."""

    def __init__(self, database: Database, days: int) -> None:
        self._database = database
        self._days = days

    def __call__(self, _payload: str) -> str | None:
        """A few hundred at a time."""
        before = time_text(datetime.now(UTC) - timedelta(days=self._days))
        with self._database.transaction() as connection:
            gone = commitments.forget(connection, before, 500)
            if not gone:
                was_done(connection, FORGET, "done")
        return "" if gone else None
