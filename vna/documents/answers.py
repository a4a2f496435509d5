"""What each stored query answers (ITI TF-2 3.18.4.1.2.3.7, 3.18.4.1.3)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from storage.index import documents, reached_documents
from storage.index.document_queries import Depth
from storage.index.documents import Found, Link
from storage.index.engine import Connection
from vna.documents.problems import ErrorCode, refused
from vna.documents.stored_queries import Arguments
from vna.model.documents import RELATIONSHIPS, AssociationKind, Condition, DocumentQuery, Kind
from vna.model.identifiers import patient_identifier
from vna.model.reach import Reach

__all__ = ["Answer", "Found", "Link", "Reader"]

_MEMBER = (AssociationKind.HAS_MEMBER,)


@dataclass(frozen=True, slots=True)
class Answer:
    """Objects and the associations that go with them."""

    objects: Sequence[Found] = ()
    links: Sequence[Link] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """Answers one query in one snapshot; `references` reads no more of an object than that it is there, `reach` is what
    the caller may know of."""

    connection: Connection
    arguments: Arguments
    references: bool
    limit: int
    reach: Reach | None = None

    def answer(self) -> Answer:
        """Refused with XDSTooManyResults, or XDSResultNotSinglePatient where whole objects are asked for by id."""
        query = self.arguments.query
        answer = ANSWERS[query.name](self)
        if self.reach is not None:
            answer = _within(self.connection, answer, self.reach)
        if len(answer.objects) + len(answer.links) > self.limit:
            raise refused(ErrorCode.TOO_MANY_RESULTS, f"{query.name} finds more than {self.limit} objects")
        if not self.references and len({found.patient for found in answer.objects}) > 1:
            raise refused(ErrorCode.NOT_SINGLE_PATIENT, f"{query.name} finds objects of more than one patient")
        return answer

    @property
    def depth(self) -> Depth:
        return Depth.REFERENCE if self.references else Depth.RENDITION

    def of_patient(self, parameter: str, kind: Kind, conditions: tuple[Condition, ...] = ()) -> list[Found]:
        """Objects of a kind of the patient that a parameter names; none when it is not known."""
        identifier = patient_identifier(self.arguments.one(parameter))
        if identifier is None:
            return []
        query = DocumentQuery(kind, statuses=self.arguments.statuses(kind), conditions=conditions, limit=self.limit)
        return documents.find(self.connection, query, identifier, self.depth)

    def held(self, kind: Kind, entry_uuids: Iterable[str], conditions: tuple[Condition, ...] = ()) -> list[Found]:
        """Objects of a kind among these entryUUIDs."""
        query = DocumentQuery(kind, entry_uuids=tuple(entry_uuids), conditions=conditions, limit=self.limit)
        return documents.held(self.connection, query, self.depth) if query.entry_uuids else []

    def named(self, kind: Kind, prefix: str) -> list[Found]:
        """Objects of a kind that the query names by entryUUID or uniqueId."""
        query = DocumentQuery(
            kind,
            entry_uuids=self.arguments.many(f"{prefix}EntryUUID"),
            unique_ids=self.arguments.many(f"{prefix}UniqueId"),
            limit=self.limit,
        )
        return documents.held(self.connection, query, self.depth)

    def links(
        self, entry_uuids: Iterable[str], *ends: str, kinds: Iterable[AssociationKind] = AssociationKind
    ) -> list[Link]:
        """Associations at whose `ends` one of these is."""
        statuses = self.arguments.link_statuses()
        return documents.associations(
            self.connection, entry_uuids, self.depth, ends=ends, kinds=kinds, statuses=statuses, limit=self.limit
        )


def _uuids(found: Iterable[Found | Link]) -> list[str]:
    return [one.entry_uuid for one in found]


def _within(connection: Connection, answer: Answer, reach: Reach) -> Answer:
    """What of it may be known: associations whose ends may be, or are associations themselves."""
    ends = [end for link in answer.links for end in (link.source, link.target)]
    named = dict.fromkeys([*_uuids(answer.objects), *ends])
    hidden = reached_documents.hidden(connection, named, reach)
    objects = [found for found in answer.objects if found.entry_uuid not in hidden]
    return Answer(objects, [link for link in answer.links if hidden.isdisjoint((link.source, link.target))])


def _documents(reader: Reader) -> Answer:
    conditions = reader.arguments.conditions()
    return Answer(reader.of_patient("$XDSDocumentEntryPatientId", Kind.DOCUMENT, conditions))


def _submission_sets(reader: Reader) -> Answer:
    conditions = reader.arguments.conditions()
    return Answer(reader.of_patient("$XDSSubmissionSetPatientId", Kind.SUBMISSION_SET, conditions))


def _folders(reader: Reader) -> Answer:
    return Answer(reader.of_patient("$XDSFolderPatientId", Kind.FOLDER, reader.arguments.conditions()))


def _all(reader: Reader) -> Answer:
    found = reader.of_patient("$patientId", Kind.DOCUMENT, reader.arguments.conditions())
    found += reader.of_patient("$patientId", Kind.SUBMISSION_SET)
    found += reader.of_patient("$patientId", Kind.FOLDER)
    return Answer(found, reader.links(_uuids(found), "source", "target"))


def _get_documents(reader: Reader) -> Answer:
    return Answer(reader.named(Kind.DOCUMENT, "$XDSDocumentEntry"))


def _get_folders(reader: Reader) -> Answer:
    return Answer(reader.named(Kind.FOLDER, "$XDSFolder"))


def _associations(reader: Reader) -> Answer:
    return Answer(links=reader.links(reader.arguments.many("$uuid"), "source", "target"))


def _documents_and_associations(reader: Reader) -> Answer:
    found = reader.named(Kind.DOCUMENT, "$XDSDocumentEntry")
    return Answer(found, reader.links(_uuids(found), "source", "target"))


def _sets_of(reader: Reader) -> Answer:
    links = reader.links(reader.arguments.many("$uuid"), "target", kinds=_MEMBER)
    sets = reader.held(Kind.SUBMISSION_SET, dict.fromkeys(link.source for link in links))
    own = set(_uuids(sets))
    return Answer(sets, [link for link in links if link.source in own])


def _set_and_contents(reader: Reader) -> Answer:
    sets = reader.named(Kind.SUBMISSION_SET, "$XDSSubmissionSet")
    members = reader.links(_uuids(sets), "source", kinds=_MEMBER)
    targets = [member.target for member in members]
    entries = reader.held(Kind.DOCUMENT, targets, reader.arguments.conditions())
    folders = reader.held(Kind.FOLDER, targets)
    inside = {*_uuids(entries), *_uuids(folders)}
    links = [
        *reader.links(targets, "entry_uuid"),
        *reader.links(_uuids(entries), "source", kinds=RELATIONSHIPS),
    ]
    between = {link.entry_uuid: link for link in links if link.source in inside and link.target in inside}
    shown = [member for member in members if member.target in inside or member.target in between]
    return Answer([*sets, *entries, *folders], [*shown, *between.values()])


def _folder_and_contents(reader: Reader) -> Answer:
    folders = reader.named(Kind.FOLDER, "$XDSFolder")
    members = reader.links(_uuids(folders), "source", kinds=_MEMBER)
    entries = reader.held(Kind.DOCUMENT, [member.target for member in members], reader.arguments.conditions())
    inside = set(_uuids(entries))
    return Answer([*folders, *entries], [member for member in members if member.target in inside])


def _folders_for_document(reader: Reader) -> Answer:
    entries = reader.named(Kind.DOCUMENT, "$XDSDocumentEntry")
    members = reader.links(_uuids(entries), "target", kinds=_MEMBER)
    return Answer(reader.held(Kind.FOLDER, dict.fromkeys(member.source for member in members)))


def _related_documents(reader: Reader) -> Answer:
    kinds = RELATIONSHIPS & {AssociationKind(text) for text in reader.arguments.many("$AssociationTypes")}
    given = _uuids(reader.named(Kind.DOCUMENT, "$XDSDocumentEntry"))
    links = reader.links(given, "source", "target", kinds=kinds) if kinds else []
    ends = dict.fromkeys(end for link in links for end in (link.source, link.target))
    entries = reader.held(Kind.DOCUMENT, ends, reader.arguments.conditions())
    inside = set(_uuids(entries))
    between = [link for link in links if link.source in inside and link.target in inside]
    shown = {end for link in between for end in (link.source, link.target)}
    return Answer([found for found in entries if found.entry_uuid in shown], between)


ANSWERS: dict[str, Callable[[Reader], Answer]] = {
    "FindDocuments": _documents,
    "FindSubmissionSets": _submission_sets,
    "FindFolders": _folders,
    "GetAll": _all,
    "GetDocuments": _get_documents,
    "GetFolders": _get_folders,
    "GetAssociations": _associations,
    "GetDocumentsAndAssociations": _documents_and_associations,
    "GetSubmissionSets": _sets_of,
    "GetSubmissionSetAndContents": _set_and_contents,
    "GetFolderAndContents": _folder_and_contents,
    "GetFoldersForDocument": _folders_for_document,
    "GetRelatedDocuments": _related_documents,
    "FindDocumentsByReferenceId": _documents,
}
