"""Manifests of archives elsewhere: Key Object Selection documents that say which instances are kept where."""

from dataclasses import dataclass
from enum import StrEnum

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"


class State(StrEnum):
    """What became of a manifest."""

    CURRENT = "current"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"


class Download(StrEnum):
    """Whether what a manifest names was fetched, in the terms that the national system keeps."""

    NONE = ""
    DOWNLOADED = "downloaded"
    NOT_DOWNLOADED = "not downloaded"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class ListedSeries:
    """What a manifest says of one series; `instances` are pairs of SOP Class UID and SOP Instance UID, each once.

    `retrieve_location_uid` (0040,E011) names whose RAD-69 or WADO gives it, `retrieve_ae_title` (0008,0054) whose
    C-MOVE does.
    """

    study_instance_uid: str
    series_instance_uid: str
    retrieve_location_uid: str
    retrieve_ae_title: str
    instances: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that came, by its SOP Instance UID; in document sharing that is the document's uniqueId.

    `entry_uuid` is its document entry's, empty for one that came as an instance. `facility` is the code of whose it is.
    `made_at` is Content Date and Time as written. `named` counts instances, `missing` those that the archives it names
    do not have. `problems` are sentences about what was passed over. `download_at` is when `download` was noted,
    `reason` why it could not be.
    """

    sop_instance_uid: str
    series_instance_uid: str = ""
    study_instance_uid: str = ""
    door: str = ""
    facility: str = ""
    institution_name: str = ""
    entry_uuid: str = ""
    state: State = State.CURRENT
    made_at: str = ""
    received_at: str = ""
    named: int = 0
    missing: int = 0
    problems: tuple[str, ...] = ()
    download: Download = Download.NONE
    reason: str = ""
    download_at: str = ""
    series: tuple[ListedSeries, ...] = ()
