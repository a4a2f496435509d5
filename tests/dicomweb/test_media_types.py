"""Negotiation: what callers write into Accept meets what can be given."""

from __future__ import annotations

import pytest

from dicomweb.media_types import COMPRESSED, Offer, choose, pixel_content_type, pixel_media_type, pixel_offers
from vna.mime.media_type import parse_media_types
from vna.model.errors import NotAcceptable

EXPLICIT_LE = "1.2.840.10008.1.2.1"
JPEG_LS = "1.2.840.10008.1.2.4.80"
METADATA = (Offer("application/dicom+json"), Offer("application/json"), Offer("application/dicom+xml", multipart=True))


@pytest.mark.claim("PS3.18-8.4.1", "PS3.18-8.7.1", "PS3.18-8.7.7", "PS3.18-8.7.8")
@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*", "application/dicom+json"),
        ("application/*", "application/dicom+json"),
        ("application/json", "application/json"),
        ("application/dicom+json, application/json;q=0.9", "application/dicom+json"),
        ("application/dicom+json;q=0.1, application/json;q=0.9", "application/json"),
        ('multipart/related; type="application/dicom+xml"', 'multipart/related; type="application/dicom+xml"'),
        ("multipart/related;type=application/dicom+xml", 'multipart/related; type="application/dicom+xml"'),
        ("multipart/related", 'multipart/related; type="application/dicom+xml"'),
        ("multipart/*", 'multipart/related; type="application/dicom+xml"'),
        ("multipart/*;q=0.5, application/json;q=0.9", "application/json"),
        ("application/dicom+json;q=0, */*", "application/json"),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", "application/dicom+json"),
        ("application/json, application/dicom+json", "application/json"),
        ("Application/DICOM+JSON", "application/dicom+json"),
        ("application/json;q=high", "application/json"),
    ],
)
def test_the_best_liked_representation_is_chosen(accept: str, chosen: str) -> None:
    assert str(choose(parse_media_types(accept), METADATA)) == chosen


@pytest.mark.claim("PS3.18-8.5/406", "PS3.18-8.7.7")
@pytest.mark.parametrize("accept", ["text/html", "application/dicom+xml", "application/dicom+json;q=0", "image/*"])
def test_nothing_acceptable_is_refused_with_what_there_is(accept: str) -> None:
    with pytest.raises(NotAcceptable, match=r'application/dicom\+json, application/json, multipart/related; type="'):
        choose(parse_media_types(accept), METADATA)


OCTETS = "application/octet-stream"
OHIF = "multipart/related; type=application/octet-stream; transfer-syntax=*"
DICOMWEB_CLIENT = 'multipart/related; type="*/*"'
PLAIN = 'multipart/related; type="application/octet-stream"'
JLS = 'multipart/related; type="image/jls"'
IMPLICIT_LE = "1.2.840.10008.1.2"
H265 = "1.2.840.10008.1.2.4.107"
LOSSLESS_JPEG = "1.2.840.10008.1.2.4.70"

FRAMES = [  # Accept, stored syntax, what is chosen ("" is 406), syntax in the Content-Type of the frame
    (DICOMWEB_CLIENT, EXPLICIT_LE, OCTETS, EXPLICIT_LE),
    (DICOMWEB_CLIENT, JPEG_LS, "image/jls", JPEG_LS),
    ("multipart/*", EXPLICIT_LE, OCTETS, EXPLICIT_LE),
    ("multipart/*", JPEG_LS, "image/jls", JPEG_LS),
    (OHIF, EXPLICIT_LE, OCTETS, EXPLICIT_LE),
    (OHIF, JPEG_LS, OCTETS, JPEG_LS),
    (PLAIN, EXPLICIT_LE, OCTETS, EXPLICIT_LE),
    (PLAIN, IMPLICIT_LE, OCTETS, EXPLICIT_LE),
    (PLAIN, JPEG_LS, "", ""),
    (f"{PLAIN}; transfer-syntax={EXPLICIT_LE}", IMPLICIT_LE, OCTETS, EXPLICIT_LE),
    (f"{PLAIN}; transfer-syntax={EXPLICIT_LE}", JPEG_LS, "", ""),
    (JLS, JPEG_LS, "image/jls", JPEG_LS),
    (f"{JLS}; transfer-syntax={JPEG_LS}", JPEG_LS, "image/jls", JPEG_LS),
    (f"{JLS}; transfer-syntax=1.2.840.10008.1.2.4.81", JPEG_LS, "", ""),
    (JLS, EXPLICIT_LE, "", ""),
    ('multipart/related; type="image/*"', JPEG_LS, "image/jls", JPEG_LS),
    ('multipart/related; type="video/*", multipart/related; type="image/*"', JPEG_LS, "image/jls", JPEG_LS),
    ("image/jls", JPEG_LS, "image/jls", JPEG_LS),
    ('multipart/related; type="video/H265"', H265, "video/H265", H265),
    ("*/*", LOSSLESS_JPEG, "image/jpeg", LOSSLESS_JPEG),
    ("*/*", "1.2.840.10008.1.2.4.55", OCTETS, "1.2.840.10008.1.2.4.55"),  # retired, without a media type of its own
    (PLAIN, "1.2.840.10008.1.2.4.55", "", ""),
    ("*/*", "1.2.840.10008.1.2.1.98", OCTETS, EXPLICIT_LE),
    ("*/*", "1.2.840.10008.1.2.1.99", OCTETS, EXPLICIT_LE),
]


@pytest.mark.parametrize(("accept", "stored", "chosen", "syntax"), FRAMES)
def test_pixels_are_given_as_stored_to_those_who_take_them(accept: str, stored: str, chosen: str, syntax: str) -> None:
    offers = pixel_offers(stored, single=True)
    if not chosen:
        with pytest.raises(NotAcceptable, match=stored.replace(".", r"\.")):
            choose(parse_media_types(accept), offers)
        return
    offer = choose(parse_media_types(accept), offers)
    assert offer.multipart == ("multipart" in accept or accept == "*/*")
    assert pixel_content_type(offer, stored) == f"{chosen}; transfer-syntax={syntax}"


STANDARD = """
image/jpeg 4.50 4.51 4.57 4.70
image/dicom-rle 5
image/jls 4.80 4.81
image/jp2 4.90 4.91
image/jpx 4.92 4.93
image/jphc 4.201 4.202 4.203
image/jxl 4.110 4.111 4.112
video/mpeg 4.100 4.101
video/mp4 4.102 4.103 4.104 4.105 4.106
video/H265 4.107 4.108
application/octet-stream 1 2
"""
"""PS3.18 Tables 8.7.3-4 and 8.7.3-5, written down apart from the code: what follows 1.2.840.10008.1.2."""


@pytest.mark.claim("PS3.18-8.7.3.3.2")
def test_media_types_of_pixels_are_those_of_the_standard() -> None:
    for line in STANDARD.split("\n"):
        name, *syntaxes = line.split() or [""]
        for syntax in syntaxes:
            assert pixel_media_type(f"1.2.840.10008.1.2.{syntax}") == name
    assert len({end for _, ends in COMPRESSED for end in ends}) == sum(len(ends) for _, ends in COMPRESSED)
