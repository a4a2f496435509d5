"""Whether the images of a manifest were downloaded, as the national system keeps it, and what still has to be."""

from datetime import UTC, datetime, timedelta

from storage.index import elsewhere, jobs, lookup, manifests
from storage.index.elsewhere import Kept
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.jobs.retries import KeepTrying
from vna.model.access import Action, Actor
from vna.model.errors import NotFound, Unavailable
from vna.model.manifests import Download
from vna.model.priority import Priority
from vna.routing import eviction
from vna.routing.flights import Bring, StillComing
from vna.security.policy import Policy

FETCH = "fetch"
"""The kind of job that fetches what is kept elsewhere; its payload is a Study Instance UID, and a Series Instance UID
behind it where only that series is meant."""

LOW = -1
"""What waits for others goes behind what does not."""

_SOON = timedelta(seconds=5)
_STEP_SECONDS = 20.0


class Downloads:
    """Keeps what became of fetching, and has it tried again."""

    def note(
        self, connection: Connection, study: str, series_uid: str, failure: str, lacking: int, *, again: bool
    ) -> None:
        """Something of a series was asked for: `failure` says why not all came, `lacking` how many nobody has, `again`
        whether something came that had been here before."""
        now = datetime.now(UTC)
        for uid in dict.fromkeys(place.manifest for place in manifests.places(connection, study, series_uid)):
            if failure:
                manifests.set_download(connection, [uid], Download.NOT_DOWNLOADED, failure, time_text(now))
            elif manifests.is_whole(connection, uid):
                reason = f"{lacking} of its instances are not where they should be" if lacking else ""
                manifests.set_download(connection, [uid], self._done(connection, uid, again), reason, time_text(now))
        if failure and not jobs.waiting(connection, FETCH, series_uid):
            later = time_text(now + _SOON)
            payload = f"{study} {series_uid}"
            jobs.add(connection, FETCH, order_key=series_uid, payload=payload, run_after=later, priority=LOW)
        eviction.schedule(connection)

    @staticmethod
    def _done(connection: Connection, uid: str, again: bool) -> Download:
        held = manifests.find(connection, uid)
        repeated = again or (held is not None and held.download is Download.REPEATED)
        return Download.REPEATED if repeated else Download.DOWNLOADED


class Fetching:
    """Does jobs of kind FETCH, and takes orders for them."""

    def __init__(self, database: Database, policy: Policy, bring: Bring) -> None:
        self._database = database
        self._policy = policy
        self._bring = bring

    def request(self, actor: Actor, study: str, *, priority: int = LOW) -> int:
        """Have a study fetched in the background; how many instances are elsewhere. NotFound when it is not known."""
        self._policy.check(actor, Action.RETRIEVE, study)
        with self._database.transaction() as connection:
            if lookup.state(connection, study) is None:
                raise NotFound("no such study")
            missing = elsewhere.kept(connection, study)
            if missing:
                jobs.schedule(connection, FETCH, order_key=study, payload=study, priority=priority)
        return len(missing)

    def left(self, actor: Actor, study: str) -> int:
        """How many instances of a study are elsewhere and can be had."""
        return len(self._missing(actor, study))

    def bring(self, actor: Actor, study: str, seconds: float) -> None:
        """Have a study here, and wait for so many seconds until it is. Raises as `OnDemand.bring` does."""
        missing = self._missing(actor, study)
        if missing:
            self._bring(missing, seconds)

    def _missing(self, actor: Actor, study: str) -> list[Kept]:
        self._policy.check(actor, Action.RETRIEVE, study)
        with self._database.read() as connection:
            return [one for one in elsewhere.kept(connection, study) if not one.is_absent]

    def __call__(self, payload: str) -> str | None:
        """A step of one job: what takes long is looked at again, so that other jobs have their turn.

        What no archive has is no reason to try again, an archive that does not answer is.
        """
        study, _, series_uid = payload.partition(" ")
        with self._database.read() as connection:
            missing = [one for one in elsewhere.kept(connection, study, series_uid) if not one.is_absent]
        try:
            if missing:
                self._bring(missing, _STEP_SECONDS, Priority.BULK)
        except StillComing:
            return payload
        except NotFound:
            return None
        except Unavailable as exc:
            raise KeepTrying(str(exc)) from exc
        return None
