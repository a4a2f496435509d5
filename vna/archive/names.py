"""Names of blobs: made by the archive alone, from UIDs that were checked."""

import hashlib
import secrets

STUDIES = "studies"
JOURNAL = "journal"


def blob_name(study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> str:
    """A new name at every call: a folder for each study and series, spread over 256 folders.

    Series have folders of their own also for speed: syncing a folder in which another association creates files makes
    a journaling file system write out that one's half-written data.
    """
    spread = hashlib.sha1(study_instance_uid.encode(), usedforsecurity=False).hexdigest()[:2]
    return (
        f"{STUDIES}/{spread}/{study_instance_uid}/{series_instance_uid}/{sop_instance_uid}.{secrets.token_hex(4)}.dcm"
    )
