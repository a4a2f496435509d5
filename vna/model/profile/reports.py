"""What reports have to say."""

from typing import Literal

from pydantic import PositiveInt

from vna.model.profile.section import DatedRule, Section


class ReportsProfile(Section):
    """`required_parts` by their numbers, `findings_at_least` and `longest_part` in characters.

    Addenda need all that only where `complete_addenda` says so. `objects` are what is stored of an approved report
    beside its images: a structured report, an encapsulated PDF.
    """

    required_parts: tuple[str, ...] = ("3", "4")
    findings_at_least: int = 50
    longest_part: PositiveInt = 100_000
    complete_addenda: bool = False
    radiologist_check: DatedRule = DatedRule()
    objects: tuple[Literal["sr", "pdf"], ...] = ("sr", "pdf")
