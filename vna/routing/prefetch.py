"""Priors of a patient who comes, fetched before anybody asks for them: by rule, as durable jobs that give way.

a study arrives, or a patient is expected -> job PREFETCH, one for each study or planned examination
-> a step for each source that can be searched: what it has and nobody told us of becomes known (`discovery`)
-> the last step: the priors that the rule wants, the newest first, each as a job FETCH
"""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from storage.elements import text
from storage.index import elsewhere, jobs, manifests, patients, priors
from storage.index.engine import Connection, Database
from storage.values import Element
from vna.model.access import SYSTEM, Action, Actor
from vna.model.errors import BadRequest, NotFound, VnaError
from vna.model.examinations import Examination, Planned
from vna.model.identifiers import PatientKey, patient_key
from vna.model.sources import Source
from vna.routing.discovery import Discovery, Wanted, newest_first
from vna.routing.downloads import FETCH, Fetching
from vna.routing.prefetch_rules import Rule, Rules
from vna.routing.prefetch_tasks import Task, schedule
from vna.routing.same_patient import Patient, SamePatient
from vna.routing.whereabouts import candidates
from vna.security.policy import Policy

log = logging.getLogger(__name__)

_LATER = timedelta(minutes=5)
_TRIES = 6
_LOOKED_FOR = 200


class Decision(StrEnum):
    """What becomes of a prior that a rule wants."""

    HERE = "here"
    FETCHED = "will be fetched"
    WAITS = "is being fetched"
    TOO_MUCH = "passed over: more instances than the rule allows"
    NOBODY = "passed over: no source that the rule names keeps it"


@dataclass(frozen=True, slots=True)
class Prior:
    """A prior, and what becomes of it."""

    examination: Examination
    decision: Decision


@dataclass(frozen=True, slots=True)
class _Case:
    """An examination with its rule and its patient."""

    examination: Examination
    rule: Rule
    patient: Patient


class Prefetch:
    """Takes note of patients who come, does the jobs, and says what a rule would fetch."""

    def __init__(
        self,
        database: Database,
        policy: Policy,
        rules: Rules,
        archives: Callable[[], Sequence[Source]],
        discovery: Discovery,
        same: SamePatient,
        fetching: Fetching,
    ) -> None:
        self._database = database
        self._policy = policy
        self._rules = rules
        self._archives = archives
        self._discovery = discovery
        self._same = same
        self._fetching = fetching

    @property
    def is_on(self) -> bool:
        """Whether there are rules."""
        return bool(self._rules.rule)

    def scheduled(self, actor: Actor, planned: Planned) -> bool:
        """A patient is expected: have the priors fetched in the background. False when no rule is for that."""
        self._policy.check(actor, Action.FEED)
        if not planned.patient_id or self._rules.first(planned.examination) is None:
            return False
        with self._database.transaction() as connection:
            schedule(connection, Task(planned=planned))
        return True

    def now(self, actor: Actor, planned: Planned) -> tuple[list[Prior], list[str]]:
        """The same at once, whatever the hours: what becomes of each prior, and what went wrong with sources.

        BadRequest when no rule is for the examination.
        """
        self._policy.check(actor, Action.ADMIN)
        case = self._case(Task(planned=planned))
        if case is None:
            raise BadRequest("no rule is for this examination" if self.is_on else _OFF)
        problems = []
        for source in self._sources(case.rule):
            try:
                self._discovery.search(source, self._wanted(case))
            except VnaError as exc:
                problems.append(_said_of(source, exc))
        return self._fetch(actor, case), problems

    def __call__(self, payload: str) -> str | None:
        """A step of one job."""
        task = Task.read(payload)
        case = self._case(task)
        if case is None or self._is_early(case.rule, task):
            return None
        sources = {source.name: source for source in self._sources(case.rule)}
        left = tuple(sources) if task.left is None else tuple(name for name in task.left if name in sources)
        if not left:
            self._fetch(SYSTEM, case)
            self._try_again(task)
            return None
        name, failed = left[0], task.failed
        try:
            self._discovery.search(sources[name], self._wanted(case))
        except VnaError as exc:
            log.warning("priors not searched", extra={"source": name, "reason": str(exc)})
            failed = (*failed, name)
        return replace(task, left=left[1:], failed=failed).written()

    # ---- what it is about

    def _case(self, task: Task) -> _Case | None:
        """None when no rule is for it, or it is not known whose it is."""
        with self._database.read() as connection:
            if task.planned is not None:
                one, key, birth_date = task.planned.examination, _key(task.planned), task.planned.birth_date
            else:
                found = priors.of_study(connection, task.study) if priors.came(connection, task.study) else None
                filed = patients.of_study(connection, task.study)
                if found is None or filed is None:
                    return None
                one, key, birth_date = found, filed, ""
            rule = self._rules.first(one)
            if rule is None or not key.patient_id:
                return None
            patient = self._same.patient(connection, key, _said(connection, key, birth_date))
        return _Case(one, rule, patient)

    def _sources(self, rule: Rule) -> list[Source]:
        return [source for source in self._archives() if not rule.sources or source.name in rule.sources]

    def _wanted(self, case: _Case) -> Wanted:
        sources, today = self._sources(case.rule), self._rules.now().date()
        with self._database.read() as connection:
            known = tuple(priors.of_patients(connection, case.patient.keys))
            wanted = Wanted(case.patient, case.examination, case.rule.priors, known, today)
            away = [one for one in newest_first(filter(wanted.fits, known)) if one.elsewhere][:_LOOKED_FOR]
            lost = (one.study_instance_uid for one in away if not _is_kept(connection, one, sources))
            return replace(wanted, lost=frozenset(lost))

    # ---- when

    def _is_early(self, rule: Rule, task: Task) -> bool:
        """Outside of the rule's hours the job waits until they begin."""
        now = self._rules.now()
        opens = rule.opens(now)
        if opens == now:
            return False
        with self._database.transaction() as connection:
            schedule(connection, task, opens - now)
        return True

    def _try_again(self, task: Task) -> None:
        """Sources that did not answer are searched again, a few times: nobody waits for it."""
        if not task.failed:
            return
        if task.tries + 1 >= _TRIES:
            log.warning("sources not searched for priors", extra={"sources": ", ".join(task.failed)})
            return
        again = replace(task, left=task.failed, failed=(), tries=task.tries + 1)
        with self._database.transaction() as connection:
            schedule(connection, again, _LATER * 2**task.tries)

    # ---- what is fetched

    def _fetch(self, actor: Actor, case: _Case) -> list[Prior]:
        """Have fetched what the rule wants and is not here."""
        found = self._chosen(case)
        for prior in found:
            if prior.decision is Decision.FETCHED:
                try:
                    self._fetching.request(actor, prior.examination.study_instance_uid)
                except NotFound:  # deleted, or withdrawn meanwhile
                    continue
        fetched = sum(prior.decision is Decision.FETCHED for prior in found)
        log.info("priors chosen", extra={"rule": case.rule.name, "wanted": len(found), "fetched": fetched})
        return found

    def _chosen(self, case: _Case) -> list[Prior]:
        """The newest that fit, as far as the rule's bounds reach, and those that were passed over before."""
        wanted = self._wanted(case)
        found: list[Prior] = []
        studies, room = wanted.priors.most_studies, wanted.priors.most_instances
        with self._database.read() as connection:
            for one in newest_first(filter(wanted.fits, wanted.known)):
                if not studies:
                    break
                decision = self._decision(connection, one, wanted.lost, room)
                found.append(Prior(one, decision))
                if decision not in (Decision.TOO_MUCH, Decision.NOBODY):
                    studies, room = studies - 1, room - one.instances
        return found

    @staticmethod
    def _decision(connection: Connection, one: Examination, lost: Collection[str], room: int) -> Decision:
        if one.study_instance_uid in lost:
            return Decision.NOBODY
        if one.instances > room:
            return Decision.TOO_MUCH
        if not one.elsewhere:
            return Decision.HERE
        waits = jobs.waiting(connection, FETCH, one.study_instance_uid)
        return Decision.WAITS if waits else Decision.FETCHED


_OFF = "nothing is fetched ahead: VNA_FEDERATION__PREFETCH names no rules"


def _is_kept(connection: Connection, one: Examination, sources: Sequence[Source]) -> bool:
    """Whether one of these sources keeps what is not here of it."""
    study = one.study_instance_uid
    series = {kept.series_instance_uid for kept in elsewhere.kept(connection, study) if not kept.is_absent}
    return any(candidates(sources, manifests.places(connection, study, uid)) for uid in series)


def _key(planned: Planned) -> PatientKey:
    return patient_key(planned.patient_id, planned.issuer, facility=planned.facility, study_instance_uid="")


def _said(connection: Connection, key: PatientKey, birth_date: str) -> dict[str, Element]:
    said = priors.patient(connection, key)
    if birth_date and not text(said, "00100030"):
        said["00100030"] = {"vr": "DA", "Value": [birth_date]}
    return said


def _said_of(source: Source, error: VnaError) -> str:
    words = str(error)
    return words if words.startswith(source.name) else f"{source.name}: {words}"
