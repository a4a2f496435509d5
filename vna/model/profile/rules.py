"""Rules of billing and completeness."""

from vna.model.profile.section import Section


class RulesProfile(Section):
    """Each rule is a section of its own, with the date from which it is in force."""
