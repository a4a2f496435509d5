"""Removing metadata: what may go, so that nothing is left that refers to it or stands alone (ITI TF-2 3.62.4.1.3)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from storage.index import documents
from storage.index.document_queries import Depth
from storage.index.documents import Link
from storage.index.engine import Connection
from vna.documents.problems import ErrorCode, Problems
from vna.model.documents import AssociationKind, DocumentQuery, Kind, Status

_MEMBER = (AssociationKind.HAS_MEMBER,)


def by_patient(connection: Connection, entry_uuids: Sequence[str]) -> dict[tuple[int, str], list[str]]:
    """What goes of each patient, who is named by key and identifier. An association is its source's."""
    links = {link.entry_uuid: link.source for link in _links(connection, entry_uuids, "entry_uuid")}
    holders = [links.get(entry_uuid, entry_uuid) for entry_uuid in entry_uuids]
    patients = {
        found.entry_uuid: (found.patient, found.patient_id)
        for kind in (Kind.DOCUMENT, Kind.SUBMISSION_SET, Kind.FOLDER)
        for found in documents.held(connection, DocumentQuery(kind, entry_uuids=tuple(holders)), Depth.REFERENCE)
    }
    owned = defaultdict[tuple[int, str], list[str]](list)
    for entry_uuid, holder in zip(entry_uuids, holders, strict=True):
        if holder in patients:
            owned[patients[holder]].append(entry_uuid)
    return dict(owned)


def check(connection: Connection, entry_uuids: Sequence[str], problems: Problems) -> None:
    """Note what is not there, what something that stays refers to, and what would be left without a submission set."""
    gone, known = set(entry_uuids), documents.known(connection, entry_uuids)
    for entry_uuid in entry_uuids:
        if entry_uuid not in known:
            problems.add(ErrorCode.UNRESOLVED, f"{entry_uuid} is not registered")
    for link in _links(connection, entry_uuids, "source", "target"):
        if link.entry_uuid not in gone:
            referred = link.source if link.source in gone else link.target
            problems.add(ErrorCode.REFERENCED, f"the association {link.entry_uuid} refers to {referred}")
    _check_left(connection, gone, problems)


def _check_left(connection: Connection, gone: set[str], problems: Problems) -> None:
    removed = [link for link in _links(connection, gone, "entry_uuid", kinds=_MEMBER) if link.target not in gone]
    stay = dict.fromkeys(link.target for link in removed)
    left = [link for link in _links(connection, stay, "target", kinds=_MEMBER) if link.entry_uuid not in gone]
    sources = tuple(link.source for link in (*removed, *left))
    query = DocumentQuery(Kind.SUBMISSION_SET, entry_uuids=sources)
    sets = {found.entry_uuid for found in documents.held(connection, query, Depth.REFERENCE)} if sources else set()
    were, are = ({link.target for link in links if link.source in sets} for links in (removed, left))
    for entry_uuid in stay:
        if entry_uuid in were - are:
            problems.add(ErrorCode.UNREFERENCED, f"{entry_uuid} would be left without a submission set")


def _links(
    connection: Connection,
    entry_uuids: Iterable[str],
    *ends: str,
    kinds: Iterable[AssociationKind] = AssociationKind,
) -> list[Link]:
    return documents.associations(
        connection, entry_uuids, Depth.REFERENCE, ends=ends, kinds=kinds, statuses=tuple(Status)
    )
