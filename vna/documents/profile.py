"""What the archive says of documents that it publishes itself, where the images do not say it: from a file."""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from vna.archive.facility import national_name
from vna.documents.event_codes import SNOMED
from vna.model.documents import Code
from vna.model.errors import BadRequest
from vna.model.identifiers import is_uid

ANY = "*"
"""In a rule: for everything that no rule before it is for."""

TURKEY = Path(__file__).with_name("profile_turkey.toml")
"""The example that comes along."""

_CLASS = "1.3.6.1.4.1.19376.1.2.6.1"
_LOINC = "2.16.840.1.113883.6.1"


def _oid(text: str) -> str:
    if text and not is_uid(text):
        raise ValueError("an OID looks like 1.2.840.10008")
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, OSError, ValueError) as exc:
        raise ValueError("a time zone looks like Europe/Istanbul") from exc
    return text


Oid = Annotated[str, AfterValidator(_oid)]
Zone = Annotated[str, AfterValidator(lambda text: _zone(text) if text else text)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Affinity(StrEnum):
    """How a patient identifier of the images becomes one of the affinity domain."""

    SAME = "same"
    """It is one already: the same value."""
    NATIONAL = "national"
    """By the national number, which stands in Patient ID or among the other patient IDs."""
    SOURCE = "source"
    """The domain knows patients by the identifiers of their hospitals: value and authority of the images."""


class PatientRule(_Model):
    """For patients whose Issuer of Patient ID, or facility where the images do not say it, is `issuer`.

    `authority` is the OID of that issuer; without one the archive derives one of its own.
    """

    issuer: str
    authority: Oid = ""
    affinity: Affinity = Affinity.SAME


class Institution(_Model):
    """A facility by its code; with `code` and `vendor` its name in manifests has the national form."""

    facility: str
    name: str
    code: str = ""
    vendor: str = ""
    oid: Oid = ""
    accession_authority: Oid = ""

    @property
    def institution_name(self) -> str:
        """For Institution Name (0008,0080)."""
        return national_name(self.name, self.code, self.vendor) if self.code else self.name


class Sort(_Model):
    """Codes of one sort of document; `type_code` is for studies that name no procedure."""

    class_code: Code
    type_code: Code
    content_type_code: Code


def _sort(code: str, display: str, type_code: Code) -> Sort:
    class_code = Code(code, _CLASS, display)
    return Sort(class_code=class_code, type_code=type_code, content_type_code=class_code)


class Profile(_Model):
    """Frozen; every part has a default that IHE's own examples have."""

    version: str = ""
    language_code: str = "en-US"
    time_zone: Zone = ""
    images: Sort = _sort("IMAGES", "Images", Code("18748-4", _LOINC, "Diagnostic imaging study"))
    reports: Sort = _sort("REPORTS", "Reports", Code("18748-4", _LOINC, "Diagnostic imaging study"))
    healthcare_facility_type_code: Code = Code("22232009", SNOMED, "Hospital")
    practice_setting_code: Code = Code("394914008", SNOMED, "Radiology")
    confidentiality_code: Code = Code("N", "2.16.840.1.113883.5.25", "Normal")
    national_authority: Oid = ""
    coding_schemes: Mapping[str, Oid] = Field(default_factory=dict)
    accession_markers: frozenset[str] = frozenset()
    institutions: tuple[Institution, ...] = ()
    patients: tuple[PatientRule, ...] = ()

    def institution(self, facility: str) -> Institution | None:
        """What is said of a facility, else what is said of any."""
        return next((one for one in self.institutions if one.facility in (facility, ANY)), None)


def read(path: Path) -> Profile:
    """The profile of a TOML file; BadRequest in words that name the place."""
    try:
        return Profile.model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BadRequest(f"{path}: {where}: {first['msg']}") from exc
    except (OSError, ValueError) as exc:
        raise BadRequest(f"{path} cannot be read as a profile of what is published: {exc}") from exc


def named(text: str) -> Profile:
    """The profile that a setting names: a file, `turkey`, or none."""
    if not text:
        return Profile()
    return read(TURKEY if text == "turkey" else Path(text))
