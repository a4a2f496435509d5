"""ADT of hospitals (HL7 v2.5 3.3): what patients are called, and merges of a hospital's own numbers, beside ITI-8."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from vna.hl7.dispatch import Handler
from vna.hl7.headers import is_control_id
from vna.hl7.iti8 import PatientFeed
from vna.hl7.message import Message, Segment
from vna.hl7.receipt import receipt
from vna.hl7.refusal import Condition, Refused
from vna.identity.hospital import HospitalPatients
from vna.model.access import Actor
from vna.model.dates import normal_date
from vna.model.identifiers import PatientIdentifier, facility_identifier
from vna.model.national import is_national_number
from vna.worklist.receipts import Receipts

_IDENTIFIERS, _ALTERNATE, _NAME, _BIRTH, _SEX = 3, 4, 5, 7, 8
_PRIOR_IDENTIFIERS: Final = 1
_VALUE, _AUTHORITY, _TYPE = 1, 4, 5
_NULL: Final = '""'  # how HL7 writes an empty value
_SEXES: Final[Mapping[str, str]] = {"F": "F", "M": "M", "O": "O", "A": "O", "N": "O", "U": "", _NULL: ""}
"""HL7 table 0001 as PatientSex; an unknown one is none."""
_NATIONAL: Final = ("NI", "NNTUR")
"""Identifier types of national numbers (HL7 table 0203)."""


class HospitalFeed:
    """What messages of a hospital say beside what the affinity domain is told by them.

    The sender's facility, as `vna source` knows it, is the issuer of numbers that name no OID as assigning authority.
    """

    def __init__(self, domain: PatientFeed, hospitals: HospitalPatients, receipts: Receipts) -> None:
        self._domain = domain
        self._hospitals = hospitals
        self._receipts = receipts

    def events(self) -> Mapping[str, Handler]:
        """The trigger events of ADT."""
        admissions = dict.fromkeys(("A01", "A04", "A05"), self._admit)
        works = {**admissions, "A08": self._update, "A31": self._update, "A40": self._merge}
        return {event: partial(self._once, work) for event, work in works.items()}

    def _once(self, work: Callable[[Actor, Message], None], actor: Actor, message: Message) -> bytes | None:
        """What is sent again late takes nothing back of what was said since. A control id that is none of an order's
        either is not remembered: ITI-8 asks nothing of it."""
        header = message.header
        if not is_control_id(header.value(10)):
            work(actor, message)
            return None
        answer = self._receipts.latest(actor, receipt(actor, message), lambda: work(actor, message))
        return answer.encode(header.codec, "replace")

    def _admit(self, actor: Actor, message: Message) -> None:
        pid = message.one("PID")
        own = self._own(actor, pid, _IDENTIFIERS)
        if not own or self._domain.names(pid, _IDENTIFIERS):
            self._domain.register(actor, message)
        self._hospitals.admit(actor, self._patient(actor, pid), _said_if_well(pid))

    def _update(self, actor: Actor, message: Message) -> None:
        pid = message.one("PID")
        self._hospitals.update(actor, self._patient(actor, pid), said(pid))

    def _merge(self, actor: Actor, message: Message) -> None:
        mrg, pid = message.one("MRG"), message.one("PID")
        new, old = self._own(actor, pid, _IDENTIFIERS), self._own(actor, mrg, _PRIOR_IDENTIFIERS)
        if not (new and old) or (self._domain.names(pid, _IDENTIFIERS) and self._domain.names(mrg, _PRIOR_IDENTIFIERS)):
            self._domain.merge(actor, message)
        if not (new and old):
            return
        if len(new) > 1 or len(old) > 1:
            words = "MRG-1 and PID-3 do not say which one is merged into which"
            raise Refused(Condition.DATA_TYPE, words, ("MRG", _PRIOR_IDENTIFIERS))
        self._hospitals.merge(actor, old[0], new[0])
        self._hospitals.update(actor, new, said(pid))

    def _patient(self, actor: Actor, pid: Segment) -> list[PatientIdentifier]:
        """Everything by which the message names its patient. A national number alone stands for the file numbers that
        the hospital's orders have for it."""
        found = [*self._domain.identifiers(pid), *self._own(actor, pid, _IDENTIFIERS)]
        number = _national_number(pid)
        by_number = facility_identifier(number, actor.facility)
        if not found and number:
            found += self._hospitals.numbers(actor, number)
        return [*found, *([by_number] if by_number is not None else [])]

    def _own(self, actor: Actor, segment: Segment, field: int) -> list[PatientIdentifier]:
        """Numbers of the sender's facility, each once; none where it is not known which facility that is."""
        found = []
        for one in segment.repetitions(field) if actor.facility else ():
            is_others = segment.part(one, _AUTHORITY, 2) or segment.part(one, _TYPE) in _NATIONAL
            if is_others or self._domain.is_of_domain(segment, one):
                continue
            made = facility_identifier(segment.part(one, _VALUE), actor.facility)
            if made is None or made.value == _NULL:
                words = f"{segment.name}-{field} has an identifier that is empty, too long, or holds delimiters"
                raise Refused(Condition.DATA_TYPE, words, (segment.name, field, _VALUE))
            found.append(made)
        return list(dict.fromkeys(found))


def said(pid: Segment) -> dict[str, str]:
    """What PID-5, PID-7 and PID-8 say, by keyword; what is empty says nothing, and `""` that there is no value."""
    values: dict[str, str] = {}
    if pid.raw(_NAME) and pid.value(_NAME) != _NULL:
        values["PatientName"] = name_of(pid, pid.repetitions(_NAME)[0])
    birth_date = pid.value(_BIRTH)
    if birth_date == _NULL:
        values["PatientBirthDate"] = ""
    elif normal_date(birth_date[:8]):
        values["PatientBirthDate"] = normal_date(birth_date[:8])
    elif birth_date:
        raise Refused(Condition.DATA_TYPE, "PID-7 is no date", ("PID", _BIRTH))
    sex = pid.value(_SEX)
    if sex and sex not in _SEXES:
        raise Refused(Condition.TABLE_VALUE, "PID-8 is no sex of table 0001", ("PID", _SEX))
    if sex and (_SEXES[sex] or sex == _NULL):
        values["PatientSex"] = _SEXES[sex]
    return values


def _said_if_well(pid: Segment) -> dict[str, str]:
    """For admissions: they are taken whatever they say of the patient, as ITI-8 asks nothing of it."""
    try:
        return said(pid)
    except Refused:
        return {}


def name_of(segment: Segment, repetition: str) -> str:
    """An XPN as DICOM writes names: prefix and suffix change places (PS3.5 6.2.1)."""
    family, given, middle, suffix, prefix = (segment.part(repetition, number) for number in range(1, 6))
    parts = (
        part.replace("^", " ").replace("=", " ").replace("\\", " ") for part in (family, given, middle, prefix, suffix)
    )
    return "^".join("" if part == _NULL else part for part in parts).rstrip("^")


def _national_number(pid: Segment) -> str:
    """That of PID-4, else of PID-3 where its type says so; empty where there is none, or it cannot be one."""
    numbers = [pid.part(one, _VALUE) for one in pid.repetitions(_ALTERNATE)]
    numbers += [pid.part(one, _VALUE) for one in pid.repetitions(_IDENTIFIERS) if pid.part(one, _TYPE) in _NATIONAL]
    return next(filter(is_national_number, numbers), "")
