"""Copying one study of a source: what it lists, what comes, what is held in the end, instance by instance."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from storage.index import elsewhere, takeovers
from storage.index.engine import Database
from storage.index.events import time_text
from storage.index.takeovers import COMPLETE, INCOMPLETE, OUTSIDE, Finding, HeldRow, Settled, StudyRow
from vna.archive.store import Store
from vna.model.access import Actor
from vna.model.errors import DuplicateInstance, NotFound, OutOfResources, Unavailable, VnaError
from vna.model.instances import Arrival, Availability, Door, Outcome
from vna.model.priority import Priority
from vna.model.sources import Fetched, Fetching, Searching, StudyPart
from vna.routing.listed_study import Listed, named
from vna.routing.reaching import Stopped
from vna.routing.scope import Scope
from vna.routing.timetable import Governor

_MOST_NAMED: Final = 100
_MOST_REFUSALS_IN_A_ROW: Final = 20


class What(StrEnum):
    """What an instance can be that is not as it should be; the first three leave a study incomplete."""

    MISSING = "missing"
    DIFFERED = "differed"
    REFUSED = "refused"
    UNLISTED = "unlisted"
    MISCOUNTED = "miscounted"


class Compare(StrEnum):
    """Of what is held already, what is read again to compare it: what came another way, all, or nothing."""

    OTHERS = "others"
    ALL = "all"
    NONE = "none"


class Ours(Exception):
    """It is not the source that is to blame: no space, no index. The run ends with what caused it."""


class Away(Unavailable):
    """The source was away while something was fetched, and is there again."""


class _Theirs(Exception):
    """What the source did in the middle of an instance."""

    def __init__(self, error: VnaError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(slots=True)
class Account:
    """What is known of one study while it is copied."""

    study: StudyRow
    listed: dict[str, Listed]
    modality_of: dict[str, str]
    came: dict[str, bytes] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    differed: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unlisted: dict[str, str] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    reasons: dict[str, str] = field(default_factory=dict)
    bytes: int = 0

    @property
    def waited_for(self) -> list[Listed]:
        """Listed, and nothing became of it yet."""
        return [one for uid, one in self.listed.items() if not self.knows(uid)]

    @property
    def lost(self) -> int:
        """How many more the source says that there are than it names or gave."""
        return max(0, self.study.said - len({*self.listed, *self.unlisted}))

    def knows(self, uid: str) -> bool:
        """Whether something became of it."""
        return uid in self.came or uid in self.held or uid in self.differed or uid in self.refused


class Copying:
    """Copies studies of one source; several threads may at once."""

    def __init__(
        self,
        name: str,
        database: Database,
        store: Store,
        actor: Actor,
        searching: Searching,
        fetching: Sequence[tuple[str, Fetching]],
        scope: Scope,
        governor: Governor,
        stopped: threading.Event,
        *,
        compare: Compare,
        was_away: Callable[[], bool],
        told: Callable[[int], None],
    ) -> None:
        self._name = name
        self._database = database
        self._store = store
        self._actor = actor
        self._searching = searching
        self._fetching = fetching
        self._scope = scope
        self._governor = governor
        self._stopped = stopped
        self._compare = compare
        self._was_away = was_away
        self._told = told

    def copy(self, study: StudyRow, *, is_last: bool) -> tuple[Settled, list[Finding]]:
        """Fetch what is not held, and look at all of it. Unavailable is for another time, Ours ends everything.

        At the last attempt what does not come is fetched one by one, and is missing if it does not come then.
        """
        listed, modality_of = named(self._searching, study, self._go_on)
        account = Account(study, listed, modality_of)
        if not self._scope.takes(frozenset(account.modality_of.values())):
            return _settled(account, OUTSIDE, ""), []
        self._take_account(account)
        self._fetch(account, is_last=is_last)
        return self._verified(account)

    def _take_account(self, account: Account) -> None:
        """Of what is held already, what need not come again."""
        for uid, row in self._known(account).items():
            if not row.is_here:
                account.elsewhere.add(uid)
            elif row.study_instance_uid != account.study.study_instance_uid:
                account.differed[uid] = "held in another study"
            elif self._compare is Compare.NONE:
                account.held.add(uid)
            elif self._compare is Compare.OTHERS and row.door == Door.MIGRATION and row.source_ae == self._name:
                account.came[uid] = row.sha256

    def _known(self, account: Account) -> dict[str, HeldRow]:
        with _ours(), self._database.read() as connection:
            return takeovers.known(connection, [*account.listed, *account.unlisted])

    def _fetch(self, account: Account, *, is_last: bool) -> None:
        """From the first door that gives it; what does not come from the next one."""
        failure: Unavailable | None = None
        for _, door in self._fetching:
            if not account.waited_for and not account.lost:
                return
            try:
                self._fetch_from(door, account)
            except Unavailable as error:
                failure = error
                if is_last:
                    self._fetch_singly(door, account.waited_for, account)
        if failure is None or not account.waited_for:
            return
        if not is_last:
            raise failure
        if self._was_away():
            raise Away(str(failure))

    def _fetch_from(self, door: Fetching, account: Account) -> None:
        for part in _parts(account, one_by_one=door.by_name):
            try:
                self._fetch_part(door, part, account)
            except NotFound as error:
                self._note_reason(account, part, error)
            except Unavailable:
                raise
            except VnaError as error:
                self._note_reason(account, part, error)
                named = set(part.sop_instance_uids)
                left = [one for one in account.waited_for if not named or one.sop_instance_uid in named]
                self._fetch_singly(door, left, account)

    def _fetch_singly(self, door: Fetching, wanted: Sequence[Listed], account: Account) -> None:
        """One instance that is not what it should be costs no other."""
        failures = 0
        for one in wanted:
            part = _part(account.study, [one])
            try:
                self._fetch_part(door, part, account)
                failures = 0
            except VnaError as error:
                self._note_reason(account, part, error)
                failures += 1
                if failures >= _MOST_REFUSALS_IN_A_ROW:
                    return

    def _note_reason(self, account: Account, part: StudyPart, error: VnaError) -> None:
        for uid in part.sop_instance_uids or [one.sop_instance_uid for one in account.waited_for]:
            account.reasons[uid] = str(error)

    def _fetch_part(self, door: Fetching, part: StudyPart, account: Account) -> None:
        coming = door.fetch(part)
        try:
            for fetched in coming:
                self._go_on()
                if account.knows(fetched.sop_instance_uid):
                    continue
                self._take(fetched, account)
        finally:
            close = getattr(coming, "close", None)
            if close is not None:
                close()

    def _take(self, fetched: Fetched, account: Account) -> None:
        """One instance through the one way in."""
        uid = fetched.sop_instance_uid
        if uid not in account.listed:
            account.unlisted[uid] = fetched.series_instance_uid
        arrival = Arrival(
            Door.MIGRATION,
            calling_ae=self._name,
            sop_instance_uid=uid,
            study_instance_uid=account.study.study_instance_uid,
        )
        size = 0
        try:
            with self._store.open(self._actor, arrival) as incoming:
                for chunk in _theirs(fetched.chunks):
                    self._governor.take(len(chunk))
                    incoming.write(chunk)
                self._governor.take(0, 1)
                size = incoming.size
                digest = incoming.sha256
                accepted = self._store.accept(incoming, self._actor, arrival)
        except _Theirs as error:
            raise error.error from error
        except (OutOfResources, Unavailable) as error:
            raise Ours from error
        except DuplicateInstance as error:
            account.differed[uid] = str(error)
        except VnaError as error:
            account.refused[uid] = str(error)
        else:
            if accepted.outcome is Outcome.ALREADY_HELD:
                account.held.add(uid)
            else:
                account.came[uid] = digest
            if accepted.outcome is Outcome.REPLACED:
                account.differed[uid] = "other content was held, and was replaced as the settings say"
        account.bytes += size
        self._told(size)

    def _keep(self, account: Account, rows: Mapping[str, HeldRow]) -> None:
        """What was fetched to be looked at stays, now that its archive goes; what came is known to be here."""
        copies = [uid for uid, row in rows.items() if row.door == Door.FETCH]
        if not copies and not account.elsewhere:
            return
        study = account.study.study_instance_uid
        with _ours(), self._database.transaction() as connection:
            takeovers.adopt(connection, copies, self._name)
            for series in sorted({account.listed[uid].series_instance_uid for uid in account.elsewhere}):
                elsewhere.rate(connection, study, series, Availability.NEARLINE)

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise Stopped

    def _verified(self, account: Account) -> tuple[Settled, list[Finding]]:
        """Compare what the source lists with what the index has, and digests with those of what came."""
        rows = {uid: row for uid, row in self._known(account).items() if row.is_here}
        self._keep(account, rows)
        missing = {
            uid: account.reasons.get(uid, "the source lists it and does not give it")
            for uid in account.listed
            if uid not in rows and uid not in account.differed and uid not in account.refused
        }
        for uid, digest in account.came.items():
            row = rows.get(uid)
            if row is not None and row.sha256 != digest and uid not in account.differed:
                account.differed[uid] = "what is held is not what came"
        found = _findings(account, missing)
        whole = not (missing or account.differed or account.refused or account.lost)
        settled = _settled(account, COMPLETE if whole else INCOMPLETE, "")
        return (
            replace(
                settled,
                stored=sum(1 for uid in account.came if uid in rows),
                held=sum(1 for uid in account.held if uid in rows),
                missing=len(missing) + account.lost,
            ),
            found,
        )


@contextmanager
def _ours() -> Iterator[None]:
    """Whatever fails inside is not the source's."""
    try:
        yield
    except VnaError as error:
        raise Ours from error


def _theirs(chunks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except VnaError as error:
        raise _Theirs(error) from error


def _parts(account: Account, *, one_by_one: bool) -> list[StudyPart]:
    """Requests for what is waited for: the study as it is while nothing of it is here, else instances by name."""
    wanted = account.waited_for
    if (len(wanted) == len(account.listed) or account.lost) and not one_by_one:
        whole = StudyPart(account.study.study_instance_uid, sop_class_uids=_classes(wanted), priority=Priority.BULK)
        return [whole]
    by_series: dict[str, list[Listed]] = {}
    for one in wanted:
        by_series.setdefault(one.series_instance_uid, []).append(one)
    most = _MOST_NAMED
    return [
        _part(account.study, several[start : start + most])
        for several in by_series.values()
        for start in range(0, len(several), most)
    ]


def _part(study: StudyRow, wanted: Sequence[Listed]) -> StudyPart:
    return StudyPart(
        study.study_instance_uid,
        wanted[0].series_instance_uid,
        tuple(one.sop_instance_uid for one in wanted),
        _classes(wanted),
        Priority.BULK,
    )


def _classes(wanted: Sequence[Listed]) -> tuple[str, ...]:
    """The SOP Classes, where the source says all of them."""
    named = dict.fromkeys(one.sop_class_uid for one in wanted)
    return () if "" in named else tuple(named)


def _settled(account: Account, state: str, reason: str) -> Settled:
    modalities = Counter(one.modality for one in account.listed.values())
    modalities.update(account.modality_of.get(series, "") for series in account.unlisted.values())
    return Settled(
        state=state,
        reason=reason,
        counts=takeovers.counts_text(modalities),
        listed=len(account.listed),
        differed=len(account.differed),
        refused=len(account.refused),
        bytes=account.bytes,
        looked_at=time_text(datetime.now(UTC)),
    )


def _findings(account: Account, missing: Mapping[str, str]) -> list[Finding]:
    study, lost = account.study.study_instance_uid, account.lost
    said, listed = account.study.said, len(account.listed)
    found = [
        Finding(study, uid, what.value, reason[:500])
        for what, several in (
            (What.MISSING, missing),
            (What.DIFFERED, account.differed),
            (What.REFUSED, account.refused),
            (What.UNLISTED, dict.fromkeys(account.unlisted, "the source gives it and does not list it")),
        )
        for uid, reason in several.items()
    ]
    if lost:
        found.append(Finding(study, "", What.MISSING.value, f"{lost} more are said to be there: {said}, not {listed}"))
    elif said not in (-1, listed, listed + len(account.unlisted)):
        found.append(Finding(study, "", What.MISCOUNTED.value, f"the source says {said} instances, and lists {listed}"))
    return found
