"""What an update by another than the document's own administrator may not touch (Restricted Metadata Update 3.92)."""

from vna.documents.problems import ErrorCode, Problems
from vna.documents.requirements import named
from vna.model.documents import DocumentEntry, Folder

_UNMODIFIABLE = {
    "on_demand": "objectType",
    "repository_unique_id": "repositoryUniqueId",
    "source_patient_id": "sourcePatientId",
    "source_patient_info": "sourcePatientInfo",
    "hash": "hash",
    "size": "size",
    "mime_type": "mimeType",
    "home": "homeCommunityId",
    "availability": "documentAvailability",
}


def check_restricted(thing: DocumentEntry | Folder, last: DocumentEntry | Folder, problems: Problems) -> None:
    """Note every attribute that differs and may not."""
    if thing.unique_id != last.unique_id:
        problems.add(
            ErrorCode.IDENTIFIER, f"{named(thing)}: uniqueId {thing.unique_id} is not that of the last version"
        )
    for field, name in _UNMODIFIABLE.items():
        if getattr(thing, field, None) != getattr(last, field, None):
            what = f"{name} {getattr(thing, field, '')} is not that of the last version"
            problems.add(ErrorCode.UNMODIFIABLE, f"{named(thing)}: {what}")
