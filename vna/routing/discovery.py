"""Priors that nobody told us of: archives elsewhere are searched for them, and what they have becomes known here.

What a search finds is noted as a manifest would be (`vna.routing.manifests`), under a name of its own, made of source
and study. So it is found, fetched and let go by the same rules, and noted once however often it is found.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from storage.elements import number, text, texts, whole_number
from storage.index import elsewhere, manifests, priors
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.values import Element
from vna.archive.rows import series_row
from vna.archive.store import Store
from vna.model.access import SYSTEM
from vna.model.dates import normal_date, normal_time
from vna.model.errors import TooLarge, VnaError
from vna.model.examinations import Examination
from vna.model.identifiers import is_uid, patient_key
from vna.model.instances import Availability
from vna.model.manifests import SEARCH, ListedSeries, Manifest, State
from vna.model.query import Level
from vna.model.sources import Doors, Source, Terms
from vna.routing.credible import BIRTH_DATE, ISSUER, PATIENT_ID, UIDS
from vna.routing.listing import Listed, Listing
from vna.routing.noted import noted
from vna.routing.prefetch_rules import Priors
from vna.routing.same_patient import Patient, SamePatient
from vna.routing.whereabouts import location

log = logging.getLogger(__name__)

_NAMESPACE = uuid.UUID("0d6e0b0a-58f3-5c53-9b7f-2f6c8a1f6a77")
_ROWS = 1000
_MODALITIES, _MODALITY, _DESCRIPTION, _BODY_PART = "00080061", "00080060", "00081030", "00180015"
_CLASS, _NUMBER, _IN_STUDY = "00080016", "00200013", "00201208"


@dataclass(frozen=True, slots=True)
class Limits:
    """For one source: seconds in all, studies of one Patient ID, series of one study, bytes of one answer."""

    seconds: float = 20.0
    studies: int = 500
    series: int = 500
    answer_bytes: int = 16 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose priors are wanted, for which examination, and which; `known` are those that are known already, `lost` the
    studies among them that no source keeps."""

    patient: Patient
    examination: Examination
    priors: Priors
    known: tuple[Examination, ...]
    today: date
    lost: frozenset[str] = frozenset()

    def fits(self, prior: Examination) -> bool:
        """Whether it is one."""
        return self.priors.fits(prior, self.examination, self.today)


@dataclass(frozen=True, slots=True)
class _Found:
    """A study elsewhere, as its archive says it."""

    said: Mapping[str, Element]
    examination: Examination


class Discovery:
    """Searches archives; `doors` makes the doors of one."""

    def __init__(
        self,
        database: Database,
        store: Store,
        same: SamePatient,
        doors: Callable[[Source], Doors],
        limits: Limits = Limits(),
    ) -> None:
        self._database = database
        self._store = store
        self._same = same
        self._doors = doors
        self._limits = limits

    def search(self, source: Source, wanted: Wanted) -> int:
        """Search one archive through its first door that works, and note what is wanted; how many studies that was.

        Raises what went wrong with the last door.
        """
        terms = Terms(time.monotonic() + self._limits.seconds, answer_bytes=self._limits.answer_bytes)
        failure: VnaError | None = None
        for _, door in self._doors(source).searching:
            try:
                return self._take(source, Listing(source.name, door, terms), wanted)
            except VnaError as exc:
                failure = exc
        if failure is not None:
            raise failure
        return 0

    def _take(self, source: Source, listing: Listing, wanted: Wanted) -> int:
        """The newest first, as far as the rule's bounds reach: what is known already takes of them as well."""
        found = {one.examination.study_instance_uid: one for one in self._found(source, listing, wanted)}
        passed = found.keys() | wanted.lost
        held = [one for one in wanted.known if wanted.fits(one) and one.study_instance_uid not in passed]
        studies, room, count = wanted.priors.most_studies, wanted.priors.most_instances, 0
        for prior in newest_first([*held, *(one.examination for one in found.values())]):
            if not studies:
                break
            if prior.instances > room:
                continue
            taken = prior.instances
            if prior.study_instance_uid in found:
                taken = self._note(source, listing, found[prior.study_instance_uid], wanted, room)
                count += int(taken > 0)
            studies -= int(taken > 0)
            room -= taken
        return count

    def _found(self, source: Source, listing: Listing, wanted: Wanted) -> Iterator[_Found]:
        """Studies of the patient that may be wanted and are not known; what another search found is here as well."""
        listed = [
            one for number in wanted.patient.numbers for one in listing.studies(number, self._limits.studies)
        ]  # all of it before the index is read
        can_be_had = {"", "ONLINE", *(["NEARLINE"] if wanted.priors.nearline else [])}
        also: list[str] = []
        with self._database.read() as connection:
            known = priors.known(connection, sorted({one.match.study_instance_uid for one in listed}))
            known -= self._unfinished(connection, source, wanted)
            for one in listed:
                found = _Found(one.elements, _examination(one.elements))
                if (
                    one.availability not in can_be_had
                    or not wanted.fits(found.examination)
                    or not self._is_patients(connection, source, one.elements, wanted.patient)
                ):
                    continue
                if found.examination.study_instance_uid in known:
                    also.append(found.examination.study_instance_uid)
                else:
                    yield found
        for study in also:
            self._note_also(source, study)

    def _note_also(self, source: Source, study: str) -> None:
        """Another archive has what a search found: whoever fetches it can turn to both."""
        name = name_of(source, study)
        with self._database.transaction() as connection:
            told = [one for one in manifests.of_study(connection, study) if one.door == SEARCH]
            first = next((one for one in told if one.state is State.CURRENT), None)
            found = manifests.find(connection, first.sop_instance_uid) if first is not None else None
            if found is None or name in {one.sop_instance_uid for one in told}:
                return
            series = tuple(_listed(source, study, one.series_instance_uid, list(one.instances)) for one in found.series)
            at = time_text(datetime.now(UTC))
            manifests.put(
                connection,
                replace(found, sop_instance_uid=name, facility=source.facility, series=series, received_at=at),
            )

    def _unfinished(self, connection: Connection, source: Source, wanted: Wanted) -> set[str]:
        """What was being noted when a process was killed."""
        found = set()
        for one in wanted.known:
            study = one.study_instance_uid
            manifest = manifests.find(connection, name_of(source, study))
            if manifest is not None and (one.instances < manifest.named or priors.unrated(connection, study)):
                found.add(study)
        return found

    def _is_patients(
        self, connection: Connection, source: Source, said: Mapping[str, Element], patient: Patient
    ) -> bool:
        study = text(said, UIDS[Level.STUDY])
        key = patient_key(
            text(said, PATIENT_ID), text(said, ISSUER), facility=source.facility, study_instance_uid=study
        )
        return self._same.is_same(connection, patient, key, normal_date(text(said, BIRTH_DATE)))

    def _note(self, source: Source, listing: Listing, found: _Found, wanted: Wanted, room: int) -> int:
        """Note one study, unless its series say that it is not wanted after all; how many instances it has."""
        study = found.examination.study_instance_uid
        series = listing.series(study, self._limits.series)
        if not wanted.fits(_with_series(found.examination, series)):
            return 0
        instances: dict[str, list[Listed]] = {}
        for one in series:
            uid = one.match.series_instance_uid
            try:
                instances[uid] = listing.instances(study, uid, room)
            except TooLarge:
                return 0
            room -= len(instances[uid])
        rows = {uid: _named(those) for uid, those in instances.items()}
        listed = [_listed(source, study, uid, named) for uid, named in rows.items() if named]
        if not listed:
            return 0
        self._write(source, found, listed, {one.match.series_instance_uid: one for one in series}, instances)
        return sum(len(one.instances) for one in listed)

    def _write(
        self,
        source: Source,
        found: _Found,
        listed: list[ListedSeries],
        series: Mapping[str, Listed],
        instances: Mapping[str, list[Listed]],
    ) -> None:
        study, at = found.examination.study_instance_uid, time_text(datetime.now(UTC))
        manifest = Manifest(
            name_of(source, study),
            study_instance_uid=study,
            door=SEARCH,
            facility=source.facility,
            received_at=at,
            named=sum(len(one.instances) for one in listed),
            series=tuple(listed),
        )
        with self._database.transaction() as connection:
            manifests.put(connection, manifest)
        for one in listed:
            rows = list(noted(one, found.said, source.facility, at))
            for start in range(0, len(rows), _ROWS):
                self._store.note(SYSTEM, rows[start : start + _ROWS])
            uid = one.series_instance_uid
            with self._database.transaction() as connection:
                elsewhere.number(connection, _numbers(instances[uid]))
                elsewhere.describe(connection, study, uid, series_row(dict(series[uid].match.own)))
                elsewhere.rate(connection, study, uid, Availability.NEARLINE)
        log.info("prior found elsewhere", extra={"source": source.name, "study_instance_uid": study})


def name_of(source: Source, study_instance_uid: str) -> str:
    """Under which what a search of an archive found of a study is noted."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, f'{source.name} {study_instance_uid}').int}"


def newest_first(examinations: Iterable[Examination]) -> list[Examination]:
    """By date and time; those without one last."""
    return sorted(examinations, key=lambda one: (one.date, one.time, one.study_instance_uid), reverse=True)


def _examination(said: Mapping[str, Element]) -> Examination:
    return Examination(
        text(said, UIDS[Level.STUDY]),
        normal_date(text(said, "00080020")),
        normal_time(text(said, "00080030")),
        description=text(said, _DESCRIPTION),
        modalities=frozenset(filter(None, texts(said, _MODALITIES))),
        instances=whole_number(said, _IN_STUDY, 0),
    )


def _with_series(examination: Examination, series: Iterable[Listed]) -> Examination:
    parts = {text(one.elements, _BODY_PART) for one in series}
    modalities = {text(one.elements, _MODALITY) for one in series} | examination.modalities
    return replace(examination, body_parts=frozenset(parts - {""}), modalities=frozenset(modalities - {""}))


def _named(instances: Iterable[Listed]) -> list[tuple[str, str]]:
    """Pairs of SOP Class and instance; what does not say its class cannot be asked for by every door."""
    pairs = ((text(one.elements, _CLASS), one.match.sop_instance_uid) for one in instances)
    return [(sop_class, uid) for sop_class, uid in pairs if is_uid(sop_class)]


def _listed(source: Source, study: str, series: str, named: list[tuple[str, str]]) -> ListedSeries:
    archive = source.archive
    return ListedSeries(study, series, location(source), archive.retrieve_ae_title or archive.ae_title, tuple(named))


def _numbers(instances: Iterable[Listed]) -> dict[str, int]:
    found = {one.match.sop_instance_uid: number(one.elements, _NUMBER) for one in instances}
    return {uid: int(value) for uid, value in found.items() if value is not None and abs(value) < 2**62}
