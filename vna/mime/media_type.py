"""Media types as they stand in header fields (RFC 9110 8.3.1, 12.5.1; RFC 2045 5.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from vna.model.errors import BadRequest

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TYPE = re.compile(rf"\s*({_NAME})/({_NAME})")
_ANYTHING = re.compile(r"\s*\*(?=\s*(?:[;,]|$))")  # what Java's HttpURLConnection sends beside */*
# `type=application/dicom` without quotes is no token, for the slash, and yet what viewers send.
_PARAMETER = re.compile(rf'\s*;(?:\s*({_NAME})\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]*))?')
_END = re.compile(r"\s*(,|$)")
_ESCAPED = re.compile(r"\\(.)")


_SHORT = 512
"""Characters of a field up to which what comes of it is remembered: those of most callers are the same few."""


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or range: `name` and the names of parameters in small letters, values as they came, unquoted."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name + "".join(f"; {name}={_quoted(value)}" for name, value in self.parameters.items())


def parse_media_type(text: str) -> MediaType:
    """One media type, as in Content-Type; BadRequest when it is none."""
    return _remembered(text) if len(text) <= _SHORT else _parsed(text)


def _parsed(text: str) -> MediaType:
    found = parse_media_types(text)
    if len(found) != 1:
        raise BadRequest(f"not one media type: {_shown(text)}")
    return found[0]


_remembered = lru_cache(maxsize=512)(_parsed)


def parse_media_types(text: str) -> list[MediaType]:
    """A list with commas between, as in Accept; empty elements are skipped (RFC 9110 5.6.1.2)."""
    found: list[MediaType] = []
    at = 0
    while at < len(text):
        if (end := _END.match(text, at)) and end.end() > at:
            at = end.end()
            continue
        media, at = _one(text, at)
        found.append(media)
        end = _END.match(text, at)
        if end is None:
            raise BadRequest(f"not a media type: {_shown(text)}")
        at = end.end()
    return found


def _one(text: str, at: int) -> tuple[MediaType, int]:
    head = _TYPE.match(text, at) or _ANYTHING.match(text, at)
    if head is None:
        raise BadRequest(f"not a media type: {_shown(text)}")
    parameters: dict[str, str] = {}
    at = head.end()
    while (found := _PARAMETER.match(text, at)) is not None:
        at = found.end()
        if found[1]:
            parameters.setdefault(found[1].lower(), _unquoted(found[2]))
    return MediaType(head[0].strip().lower() if head.re is _TYPE else "*/*", parameters), at


def _unquoted(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value


def _quoted(value: str) -> str:
    if re.fullmatch(_NAME, value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
