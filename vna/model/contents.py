"""What a study consists of: the words in which the index tells it, for manifests and whoever else lists instances."""

from collections.abc import Mapping
from dataclasses import dataclass

from vna.model.query import Element


@dataclass(frozen=True, slots=True)
class Reference:
    """One instance; `frames` of its pixel data, 0 where it has none."""

    sop_class_uid: str
    sop_instance_uid: str
    frames: int = 0


@dataclass(frozen=True, slots=True)
class SeriesContents:
    """A series: `elements` are those that are kept of it, and some of its first instance's header."""

    series_instance_uid: str
    elements: Mapping[str, Element]
    instances: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class StudyContents:
    """A study: `elements` are the patient's and the study's, as searches give them, with all coercions in them."""

    study_instance_uid: str
    facility: str
    elements: Mapping[str, Element]
    series: tuple[SeriesContents, ...]
