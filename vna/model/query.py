"""A search, between the wire and the index: doors parse into it, the index answers it (PS3.4 C.2.2.2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from vna.model.reach import Reach

Element = dict[str, Any]
"""One element of the DICOM JSON model (PS3.18 F.2): {"vr": "CS", "Value": ["CT"]}."""


class Level(IntEnum):
    """Query/Retrieve levels, from the root down (PS3.4 C.6.1.1)."""

    PATIENT = 0
    STUDY = 1
    SERIES = 2
    IMAGE = 3


@dataclass(frozen=True, slots=True)
class Key:
    """One matching key.

    `path` is tags as 8 hex digits from the top, more than one inside sequences: ("00400275", "00401001").
    `values` are texts as they came: several for a list of UIDs (or of any value, where the door allows it), each
    possibly with wildcards or a range. No values: universal matching, which matches everything.
    """

    path: tuple[str, ...]
    vr: str
    values: tuple[str, ...] = ()


def series_keys(study_instance_uid: str, series_instance_uid: str) -> tuple[Key, ...]:
    """The keys of one series."""
    return Key(("0020000D",), "UI", (study_instance_uid,)), Key(("0020000E",), "UI", (series_instance_uid,))


@dataclass(frozen=True, slots=True)
class Order:
    """One attribute that answers are ordered by."""

    tag: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched: matching keys, at one level, within the levels above.

    `keys` may be of the query level and of any level above it (relational or hierarchical).
    `returns` are the tags wanted beside those that are always given; None asks for all that is known.
    `fuzzy` takes the words of a person's name in any order, each by its beginning; `phonetic` also by its sound.
    `combined_datetime` matches range keys of a date and its time as one range of moments (PS3.4 C.2.2.2.5.4).
    `empty_value_matching` gives the value `""` (two quotation marks) the meaning of no value (PS3.4 C.2.2.2.7).
    `multiple_value_matching` wants every value of a key matched, not one of them (PS3.4 C.2.2.2.8).
    `within` is what the caller may see, whatever the keys say; None where they may see all.
    `order` comes before the archive's own order: newest studies first, series and instances by number.
    """

    level: Level
    keys: tuple[Key, ...] = ()
    returns: frozenset[str] | None = frozenset()
    fuzzy: bool = False
    phonetic: bool = False
    combined_datetime: bool = True
    empty_value_matching: bool = False
    multiple_value_matching: bool = False
    within: Reach | None = None
    limit: int | None = None
    offset: int = 0
    order: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """One answer: elements by tag, computed ones included: `own` of the query level, `above` of all levels above it.

    Matches that lie under one row share its `above`.
    """

    level: Level
    own: Mapping[str, Element]
    above: Mapping[str, Element]
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    sop_instance_uid: str = ""

    @property
    def elements(self) -> Mapping[str, Element]:
        """Those of all levels."""
        return {**self.above, **self.own}


@dataclass(frozen=True, slots=True)
class Lack:
    """Why what an archive elsewhere gave to an answer is not the whole of it; `reason` follows the name of `source`."""

    source: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Matches of one page; `capped` when the archive's own bound ended it before the caller's did, `cap` names that.

    `unsupported` are tags that were asked and are not known at the level: keys among them narrowed nothing. `lacking`
    says which archives elsewhere that were asked are not, or not whole, in it.
    """

    matches: tuple[Match, ...] = field(default=())
    capped: bool = False
    cap: str = ""
    unsupported: frozenset[str] = frozenset()
    lacking: tuple[Lack, ...] = ()


@dataclass(frozen=True, slots=True)
class Total:
    """How many match; at least as many where `cap` names the bound that ended the count."""

    number: int
    cap: str = ""
    unsupported: frozenset[str] = frozenset()
