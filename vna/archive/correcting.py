"""Corrections by people: attributes of patients, studies, series and instances, and what belongs elsewhere."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import NAMESPACE_OID, uuid5

import orjson

from storage.elements import person_name, text
from storage.index import corrections, elsewhere, events, lookup, patients
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.packing import unpack
from vna.archive.refiling import schedule
from vna.model.access import Action, Actor
from vna.model.attributes import BY_LEVEL
from vna.model.corrections import CORRIGIBLE, PLACE, Correction, CorrectionKind
from vna.model.dictionary import tag_of
from vna.model.errors import BadRequest, Conflict, NotFound
from vna.model.events import Event, EventKind
from vna.model.identifiers import PatientKey, is_uid
from vna.model.query import Level
from vna.model.values import FORMS, fault
from vna.security.policy import Policy

_MOST_STUDIES = 1000
_DEFINED = {"PatientSex": ("M", "F", "O")}
"""Values that are enumerated for an attribute (PS3.3 C.7.1.1)."""
_OF_ANOTHER = (
    "OtherPatientIDsSequence",
    "IssuerOfPatientIDQualifiersSequence",
    "IssuerOfAccessionNumberSequence",
    "ProcedureCodeSequence",
    "RequestAttributesSequence",
)
"""Sequences that speak of another patient, or of another's order, and are left out of what is moved to a patient."""


class Corrections:
    """Notes corrections and takes them back; `vna.archive.refiling` does in the images what they say."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def correct(
        self, actor: Actor, study: str, series: str = "", instance: str = "", *, said: Mapping[str, str], reason: str
    ) -> str:
        """Say what a study, a series of it or an instance is to say; the name by which that is revoked.

        What is said of the patient is said of all his studies. BadRequest when an attribute or value cannot be,
        NotFound when it is not held, Conflict when another archive keeps it.
        """
        self._policy.check(actor, Action.CORRECT, study)
        level = _checked(said, series, instance, reason)
        with self._database.transaction() as connection:
            _require(connection, study, series, instance)
            studies, of = [study], {}
            if level is Level.PATIENT:
                studies = corrections.studies_of_same(connection, study, _MOST_STUDIES + 1)
                if len(studies) > _MOST_STUDIES:
                    raise BadRequest(f"the patient has more than {_MOST_STUDIES} studies")
                filed = patients.of_study(connection, study)
                of = {"PatientID": filed.patient_id} if filed is not None else {}
            made = [
                Correction("", CorrectionKind.ATTRIBUTES, one, series, instance, said={**said, **of}) for one in studies
            ]
            return self._make(connection, actor, made, reason)

    def move(
        self,
        actor: Actor,
        study: str,
        series: str = "",
        instance: str = "",
        *,
        to_study: str = "",
        to_series: str = "",
        to_patient: PatientKey | None = None,
        called: Mapping[str, str] | None = None,
        reason: str,
    ) -> str:
        """Say where a study, a series of it or an instance belongs; the name by which that is revoked.

        In a study that is held it is of its patient, and says of both what that does; in a new one of `to_patient`,
        or of whom it was. `called` says name, birth date and sex of a patient who is not known. BadRequest when a UID
        is none, nothing moves or he cannot be called so, Conflict when the study is another patient's.
        """
        self._policy.check(actor, Action.CORRECT, study)
        if not reason:
            raise BadRequest("a move has a reason")
        if not all(is_uid(uid) for uid in filter(None, (to_study, to_series))):
            raise BadRequest("this is no UID")
        if not (to_study or to_series or to_patient) or to_study == study:
            raise BadRequest("nothing moves: name another study, series or patient")
        _check_values(called or {})
        if to_patient is not None and not to_study and series:
            raise BadRequest("a part of a study moves to another patient together with a study of its own: name one")
        with self._database.transaction() as connection:
            _require(connection, study, series, instance)
            if instance and to_study and not to_series:
                to_series = _made_uid(series, to_study)  # a series is not torn in two
            said = _of_target(connection, to_study, to_patient)
            if called:
                if to_patient is None or patients.attributes_of(connection, to_patient):
                    raise BadRequest("what a patient is called can be said only of one who is not known, and is named")
                said |= called
            said |= dict(zip(PLACE, (to_study, to_series), strict=True))
            said = {keyword: value for keyword, value in said.items() if value or keyword not in PLACE}
            made = [Correction("", CorrectionKind.MOVE, study, series, instance, said=said)]
            return self._make(connection, actor, made, reason)

    def listed(self, actor: Actor, study: str) -> Iterator[Correction]:
        """Everything that was ever corrected of a study, or moved out of it or into it, oldest first."""
        self._policy.check(actor, Action.CORRECT, study)
        with self._database.read() as connection:
            found = corrections.of_study(connection, study)
        return iter(found)

    def revoke(self, actor: Actor, name: str, *, reason: str = "") -> int:
        """Take a correction or a move back; of how many studies. NotFound when there is none, or no longer."""
        self._policy.check(actor, Action.CORRECT)
        at = datetime.now(UTC)
        with self._database.transaction() as connection:
            found = corrections.revoke(connection, name, at=time_text(at), by=actor.name)
            if not found:
                raise NotFound("no such correction holds")
            _tell(connection, actor, found, {"revoked": True, "name": name, "reason": reason})
            schedule(connection, _concerned(found))
        return len(found)

    def _make(self, connection: Connection, actor: Actor, made: Sequence[Correction], reason: str) -> str:
        name, at = secrets.token_hex(6), time_text(datetime.now(UTC))
        whole = [replace(one, name=name, reason=reason, actor=actor.name, made_at=at) for one in made]
        for one in whole:
            corrections.add(connection, one)
        _tell(connection, actor, whole, {"corrections": [_plain(one) for one in whole]})
        schedule(connection, _concerned(whole))
        return name


def replay(connection: Connection, event: Event) -> None:
    """Note again what an event of the journal tells of; images follow by the jobs of `after_reindex`."""
    if event.detail.get("revoked"):
        corrections.revoke(connection, event.detail["name"], at=time_text(event.at), by=event.actor)
        return
    for plain in event.detail["corrections"]:
        corrections.add(connection, Correction(**{**plain, "kind": CorrectionKind(plain["kind"])}))


def after_reindex(connection: Connection) -> None:
    """Every study concerned is looked at again."""
    schedule(connection, corrections.studies_concerned(connection), again=False)


def _checked(said: Mapping[str, str], series: str, instance: str, reason: str) -> Level:
    """The level of what is said."""
    if not reason:
        raise BadRequest("a correction has a reason")
    if not said:
        raise BadRequest("nothing is corrected")
    for keyword in said:
        if keyword not in CORRIGIBLE:
            raise BadRequest(f"{keyword} is not corrected: {', '.join(sorted(CORRIGIBLE))} are")
    _check_values(said)
    levels = {CORRIGIBLE[keyword] for keyword in said}
    named = Level.IMAGE if instance else Level.SERIES if series else Level.STUDY
    if Level.PATIENT in levels and levels != {Level.PATIENT}:
        raise BadRequest("what is said of the patient is a correction of its own: it holds for all of his studies")
    if (Level.PATIENT in levels and named is not Level.STUDY) or any(
        level < named for level in levels if level is not Level.PATIENT
    ):
        raise BadRequest("what is said of a study is corrected in all of it, and of a series in all of that")
    return min(levels)


def _check_values(said: Mapping[str, str]) -> None:
    for keyword, value in said.items():
        problem = fault(str(tag_of(keyword)), value)
        if not problem and value and value not in _DEFINED.get(keyword, (value,)):
            problem = f"it is one of {', '.join(_DEFINED[keyword])}"
        if problem:
            raise BadRequest(f"{keyword} cannot have this value: {problem}")


def _require(connection: Connection, study: str, series: str, instance: str) -> None:
    if lookup.state(connection, study) is None or not lookup.places(connection, study, series, instance):
        raise NotFound(f"no such {'instance' if instance else 'series' if series else 'study'}")
    if elsewhere.kept(connection, study, series, instance) or elsewhere.copies(connection, study):
        raise Conflict("another archive keeps it, or some of it: it is corrected there")


def _of_target(connection: Connection, study: str, to_patient: PatientKey | None) -> dict[str, str]:
    """What images of a study say of it and of its patient; of a new one nothing but whose it is."""
    filed = patients.of_study(connection, study) if study else None
    if filed is None:
        return _of_patient(connection, to_patient) if to_patient is not None else {}
    if to_patient is not None and to_patient != filed:
        raise Conflict("the study is of another patient")
    if elsewhere.kept(connection, study) or elsewhere.copies(connection, study):
        raise Conflict("another archive keeps this study")
    _, header, _ = corrections.firsts(connection, study)[0]
    return _said(orjson.loads(unpack(header)), (Level.PATIENT, Level.STUDY)) | _identity(filed)


def _of_patient(connection: Connection, key: PatientKey) -> dict[str, str]:
    """What is known of a patient; of one who is not, only his number: his name is to be said by a correction."""
    held = patients.attributes_of(connection, key)
    return _said(orjson.loads(held) if held else {}, (Level.PATIENT,)) | _identity(key)


def _identity(key: PatientKey) -> dict[str, str]:
    left_out = dict.fromkeys(_OF_ANOTHER, "")
    return {"PatientID": key.patient_id, "IssuerOfPatientID": key.issuer if key.patient_id else "", **left_out}


def _said(elements: dict[str, object], levels: Sequence[Level]) -> dict[str, str]:
    found: dict[str, str] = {}
    for level in levels:
        for attribute in BY_LEVEL[level]:
            if attribute.vr in FORMS and attribute.keyword in CORRIGIBLE:
                read = person_name if attribute.vr == "PN" else text
                value = read(elements, attribute.tag)  # type: ignore[arg-type]
                found[attribute.keyword] = value if not fault(attribute.tag, value) else ""
    return found


def _made_uid(*parts: str) -> str:
    """A UID that is always the same for these (PS3.5 B.2)."""
    return f"2.25.{uuid5(NAMESPACE_OID, ' '.join(parts)).int}"


def _concerned(made: Sequence[Correction]) -> list[str]:
    return [uid for one in made for uid in (one.study_instance_uid, one.target_study_uid) if uid]


def _plain(one: Correction) -> dict[str, object]:
    return {name: getattr(one, name) for name in Correction.__slots__} | {"kind": one.kind.value}


def _tell(connection: Connection, actor: Actor, made: Sequence[Correction], detail: Mapping[str, object]) -> None:
    events.append(
        connection,
        EventKind.CORRECTION_CHANGED,
        at=datetime.now(UTC),
        actor=actor.name,
        study_instance_uid=made[0].study_instance_uid,
        sop_instance_uid="",
        detail=detail,
    )
