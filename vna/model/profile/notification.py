"""Notification of the payer."""

from vna.model.profile.section import Section


class NotificationProfile(Section):
    """`sut_codes` are those for which the accession number has to be told: single codes, or `803870-804510/10`."""

    sut_codes: tuple[str, ...] = ()
    payers_not_told: frozenset[str] = frozenset({"Other"})
