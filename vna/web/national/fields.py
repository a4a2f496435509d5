"""Values of the national calls as they stand in JSON: what is taken leniently, and what is given in one form.

Dates come in several forms and go out as ISO 8601 local time without an offset, which is what the services that these
calls are known from give. Names of fields count without regard to case on the way in.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_FORMS = (
    (re.compile(r"(\d{4})-?(\d\d)-?(\d\d)[T ]?(?:(\d\d):?(\d\d):?(\d\d)?(?:\.\d+)?)?"), (0, 1, 2)),
    (re.compile(r"(\d\d)\.(\d\d)\.(\d{4})(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?"), (2, 1, 0)),
)
_OFFSET = re.compile(r"(.{10}[T ].*)(?:Z|[+-]\d\d:?\d\d)")


def _text(value: Any) -> Any:
    """Numbers count as the text that they are; null as nothing."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return "" if value is None else plain(value) if isinstance(value, str) else value


def plain(text: str) -> str:
    """Without spaces around it; ValueError for what no text of ours has, which databases would refuse."""
    text = text.strip()
    if not text.isprintable():
        raise ValueError("it has characters that cannot be printed")
    return text


def _listed(value: Any) -> Any:
    """One value counts as a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


Text = Annotated[str, BeforeValidator(_text), Field(max_length=200, json_schema_extra={"type": ["string", "integer"]})]
"""Text, or a number in its place."""
Required = Annotated[
    str,
    BeforeValidator(_text),
    Field(min_length=1, max_length=64, json_schema_extra={"type": ["string", "integer"]}),
]
Texts = Annotated[list[Required], BeforeValidator(_listed), Field(min_length=1, max_length=500)]


class Asked(BaseModel):
    """What is sent; what is not known in it is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """By which fields can be sent."""
        return tuple(dict.fromkeys((*_aliases(cls), *cls.model_fields)))

    @model_validator(mode="before")
    @classmethod
    def _by_any_case(cls, said: Any) -> Any:
        if not isinstance(said, dict):
            return said
        names = {name.lower(): name for name in cls.names()}
        return {names.get(str(name).lower(), str(name)): value for name, value in said.items()}


def _aliases(model: type[BaseModel]) -> Iterator[str]:
    for field in model.model_fields.values():
        if isinstance(field.validation_alias, AliasChoices):
            yield from (str(choice) for choice in field.validation_alias.choices)


class Given(BaseModel):
    """What is answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def local_time(text: str, *, end: bool = False, zone: ZoneInfo | None = None) -> str:
    """A date or a time in any of the forms, as `YYYYMMDDHHMMSS`; a date alone is its first second, or its last.

    ValueError when it is none. With an offset it is that moment in `zone`.
    """
    text = text.strip()
    if zone is not None and _OFFSET.fullmatch(text):
        return datetime.fromisoformat(text).astimezone(zone).strftime("%Y%m%d%H%M%S")
    for form, order in _FORMS:
        found = form.fullmatch(text)
        if found is None:
            continue
        year, month, day = (found.groups()[place] for place in order)
        hour, minute, second = found.groups()[3:]
        time = f"{hour}{minute}{second or '00'}" if hour else "235959" if end else "000000"
        return datetime.strptime(year + month + day + time, "%Y%m%d%H%M%S").strftime("%Y%m%d%H%M%S")  # noqa: DTZ007
    raise ValueError("a time looks like 2026-01-31T10:00:00, 2026-01-31 or 31.01.2026 10:00")


def iso(text: str) -> str | None:
    """`20260131100000` as `2026-01-31T10:00:00`; None for nothing."""
    if not text:
        return None
    text = text.ljust(14, "0")
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}"


def iso_moment(at: datetime | None, zone: ZoneInfo) -> str | None:
    """A moment as local time, to the second."""
    return at.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds") if at is not None else None
