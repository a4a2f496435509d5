"""Values read back out of the DICOM JSON model; tags are eight hexadecimal digits."""

from base64 import b64decode
from collections.abc import Mapping
from math import isfinite
from typing import Any

from storage.values import Element

_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def _first(elements: Mapping[str, Element], tag: str) -> Any:
    values = elements.get(tag, {}).get("Value")
    return values[0] if values else None


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return "=".join(value.get(group, "") for group in _NAME_GROUPS).rstrip("=")
    return str(value)


def text(elements: Mapping[str, Element], tag: str) -> str:
    """The first value as text, "" when there is none; a person name as `alphabetic=ideographic=phonetic`."""
    return _written(_first(elements, tag))


def texts(elements: Mapping[str, Element], tag: str) -> list[str]:
    """Every value as text, an empty one as ""."""
    return [_written(value) for value in elements.get(tag, {}).get("Value", ())]


def person_name(elements: Mapping[str, Element], tag: str) -> str:
    """The first name as `alphabetic=ideographic=phonetic` without trailing `=` (PS3.5 6.2.1)."""
    return _written(_first(elements, tag))


def number(elements: Mapping[str, Element], tag: str) -> float | None:
    """The first value as a finite number, None when it is none."""
    try:
        value = float(_first(elements, tag))
    except (TypeError, ValueError):
        return None
    return value if isfinite(value) else None


def whole_number(elements: Mapping[str, Element], tag: str, default: int) -> int:
    """The first value as a number of something: `default` when it is absent, broken or less than 1."""
    value = number(elements, tag)
    return int(value) if value is not None and value >= 1 else default


def inline_bytes(elements: Mapping[str, Element], tag: str) -> bytes:
    """The bytes of a short binary value."""
    return b64decode(elements.get(tag, {}).get("InlineBinary", ""))
