"""Names of blobs: made by the archive alone, from UIDs that were checked."""

import hashlib
import secrets

from storage.frames import Buffer
from storage.part10 import guess_uid
from vna.model.identifiers import is_uid

STUDIES = "studies"
DOCUMENTS = "documents"
JOURNAL = "journal"

KEPT = (STUDIES, DOCUMENTS)
"""Folders of what was acknowledged."""


def blob_name(study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> str:
    """A new name at every call: a folder for each study and series, spread over 256 folders.

    Series have folders of their own also for speed: syncing a folder in which another association creates files makes
    a journaling file system write out that one's half-written data.
    """
    stem = _stem(study_instance_uid, series_instance_uid, sop_instance_uid)
    return f"{stem}{secrets.token_hex(4)}.dcm"


def document_blob_name() -> str:
    """A new name for a document, whose uniqueId may be any text; spread over 256 folders."""
    name = secrets.token_hex(16)
    return f"{DOCUMENTS}/{name[:2]}/{name}"


def guessed_name(begun: Buffer) -> str | None:
    """A name for an object of which only the beginning is there; `names_instance` says later whether it fits."""
    study, series, instance = guessed_uids(begun)
    return blob_name(study, series, instance) if is_uid(study) and is_uid(series) and is_uid(instance) else None


def guessed_uids(begun: Buffer) -> tuple[str, str, str]:
    """What looks like the UIDs of study, series and instance in the first bytes; they may be anything."""
    return guess_uid(begun, 0x0020000D), guess_uid(begun, 0x0020000E), guess_uid(begun, 0x00080018)


def names_instance(name: str, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bool:
    """Whether `blob_name` could have made it of these."""
    return name.startswith(_stem(study_instance_uid, series_instance_uid, sop_instance_uid))


def _stem(study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> str:
    spread = hashlib.sha1(study_instance_uid.encode(), usedforsecurity=False).hexdigest()[:2]
    return f"{STUDIES}/{spread}/{study_instance_uid}/{series_instance_uid}/{sop_instance_uid}."
