"""Rules of how long studies are kept: the first that fits a study is its rule; what none fits is kept for ever."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from storage.index.retention import Kept

Then = Literal["report", "reject", "delete", "purge"]


@dataclass(frozen=True, slots=True)
class Rule:
    """For studies of one of the `modalities` and `facilities` (any where none is said), of patients younger than
    `under_age` at the study where that is said: kept for so many `years` since the study date, or since the first image
    `arrived`, and until the patient is `until_age`; for ever when neither is said."""

    name: str
    modalities: tuple[str, ...] = ()
    facilities: tuple[str, ...] = ()
    under_age: int | None = None
    years: float | None = None
    until_age: int | None = None
    arrived: bool = False
    then: Then = "report"
    purge_days: int = 90


def rule_of(rules: Sequence[Rule], study: Kept) -> Rule | None:
    """The rule of a study; None when none fits."""
    return next((rule for rule in rules if _fits(rule, study)), None)


def is_due(rule: Rule, study: Kept, today: date) -> bool:
    """Whether its time is over. What does not say enough is not due: no date of birth, no date at all."""
    if rule.years is None and rule.until_age is None:
        return False
    return (rule.years is None or _years_over(rule, study, today)) and (
        rule.until_age is None or _is_of_age(study, rule.until_age, today)
    )


def earliest(rules: Sequence[Rule]) -> float:
    """The fewest years after which any study may be due."""
    return min((rule.years or 0.0 for rule in rules), default=0.0)


def _fits(rule: Rule, study: Kept) -> bool:
    if rule.modalities and not set(rule.modalities) & set(study.modalities.strip("\\").split("\\")):
        return False
    if rule.facilities and study.facility not in rule.facilities:
        return False
    if rule.under_age is None:
        return True
    born, made = _date(study.birth_date), _since(study, arrived=False)
    return born is None or made is None or _later(born, rule.under_age) > made  # who may be a child is one


def _years_over(rule: Rule, study: Kept, today: date) -> bool:
    since = _since(study, arrived=rule.arrived)
    return since is not None and rule.years is not None and _later(since, rule.years) <= today


def _is_of_age(study: Kept, age: int, today: date) -> bool:
    born = _date(study.birth_date)
    return born is not None and _later(born, age) <= today


def _since(study: Kept, *, arrived: bool) -> date | None:
    came = datetime.fromisoformat(study.first_received_at).date() if study.first_received_at else None
    return came if arrived else _date(study.study_date) or came


def _later(day: date, years: float) -> date:
    whole, part = divmod(years, 1)
    month = day.month - 1 + round(part * 12)
    year = day.year + int(whole) + month // 12
    if year > date.max.year:
        return date.max
    for number in (day.day, 30, 29, 28):
        try:
            return date(year, month % 12 + 1, number)
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None
