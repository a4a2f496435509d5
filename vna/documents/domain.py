"""The affinity domain: which codes and media types its members agreed on, from a file."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vna.model.documents import Code, coded
from vna.model.errors import BadRequest

CODED = (
    "classCode",
    "typeCode",
    "formatCode",
    "healthcareFacilityTypeCode",
    "practiceSettingCode",
    "confidentialityCode",
    "eventCodeList",
    "contentTypeCode",
    "codeList",
)
"""The attributes of ITI TF-3 4.2.3 that a domain may bind to a list."""


@dataclass(frozen=True, slots=True)
class AffinityDomain:
    """The lists, each by the attribute's name; an attribute without a list takes any code."""

    codes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    mime_types: frozenset[str] = frozenset()

    def allows(self, attribute: str, code: Code) -> bool:
        """Whether code and scheme are of the attribute's list; what a code is called for people is not looked at
        (ITI TF-2 3.42.4.1.3.3.3)."""
        listed = self.codes.get(attribute)
        return listed is None or coded(code.code, code.scheme) in listed

    def allows_mime_type(self, mime_type: str) -> bool:
        """Whether documents of this media type are taken."""
        return not self.mime_types or mime_type in self.mime_types


ANY = AffinityDomain()
"""No lists at all."""

TURKEY = Path(__file__).with_name("turkey.toml")
"""The example that comes along."""


def read(path: Path) -> AffinityDomain:
    """The domain of a TOML or JSON file; BadRequest in words that name the place.

    `mime_types` is a list; `[[classCode]]` and so on are tables with `code`, `scheme` and, for people, `display`.
    """
    try:
        text = path.read_text("utf-8")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as exc:
        raise BadRequest(f"{path} cannot be read as codes of an affinity domain: {exc}") from exc
    if not isinstance(values, dict):
        raise BadRequest(f"{path} is no table of codes")
    unknown = values.keys() - {*CODED, "mime_types"}
    if unknown:
        raise BadRequest(f"{path}: {min(unknown)} is no coded attribute; they are mime_types, {', '.join(CODED)}")
    codes = {name: frozenset(_text(path, name, entry) for entry in values[name]) for name in CODED if name in values}
    return AffinityDomain(codes, frozenset(values.get("mime_types", ())))


def _text(path: Path, name: str, entry: Any) -> str:
    if not isinstance(entry, dict) or not entry.get("code") or not entry.get("scheme"):
        raise BadRequest(f"{path}: every {name} needs a code and a scheme")
    return coded(entry["code"], entry["scheme"])
