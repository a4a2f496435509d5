"""The rows of instances that only a manifest tells of: patient and study as it says them, and little else."""

from collections.abc import Iterator, Mapping

from storage.elements import text
from storage.index.instances import NewInstance
from storage.index.packing import pack
from storage.metadata import to_json
from storage.values import Element
from vna.archive import rows
from vna.model.attributes import BY_LEVEL
from vna.model.identifiers import patient_key
from vna.model.instances import Door
from vna.model.manifests import ListedSeries
from vna.model.query import Level
from vna.model.sop_classes import MODALITIES

_OF_PATIENT_AND_STUDY = tuple(a.tag for level in (Level.PATIENT, Level.STUDY) for a in BY_LEVEL[level])
_OF_SERIES = ("00080005", "00080080")


def noted(listed: ListedSeries, said: Mapping[str, Element], facility: str, at: str) -> Iterator[NewInstance]:
    """One row each; `said` is the manifest, of whose patient and study the instances are, and `at` when it was read.

    Where another study is named than the manifest's own, only the patient is said of it.
    """
    own = text(said, "0020000D") == listed.study_instance_uid
    tags = _OF_PATIENT_AND_STUDY if own else tuple(a.tag for a in BY_LEVEL[Level.PATIENT])
    above = {tag: said[tag] for tag in (*tags, *_OF_SERIES) if tag in said}
    above["0020000D"] = _uid(listed.study_instance_uid)
    above["0020000E"] = _uid(listed.series_instance_uid)
    key = patient_key(
        text(said, "00100020"),
        text(said, "00100021"),
        facility=facility,
        study_instance_uid=listed.study_instance_uid,
    )
    for sop_class_uid, sop_instance_uid in listed.instances:
        elements = {**above, "00080016": _uid(sop_class_uid), "00080018": _uid(sop_instance_uid)}
        modality = MODALITIES.get(sop_class_uid, "")
        if modality:
            elements["00080060"] = {"vr": "CS", "Value": [modality]}
        yield rows.build(elements, key=key, facility=facility, received_at="", instance=_without_bytes(elements, at))


def _uid(value: str) -> Element:
    return {"vr": "UI", "Value": [value]}


def _without_bytes(elements: dict[str, Element], at: str) -> dict[str, object]:
    return {
        "transfer_syntax_uid": "",
        "blob": "",
        "size": 0,
        "sha256": b"",
        "dataset_offset": 0,
        "header_end": 0,
        "number_of_frames": 0,
        "door": Door.FETCH.value,
        "received_at": at,
        "source_ae": "",
        "source_address": "",
        "coercion_fk": None,
        "header": pack(to_json(dict(sorted(elements.items())))),
        "frames": b"",
    }
