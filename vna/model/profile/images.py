"""Images that come without an order."""

from typing import Literal

from pydantic import Field

from vna.model.profile.section import Section

Unmatched = Literal["accept", "quarantine"]


class ImagesProfile(Section):
    """`unmatched` is what is done with images that match no order; `facilities` says otherwise by SKRS code."""

    unmatched: Unmatched = "accept"
    facilities: dict[str, Unmatched] = Field(default_factory=dict)

    def unmatched_at(self, facility: str) -> Unmatched:
        """What holds at a facility."""
        return self.facilities.get(facility, self.unmatched)
