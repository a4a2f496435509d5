"""An instance on its way in, as it is held, and on its way out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from vna.model.access import Coercion
from vna.model.file_range import BodyPiece, FileRange


class Door(StrEnum):
    """Through which door an instance came; FETCH is a copy of what another archive keeps, REPORT was made here of an
    approved report."""

    C_STORE = "C-STORE"
    STOW = "STOW-RS"
    IMPORT = "import"
    FETCH = "fetch"
    MIGRATION = "migration"
    REPORT = "report"


QUARANTINED = "quarantine: no order matches it"
"""The reason for which instances in quarantine are out of sight."""


class Availability(IntEnum):
    """How quickly an instance can be had (PS3.3 C.4.23.1.1), the worst last.

    ONLINE: kept here. NEARLINE: kept elsewhere, and fetched when it is asked for. OFFLINE: elsewhere, and cannot be
    fetched as things are: no known source keeps it, or none answers. UNAVAILABLE: not there where it should be.
    """

    ONLINE = 0
    NEARLINE = 1
    OFFLINE = 2
    UNAVAILABLE = 3


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a door knows of an instance beside its bytes.

    `sop_class_uid`, `sop_instance_uid` are the command's, `study_instance_uid` the address's, each empty where there
    is none:
    the data set has to agree with those given. `calling_ae` is the AE title, or the name of the actor on HTTP.
    """

    door: Door
    calling_ae: str = ""
    address: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""
    transfer_syntax_uid: str = ""


class Outcome(StrEnum):
    """What became of an instance that was accepted."""

    STORED = "stored"
    ALREADY_HELD = "already held"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The instance is durable and indexed (or was already, byte for byte)."""

    outcome: Outcome
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance as it is held: everything a read needs but the bytes.

    `dataset_offset` and `header_end` are byte offsets in the blob: where the data set begins, and where its pixel
    data element does
    (or the end). `coercion` is applied on the way out. `version` changes with every correction.
    """

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    blob: str
    size: int
    sha256: str
    dataset_offset: int
    header_end: int
    number_of_frames: int
    source_ae: str
    facility: str
    received_at: datetime
    version: int
    coercion: Coercion | None = None
    instance_number: int | None = None

    @property
    def is_here(self) -> bool:
        """Whether its bytes are kept in this archive."""
        return bool(self.blob)

    @property
    def was_here(self) -> bool:
        """Whether its bytes have ever been kept here, so that its header is known."""
        return self.size > 0


@dataclass(frozen=True, slots=True)
class DeletedInstance:
    """An instance that was deleted, with what it takes to put it back; `rules` are its coercion as text."""

    key: int
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    blob: str
    size: int
    sha256: bytes
    door: str
    source_ae: str
    source_address: str
    facility: str
    received_at: datetime
    rules: str
    deleted_at: datetime
    deleted_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which instances are meant, by unique keys; each level given narrows."""

    patient_id: str | None = None
    study_uids: tuple[str, ...] = ()
    series_uids: tuple[str, ...] = ()
    sop_instance_uids: tuple[str, ...] = ()


@dataclass(slots=True)
class Outgoing:
    """Bytes on their way out; `chunks` is read once, or `ranges` is: the same where it lies in files."""

    instance: Instance
    transfer_syntax_uid: str
    size: int
    chunks: Iterator[bytes]
    ranges: Iterator[FileRange] | None = None

    def body(self) -> Iterator[BodyPiece]:
        """For an answer: where they lie in files not the bytes, but the ranges."""
        return self.chunks if self.ranges is None else self.ranges

    def read(self) -> bytes:
        """All bytes at once: for what is known to be small."""
        return b"".join(self.chunks)
