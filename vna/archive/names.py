"""Names of blobs: made by the archive alone, from UIDs that were checked."""

import hashlib
import secrets

STUDIES = "studies"
JOURNAL = "journal"


def blob_name(study_instance_uid: str, sop_instance_uid: str) -> str:
    """A new name at every call: one folder a study, spread over 256 folders."""
    spread = hashlib.sha1(study_instance_uid.encode(), usedforsecurity=False).hexdigest()[:2]
    return f"{STUDIES}/{spread}/{study_instance_uid}/{sop_instance_uid}.{secrets.token_hex(4)}.dcm"
