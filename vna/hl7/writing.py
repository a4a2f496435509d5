"""Segments, written with the delimiters that everybody has."""

from collections.abc import Mapping
from typing import Final

from vna.hl7.acknowledgment import escaped
from vna.hl7.message import Delimiters
from vna.model.orders import Coded, Person

SIGNS: Final = Delimiters()


def text(value: str) -> str:
    """A value with its delimiters and line ends as escape sequences."""
    lines = value.replace("\r\n", "\n").replace("\r", "\n")
    return escaped(lines, SIGNS).replace("\n", "\\X0D0A\\")


def composed(*values: str) -> str:
    """Components, those that are empty at the end left out."""
    return SIGNS.component.join(map(text, values)).rstrip(SIGNS.component)


def repeated(values: list[str]) -> str:
    """Repetitions of a field, each written already."""
    return SIGNS.repetition.join(values)


def names(dicom: str) -> tuple[str, str, str, str, str]:
    """Family, given, middle, suffix, prefix of a DICOM person name, in HL7's order."""
    family, given, middle, prefix, suffix = (*dicom.split("^"), "", "", "", "", "")[:5]
    return family, given, middle, suffix, prefix


def person(one: Person) -> str:
    """XCN."""
    return composed(one.number, *names(one.name))


def coded(one: Coded, system: str = "") -> str:
    """CE."""
    return composed(one.code, one.text, system if one.code else "")


def segment(name: str, fields: Mapping[int, str]) -> str:
    """A segment of fields that are written already; MSH counts its separator as the first."""
    first = 2 if name == "MSH" else 1
    values = [fields.get(number, "") for number in range(first, max(fields) + 1)]
    return SIGNS.field.join([name, *values])
