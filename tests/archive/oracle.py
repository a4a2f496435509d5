"""What a search should find, decided over pydicom data sets without anything of the archive's (PS3.4 C.2.2.2).

Plain and slow on purpose: explicit tables of letters, dynamic programming for wild cards, dates as `datetime`.
"""

# ruff: noqa: RUF001 (letters that look alike are the point)

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
UNIQUE = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A key, by keywords: "RequestAttributesSequence.ScheduledProcedureStepID"."""

    path: str
    vr: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Modes:
    fuzzy: bool = False
    combined: bool = False
    empty: bool = False


def patient_of(ds: Dataset) -> str:
    issuer = str(ds.get("IssuerOfPatientID", ""))
    return f"{ds.PatientID}|{issuer}" if ds.PatientID else f"study:{ds.StudyInstanceUID}"


def entity_of(ds: Dataset, level: str) -> str:
    return patient_of(ds) if level == "PATIENT" else str(ds[UNIQUE[level]].value)


class Held:
    """Everything that is held, and what only the whole of it says."""

    def __init__(self, datasets: Sequence[Dataset]) -> None:
        self.datasets = datasets
        self._said: dict[tuple[str, str], list[Any]] = {}
        for ds in datasets:
            patient, study, series = patient_of(ds), str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID)
            self._add(study, "ModalitiesInStudy", ds.Modality)
            self._add(study, "SOPClassesInStudy", ds.SOPClassUID)
            self._add(study, "NumberOfStudyRelatedSeries", series)
            self._add(study, "NumberOfStudyRelatedInstances", ds.SOPInstanceUID)
            self._add(series, "NumberOfSeriesRelatedInstances", ds.SOPInstanceUID)
            self._add(patient, "NumberOfPatientRelatedStudies", study)
            self._add(patient, "NumberOfPatientRelatedSeries", series)
            self._add(patient, "NumberOfPatientRelatedInstances", ds.SOPInstanceUID)

    def _add(self, entity: str, keyword: str, value: Any) -> None:
        values = self._said.setdefault((entity, keyword), [])
        if value not in values:
            values.append(value)

    def values(self, ds: Dataset, keyword: str) -> list[Any]:
        """The values of an attribute, counted or gathered where no instance says them."""
        for entity in (patient_of(ds), str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID)):
            values = self._said.get((entity, keyword))
            if values is not None:
                return [len(values)] if keyword.startswith("NumberOf") else values
        return values_of(ds, keyword)

    def answers(self, level: str, asked: Sequence[Asked], modes: Modes) -> set[str]:
        """The entities of `level` that match."""
        found: set[str] = set()
        for ds in self.datasets:
            entity = entity_of(ds, level)
            if entity not in found and matches(ds, self.values, asked, modes):
                found.add(entity)
        return found


Values = Callable[[Dataset, str], list[Any]]


def matches(ds: Dataset, values: Values, asked: Sequence[Asked], modes: Modes) -> bool:
    plain = [key for key in asked if any(value.strip("*") for value in key.values)]
    if modes.combined:
        for dates, times in list(_pairs(plain)):
            if not _combined(ds, dates, times):
                return False
            plain = [key for key in plain if key is not dates and key is not times]
    top = [key for key in plain if "." not in key.path]
    if not all(_one(values(ds, key.path), key, modes) for key in top):
        return False
    sequences = {key.path.split(".")[0] for key in plain} - {key.path for key in top}
    return all(_in_items(ds, name, [k for k in plain if k.path.startswith(name + ".")], modes) for name in sequences)


def _in_items(ds: Dataset, name: str, asked: list[Asked], modes: Modes) -> bool:
    inside = [Asked(key.path.split(".", 1)[1], key.vr, key.values) for key in asked]
    return any(matches(item, values_of, inside, modes) for item in ds.get(name) or [])


def values_of(ds: Dataset, keyword: str) -> list[Any]:
    if tag_for_keyword(keyword) is None or keyword not in ds:
        return []
    value = ds[keyword].value
    values = list(value) if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue" else [value]
    return [one for one in values if one is not None and str(one) != ""]


def _one(values: list[Any], key: Asked, modes: Modes) -> bool:
    return any(_value(values, key.vr, asked, modes) for asked in key.values)


def _value(values: list[Any], vr: str, asked: str, modes: Modes) -> bool:
    if modes.empty and asked == '""':
        return not values
    return any(_JUDGES.get(vr, _text)(str(value), asked, modes) for value in values)


def _text(value: str, asked: str, _: Modes) -> bool:
    return wild(asked.strip(), value.strip())


def _uid(value: str, asked: str, _: Modes) -> bool:
    return value == asked


def _number(value: str, asked: str, _: Modes) -> bool:
    try:
        return Decimal(value.strip()) == Decimal(asked.strip())
    except InvalidOperation:
        return False


def wild(pattern: str, text: str) -> bool:
    """One row of a table for each character of the pattern: where in the text may it have got to?"""
    reached = {0}
    for character in pattern:
        if character == "*":
            reached = set(range(min(reached), len(text) + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < len(text) and _same(character, text[at])}
    return len(text) in reached


PADDING = "\ue000"


def _same(character: str, there: str) -> bool:
    if there == PADDING:  # a component that was not written: only the caret itself meets it
        return character == "^"
    return character in ("?", there)


LETTERS = str.maketrans(
    {
        **dict.fromkeys("Iıİi", "i"),
        **dict.fromkeys("Şş", "s"),
        **dict.fromkeys("Ğğ", "g"),
        **dict.fromkeys("Çç", "c"),
        **dict.fromkeys("Üü", "u"),
        **dict.fromkeys("Öö", "o"),
        **dict.fromkeys("Ää", "a"),
        **dict.fromkeys("Ââ", "a"),
        "ß": "ss",
        "\u0307": "",  # the dot that Python's lower() leaves of İ
    }
)


@cache
def fold(text: str) -> str:
    return text.translate(LETTERS).lower()


def _name(value: str, asked: str, modes: Modes) -> bool:
    groups = [group.rstrip("^") for group in fold(value).split("=")]
    wanted = [group.rstrip("^") for group in fold(asked).rstrip("=").split("=")]
    if len(wanted) == 1:
        strict = any(_padded(wanted[0], group) for group in groups if group)
    else:
        groups += [""] * 3
        strict = all(not want.strip("*") or _padded(want, group) for want, group in zip(wanted, groups, strict=False))
    if strict or not modes.fuzzy:
        return strict
    words = re.findall(r"[^\s^=,.;/_'’-]+", fold(value))
    return all(any(wild(word + "*", one) for one in words) for word in re.findall(r"[^\s^=,.;/_'’-]+", fold(asked)))


def _padded(pattern: str, group: str) -> bool:
    return any(wild(pattern, group + PADDING * more) for more in range(6))


def _day(text: str) -> date | None:
    found = re.fullmatch(r"(\d{4})[.]?(\d\d)[.]?(\d\d)", text.strip())
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def _clock(text: str, last: bool = False) -> time | None:
    """The first or the last microsecond that a time of any precision may mean."""
    digits = text.strip().replace(":", "")
    found = re.fullmatch(r"(\d\d)(\d\d)?(\d\d)?(?:\.(\d+))?", digits)
    if found is None:
        return None
    fill = ("59", "59", "9") if last else ("00", "00", "0")
    fraction = (found[4] or "").ljust(6, fill[2])
    try:
        return time(int(found[1]), int(found[2] or fill[0]), int(found[3] or fill[1]), int(fraction))
    except ValueError:
        return None


def _bounds(asked: str) -> tuple[str, str]:
    if "-" not in asked:
        return asked, asked
    lower, upper = asked.split("-")
    return lower, upper


def _date(value: str, asked: str, _: Modes) -> bool:
    there = _day(value)
    lower, upper = _bounds(asked)
    if there is None:
        return False
    return (not lower or _day(lower) <= there) and (not upper or there <= _day(upper))  # type: ignore[operator]


def _time(value: str, asked: str, _: Modes) -> bool:
    there = _clock(value)
    lower, upper = _bounds(asked)
    if there is None:
        return False
    return (not lower or _clock(lower) <= there) and (not upper or there <= _clock(upper, last=True))  # type: ignore[operator]


def _moment(text: str, last: bool = False) -> datetime:
    """The first or the last microsecond that a date-time of any precision may mean; what gives no offset is UTC."""
    found = re.fullmatch(r"(\d+)([+-]\d{4})?", text)
    assert found is not None
    digits, offset = found[1], found[2] or "+0000"
    fill = "00001231235959" if last else "00000101000000"
    zone = timezone(timedelta(hours=int(offset[:3])))
    first = datetime.strptime(digits + fill[len(digits) :], "%Y%m%d%H%M%S").replace(tzinfo=zone).astimezone(UTC)
    return first + timedelta(microseconds=999_999 if last else 0)


def _datetime(value: str, asked: str, _: Modes) -> bool:
    lower, upper = (asked, asked) if asked.count("-") == 0 else asked.split("-")
    return (not lower or _moment(lower) <= _moment(value)) and (
        not upper or _moment(value) <= _moment(upper, last=True)
    )


_JUDGES = {
    "PN": _name,
    "DA": _date,
    "TM": _time,
    "DT": _datetime,
    "AS": _uid,
    "UI": _uid,
    "IS": _number,
    "DS": _number,
    "US": _number,
}


def _pairs(asked: Iterable[Asked]) -> Iterator[tuple[Asked, Asked]]:
    """Date and time ranges side by side, of the same form."""
    by_path = {key.path: key for key in asked}
    for key in by_path.values():
        other = by_path.get(re.sub(r"Date$", "Time", key.path)) if key.vr == "DA" else None
        if other is None or len(key.values) != 1 or len(other.values) != 1:
            continue
        forms = [tuple(bool(part) for part in one.values[0].split("-")) for one in (key, other)]
        if forms[0] == forms[1] and len(forms[0]) == 2:
            yield key, other


def _combined(ds: Dataset, dates: Asked, times: Asked) -> bool:
    day = _day(str(ds.get(dates.path, "") or ""))
    clock = _clock(str(ds.get(times.path, "") or ""))
    first, last = _bounds(dates.values[0])
    begins, ends = _bounds(times.values[0])
    if day is None:
        return False
    lower, upper = _day(first), _day(last)
    if clock is None:
        return (lower is None or lower <= day) and (upper is None or day <= upper)
    if lower is not None and (day, clock) < (lower, _clock(begins)):
        return False
    return upper is None or (day, clock) <= (upper, _clock(ends, last=True))
