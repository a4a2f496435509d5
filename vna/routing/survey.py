"""Asking the archives that a manifest names what they really have: what is missing there, and what the series are.

It is a courtesy: an archive that cannot be searched, or does not answer now, leaves the manifest as it is.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from storage.elements import number, text
from storage.index import elsewhere, manifests
from storage.index.engine import Database
from storage.index.events import time_text
from vna.archive.rows import series_row
from vna.model.errors import VnaError
from vna.model.instances import Availability
from vna.model.manifests import Download, ListedSeries, Manifest, State
from vna.model.query import Element, Level, Query, series_keys
from vna.model.sources import Doors, Searching, Source
from vna.routing.whereabouts import candidates

log = logging.getLogger(__name__)

SURVEY = "survey"
"""The kind of job; its payload is the SOP Instance UID of a manifest."""

_SERIES, _INSTANCE, _NUMBER = "0020000E", "00080018", "00200013"
_OF_SERIES = frozenset({"00080060", "0008103E", "00200011", "00080021", "00080031", "00180015", "00400244", "00400245"})
_MOST = 100_000


class Survey:
    """Does the jobs."""

    def __init__(
        self,
        database: Database,
        archives: Callable[[], Sequence[Source]],
        doors: Callable[[Source], Doors],
    ) -> None:
        self._database = database
        self._archives = archives
        self._doors = doors

    def __call__(self, sop_instance_uid: str) -> None:
        """One manifest."""
        with self._database.read() as connection:
            manifest = manifests.find(connection, sop_instance_uid)
        if manifest is None or manifest.state is not State.CURRENT:
            return
        missing = 0
        try:
            for listed in manifest.series:
                missing += self._series(listed)
        except VnaError as exc:
            log.info("manifest not surveyed", extra={"sop_instance_uid": sop_instance_uid, "reason": str(exc)})
            return
        self._note(manifest, missing)

    def _series(self, listed: ListedSeries) -> int:
        """How many instances of it no archive has that could be asked."""
        named = {uid for _, uid in listed.instances}
        with self._database.read() as connection:
            places = manifests.places(connection, listed.study_instance_uid, listed.series_instance_uid)
            named -= elsewhere.here(connection, list(named))
        if not named:
            return 0
        lacking: set[str] | None = None
        for door in self._searching(candidates(self._archives(), places)):
            numbers = {uid: at for uid, at in self._instances(door, listed) if uid in named}
            lacking = (named if lacking is None else lacking) - numbers.keys()
            self._describe(door, listed, {uid: at for uid, at in numbers.items() if at is not None})
            if not lacking:
                break
        if lacking is None:
            return 0
        with self._database.transaction() as connection:
            elsewhere.mark(connection, named - lacking, absent=False)
            elsewhere.mark(connection, lacking, absent=True)
            elsewhere.rate(connection, listed.study_instance_uid, listed.series_instance_uid, Availability.NEARLINE)
        return len(lacking)

    def _searching(self, sources: Sequence[Source]) -> Iterator[Searching]:
        """The first door of each that can be searched."""
        for source in sources:
            for _, door in self._doors(source).searching:
                yield door
                break

    def _instances(self, door: Searching, listed: ListedSeries) -> Iterator[tuple[str, int | None]]:
        returns = frozenset({_INSTANCE, _NUMBER})
        for match in door.search(
            Query(Level.IMAGE, series_keys(listed.study_instance_uid, listed.series_instance_uid), returns, limit=_MOST)
        ):
            value = number(match.elements, _NUMBER)
            yield match.sop_instance_uid or text(match.elements, _INSTANCE), None if value is None else int(value)

    def _describe(self, door: Searching, listed: ListedSeries, numbers: dict[str, int]) -> None:
        elements: dict[str, Element] = {}
        for match in door.search(
            Query(Level.SERIES, series_keys(listed.study_instance_uid, listed.series_instance_uid), _OF_SERIES, limit=1)
        ):
            elements = {tag: match.own[tag] for tag in _OF_SERIES if tag in match.own}
        with self._database.transaction() as connection:
            elsewhere.number(connection, numbers)
            if elements:
                row = series_row(elements | {_SERIES: {"vr": "UI", "Value": [listed.series_instance_uid]}})
                elsewhere.describe(connection, listed.study_instance_uid, listed.series_instance_uid, row)

    def _note(self, manifest: Manifest, missing: int) -> None:
        problems = [one for one in manifest.problems if not one.endswith(_LACKING)]
        if missing:
            problems.append(f"{missing} of {manifest.named} instances {_LACKING}")
        with self._database.transaction() as connection:
            manifests.set_checked(connection, manifest.sop_instance_uid, missing, problems)
            if missing == manifest.named:
                at = time_text(datetime.now(UTC))
                uid = manifest.sop_instance_uid
                manifests.set_download(connection, uid, Download.NOT_DOWNLOADED, problems[-1], at)


_LACKING = "are not where the manifest says"
