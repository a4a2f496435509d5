"""What goes when nothing of a study is left: every version of its manifest, with all that a registry says of them
(XDS-I.b Remove Imaging Document Option, RAD TF-1 18.2.5)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vna.documents.repository import WantedDocument
from vna.model.documents import Association, AssociationKind, DocumentEntry, Submission

_OF_A_SET = frozenset({AssociationKind.UPDATES_STATUS, AssociationKind.SUBMITS})
_ROUNDS = 1000
"""Versions that a manifest has at most; those before are left."""


class Metadata(Protocol):
    """A registry as those see it who change and withdraw manifests. Refused, or Unavailable when nobody knows."""

    def update(self, submission: Submission) -> object:
        """Change metadata (ITI-57)."""

    def documents(self, *, entry_uuids: Iterable[str] = (), unique_ids: Iterable[str] = ()) -> Sequence[DocumentEntry]:
        """Every version of documents by their entryUUIDs, or by their uniqueIds."""

    def associations(self, entry_uuids: Iterable[str]) -> Sequence[Association]:
        """Every association that has one of these at an end, of whatever status."""

    def remove(self, entry_uuids: Sequence[str]) -> object:
        """Forget objects and associations (ITI-62)."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """Objects of a registry, and the documents that they are about."""

    entry_uuids: tuple[str, ...]
    documents: tuple[WantedDocument, ...]


def leaving(metadata: Metadata, unique_ids: Iterable[str]) -> Leaving:
    """The documents of these uniqueIds and those that they replaced, their associations, and the submission sets of
    which nothing else is left."""
    entries: dict[str, DocumentEntry] = {}
    links: dict[str, Association] = {}
    found = list(metadata.documents(unique_ids=unique_ids))
    for _ in range(_ROUNDS):
        new = [one.entry_uuid for one in found if one.entry_uuid not in entries]
        if not new:
            break
        entries |= {one.entry_uuid: one for one in found}
        met = metadata.associations(new)
        links |= {link.entry_uuid: link for link in met}
        older = [link.target for link in met if _replaces(link) and link.source in new and link.target not in entries]
        found = _versions(metadata, older)
    if not entries:
        return Leaving((), ())
    links |= {link.entry_uuid: link for link in _about(metadata, links)}
    sets = _left_empty(metadata, entries, links)
    documents = dict.fromkeys(WantedDocument(one.repository_unique_id, one.unique_id) for one in entries.values())
    return Leaving(tuple(dict.fromkeys((*entries, *links, *sets))), tuple(documents))


def _replaces(link: Association) -> bool:
    return link.association is AssociationKind.REPLACES


def _versions(metadata: Metadata, entry_uuids: Sequence[str]) -> list[DocumentEntry]:
    """With those that a metadata update made of them."""
    if not entry_uuids:
        return []
    return list(metadata.documents(unique_ids={one.unique_id for one in metadata.documents(entry_uuids=entry_uuids)}))


def _about(metadata: Metadata, links: Iterable[str]) -> Sequence[Association]:
    """Associations to associations: submission sets have them as members too."""
    given = list(links)
    return metadata.associations(given) if given else ()


def _left_empty(metadata: Metadata, entries: Iterable[str], links: dict[str, Association]) -> list[str]:
    """Submission sets that have no member but what goes, and their associations."""
    sets = dict.fromkeys(link.source for link in links.values() if _is_of_a_set(link))
    if not sets:
        return []
    theirs = [link for link in metadata.associations(sets) if link.source in sets or link.target in sets]
    gone = {*entries, *links}
    used = {link.source for link in theirs if link.target not in gone}
    empty = [one for one in sets if one not in used]
    return [*empty, *(link.entry_uuid for link in theirs if {link.source, link.target} & set(empty))]


def _is_of_a_set(link: Association) -> bool:
    """Only in a submission set has a membership this status (ITI TF-3 4.2.1.4)."""
    return bool(link.submission_set_status) or link.association in _OF_A_SET
