"""Do the counts add up: what a source has and what we hold, by year and modality, and what stands between them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from storage.index import takeovers
from storage.index.engine import Database
from storage.index.takeovers import FAILED, LISTED, OUTSIDE, Finding, StudyRow, TakeoverRow
from vna.model.access import Action, Actor
from vna.model.errors import NotFound
from vna.routing import windows
from vna.routing.scope import Scope
from vna.security.policy import Policy

_BATCH = 500
_MOST_WINDOWS = 1000
NO_YEAR, NO_MODALITY = "no date", "none"


@dataclass(slots=True)
class Figures:
    """Of one year and modality, or of everything; of a study with several modalities each counts it."""

    studies: int = 0
    studies_here: int = 0
    instances: int = 0
    instances_here: int = 0


@dataclass(slots=True)
class Totals:
    """Of everything that was chosen. `stored` came from the source, `held` was here before."""

    figures: Figures = field(default_factory=Figures)
    by_state: Counter[str] = field(default_factory=Counter)
    stored: int = 0
    held: int = 0
    missing: int = 0
    differed: int = 0
    refused: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Reconciliation:
    """Both sides. `cut` are parts of the source's list that may be longer than what it gave, each with the reason;
    `is_listed` says that its list was read to the end."""

    source: str
    scope: str
    is_listed: bool
    by_year: dict[tuple[str, str], Figures]
    totals: Totals
    cut: list[tuple[str, str]]

    @property
    def adds_up(self) -> bool:
        """Whether everything that was chosen is here, and that is known."""
        states, totals = self.totals.by_state, self.totals
        unsettled = states["listed"] + states["failed"] + states["incomplete"]
        return (
            self.is_listed
            and not self.cut
            and not unsettled
            and totals.figures.studies_here >= sum(number for state, number in states.items() if state != OUTSIDE)
        )

    @property
    def sentence(self) -> str:
        """What became of it, in numbers."""
        states, totals = self.totals.by_state, self.totals
        return (
            f"{totals.figures.studies} studies: {states['complete']} complete, {states['incomplete']} incomplete, "
            f"{states['failed']} failed, {states['listed']} to come; instances: {totals.stored} stored, "
            f"{totals.held} already held, {totals.missing} missing, {totals.differed} differed, "
            f"{totals.refused} refused"
        )


class Reconciling:
    """Makes reports of takeovers. What we hold is counted in the index when it is asked for."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def figures(self, actor: Actor, source: str, scope: Scope) -> Reconciliation:
        """The counts on both sides; NotFound where nothing was begun."""
        self._policy.check(actor, Action.ADMIN, source)
        row = self._begun(source, scope)
        with self._database.read() as connection:
            sums = takeovers.sums(connection, row.key)
            cut = takeovers.cut_windows(connection, row.key, _MOST_WINDOWS)
        totals = Totals(by_state=Counter({state: one.studies for state, one in sums.items()}))
        for state, one in sums.items():
            if state == OUTSIDE:
                continue
            for name in ("stored", "held", "missing", "differed", "refused", "bytes"):
                setattr(totals, name, getattr(totals, name) + getattr(one, name))
        by_year: dict[tuple[str, str], Figures] = {}
        for study, here in self._studies(row.key):
            _count(by_year, totals.figures, study, here)
        reasons = [(windows.read(one.span).words, one.reason) for one in cut]
        return Reconciliation(source, scope.words, row.listed, dict(sorted(by_year.items())), totals, reasons)

    def findings(self, actor: Actor, source: str, scope: Scope) -> Iterator[Finding]:
        """Everything that is not as it should be, one by one: instances, and studies that could not be read."""
        self._policy.check(actor, Action.ADMIN, source)
        key = self._begun(source, scope).key
        after = 0
        while True:
            with self._database.read() as connection:
                batch = takeovers.some_findings(connection, key, after=after, limit=_BATCH)
            yield from (finding for _, finding in batch)
            if len(batch) < _BATCH:
                break
            after = batch[-1][0]
        for study, _ in self._studies(key):
            if study.state == FAILED:
                yield Finding(study.study_instance_uid, "", FAILED, study.reason)

    def _begun(self, source: str, scope: Scope) -> TakeoverRow:
        with self._database.read() as connection:
            row = takeovers.find(connection, source, scope.text)
        if row is None:
            raise NotFound(f"nothing was taken over from {source}")
        return row

    def _studies(self, takeover: int) -> Iterator[tuple[StudyRow, Mapping[str, int]]]:
        """Each study that was chosen, and how many of its instances are here, by modality."""
        after = 0
        while True:
            with self._database.read() as connection:
                batch = takeovers.all_studies(connection, takeover, after=after, limit=_BATCH)
                uids = [study.study_instance_uid for study in batch]
                here = takeovers.held_by_modality(connection, uids)
            for study in batch:
                if study.state != OUTSIDE:
                    yield study, here.get(study.study_instance_uid, {})
            if len(batch) < _BATCH:
                return
            after = batch[-1].key


def _count(
    by_year: dict[tuple[str, str], Figures], all_of_it: Figures, study: StudyRow, here: Mapping[str, int]
) -> None:
    there = _there(study)
    year = study.study_date[:4] or NO_YEAR
    for modality in {*there, *here}:
        figures = by_year.setdefault((year, modality or NO_MODALITY), Figures())
        figures.studies += modality in there
        figures.studies_here += modality in here
        figures.instances += there.get(modality, 0)
        figures.instances_here += here.get(modality, 0)
    all_of_it.studies += 1
    all_of_it.studies_here += bool(here)
    all_of_it.instances += max(study.said, sum(there.values()))
    all_of_it.instances_here += sum(here.values())


def _there(study: StudyRow) -> dict[str, int]:
    """By modality as its instances were listed; before that as the study was: its modalities together."""
    if study.counts and study.state not in (LISTED, FAILED):
        return takeovers.counts_of(study.counts)
    return {study.modalities.replace(",", "+"): max(study.said, 0)}
