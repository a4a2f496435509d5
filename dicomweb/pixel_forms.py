"""In which form pixels are given: as they are kept, or in a transfer syntax that is asked for (PS3.18 8.7.3.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from dicomweb.media_types import (
    COMPRESSED,
    OCTET_STREAM,
    REMEMBERED,
    Offer,
    choose,
    is_native,
    pixel_content_type,
    pixel_media_type,
    pixel_offers,
    ranges_of,
)
from vna.mime.media_type import MediaType
from vna.model.transfer_syntaxes import EXPLICIT_LE, TRANSFER_SYNTAXES, can_transcode, can_transcode_lossily

_DEFAULTS = tuple(f"1.2.840.10008.1.2.{ends[0]}" for _, ends in COMPRESSED)
"""What a media type without transfer-syntax means (PS3.18 Table 8.7.3-5)."""


@dataclass(frozen=True, slots=True)
class PixelForm:
    """The offer that was chosen; `target` names the transfer syntax to be made, "" leaves what is kept."""

    offer: Offer
    target: str
    content_type: str


def pixel_form(accept: str, stored: str, *, single: bool, alone: bool = False) -> PixelForm:
    """`choose_pixels` for the text that `accept_field` gives."""
    if len(accept) > REMEMBERED:
        return _chosen(accept, stored, single, alone)
    return _remembered(accept, stored, single, alone)


def _chosen(accept: str, stored: str, single: bool, alone: bool) -> PixelForm:
    return choose_pixels(ranges_of(accept), stored, single=single, alone=alone)


_remembered = lru_cache(maxsize=512)(_chosen)


def choose_pixels(ranges: Sequence[MediaType], stored: str, *, single: bool, alone: bool = False) -> PixelForm:
    """What the caller likes best of frames kept in `stored`; `single` where one may stand without multipart, and
    `alone` where that comes first.

    As they are kept comes first; plain little endian numbers is what application/octet-stream means by itself.
    """
    targets: dict[Offer, str] = {}
    for offer in pixel_offers(stored, single=single):
        targets.setdefault(offer, "")
    if not is_native(stored) and can_transcode_lossily(stored, EXPLICIT_LE):
        _add(targets, OCTET_STREAM, EXPLICIT_LE, single=single)
    for uid in _DEFAULTS:
        if uid != stored and can_transcode(stored, uid):
            _add(targets, pixel_media_type(uid), uid, single=single)
    _add_named(targets, (media.parameters.get("transfer-syntax", "") for media in ranges), stored, single=single)

    def by_name() -> list[Offer]:
        every: dict[Offer, str] = {}
        _add_named(every, TRANSFER_SYNTAXES, stored, single=single)
        return list(every)

    offer = choose(ranges, sorted(targets, key=lambda offer: alone and offer.multipart), by_name)
    target = targets[offer]
    return PixelForm(offer, target, pixel_content_type(offer, target or stored))


def _add_named(targets: dict[Offer, str], named: Iterable[str], stored: str, *, single: bool) -> None:
    for uid in dict.fromkeys(named):
        syntax = TRANSFER_SYNTAXES.get(uid)
        if syntax and syntax.encapsulated and uid != stored and can_transcode_lossily(stored, uid):
            for media_type in (pixel_media_type(uid), OCTET_STREAM):
                _add(targets, media_type, uid, single=single, unasked=False)


def _add(targets: dict[Offer, str], media_type: str, uid: str, *, single: bool, unasked: bool = True) -> None:
    for multipart in (True, False) if single else (True,):
        targets.setdefault(Offer(media_type, multipart, frozenset({uid}), unasked), uid)
