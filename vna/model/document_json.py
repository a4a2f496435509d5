"""Registry objects as plain JSON and back, what is empty left out: for rows and for the journal."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from vna.model.documents import (
    KINDS,
    AssociationKind,
    Author,
    Code,
    ExtraMetadata,
    Kind,
    RegistryObject,
    Status,
)

_TYPES = {kind: cls for cls, kind in KINDS.items()}
_FIELDS = {cls: [(one.name, None if one.default is MISSING else one.default) for one in fields(cls)] for cls in KINDS}


def plain(thing: RegistryObject, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """What `read` makes the same object of."""
    values = {"kind": KINDS[type(thing)].value}
    for name, default in _FIELDS[type(thing)]:
        value = getattr(thing, name)
        if name not in without and value != default:
            values[name] = _plain(value)
    return values


def read(values: Mapping[str, Any], **more: Any) -> RegistryObject:
    """The object that `plain` was given; `more` are fields that were left out."""
    rest = dict(values)
    cls = _TYPES[Kind(rest.pop("kind"))]
    return cls(**{name: _READERS.get(name, _words)(value) for name, value in rest.items()}, **more)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Code | Author | ExtraMetadata):
        return {one.name: _plain(held) for one in fields(value) if (held := getattr(value, one.name))}
    return value


def _words(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _code(value: Mapping[str, str]) -> Code:
    return Code(value.get("code", ""), value.get("scheme", ""), value.get("display", ""))


def _codes(values: list[Mapping[str, str]]) -> tuple[Code, ...]:
    return tuple(map(_code, values))


def _authors(values: list[Mapping[str, list[str]]]) -> tuple[Author, ...]:
    return tuple(Author(**{name: tuple(words) for name, words in value.items()}) for value in values)


def _extra(values: list[Mapping[str, Any]]) -> tuple[ExtraMetadata, ...]:
    return tuple(ExtraMetadata(value["name"], tuple(value.get("values", ()))) for value in values)


_READERS: dict[str, Callable[[Any], Any]] = {
    "status": Status,
    "association": AssociationKind,
    "authors": _authors,
    "extra": _extra,
    **dict.fromkeys(
        (
            "class_code",
            "type_code",
            "format_code",
            "healthcare_facility_type_code",
            "practice_setting_code",
            "content_type_code",
            "documentation",
        ),
        _code,
    ),
    **dict.fromkeys(("confidentiality_codes", "event_codes", "codes"), _codes),
}
