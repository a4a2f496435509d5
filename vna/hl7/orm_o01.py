"""General order message (HL7 v2.3.1 4.2.1): what it tells of each order in it."""

from dataclasses import replace
from typing import Final

from vna.hl7.checking import accession_number, bound, check, facility, missing, wrong
from vna.hl7.checks import is_facility, is_person_number
from vna.hl7.field_table import KEY_FIELDS, ORDER_FIELDS, PERFORMING_PLACE, Rules
from vna.hl7.groups import Group, given, groups
from vna.hl7.message import Message
from vna.hl7.order_states import CONTROLS, STATES
from vna.hl7.people import MOST_NAME, patient_name, person_of, technician
from vna.hl7.refusal import Condition, Refused
from vna.hl7.remarks import diagnoses, notes
from vna.hl7.times import local_time
from vna.model.dates import normal_date
from vna.model.orders import ANY_FACILITY, Coded, Order, OrderedPatient, OrderKey, OrderState
from vna.worklist.orders import Tiding, Told

_TEXT: Final = 400
_SEXES: Final = ("F", "M", "O")
_PRIORITIES: Final = {"S": "STAT", "A": "HIGH", "R": "ROUTINE", "T": "MEDIUM"}
"""TQ-6 (HL7 v2.3.1 4.4.6) in the words of Requested Procedure Priority (PS3.3 C.4.12)."""


def tidings(message: Message, rules: Rules) -> list[Tiding]:
    """What is told of each order, in the order of the message; Refused with the first field that is wrong."""
    return [_tiding(group, rules) for group in groups(message)]


def _tiding(group: Group, rules: Rules) -> Tiding:
    check(group, KEY_FIELDS, rules)
    told = CONTROLS.get(group.value("ORC", 1))
    if told is None:
        raise missing(group, "control", ("ORC", 1), "has to be NW, XO, CA or SC")
    key = OrderKey(facility(group, rules), accession_number(group, rules))
    if told is Told.CANCELLED:
        return Tiding(told, Order(key, _named(group), source=rules.source))
    if told is Told.STATE:
        state = STATES.get(group.value("ORC", 5))
        if state is None:
            raise missing(group, "state", ("ORC", 5), f"has to be one of {', '.join(STATES)}")
        return Tiding(told, Order(key, _named(group), state, source=rules.source))
    if "OBR" not in group.heads:
        words = "there is no OBR segment after ORC: nobody knows what is ordered"
        raise Refused(Condition.SEQUENCE, words, ("OBR",), rule="structure")
    check(group, ORDER_FIELDS, rules)
    return Tiding(told, _order(key, group, rules))


def _order(key: OrderKey, group: Group, rules: Rules) -> Order:
    value = group.value
    orc, obr = group.heads.get("ORC"), group.heads["OBR"]
    scheduled = value("OBR", 36) or value("OBR", 27, 4) or value("ORC", 7, 4)
    doctor = person_of(orc, 12)
    return Order(
        key=key,
        patient=patient(group),
        state=STATES.get(value("ORC", 5), OrderState.SCHEDULED),
        sut=coded(group, "sut", "OBR", 4),
        loinc=coded(group, "loinc", "OBR", 4, first=4),
        modality=value("OBR", 24).upper(),
        requested_at=local_time(value("ORC", 9) or value("OBR", 6), rules.zone),
        scheduled_at=local_time(scheduled, rules.zone),
        ordering_doctor=doctor if doctor.number or doctor.name else person_of(obr, 16),
        technician=technician(obr, 34),
        performing_facility=_performing(group, rules),
        priority=_PRIORITIES.get(value("OBR", 27, 6) or value("ORC", 7, 6), ""),
        payer=value("PV1", 20),
        admission_reference=value("PV1", 19),
        facility_reference=value("OBR", 21),
        tracking_number=value("OBR", 20),
        repeat_reason=coded(group, "repeat_reason", "OBR", 31),
        clinical_information=value("OBR", 13),
        notes=notes(group, rules),
        diagnoses=diagnoses(group, rules),
        patient_class=value("PV1", 2),
        clinic=coded(group, "clinic", "ORC", 17),
        source=rules.source,
    )


def patient(group: Group) -> OrderedPatient:
    """Whom it is for: by file number or national number, both where there are both.

    A newborn or somebody unidentified has no national number, and a file number all the same.
    """
    named = _named(group)
    if not named.patient_id and not named.national_number:
        raise missing(group, "patient_id", ("PID", 3), "has to be the file number where PID-4 has no national number")
    name = patient_name(group.heads["PID"])
    return replace(
        named,
        name=bound(name, MOST_NAME, "patient_name", ("PID", 5)),
        birth_date=normal_date(group.value("PID", 7)[:8]),
        sex=group.value("PID", 8) if group.value("PID", 8) in _SEXES else "",
    )


def _named(group: Group) -> OrderedPatient:
    """By number alone; nobody where there is none."""
    number = group.value("PID", 4) or group.value("PID", 19)
    return OrderedPatient(group.value("PID", 3), number if is_person_number(number) else "")


def coded(group: Group, error: str, segment: str, field: int, *, first: int = 1) -> Coded:
    """Code and text of a coded field, from this component on."""
    place = (segment, field, first + 1)
    text = bound(group.value(*place), _TEXT, error, place, group.numbers.get(segment, 1))
    return Coded(group.value(segment, field, first), text)


def _performing(group: Group, rules: Rules) -> str:
    """OBR-15 where another facility performs it, `code&&SKRS`, or any one may; `Radiology` and the like say nothing."""
    code, system = given(group.value(*PERFORMING_PLACE)), group.value(*PERFORMING_PLACE, 1, 3)
    if system != "SKRS":
        return ""
    if code == rules.profile.any_facility:
        return ANY_FACILITY
    if not is_facility(code):
        raise wrong(group, "performing_facility", PERFORMING_PLACE, "has to be a facility's code with &&SKRS")
    return code
