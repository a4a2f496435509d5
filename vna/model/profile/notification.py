"""Notification of the payer."""

from pydantic import field_validator

from vna.model.profile.section import Section
from vna.model.profile.sut_codes import codes_of


class NotificationProfile(Section):
    """`sut_codes` are those for which the accession number has to be told: single codes, or `803870-804510/10`."""

    sut_codes: tuple[str, ...] = ()
    payers_not_told: frozenset[str] = frozenset({"Other"})

    @field_validator("sut_codes")
    @classmethod
    def _are_codes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        codes_of(value)
        return value

    def tells_accession(self, sut_code: str) -> bool:
        """Whether the accession number has to be told for this code."""
        return sut_code in codes_of(self.sut_codes)

    def tells(self, payer: str) -> bool:
        """Whether this payer (PV1-20) is told at all."""
        return payer.casefold() not in {one.casefold() for one in self.payers_not_told}
