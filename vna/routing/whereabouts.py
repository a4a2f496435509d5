"""Which known archive keeps what a manifest tells of, the one to ask first first."""

from collections.abc import Iterable, Sequence

from storage.index.manifests import Place
from vna.model.sources import Source


def names(source: Source, location_uid: str, ae_title: str) -> bool:
    """Whether a manifest means this archive: by its Retrieve Location UID, or by an AE title of it."""
    archive = source.archive
    if location_uid and location_uid == archive.retrieve_location_uid:
        return True
    return bool(ae_title) and ae_title in (archive.retrieve_ae_title or archive.ae_title, archive.ae_title)


def candidates(archives: Sequence[Source], places: Iterable[Place]) -> list[Source]:
    """Those that a series can be had from: first whom manifests name, then others of the same facility; each in the
    order of `archives`."""
    places = list(places)
    named = [one for one in archives if any(names(one, p.retrieve_location_uid, p.retrieve_ae_title) for p in places)]
    facilities = {place.facility for place in places if place.facility}
    return named + [one for one in archives if one not in named and one.facility in facilities]
