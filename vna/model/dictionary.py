"""The data dictionary: keywords, tags, value representations (PS3.6), and the paths that searches name attributes by.

A tag is eight hex digits in capitals, as in the DICOM JSON model: "00100010".
"""

import re
from functools import lru_cache

from pydicom.datadict import dictionary_keyword, dictionary_VM, dictionary_VR, private_dictionary_VR, tag_for_keyword

from vna.model.attributes import BY_TAG, COMPUTED
from vna.model.errors import BadRequest

_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?", re.ASCII)
_VR_BY_TAG = {a.tag: a.vr for a in BY_TAG.values()} | {c.tag: c.vr for c in COMPUTED}
MAX_DEPTH = 16
"""Tags in a path: deeper than any object of the standard nests."""


def tag_of(name: str) -> str | None:
    """The tag of a keyword, or of a tag as people write it, 00100010 or 0010,0010 or (0010,0010); None otherwise."""
    found = _TAG.fullmatch(name)
    if found is not None:
        return (found[1] + found[2]).upper()
    tag = tag_for_keyword(name) if name else None  # pydicom knows retired attributes without a keyword
    return None if tag is None else f"{tag:08X}"


def resolve(name: str) -> tuple[str, str] | None:
    """Tag and value representation of a keyword or tag; None when there is none."""
    tag = tag_of(name)
    return None if tag is None else (tag, vr_of(tag))


def path_of(name: str) -> tuple[str, ...]:
    """The tags of an attribute ID, from the top: "RequestAttributesSequence.ScheduledProcedureStepID" (PS3.18 8.3.4.1).

    BadRequest when a part is neither a keyword nor a tag, or a part that should hold items is known to hold none.
    """
    parts = name.split(".")
    if len(parts) > MAX_DEPTH:
        raise BadRequest(f"an attribute may be named by at most {MAX_DEPTH} parts")
    tags = [tag_of(part) for part in parts]
    for part, tag in zip(parts, tags, strict=True):
        if tag is None:
            raise BadRequest(f"{_shown(part)} is neither the keyword nor the tag of an attribute")
    path = tuple(tag for tag in tags if tag is not None)
    for tag in path[:-1]:
        if vr_of(tag) not in {"SQ", "UN"}:
            raise BadRequest(f"{keyword_of(tag) or tag} is no sequence")
    return path


@lru_cache(maxsize=16384)
def vr_of(tag: str, creator: str = "") -> str:
    """The value representation: the first one where the standard leaves a choice, "UN" where nothing is known.

    `creator` is the private creator of a private element, whose VR is known for some.
    """
    known = _VR_BY_TAG.get(tag)
    if known:
        return known
    number = int(tag, 16)
    try:
        if not is_private(tag):
            return dictionary_VR(number).split(" or ")[0]
        if is_private_creator(tag):
            return "LO"
        return str(private_dictionary_VR(number, creator)).split(" or ")[0] if creator else "UN"
    except KeyError:
        return "UL" if tag.endswith("0000") else "UN"


@lru_cache(maxsize=16384)
def keyword_of(tag: str) -> str:
    """The keyword, or "" for tags without one."""
    try:
        return dictionary_keyword(int(tag, 16))
    except KeyError:
        return ""


@lru_cache(maxsize=16384)
def vm_of(tag: str) -> str:
    """The value multiplicity as PS3.6 writes it: "1", "1-3", "2-2n"; unknown attributes may have any number."""
    try:
        return dictionary_VM(int(tag, 16))
    except KeyError:
        return "1-n"


@lru_cache(maxsize=4096)
def time_beside(tag: str) -> str:
    """The time attribute that makes one moment with a date attribute (StudyDate: StudyTime), "" when there is none."""
    keyword = keyword_of(tag)
    if vr_of(tag) != "DA" or "Date" not in keyword:
        return ""
    partner = tag_of(keyword.replace("Date", "Time"))
    return partner if partner and vr_of(partner) == "TM" else ""


def is_private(tag: str) -> bool:
    """Odd group (PS3.5 7.8)."""
    return int(tag[3], 16) % 2 == 1


def is_private_creator(tag: str) -> bool:
    """(gggg,0010-00FF) of an odd group reserves a block (PS3.5 7.8.1)."""
    return is_private(tag) and "0010" <= tag[4:] <= "00FF"


def _shown(text: str) -> str:
    """What a caller sent, short and printable, for the message that names it."""
    return repr(text[:64])
