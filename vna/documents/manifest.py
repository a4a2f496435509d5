"""The manifest of a study: a Key Object Selection document that names every instance, and where it is retrieved
(RAD TF-3 4.68.4.1.2, PS3.3 A.35.4, PS3.16 TID 2010)."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pydicom._uid_dict import UID_dictionary

from storage.elements import text
from storage.encode import encode
from storage.part10 import EXPLICIT_LITTLE, write_file_meta
from storage.values import Element
from vna.model.contents import Reference, SeriesContents, StudyContents

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.88.59"
_SERIES_NUMBER = 999
_NAMESPACE = uuid.UUID("b4f0f0c2-2c53-5a0e-9f0e-6d0f3d1a2c77")

Elements = dict[str, Element]

_TYPE_2 = {  # PS3.3 C.7.1.1, C.7.2.1, C.17.6.1, C.7.5.1: there, with a value or without
    "00080020": "DA",
    "00080030": "TM",
    "00080050": "SH",
    "00080070": "LO",
    "00080090": "PN",
    "00081111": "SQ",
    "00100010": "PN",
    "00100020": "LO",
    "00100030": "DA",
    "00100040": "CS",
    "00200010": "SH",
}
_COPIED = (  # what the images say of patient and study, where they do
    *("00080020", "00080030", "00080050", "00080051", "00080090", "00080201", "00081030", "00081032"),
    *("00100010", "00100020", "00100021", "00100024", "00100030", "00100040", "00101002", "0020000D", "00200010"),
)
_OF_ANY_SERIES = ("00080080", "00101000")
_REQUEST = {  # an item of the Referenced Request Sequence (PS3.3 Table C.17-3)
    "00080050": "SH",
    "00081110": "SQ",
    "00321060": "LO",
    "00321064": "SQ",
    "00401001": "SH",
    "00402016": "LO",
    "00402017": "LO",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where the instances are retrieved: by C-MOVE from an AE title, by RAD-69 from the repository of that UID.

    `institution_name` goes before that of the images, where it is not empty.
    """

    retrieve_ae_title: str
    retrieve_location_uid: str
    institution_name: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """What one version of a study's manifest has to itself; `number` is 1 for the first.

    Content Date and Time are those of `made_at` in its own offset from UTC.
    """

    sop_instance_uid: str
    series_instance_uid: str
    number: int
    made_at: datetime


def new_uid() -> str:
    """A UID that nobody has (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def series_uid(study_instance_uid: str, own_oid: str) -> str:
    """The series in which all manifests of a study from one archive are: the same every time."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, f'{own_oid} {study_instance_uid}').int}"


def content(study: StudyContents, source: Source) -> Elements:
    """What the manifest of a study says, whichever version it is."""
    made = {tag: {"vr": vr} for tag, vr in _TYPE_2.items()}
    made.update({tag: study.elements[tag] for tag in _COPIED if tag in study.elements})
    for tag in _OF_ANY_SERIES:
        made.update(next(({tag: one.elements[tag]} for one in study.series if tag in one.elements), {}))
    if source.institution_name:
        made["00080080"] = _one("LO", source.institution_name)
    made.update(
        {
            "00080005": _one("CS", "ISO_IR 192"),
            "00080016": _one("UI", SOP_CLASS),
            "00080060": _one("CS", "KO"),
            "00080070": _one("LO", "VNA"),
            "0020000D": _one("UI", study.study_instance_uid),
            "00200011": _one("IS", _SERIES_NUMBER),
            "0040A040": _one("CS", "CONTAINER"),
            "0040A043": _items([_MANIFEST]),
            "0040A050": _one("CS", "SEPARATE"),
            "0040A375": _items([_evidence(study, source)]),
            "0040A504": _items([{"00080105": _one("CS", "DCMR"), "0040DB00": _one("CS", "2010")}]),
            "0040A730": _items([_mentioned(one) for series in study.series for one in series.instances]),
        }
    )
    requests = list(_requests(study))
    if requests:
        made["0040A370"] = _items(requests)
    return made


def digest(said: Elements) -> str:
    """Tells one content from another, whatever the version."""
    return hashlib.sha256(encode(said)).hexdigest()


def written(said: Elements, version: Version) -> bytes:
    """The manifest as a Part 10 file in Explicit VR Little Endian."""
    at = version.made_at
    own = {
        "00080018": _one("UI", version.sop_instance_uid),
        "00080023": _one("DA", at.strftime("%Y%m%d")),
        "00080033": _one("TM", at.strftime("%H%M%S.%f")),
        "0020000E": _one("UI", version.series_instance_uid),
        "00200013": _one("IS", version.number),
    }
    return write_file_meta(SOP_CLASS, version.sop_instance_uid, EXPLICIT_LITTLE) + encode(said | own)


def _one(vr: str, value: object) -> Element:
    return {"vr": vr, "Value": [value]}


def _items(items: list[Elements]) -> Element:
    return {"vr": "SQ", "Value": items}


_MANIFEST = {"00080100": _one("SH", "113030"), "00080102": _one("SH", "DCM"), "00080104": _one("LO", "Manifest")}


def _evidence(study: StudyContents, source: Source) -> Elements:
    """The study with its series (PS3.3 Table C.17-3a)."""
    listed = [_evidence_series(series, source) for series in study.series]
    return {"00081115": _items(listed), "0020000D": _one("UI", study.study_instance_uid)}


def _evidence_series(series: SeriesContents, source: Source) -> Elements:
    return {
        "00080054": _one("AE", source.retrieve_ae_title),
        "00081199": _items([_reference(one) for one in series.instances]),
        "0020000E": _one("UI", series.series_instance_uid),
        "0040E011": _one("UI", source.retrieve_location_uid),
    }


def _reference(one: Reference) -> Elements:
    return {"00081150": _one("UI", one.sop_class_uid), "00081155": _one("UI", one.sop_instance_uid)}


_KINDS: tuple[tuple[str, Callable[[Reference, str], bool]], ...] = (  # PS3.16 TID 2010, PS3.3 C.18.3 to C.18.5
    ("IMAGE", lambda one, name: one.frames > 0 or "Image" in name),
    ("WAVEFORM", lambda _one, name: "Waveform" in name),
    ("COMPOSITE", lambda _one, _name: True),
)


def _mentioned(one: Reference) -> Elements:
    name = UID_dictionary.get(one.sop_class_uid, ("",))[0]
    kind = next(kind for kind, holds in _KINDS if holds(one, name))
    return {
        "00081199": _items([_reference(one)]),
        "0040A010": _one("CS", "CONTAINS"),
        "0040A040": _one("CS", kind),
    }


def _requests(study: StudyContents) -> Iterator[Elements]:
    """The requested procedures that the images say they are of, each once."""
    seen = set()
    for series in study.series:
        for request in series.elements.get("00400275", {}).get("Value", ()):
            item: Elements = {tag: {"vr": vr} for tag, vr in _REQUEST.items()}
            above = {**study.elements, **series.elements}
            item.update({tag: above[tag] for tag in ("00080050", "00321060", "00321064") if tag in above})
            item.update({tag: request[tag] for tag in _REQUEST if tag in request})
            item["0020000D"] = _one("UI", text(request, "0020000D") or study.study_instance_uid)
            key = encode(item)
            if key not in seen:
                seen.add(key)
                yield item
