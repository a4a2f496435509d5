"""What reports have to say."""

from vna.model.profile.section import DatedRule, Section


class ReportsProfile(Section):
    """`required_parts` by their numbers, `findings_at_least` in characters."""

    required_parts: tuple[str, ...] = ("3", "4")
    findings_at_least: int = 50
    radiologist_check: DatedRule = DatedRule()
