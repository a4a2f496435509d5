"""What every section of the national profile is."""

from datetime import date

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Frozen; a word that is not known is an error, so that a misspelt rule is not silently without effect."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DatedRule(Section):
    """A rule with the date from which it is in force, by the ordering date; without one it never is."""

    since: date | None = None

    def in_force(self, requested_at: str) -> bool:
        """Whether it holds for an order of this time (local, `YYYYMMDDHHMMSS`)."""
        return self.since is not None and requested_at[:8] >= self.since.strftime("%Y%m%d")
