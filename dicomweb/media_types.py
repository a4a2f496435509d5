"""Which representation is given: what the caller accepts meets what can be made (PS3.18 8.7, RFC 9110 12.5.1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from starlette.requests import Request

from vna.mime.media_type import MediaType, parse_media_types
from vna.model.errors import BadRequest, NotAcceptable
from vna.model.transfer_syntaxes import (
    ENCAPSULATED_UNCOMPRESSED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    TRANSFER_SYNTAXES,
)

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
JSON = "application/json"
OCTET_STREAM = "application/octet-stream"
MULTIPART = "multipart/related"
_MULTIPART_RANGES = frozenset({MULTIPART, "multipart/*"})
NOT_FOR_THE_WEB = frozenset({IMPLICIT_LE, EXPLICIT_BE})
"""Nothing is made in these, though what is kept in them is given as it is to those who take that (PS3.18 8.7.3)."""
UTF_8 = frozenset({"utf-8", "utf8", "iso_ir 192"})

COMPRESSED: tuple[tuple[str, tuple[str, ...]], ...] = (  # PS3.18 Table 8.7.3-5; the first is the default of its type
    ("image/jpeg", ("4.70", "4.50", "4.51", "4.57")),
    ("image/dicom-rle", ("5",)),
    ("image/jls", ("4.80", "4.81")),
    ("image/jp2", ("4.90", "4.91")),
    ("image/jpx", ("4.92", "4.93")),
    ("image/jphc", ("4.201", "4.202", "4.203")),
    ("image/jxl", ("4.110", "4.111", "4.112")),
    ("video/mpeg", ("4.100", "4.100.1", "4.101", "4.101.1")),
    (
        "video/mp4",
        ("4.102", "4.102.1", "4.103", "4.103.1", "4.104", "4.104.1", "4.105", "4.105.1", "4.106", "4.106.1"),
    ),
    ("video/H265", ("4.107", "4.108")),
)
_MEDIA_TYPE = {f"1.2.840.10008.1.2.{end}": name for name, ends in COMPRESSED for end in ends}


REMEMBERED = 512
"""Characters of an Accept field up to which what comes of it is remembered."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One way in which a resource can be given.

    `syntaxes` are the values of a transfer-syntax parameter that it satisfies, and `unasked` whether it is right for
    those who name its media type and send none. Without `syntaxes` the parameter means nothing to it.
    """

    media_type: str
    multipart: bool = False
    syntaxes: frozenset[str] = frozenset()
    unasked: bool = True

    def __str__(self) -> str:
        return f'{MULTIPART}; type="{self.media_type}"' if self.multipart else self.media_type


def pixel_media_type(transfer_syntax_uid: str) -> str:
    """The media type of frames kept in a transfer syntax."""
    return _MEDIA_TYPE.get(transfer_syntax_uid, OCTET_STREAM)


def is_native(transfer_syntax_uid: str) -> bool:
    """Whether frames kept in it are plain little endian numbers when they are given."""
    known = TRANSFER_SYNTAXES.get(transfer_syntax_uid)
    return known is not None and (not known.encapsulated or transfer_syntax_uid == ENCAPSULATED_UNCOMPRESSED)


def pixel_offers(transfer_syntax_uid: str, *, single: bool) -> list[Offer]:
    """How pixel data kept in a syntax can be given without changing it; `single` where it may stand without multipart.

    As application/octet-stream compressed pixels go only to who names their syntax or says transfer-syntax=*.
    """
    media_type = pixel_media_type(transfer_syntax_uid)
    if is_native(transfer_syntax_uid):
        plain = frozenset({EXPLICIT_LE, transfer_syntax_uid})
        offers = [Offer(OCTET_STREAM, multipart=True, syntaxes=plain)]
    else:
        stored = frozenset({transfer_syntax_uid})
        offers = [Offer(OCTET_STREAM, multipart=True, syntaxes=stored, unasked=False)]
        if media_type != OCTET_STREAM:
            offers.insert(0, Offer(media_type, multipart=True, syntaxes=stored))
    if single:
        offers += [Offer(offer.media_type, False, offer.syntaxes, offer.unasked) for offer in offers]
    return offers


def pixel_content_type(offer: Offer, transfer_syntax_uid: str) -> str:
    """Content-Type of a frame, with its syntax: Explicit VR Little Endian for plain numbers (Table 8.7.3-4)."""
    syntax = EXPLICIT_LE if is_native(transfer_syntax_uid) else transfer_syntax_uid
    return f"{offer.media_type}; transfer-syntax={syntax}"


def acceptable(request: Request) -> Sequence[MediaType]:
    """What the caller takes, anything where it does not say; BadRequest where it takes none of it in UTF-8."""
    return ranges_of(accept_field(request))


def accept_field(request: Request) -> str:
    """The `accept` parameter (PS3.18 8.3.3.1), else the header field, as one text."""
    asked: list[str] = []
    if request.scope["query_string"]:
        check_charset(request)
        asked = request.query_params.getlist("accept")
    asked = asked or request.headers.getlist("accept")
    # An unescaped plus sign of application/dicom+json has become a space on the way.
    return ",".join(asked).replace("dicom json", "dicom+json").replace("dicom xml", "dicom+xml")


def ranges_of(accept: str) -> Sequence[MediaType]:
    """The ranges of a text that `accept_field` gives; those of most callers are the same few."""
    return _remembered_ranges(accept) if len(accept) <= REMEMBERED else _ranges(accept)


def _ranges(accept: str) -> Sequence[MediaType]:
    return tuple(parse_media_types(accept)) or (MediaType("*/*"),)


_remembered_ranges = lru_cache(maxsize=512)(_ranges)


def check_charset(request: Request) -> None:
    """BadRequest for a `charset` parameter without UTF-8, the one that texts of ours are in (PS3.18 8.3.3.2, 8.8).

    Accept-Charset is passed over, as RFC 9110 12.5.2 allows: browsers and proxies write it, not whoever asks.
    """
    named = ",".join(request.query_params.getlist("charset"))
    sets = [one.partition(";")[0].strip(' "').lower() for one in named.split(",")]
    if named and not UTF_8.intersection(sets):
        raise BadRequest(f"charset: answers are in UTF-8, not in {named[:64]}")


def choose(
    ranges: Sequence[MediaType], offers: Sequence[Offer], by_name: Callable[[], Sequence[Offer]] = tuple
) -> Offer:
    """The offer that the caller likes best; among equals the range named first, then the offer made first.

    NotAcceptable names what could have been given, those that have to be asked for by name (`by_name`) among it.
    """
    best: tuple[tuple[float, int], Offer] | None = None
    for offer in offers:
        rank = _rank(ranges, offer)
        if rank is not None and (best is None or rank > best[0]):
            best = (rank, offer)
    if best is None:
        raise NotAcceptable(f"this can be given as {_listed([*offers, *by_name()])}")
    return best[1]


def _rank(ranges: Sequence[MediaType], offer: Offer) -> tuple[float, int] | None:
    """Quality and place of the most specific range that covers the offer (RFC 9110 12.5.1)."""
    found: tuple[int, float, int] | None = None
    for index, media in enumerate(ranges):
        specificity = _covers(media, offer)
        if specificity and (found is None or specificity > found[0]):
            found = (specificity, _quality(media), -index)
    return (found[1], found[2]) if found is not None and found[1] > 0 else None


def _covers(media: MediaType, offer: Offer) -> int:
    """How specific the range is about the offer; 0 when it does not cover it."""
    inner = media.name
    if media.name in _MULTIPART_RANGES:
        if not offer.multipart:
            return 0
        inner = media.parameters.get("type", "*/*").lower()
    elif offer.multipart and media.name != "*/*":
        return 0
    specificity = _name_covers(inner, offer.media_type.lower())
    if not specificity or not offer.syntaxes:
        return specificity
    syntax = media.parameters.get("transfer-syntax", "")
    if not syntax:
        return specificity if offer.unasked or inner == "*/*" else 0
    return specificity + 4 if syntax in ("*", *offer.syntaxes) else 0


def _name_covers(pattern: str, name: str) -> int:
    if pattern == name:
        return 3
    if pattern == "*/*":
        return 1
    return 2 if pattern.endswith("/*") and name.startswith(pattern[:-1]) else 0


def _quality(media: MediaType) -> float:
    try:
        return min(max(float(media.parameters.get("q", "1")), 0.0), 1.0)
    except ValueError:
        return 1.0


def _listed(offers: Sequence[Offer]) -> str:
    """Each media type once, with the transfer syntaxes in which it can be had."""
    syntaxes: dict[str, list[str]] = {}
    for offer in offers:
        syntaxes.setdefault(str(offer), []).extend(uid for uid in sorted(offer.syntaxes) if uid[0].isdigit())
    return ", ".join(
        f"{name} (transfer-syntax {' or '.join(dict.fromkeys(uids))})" if uids else name
        for name, uids in syntaxes.items()
    )
