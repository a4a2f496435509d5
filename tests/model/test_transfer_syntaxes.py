"""The table of transfer syntaxes."""

from __future__ import annotations

import pytest
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from vna.model.transfer_syntaxes import TRANSFER_SYNTAXES, can_transcode, can_transcode_lossily

EXPLICIT_LE, IMPLICIT_LE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"

LOSSLESS_IN_THE_STANDARD = {  # PS3.5 10.1 to 10.18, written down by hand
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.98",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.58",
    "1.2.840.10008.1.2.4.65",
    "1.2.840.10008.1.2.4.66",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.92",
    "1.2.840.10008.1.2.4.110",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.5",
}


def test_every_syntax_is_marked_lossy_unless_the_standard_says_it_is_not() -> None:
    assert {uid for uid, syntax in TRANSFER_SYNTAXES.items() if not syntax.lossy} == LOSSLESS_IN_THE_STANDARD


@pytest.mark.parametrize("uid", [uid for uid, syntax in TRANSFER_SYNTAXES.items() if syntax.can_decode])
def test_what_can_be_decoded_has_a_decoder_that_is_installed(uid: str) -> None:
    if uid == "1.2.840.10008.1.2.1.98":  # nothing to decode
        return
    decoder = get_decoder(uid)
    assert decoder.is_native or decoder.is_available


@pytest.mark.parametrize("uid", list(TRANSFER_SYNTAXES))
def test_the_table_agrees_with_pydicom_about_encodings(uid: str) -> None:
    if uid.startswith("1.2.840.10008.1.2.4.11") or uid in {  # pydicom knows no JPEG XL, and takes JPIP for encapsulated
        "1.2.840.10008.1.2.4.94",
        "1.2.840.10008.1.2.4.95",
        "1.2.840.10008.1.2.4.204",
        "1.2.840.10008.1.2.4.205",
    }:
        return
    ours, theirs = TRANSFER_SYNTAXES[uid], UID(uid)
    assert ours.encapsulated == theirs.is_encapsulated
    assert ours.explicit == (not theirs.is_implicit_VR)
    assert ours.little_endian == theirs.is_little_endian
    assert ours.deflated == theirs.is_deflated


@pytest.mark.parametrize(
    ("source", "target", "possible"),
    [
        ("1.2.840.10008.1.2.4.90", IMPLICIT_LE, True),
        (EXPLICIT_LE, "1.2.840.10008.1.2.2", True),
        ("1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.102", True),
        ("1.2.840.10008.1.2.4.102", EXPLICIT_LE, False),
        (EXPLICIT_LE, "1.2.840.10008.1.2.4.50", False),
        ("1.2.840.10008.1.2.4.110", EXPLICIT_LE, False),
        ("1.2.840.10008.1.2.4.94", EXPLICIT_LE, False),
        ("1.2.3.4", "1.2.3.4", True),
        ("1.2.3.4", EXPLICIT_LE, False),
        ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.80", True),
        ("1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.80", False),
    ],
)
def test_only_what_loses_nothing_is_made_and_only_of_what_can_be_decoded(
    source: str, target: str, possible: bool
) -> None:
    assert can_transcode(source, target) is possible


def test_what_loses_something_is_made_for_those_who_ask_for_it() -> None:
    assert can_transcode_lossily(EXPLICIT_LE, "1.2.840.10008.1.2.4.50")
    assert can_transcode_lossily(EXPLICIT_LE, IMPLICIT_LE)
    assert not can_transcode_lossily("1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.50")
