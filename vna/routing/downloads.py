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


def note_download(
    connection: Connection, study: str, series_uid: str, failure: str, lacking: int, *, again: bool
) -> None:
    """Keep what became of asking for something of a series, and have it tried again.

    `failure` says why not all came, `lacking` how many nobody has, `again` whether something came that had been here
    before.
    """
    now = datetime.now(UTC)
    for uid in dict.fromkeys(place.manifest for place in manifests.places(connection, study, series_uid)):
        if failure:
            manifests.set_download(connection, uid, Download.NOT_DOWNLOADED, failure, time_text(now))
        elif manifests.is_whole(connection, uid):
            reason = f"{lacking} of its instances are not where they should be" if lacking else ""
            repeated = again or manifests.download_of(connection, uid) is Download.REPEATED
            became = Download.REPEATED if repeated else Download.DOWNLOADED
            manifests.set_download(connection, uid, became, reason, time_text(now))
    if failure and not jobs.waiting(connection, FETCH, series_uid):
        later = time_text(now + _SOON)
        payload = f"{study} {series_uid}"
        jobs.add(connection, FETCH, order_key=series_uid, payload=payload, run_after=later, priority=LOW)
    eviction.schedule(connection)


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
        self._policy.check(actor, Action.RETRIEVE, study)
        return len(self._missing(study))

    def bring(self, actor: Actor, study: str, seconds: float) -> None:
        """Have a study here, and wait for so many seconds until it is. Raises as `OnDemand.bring` does."""
        self._policy.check(actor, Action.RETRIEVE, study)
        missing = self._missing(study)
        if missing:
            self._bring(missing, seconds)

    def _missing(self, study: str, series_uid: str = "") -> list[Kept]:
        with self._database.read() as connection:
            return [one for one in elsewhere.kept(connection, study, series_uid) if not one.is_absent]

    def __call__(self, payload: str) -> str | None:
        """A step of one job: what takes long is looked at again, so that other jobs have their turn.

        What no archive has is no reason to try again, an archive that does not answer is.
        """
        study, _, series_uid = payload.partition(" ")
        missing = self._missing(study, series_uid)
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
