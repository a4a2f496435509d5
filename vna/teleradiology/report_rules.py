"""What the national profile asks of reports, and the bounds of what is kept of them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from vna.model.errors import BadRequest, RuleBroken, TooLarge
from vna.model.orders import MOST_ACCESSION, OrderKey, is_accession_number
from vna.model.profile.reports import ReportsProfile
from vna.model.reports import Part, PartName, Report
from vna.teleradiology.sanitising import cleaned, has_controls, plain_text

PARTS, FINDINGS, RADIOLOGIST = "parts", "findings", "radiologist"
"""Names of rules, as `RuleBroken` has them."""

_MOST = {"radiologists": 10, "contrast": 20, "diagnoses": 100}
_LONGEST_WORDS = 1000
_LONGEST_FACILITY, _LONGEST_NUMBER, _LONGEST_NAME = 40, 16, 200
_BEST_RATING = 5


def kept(report: Report, profile: ReportsProfile, markers: frozenset[str] = frozenset()) -> Report:
    """The report as it is kept: parts cleaned and by number, empty ones left out. `markers` are no accession numbers.

    BadRequest for what is no report at all, TooLarge for what is beyond a bound, RuleBroken when a part comes twice.
    """
    _check_key(report.key, markers)
    _check_bounds(report)
    for part in report.parts:
        if len(part.text) > profile.longest_part:
            raise TooLarge(f"part {part.name.value} of the report is longer than {profile.longest_part} characters")
    if len({part.name for part in report.parts}) < len(report.parts):
        raise RuleBroken(PARTS, "a part of the report comes twice")
    parts = sorted(map(cleaned, report.parts), key=lambda part: part.name.value)
    return replace(report, parts=tuple(part for part in parts if plain_text(part)))


def check(report: Report, profile: ReportsProfile) -> None:
    """Whether this may be approved; RuleBroken for the first rule that says no."""
    said = {part.name: part for part in report.parts}
    if not said:
        raise RuleBroken(PARTS, "the report says nothing")
    if report.addendum_to and not profile.complete_addenda:
        return
    for name in map(PartName, profile.required_parts):
        if name not in said:
            raise RuleBroken(PARTS, f"part {name.value} ({name.name.lower()}) of the report is missing")
    findings = said.get(PartName.FINDINGS)
    if findings is not None and _length(findings) < profile.findings_at_least:
        raise RuleBroken(FINDINGS, f"the findings have fewer than {profile.findings_at_least} characters")


def is_time(text: str) -> bool:
    """Whether it is a time as `YYYYMMDDHHMMSS`."""
    if len(text) != len("20261130101500") or not (text.isascii() and text.isdigit()):
        return False
    try:
        datetime.strptime(text, "%Y%m%d%H%M%S")  # noqa: DTZ007 (local, as the model has it)
    except ValueError:
        return False
    return True


def _length(part: Part) -> int:
    return len(" ".join(plain_text(part).split()))


def _check_key(key: OrderKey, markers: frozenset[str]) -> None:
    _check_words([(key.facility, _LONGEST_FACILITY), (key.accession_number, MOST_ACCESSION)])
    number = key.accession_number
    if number in markers:
        raise BadRequest(f"{number} stands where there is no accession number: no report can be of it")
    if not key.facility or not number.strip() or not is_accession_number(number):
        raise BadRequest(
            "a report is of an order: a facility, and an accession number of 1 to 16 characters, no \\ * ?"
        )


def _check_bounds(report: Report) -> None:
    for name, most in _MOST.items():
        if len(getattr(report, name)) > most:
            raise TooLarge(f"{name}: more than {most} of them")
    for rating in (report.reason_rating, report.quality_rating):
        if not 0 <= rating <= _BEST_RATING:
            raise BadRequest(f"a rating goes from 1 to {_BEST_RATING}")
    if report.approved_at and not is_time(report.approved_at):
        raise BadRequest("the time of approval looks like 20261130101500")
    persons = [(one.number, _LONGEST_NUMBER) for one in report.radiologists]
    persons += [(one.name, _LONGEST_NAME) for one in report.radiologists]
    words = [
        (text, _LONGEST_WORDS) for one in report.contrast for text in (one.route, one.substance, one.concentration)
    ]
    words += [(text, _LONGEST_WORDS) for one in report.diagnoses for text in (one.code, one.text)]
    _check_words([*persons, *words, (report.approved_at, 14), (report.source, 128)])


def _check_words(words: Iterable[tuple[str, int]]) -> None:
    for text, most in words:
        if len(text) > most:
            raise TooLarge(f"a value of the report is longer than {most} characters")
        if has_controls(text):
            raise BadRequest("a value of the report has control characters in it")
