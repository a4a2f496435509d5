"""The field table, applied to one order or report."""

import re
from collections.abc import Iterable
from typing import Final

from vna.hl7.checks import is_facility
from vna.hl7.field_table import ACCESSION_PLACES, ACCESSION_WORDS, FACILITY_PLACE, MARKER_WORDS, Field, Rules
from vna.hl7.groups import Group
from vna.hl7.message import Segment
from vna.hl7.refusal import Condition, Refused
from vna.model.orders import is_accession_number

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_LINES: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LINES: Final = 1000
"""What may be longer than that is text of several lines."""


def check(group: Group, table: Iterable[Field], rules: Rules) -> None:
    """Refused with the first field of the table that is not what it has to be."""
    for field in table:
        value = group.value(field.segment, field.field, field.component, field.subcomponent)
        place = _place(field)
        if value:
            bound(value, field.most, field.error, place, group.numbers.get(field.segment, 1))
            if rules.checks(field.error) and not field.check(value, rules):
                is_marker = field.error == "accession" and value in rules.markers
                raise wrong(group, field.error, place, MARKER_WORDS if is_marker else field.words)
        elif field.leads and rules.requires(field.error):
            raise missing(group, field.error, place, field.words)


def wrong(group: Group, error: str, place: tuple[str | int, ...], words: str) -> Refused:
    """What is there is not what it has to be."""
    number = group.numbers.get(str(place[0]), 1)
    return Refused(Condition.DATA_TYPE, f"{_named(place)} {words}", place, rule=error, sequence=number)


def missing(group: Group, error: str, place: tuple[str | int, ...], words: str) -> Refused:
    """It is not there, and has to be."""
    number = group.numbers.get(str(place[0]), 1)
    return Refused(Condition.REQUIRED, f"{_named(place)} is empty: it {words}", place, rule=error, sequence=number)


def bound(value: str, most: int, error: str, place: tuple[str | int, ...], number: int = 1) -> str:
    """The value; Refused when it is longer than what is kept, or has control characters in it."""
    if len(value) > most:
        words = f"{_named(place)} has more than {most} characters"
        raise Refused(Condition.DATA_TYPE, words, place, rule=error, sequence=number)
    if (_CONTROL_IN_LINES if most > _LINES else _CONTROL).search(value):
        words = f"{_named(place)} has control characters in it"
        raise Refused(Condition.DATA_TYPE, words, place, rule=error, sequence=number)
    return value


def accession_number(group: Group, rules: Rules) -> str:
    """The one that ORC and OBR name; Refused when none is there, or they name several (`accession_differs`), or one
    has more than one subcomponent: it would be cut."""
    said = [(place, value) for place in ACCESSION_PLACES if (value := group.value(*place))]
    if not said:
        raise missing(group, "accession", ACCESSION_PLACES[0], "has to be the accession number")
    for place, _ in said:
        if _is_parted(group.heads[place[0]], place[1]):
            raise wrong(group, "accession", place, f"{ACCESSION_WORDS}: it has a subcomponent")
    if rules.checks("accession_differs"):
        for place, value in said:
            if value != said[0][1]:
                first = _named(said[0][0])
                raise wrong(group, "accession_differs", place, f"names another accession number than {first}")
    place, value = said[-1]
    if not is_accession_number(value, rules.markers):
        raise wrong(group, "accession", place, ACCESSION_WORDS)
    return value


def _is_parted(segment: Segment, field: int) -> bool:
    """Whether the first component of a field has anything after its first subcomponent."""
    signs = segment.delimiters
    first = segment.raw(field).partition(signs.repetition)[0].partition(signs.component)[0]
    return any(part.strip(" ") for part in first.split(signs.subcomponent)[1:])


def facility(group: Group, rules: Rules) -> str:
    r"""Who ordered: the code in ORC-21, plain, or in its third component as `code\S\1\S\Medula code`, else that of the
    sender. Refused when it is none, or not the sender's."""
    segment = group.heads.get("ORC")
    code = _code_of(segment) if segment is not None else ""
    if not code:
        if rules.requires("facility") or not rules.facility:
            raise missing(group, "facility", FACILITY_PLACE, "has to be the facility's code")
        return rules.facility
    if not is_facility(code):
        raise wrong(group, "facility", FACILITY_PLACE, "has to be the facility's code")
    if rules.facility and code != rules.facility:
        raise wrong(group, "facility", FACILITY_PLACE, "is not the facility that this sender is known for")
    return code


def _code_of(orc: Segment) -> str:
    number = FACILITY_PLACE[1]
    name_and_code = orc.value(number, 3) or orc.value(number, 1)
    return name_and_code.partition("^")[0].strip(" ")


def _place(field: Field) -> tuple[str | int, ...]:
    if field.component == 1:
        return (field.segment, field.field)
    return (field.segment, field.field, field.component)


def _named(place: tuple[str | int, ...]) -> str:
    segment, *numbers = place
    return f"{segment}-{'.'.join(map(str, numbers))}"
