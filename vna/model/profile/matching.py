"""How orders meet images."""

from vna.model.profile.section import Section


class MatchingProfile(Section):
    """`together_minutes`: orders of one patient, doctor and modality that are scheduled within these minutes may share
    one acquisition. `markers` stand where there is no accession number, and are never keys."""

    together_minutes: int = 40
    markers: frozenset[str] = frozenset({"9998", "9999"})
