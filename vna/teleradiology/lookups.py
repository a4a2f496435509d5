"""Look-ups across facilities: images by accession number, a patient's images, links, checks of bills, duplicates.

Each is answered by a result and what the contract lets the caller know (docs/sgk.md); each, refused ones too, is
audited before its answer leaves, and what cannot be audited is not answered.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from storage.index import accessions, events
from storage.index import orders as order_rows
from storage.index.accessions import FoundStudy
from storage.index.engine import Connection, Database
from vna import events as vna_events
from vna.model.access import Action, Actor, ActorKind, Role
from vna.model.errors import NotAuthorized, NotReached
from vna.model.events import EventKind
from vna.model.lookups import Answer, Asked, Basis, EarlierExamination, FoundImages, Operation, Result
from vna.model.orders import KnownOrder
from vna.security.links import Links
from vna.security.policy import Policy
from vna.teleradiology.codes import Codes
from vna.teleradiology.duplicates import Duplicates
from vna.teleradiology.guesses import Guesses
from vna.teleradiology.looks import note_query_audited
from vna.teleradiology.lookup_checks import Question, check
from vna.teleradiology.lookup_owners import (
    NOT_IMAGES,
    Owned,
    belongs,
    image_modalities,
    is_mixed,
    of_person,
    owners,
)
from vna.teleradiology.lookup_person import Person

log = logging.getLogger(__name__)

MOST_LISTED = 200
_MOST_FOUND = 1000
_LONGEST_AUDITED = 64
_FAILURES = frozenset(
    {
        *(Result.ACCESSION_MALFORMED, Result.PERSON_MALFORMED, Result.UNKNOWN, Result.OTHER_PATIENT),
        *(Result.SEVERAL_OWNERS, Result.NOT_AUTHORISED, "401", "Client"),
    }
)
"""What somebody is told who guesses."""
_CHECKS = frozenset({Operation.VERIFY, Operation.DUPLICATES})
"""What checks a bill, and shows no images."""
_TRUSTED = frozenset({ActorKind.LOCAL, ActorKind.SYSTEM})
"""Who need not belong to a facility."""


@dataclass(frozen=True, slots=True)
class LookupRules:
    """What could differ at a site; `requires` says of a SUT code whether it needs an accession number, `authorities`
    are the OIDs under which patients are known by their national number, `break_glass` allows links to images of
    patients whom the caller's facility does not know."""

    markers: frozenset[str]
    requires: Callable[[str], bool]
    zone: tzinfo
    link_lifetime: timedelta = timedelta(minutes=15)
    break_glass: bool = True
    authorities: tuple[str, ...] = ()


class Lookups:
    """The five look-ups. Facility accounts need the right to look up; the payer's clerks, whose right is to check
    bills, can ask the two that show no images."""

    def __init__(
        self,
        database: Database,
        policy: Policy,
        links: Links,
        codes: Codes,
        duplicates: Duplicates,
        rules: LookupRules,
        guesses: Guesses,
    ) -> None:
        self._database = database
        self._policy = policy
        self._links = links
        self._codes = codes
        self._duplicates = duplicates
        self._rules = rules
        self._guesses = guesses

    def answer(self, actor: Actor, asked: Asked) -> Answer:
        """What is known, as far as the caller may know it."""
        try:
            answer, basis = self._judged(actor, asked)
        except Exception:
            log.exception("look-up failed", extra={"operation": asked.operation.value, "address": actor.address})
            answer, basis = Answer(Result.FAILED), ""
        if asked.operation is Operation.VERIFY and answer.result is not Result.SUCCESS:
            answer = replace(answer, fits=False)
        self.note(actor, asked, answer.result.value, basis)
        return answer

    def _judged(self, actor: Actor, asked: Asked) -> tuple[Answer, str]:
        try:
            self._authorise(actor, asked)
        except NotAuthorized:
            return Answer(Result.NOT_AUTHORISED), ""
        question = check(asked, self._rules.markers, self._rules.requires)
        if isinstance(question, Result):
            return Answer(question), ""
        if question.operation is Operation.LINK:
            return self._link(self._at_home(actor, asked), question)
        return self._looked_up(actor, question), ""

    def note(self, actor: Actor, asked: Asked | None, result: str, basis: str = "") -> None:
        """Audit a call with what came of it; doors call it for what they refuse themselves."""
        detail = {"operation": "", "result": result, "address": actor.address, "caller_facility": actor.facility}
        if asked is not None:
            detail |= {
                "operation": asked.operation.value,
                "facility": asked.facility,
                "patient": asked.patient,
                "accession": asked.accession,
                "sut_code": asked.sut_code,
                "requester": asked.requester,
            }
        if basis:
            detail["basis"] = basis
        bounded = {name: value[:_LONGEST_AUDITED] for name, value in detail.items()}
        if asked is not None and _is_look(actor, asked, result):
            home, patient, code = self._at_home(actor, asked), asked.patient.strip(), asked.sut_code.strip()
            note_query_audited(self._database, home, patient, code, EventKind.LOOKED_UP, bounded)
        else:
            with self._database.stroke() as connection:
                at, name = datetime.now(UTC), actor.name[:128]
                events.append(connection, EventKind.LOOKED_UP, at=at, actor=name, detail=bounded)
        failures = result in _FAILURES and self._guesses.failed(_caller(actor))
        if failures:
            vna_events.emit("lookup.alarm")
            log.warning("many look-ups of one caller fail", extra={"caller": _caller(actor), "failures": failures})

    def pause(self, actor: Actor) -> float:
        """Seconds that the next call of a caller is to wait, of whose look-ups many failed."""
        return self._guesses.pause(_caller(actor))

    def _at_home(self, actor: Actor, asked: Asked) -> Actor:
        """The caller with the facility that it names, where it has none of its own."""
        if actor.facility:
            return actor
        known = self._codes.facility_of_medula(asked.facility.strip())
        return replace(actor, facility=known.code) if known is not None else actor

    def _authorise(self, actor: Actor, asked: Asked) -> None:
        """NotAuthorized unless the caller may ask this, for this facility."""
        checks = asked.operation in _CHECKS and Action.LOOK_UP not in actor.rights
        self._policy.check(actor, Action.CHECK_BILLS if checks else Action.LOOK_UP)
        if actor.kind in _TRUSTED or actor.role is Role.NATIONAL_OPERATOR or not asked.facility.strip():
            return
        facility = self._codes.facility_of_medula(asked.facility.strip())
        if facility is None or not actor.facility or facility.code != actor.facility:
            raise NotAuthorized("the credentials do not belong to this facility")

    def _looked_up(self, actor: Actor, question: Question) -> Answer:
        match question.operation:
            case Operation.LIST:
                return self._list(actor, question)
            case Operation.DUPLICATES:
                return self._duplicate(question)
            case Operation.VERIFY:
                return self._verify(question)
            case _:
                found = self._found(actor, question)
                return found if isinstance(found, Answer) else self._described(question, found)

    def _verify(self, question: Question) -> Answer:
        if not question.accession or question.is_marker:
            return Answer(fits=True, has_images=False)
        found = self._known(question)
        if isinstance(found, Answer):
            return found
        standing = [owned for owned in found if not owned.is_cancelled]
        codes = {owned.known.order.sut.code for owned in standing if owned.known is not None}
        fits = bool(standing) and (not codes or "" in codes or question.sut_code in codes)
        return Answer(fits=fits, has_images=any(owned.with_images for owned in found))

    def _described(self, question: Question, found: list[Owned]) -> Answer:
        described = self._told(found) if question.patient else self._disclosed(found)
        has_report = any(owned.has_report for owned in found)
        return Answer(has_images=bool(described), has_report=has_report, images=described)

    def _found(self, actor: Actor, question: Question) -> list[Owned] | Answer:
        """What the caller may see of it: who is bound by a role is not told whether there is more."""
        found = self._known(question)
        if self._policy.within(actor) is None:
            return found
        if isinstance(found, Answer):
            return Answer(Result.NOT_AUTHORISED)
        seen = [replace(owned, studies=tuple(self._reached(actor, owned.studies))) for owned in found]
        seen = [owned for owned in seen if owned.studies or (actor.facility and owned.facility == actor.facility)]
        return seen or Answer(Result.NOT_AUTHORISED)

    def _reached(self, actor: Actor, studies: Iterable[FoundStudy]) -> Iterator[FoundStudy]:
        for study in studies:
            with suppress(NotReached):
                self._policy.check(actor, Action.LOOK_UP, study.study_instance_uid)
                yield study

    def _known(self, question: Question) -> list[Owned] | Answer:
        """What the accession number stands for, as far as the patient is said and fits."""
        with self._database.glance() as connection:
            known = order_rows.with_accession(connection, question.accession)
            studies = accessions.with_accession(connection, question.accession, _MOST_FOUND)
            matched = _matched(connection, known, studies)
            found = owners(known, studies, matched)
            if not found:
                return Answer(Result.UNKNOWN)
            if question.patient:
                return of_person(found, self._person(connection, question)) or Answer(Result.OTHER_PATIENT)
            return found if len(found) == 1 else Answer(Result.SEVERAL_OWNERS)

    def _told(self, found: Iterable[Owned]) -> tuple[FoundImages, ...]:
        studies = [(study, owned) for owned in found for study in owned.with_images]
        if any(is_mixed(study) for study, _ in studies):
            with self._database.glance() as connection:
                studies = _counted(connection, studies)
        return tuple(self._one(study, owned) for study, owned in studies)

    def _one(self, study: FoundStudy, owned: Owned) -> FoundImages:
        facility = study.facility or owned.facility
        return FoundImages(
            modalities=image_modalities(study),
            taken_at=_taken_at(study),
            facility=facility,
            facility_name=self._name(facility),
            accession=study.accession_number,
            study_instance_uid=study.study_instance_uid,
            examination=study.description or owned.examination,
            series=study.series,
            instances=study.instances,
            has_report=owned.has_report,
        )

    def _disclosed(self, found: Iterable[Owned]) -> tuple[FoundImages, ...]:
        """What is said without the patient: of all studies together, and nothing of a person."""
        studies = [(study, owned) for owned in found for study in owned.with_images]
        if not studies:
            return ()
        first, owned = min(studies, key=lambda one: (not one[0].study_date, _taken_at(one[0])))
        facility = first.facility or owned.facility
        modalities = tuple(dict.fromkeys(name for study, _ in studies for name in image_modalities(study)))
        return (FoundImages(modalities, _taken_at(first), facility, self._name(facility)),)

    def _list(self, actor: Actor, question: Question) -> Answer:
        with self._database.read() as connection:
            person = self._person(connection, question)
            studies, total = accessions.of_patient(
                connection,
                person.numbers,
                since=question.since[:8],
                until=question.until[:8],
                modality=question.modality,
                without=sorted(NOT_IMAGES),
                limit=MOST_LISTED,
            )
        if self._policy.within(actor) is not None:
            studies = list(self._reached(actor, studies))
            total = len(studies)
        with self._database.read() as connection:
            person = self._person(connection, question)
            listed = _counted(connection, [(study, self._owned(connection, study, person)) for study in studies])
        return Answer(total=total, images=tuple(self._one(study, owned) for study, owned in listed))

    def _owned(self, connection: Connection, study: FoundStudy, person: Person) -> Owned:
        """The order of a patient's study, where it is known."""
        known = order_rows.with_accession(connection, study.accession_number) if study.accession_number else []
        found = owners((one for one in known if person.is_called(one.order.patient.national_number)), [study])
        return next((owned for owned in found if owned.studies), Owned(study.facility))

    def _duplicate(self, question: Question) -> Answer:
        found = self._duplicates.earlier(question.patient, question.sut_code, question.at, self._now())
        earlier = tuple(map(self._earlier, found.earlier))
        return Answer(duplicate=bool(earlier), excused=found.excused, earlier=earlier)

    def _earlier(self, known: KnownOrder) -> EarlierExamination:
        order, standing = known.order, known.standing
        return EarlierExamination(
            accession=order.key.accession_number,
            sut_code=order.sut.code,
            examination=order.sut.text,
            at=standing.performed_at or order.requested_at,
            facility=order.key.facility,
            facility_name=self._name(order.key.facility),
            has_images=standing.has_images,
            has_report=standing.has_report,
        )

    def _link(self, actor: Actor, question: Question) -> tuple[Answer, str]:
        """A link to the newest of the patient's studies under the number, one of the caller's own facility first, and
        why it could be had."""
        found = self._found(actor, question)
        if isinstance(found, Answer):
            return found, ""
        studies = [study for owned in found for study in owned.with_images]
        if not studies:
            return Answer(Result.UNKNOWN), ""
        basis = self._basis(actor, question, studies)
        if basis is Basis.BREAK_GLASS and not self._rules.break_glass:
            return Answer(Result.NOT_AUTHORISED), ""
        chosen = max(studies, key=lambda one: (_is_at(one, actor.facility), _taken_at(one), one.study_instance_uid))
        secret, expires_at = self._links.issue(
            actor,
            chosen.study_instance_uid,
            uses=question.uses,
            lifetime=self._rules.link_lifetime,
            reader=question.requester,
        )
        if basis is Basis.BREAK_GLASS:
            log.warning("images of another facility's patient opened", extra={"actor": actor.name, "basis": basis})
        return Answer(link=secret, valid_until=self._local(expires_at)), basis.value

    def _basis(self, actor: Actor, question: Question, studies: Iterable[FoundStudy]) -> Basis:
        if actor.kind in _TRUSTED:
            return Basis.LOCAL
        if any(_is_at(study, actor.facility) for study in studies):
            return Basis.OWN_PATIENT
        if self._policy.within(actor) is not None:
            return Basis.PERMIT
        with self._database.glance() as connection:
            numbers = self._person(connection, question).numbers
            is_known = accessions.is_known_at(connection, numbers, actor.facility)
        return Basis.OWN_PATIENT if is_known else Basis.BREAK_GLASS

    def _person(self, connection: Connection, question: Question) -> Person:
        return Person(connection, self._rules.authorities, question.patient)

    def _name(self, facility: str) -> str:
        known = self._codes.facility(facility) if facility else None
        return known.name if known is not None else ""

    def _now(self) -> str:
        return self._local(datetime.now(UTC))

    def _local(self, at: datetime) -> str:
        return f"{at.astimezone(self._rules.zone):%Y%m%d%H%M%S}"


def _matched(
    connection: Connection, known: Iterable[KnownOrder], studies: Sequence[FoundStudy]
) -> list[tuple[KnownOrder, FoundStudy]]:
    """Studies that were matched to an order, where its accession number alone finds none."""
    return [
        (one, study)
        for one in known
        if one.standing.matched and not any(belongs(study, one) for study in studies)
        for study in accessions.matched(connection, one.order.key)
    ]


def _counted(connection: Connection, studies: list[tuple[FoundStudy, Owned]]) -> list[tuple[FoundStudy, Owned]]:
    """These with the numbers of their image series and images alone, by one statement, and none where there is
    nothing else in any."""
    mixed = [study.study_instance_uid for study, _ in studies if is_mixed(study)]
    counts = accessions.counts_without(connection, mixed, sorted(NOT_IMAGES))
    return [
        (replace(study, series=series, instances=instances), owned)
        for study, owned in studies
        for series, instances in [counts.get(study.study_instance_uid, (study.series, study.instances))]
    ]


def _is_look(actor: Actor, asked: Asked, result: str) -> bool:
    """Whether a facility asked for earlier examinations, as it has to before it orders one; what the payer asks is
    no look."""
    is_answered = asked.operation is Operation.DUPLICATES and result == Result.SUCCESS
    return is_answered and (Action.LOOK_UP in actor.rights or actor.kind in _TRUSTED)


def _caller(actor: Actor) -> str:
    """Whose failures are counted together."""
    return actor.name or actor.address


def _is_at(study: FoundStudy, facility: str) -> bool:
    return study.facility == facility


def _taken_at(study: FoundStudy) -> str:
    return study.study_date + study.study_time[:6]
