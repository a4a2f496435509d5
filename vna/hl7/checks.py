"""What a field of an order or report has to be: each check says whether a value is that."""

import re
from typing import Final

from vna.model.national import is_national_number

_CODE: Final = re.compile(r"[A-Za-z0-9]{1,16}", re.ASCII)
_SUT: Final = re.compile(r"[A-Za-z0-9]{6,16}", re.ASCII)
_LOINC: Final = re.compile(r"[0-9]{1,7}-[0-9]", re.ASCII)
_MODALITY: Final = re.compile(r"[A-Za-z]{2}[A-Za-z0-9]{0,14}", re.ASCII)
_FACILITY: Final = re.compile(r"[A-Za-z0-9]{1,20}", re.ASCII)
_ICD10: Final = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.?[0-9A-Z]{1,4})?[*+]?", re.ASCII)
_FOREIGN: Final = re.compile(r"99[0-9]{9}", re.ASCII)


def is_person_number(value: str) -> bool:
    """A national number, or that of a foreigner, whose last digits are not always made by the rule."""
    return is_national_number(value) or _FOREIGN.fullmatch(value) is not None


def is_word(value: str) -> bool:
    """What a DICOM attribute of one value can hold."""
    return value.isprintable() and "\\" not in value


def is_code(value: str) -> bool:
    """Letters and digits."""
    return _CODE.fullmatch(value) is not None


def is_sut(value: str) -> bool:
    """At least six letters and digits, no full stop, comma or hyphen."""
    return _SUT.fullmatch(value) is not None


def is_loinc(value: str) -> bool:
    """Digits, a hyphen and the check digit, which is right (LOINC makes it by Mod 10)."""
    if _LOINC.fullmatch(value) is None:
        return False
    number, check = value.split("-")
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(number))]
    return (-sum(digit // 10 + digit % 10 for digit in doubled)) % 10 == int(check)


def is_modality(value: str) -> bool:
    """At least two letters."""
    return _MODALITY.fullmatch(value) is not None


def is_facility(value: str) -> bool:
    """A code of the national register of institutions."""
    return _FACILITY.fullmatch(value) is not None


def is_diagnosis(value: str) -> bool:
    """A code of ICD-10, with a full stop or without."""
    return _ICD10.fullmatch(value) is not None


def is_anything(_value: str) -> bool:
    """No rule but those for every value."""
    return True
