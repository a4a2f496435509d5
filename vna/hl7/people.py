"""Names and numbers of people (HL7 v2.5 2.A.86 XCN, 2.A.87 XPN) as the model and DICOM have them."""

import re
from typing import Final

from vna.hl7.groups import given
from vna.hl7.message import Segment
from vna.model.orders import Person

_OF_NAMES: Final = re.compile(r"[\^=\\\s\x00-\x1f\x7f]+")
"""What a component of a DICOM person name cannot hold (PS3.5 6.2.1)."""

MOST_NAME: Final = 64


def person_name(family: str, first: str = "", middle: str = "", suffix: str = "", prefix: str = "") -> str:
    """Family^given^middle^prefix^suffix (PS3.5 6.2.1.1); HL7 has the last two the other way."""
    parts = (family, first, middle, prefix, suffix)
    return "^".join(_OF_NAMES.sub(" ", given(part)).strip() for part in parts).rstrip("^")


def patient_name(pid: Segment) -> str:
    """PID-5, the first one."""
    return person_name(*(pid.value(5, number) for number in range(1, 6)))


def person(segment: Segment, repetition: str) -> Person:
    """An XCN: number, family name, given name, further ones, suffix, prefix."""
    number, *names = (segment.part(repetition, component) for component in range(1, 7))
    return Person(given(number), person_name(*names))


def person_of(segment: Segment | None, field: int) -> Person:
    """The first one of a field; nobody where it is not there."""
    if segment is None:
        return Person()
    return person(segment, next(iter(segment.repetitions(field)), ""))


def technician(obr: Segment | None, field: int) -> Person:
    """NDL: number and names are subcomponents of the first component (HL7 v2.5 2.A.47)."""
    if obr is None:
        return Person()
    number, *names = (obr.value(field, 1, part) for part in range(1, 7))
    return Person(given(number), person_name(*names))
