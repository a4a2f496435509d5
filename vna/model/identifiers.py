"""Identifiers: unique identifiers, AE titles, and who a patient is."""

import re
from dataclasses import dataclass
from typing import Final

from vna.model.errors import CannotUnderstand

_UID = re.compile(r"[0-9]+(\.[0-9]+)*\Z")
_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}\Z")
MAX_UID = 64


def is_uid(text: str) -> bool:
    """Digits and dots, at most 64 (PS3.5 9.1); leading zeros in a component are tolerated, as many systems send
    them."""
    return len(text) <= MAX_UID and _UID.match(text) is not None


def require_uid(text: str, keyword: str) -> str:
    """`text` itself, or CannotUnderstand in words that name the attribute."""
    if not text:
        raise CannotUnderstand(f"{keyword} is missing or empty")
    if len(text) > MAX_UID:
        raise CannotUnderstand(f"{keyword} is longer than 64 characters")
    if not is_uid(text):
        raise CannotUnderstand(f"{keyword} is not a UID: only digits and dots are allowed")
    return text


def is_ae_title(text: str) -> bool:
    """One to 16 printable ASCII characters without backslash, not only spaces (PS3.5 6.2)."""
    return _AE_TITLE.match(text) is not None and bool(text.strip())


_ENTITY = re.compile(r"(?P<title>[^@]+)@(?P<host>\[[^]]+\]|[^:]+):(?P<port>[0-9]{1,5})\Z", re.ASCII)


def entity_address(text: str) -> tuple[str, str, int] | None:
    """AE title, host and port of `AET@HOST:PORT`, an IPv6 address in brackets; None when it is none."""
    found = _ENTITY.match(text)
    if found is None or not is_ae_title(found["title"]) or not 0 < int(found["port"]) < 65536:
        return None
    return found["title"], found["host"].strip("[]"), int(found["port"])


_PLACE = re.compile(r"(?P<host>\[[^]]+\]|[^:]+):(?P<port>[0-9]{1,5})\Z", re.ASCII)


def host_and_port(text: str) -> tuple[str, int] | None:
    """Host and port of `HOST:PORT`, an IPv6 address in brackets; None when it is none."""
    found = _PLACE.match(text)
    if found is None or not 0 < int(found["port"]) < 65536:
        return None
    return found["host"].strip("[]"), int(found["port"])


_OID = r"(?=[0-9.]{1,64}(?![0-9.]))[0-9]+(\.[0-9]+)+"
_AN_OID = re.compile(rf"{_OID}\Z")
_CXI = re.compile(rf"[^\^&]+\^\^\^(&{_OID}&ISO)?\^[^\^&]+(\^(&{_OID}&ISO)?)?\Z")
_CX = re.compile(r"(?P<value>[^\x00-\x1f^&|~]{1,256})\^\^\^&(?P<authority>(?=[0-9.]{1,64}&)[0-9]+(\.[0-9]+)+)&ISO\Z")


@dataclass(frozen=True, slots=True)
class PatientIdentifier:
    """An identifier in the domain of an assigning authority, which is an OID."""

    value: str
    authority: str

    def __str__(self) -> str:
        """As HL7's CX (ITI TF-3 Table 4.2.3.1.7-2)."""
        return f"{self.value}^^^&{self.authority}&ISO"


def patient_identifier(cx: str) -> PatientIdentifier | None:
    """What `id^^^&oid&ISO` says; None when the text has another form."""
    found = _CX.match(cx)
    return PatientIdentifier(found["value"], found["authority"]) if found else None


FACILITY: Final = "facility:"
_OWN = re.compile(rf"(?P<value>[^\x00-\x1f^&|~]{{1,64}})\^\^\^&(?P<authority>{FACILITY}[^\x00-\x1f^&|~]{{1,64}})&ISO\Z")


def facility_identifier(value: str, facility: str) -> PatientIdentifier | None:
    """The number by which a facility itself knows a patient; None where there is no number or no facility, or one of
    them has characters that no identifier can have. No OID is its authority, so it is none of any affinity domain."""
    return own_identifier(f"{significant(value)}^^^&{FACILITY}{facility}&ISO")


def issued_identifier(text: str) -> PatientIdentifier | None:
    """What `VALUE^^^NAME` says: a number of whoever images name as Issuer of Patient ID; None when the text has another
    form."""
    value, separator, issuer = text.partition("^^^")
    return facility_identifier(value, issuer) if separator and issuer else None


def facility_of(identifier: PatientIdentifier) -> str:
    """Which facility's own number it is; empty for one of an affinity domain."""
    return identifier.authority.removeprefix(FACILITY) if identifier.authority.startswith(FACILITY) else ""


def own_identifier(text: str) -> PatientIdentifier | None:
    """What `str` made of a facility's own identifier; None when the text has another form."""
    found = _OWN.match(text)
    return PatientIdentifier(found["value"], found["authority"]) if found else None


def is_oid(text: str) -> bool:
    """Numbers and dots, at most 64 characters (ITI TF-3 Table 4.2.3.1.7-2)."""
    return _AN_OID.match(text) is not None


def is_reference(cxi: str) -> bool:
    """Whether it is `id^^^&oid&ISO^type`, with or without the authority and a home community after the type (CXi, ITI
    TF-3 Table 4.2.3.1.7-2). Which types need an authority is not asked: senders do not agree on it."""
    return _CXI.match(cxi) is not None


def significant(text: str) -> str:
    """A short text as it is compared and indexed: without outer spaces (PS3.5 6.2) and NULs, which databases refuse."""
    return text.replace("\0", "").strip(" ")


@dataclass(frozen=True, slots=True)
class PatientKey:
    """Who a patient is: an identifier within its issuer.

    An empty Patient ID identifies nobody: then `issuer` is `study:` and the Study Instance UID, one patient per study.
    """

    patient_id: str
    issuer: str


def patient_key(patient_id: str, issuer: str, *, facility: str, study_instance_uid: str) -> PatientKey:
    """The identity rule: without an issuer the sending facility is the issuer."""
    patient_id, issuer = significant(patient_id), significant(issuer)
    if not patient_id:
        return PatientKey("", f"study:{study_instance_uid}")
    return PatientKey(patient_id, issuer or facility)
