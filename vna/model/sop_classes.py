"""Which SOP Classes are storage: (PS3.6 Table A-1, PS3.4 B.5, GG.3)."""

from __future__ import annotations

from typing import Final

from pydicom._uid_dict import UID_dictionary

VERIFICATION: Final = "1.2.840.10008.1.1"

STANDARD: Final = "1.2.840.10008."
STANDARD_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."

NAMED_STORAGE_WITHOUT_BEING: Final = frozenset(
    {
        "1.2.840.10008.1.3.10",  # Media Storage Directory: a DICOMDIR is no instance
        "1.2.840.10008.1.20.1",  # Storage Commitment Push Model
        "1.2.840.10008.1.20.2",  # Storage Commitment Pull Model
    }
)

LATER_STORAGE: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.9.100.1",  # Waveform Presentation State, which pydicom 3.0.2 does not know
        "1.2.840.10008.5.1.4.1.1.9.100.2",  # Waveform Acquisition Presentation State
        "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
        "1.2.840.10008.5.1.4.1.1.66.8",  # Height Map Segmentation
    }
)

STORAGE_CLASSES: Final[frozenset[str]] = LATER_STORAGE | frozenset(
    uid
    for uid, entry in UID_dictionary.items()
    if entry[1] == "SOP Class" and "Storage" in entry[0] and uid not in NAMED_STORAGE_WITHOUT_BEING
)


MODALITIES: Final[dict[str, str]] = {
    STANDARD_STORAGE + suffix: modality
    for modality, suffixes in {
        "CR": ("1",),
        "CT": ("2", "2.1", "2.2"),
        "DX": ("1.1", "1.1.1"),
        "ES": ("77.1.1", "77.1.1.1"),
        "IO": ("1.3", "1.3.1"),
        "KO": ("88.59",),
        "MG": ("1.2", "1.2.1", "13.1.3"),
        "MR": ("4", "4.1", "4.2", "4.3", "4.4"),
        "NM": ("20",),
        "PR": ("11.1", "11.2", "11.3", "11.4"),
        "PT": ("128", "128.1", "130"),
        "RF": ("12.2", "12.2.1"),
        "RTDOSE": ("481.2",),
        "RTIMAGE": ("481.1",),
        "RTPLAN": ("481.5",),
        "RTSTRUCT": ("481.3",),
        "SEG": ("66.4",),
        "SR": ("88.11", "88.22", "88.33", "88.34", "88.67"),
        "US": ("3.1", "6.1", "6.2"),
        "XA": ("12.1", "12.1.1"),
    }.items()
    for suffix in suffixes
}
"""The modality of a class, where it can hardly be another one: for instances that only manifests tell of."""


def may_be_storage(uid: str) -> bool:
    """Whether an abstract syntax is a storage class, or one that no registry knows and that can be one.

    Of the standard's own UIDs, those that are still to come are storage only where it has always assigned storage.
    """
    if uid in STORAGE_CLASSES or uid in UID_dictionary:
        return uid in STORAGE_CLASSES
    return uid.startswith(STANDARD_STORAGE) or not uid.startswith(STANDARD)
