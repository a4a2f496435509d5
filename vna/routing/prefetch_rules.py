"""Which priors are fetched before anybody asks for them: rules, from a TOML file (`prefetch.toml` is an example)."""

import re
import tomllib
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from vna.model.errors import BadRequest
from vna.model.examinations import Examination
from vna.model.names import folded

EXAMPLE = Path(__file__).with_name("prefetch.toml")
"""The rules that come along: settings call them `example`."""

_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])\Z")
_DATE = re.compile(r"[0-9]{8}\Z")
_DAY = timedelta(days=1)


def _words(text: str) -> str:
    if not text.strip():
        raise ValueError("an empty text says nothing")
    return text.strip()


def _listed(value: object) -> object:
    if isinstance(value, str):
        raise ValueError('this is a list, such as ["CT"]')  # noqa: TRY004 - pydantic takes ValueError
    return value


def _zone(text: str) -> str:
    try:
        return text and ZoneInfo(text).key
    except (KeyError, OSError, ValueError) as exc:
        raise ValueError("a time zone looks like Europe/Istanbul") from exc


Words = Annotated[tuple[Annotated[str, AfterValidator(_words)], ...], BeforeValidator(_listed)]
Count = Annotated[int, Field(strict=True, ge=1, le=100_000)]
Few = Annotated[int, Field(strict=True, ge=1, le=50)]
Flag = Annotated[bool, Field(strict=True)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Occasion(_Model):
    """Which examinations a rule is for: what is said has to fit, and a list fits when one of it does.

    `words` are looked for in the description, `codes` among the codes of the procedure. What is older than
    `within_days` is no patient who comes, but an archive that is moved.
    """

    modalities: Words = ()
    facilities: Words = ()
    words: Words = ()
    codes: Words = ()
    body_parts: Words = ()
    within_days: Count = 7

    def fits(self, one: Examination, today: date) -> bool:
        """Whether it is for this examination."""
        made = _day(one.date)
        if made is not None and today - made > timedelta(days=self.within_days):
            return False
        said = folded(one.description)
        return (
            _meet(self.modalities, one.modalities)
            and _meet(self.facilities, [one.facility])
            and (not self.words or any(folded(word) in said for word in self.words))
            and _meet(self.codes, one.codes)
            and _meet(self.body_parts, one.body_parts)
        )


class Priors(_Model):
    """Which earlier examinations are wanted: the newest that fit, at most so many, and at most so many instances in
    all. `nearline` takes those as well that their archive itself has to get from somewhere."""

    modalities: Words = ()
    same_body_part: Flag = False
    days: Count | None = None
    most_studies: Few = 3
    most_instances: Count = 3000
    nearline: Flag = False

    def fits(self, prior: Examination, one: Examination, today: date) -> bool:
        """Whether it is wanted for this examination. What does not say its body part or modality may be."""
        if prior.study_instance_uid == one.study_instance_uid:
            return False
        if prior.modalities and not _meet(self.modalities, prior.modalities):
            return False
        if self.same_body_part and prior.body_parts and not _meet(one.body_parts, prior.body_parts):
            return False
        if self.days is None:
            return True
        made = _day(prior.date)
        return made is not None and (_day(one.date) or today) - made <= timedelta(days=self.days)


class Rule(_Model):
    """One rule. `sources` are names of sources, none for all; `hours` are parts of the day, none for any."""

    name: Annotated[str, AfterValidator(_words)]
    examination: Occasion = Occasion()
    priors: Priors = Priors()
    sources: Words = ()
    hours: Words = ()

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            found = _HOURS.match(text)
            if found is None or found.groups()[:2] == found.groups()[2:]:
                raise ValueError(f"{text} is no part of the day: write 19:00-07:00")
        return value

    def opens(self, now: datetime) -> datetime:
        """When its hours are next: `now` within them."""
        if any(_is_within(now.time(), *_ends(text)) for text in self.hours) or not self.hours:
            return now
        starts = (datetime.combine(now.date(), _ends(text)[0], now.tzinfo) for text in self.hours)
        return min(start if start > now else start + _DAY for start in starts)


class Rules(_Model):
    """All of them; the first that fits an examination decides. `time_zone` is for hours; the machine's when empty."""

    time_zone: Annotated[str, AfterValidator(_zone)] = ""
    rule: tuple[Rule, ...] = Field(default=(), max_length=200)

    @field_validator("rule")
    @classmethod
    def _have_names(cls, value: tuple[Rule, ...]) -> tuple[Rule, ...]:
        names = [rule.name for rule in value]
        twice = next((name for name in names if names.count(name) > 1), "")
        if twice:
            raise ValueError(f"two rules are called {twice!r}")
        return value

    def now(self) -> datetime:
        """Where the hours are."""
        return datetime.now(ZoneInfo(self.time_zone)) if self.time_zone else datetime.now().astimezone()

    def first(self, one: Examination) -> Rule | None:
        """The rule for an examination; None when nothing is to be fetched."""
        today = self.now().date()
        return next((rule for rule in self.rule if rule.examination.fits(one, today)), None)


def read(path: Path) -> Rules:
    """The rules of a file; BadRequest in words that name the place."""
    try:
        rules = Rules.model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as exc:
        raise BadRequest(f"{path}: {_complaint(exc)}") from exc
    except (OSError, ValueError) as exc:
        raise BadRequest(f"{path} cannot be read as rules of what is fetched ahead: {exc}") from exc
    if not rules.rule:
        raise BadRequest(f"{path} has no rule: it begins with [[rule]]")
    return rules


def named(text: str) -> Rules:
    """The rules that a setting names: a file, `example`, or none."""
    if not text:
        return Rules()
    return read(EXAMPLE if text == "example" else Path(text))


def _complaint(exc: ValidationError) -> str:
    error = exc.errors(include_input=False, include_url=False)[0]
    where = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    if error["type"] == "extra_forbidden":
        return f"{where}: there is no such key"
    message = str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "should be")
    return f"{where}: {message}"


def _meet(wanted: Iterable[str], said: Iterable[str]) -> bool:
    """Whether one of them is the same; nothing wanted is met by everything."""
    names = {folded(one).strip() for one in wanted}
    return not names or not names.isdisjoint(folded(one).strip() for one in said)


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date() if _DATE.match(text) else None  # noqa: DTZ007 - only its day
    except ValueError:
        return None


def _ends(text: str) -> tuple[time, time]:
    begin, end = text.split("-")
    return time.fromisoformat(begin), time.fromisoformat(end)


def _is_within(at: time, begin: time, end: time) -> bool:
    return begin <= at < end if begin < end else at >= begin or at < end
