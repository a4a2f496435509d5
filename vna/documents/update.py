"""Metadata updates: new versions of documents and folders, other statuses, associations of what is held
(XDS Metadata Update 3.57.4.1.3)."""

from dataclasses import dataclass, field, replace

from storage.index import documents
from storage.index.document_queries import Depth
from vna.documents.holdings import Holdings
from vna.documents.identifiers import new_uuid
from vna.documents.problems import ErrorCode, Problems
from vna.documents.relationships import Relationships
from vna.documents.requirements import named
from vna.documents.restricted import check_restricted
from vna.model.documents import (
    RELATIONSHIPS,
    Association,
    AssociationKind,
    DocumentEntry,
    Folder,
    RegistryObject,
    Status,
    Submission,
    SubmissionSet,
)

Versioned = DocumentEntry | Folder

_UPDATED_BY = (AssociationKind.HAS_MEMBER, AssociationKind.UPDATES_STATUS, AssociationKind.SUBMITS)


@dataclass(slots=True)
class Update:
    """One update, in its transaction; `restricted` is the one of ITI-92, which changes documents alone and not all of
    them."""

    submission: Submission
    related: Relationships
    holdings: Holdings
    problems: Problems
    restricted: bool = False
    propagating: set[str] = field(default_factory=set)
    versions: dict[str, Versioned] = field(default_factory=dict)

    def plan(self) -> None:
        """Check every operation and note what it changes; nothing is changed when there are problems."""
        own = self.submission.submission_set.entry_uuid
        triggers = [link for link in self.submission.associations if link.source == own]
        self._check_operations(triggers)
        self.related.check_rings(self.submission.associations)
        for link in triggers:
            if link.association is AssociationKind.HAS_MEMBER:
                self._new_version(link)
        for link in triggers:
            if link.association is AssociationKind.SUBMITS:
                self._submit(link)
        for link in triggers:  # statuses last: they may be of what is new here
            if link.association is AssociationKind.UPDATES_STATUS:
                self._set_status(link)
        self.holdings.changes.added += self.versions.values()

    def _check_operations(self, triggers: list[Association]) -> None:
        """Every object of the submission is there for an operation, and every operation is one of these."""
        used = {link.target for link in triggers}
        submitted: list[Versioned] = [*self.submission.documents, *self.submission.folders]
        for thing in submitted:
            if thing.entry_uuid not in used:
                self._wrong_operation(f"{named(thing)} is not updated by anything")
        for link in self.submission.associations:
            if link.source != self.submission.submission_set.entry_uuid:
                if link.entry_uuid not in used:
                    self._wrong_operation(f"{named(link)} is not submitted by anything")
            elif link.association not in _UPDATED_BY:
                self._wrong_operation(f"{named(link)}: {link.association.value} is no operation of an update")
        if not triggers:
            self._wrong_operation("the submission set has no operation")
        if self.restricted and any(link.association is not AssociationKind.HAS_MEMBER for link in triggers):
            self._wrong_operation("a restricted update brings new versions of documents alone")

    def _new_version(self, link: Association) -> None:
        thing = self.related.new.get(link.target)
        if not isinstance(thing, DocumentEntry | Folder) or (self.restricted and isinstance(thing, Folder)):
            self._wrong_operation(f"{named(link)}: {link.target} is no object of the submission that has versions")
            return
        if thing.logical_id == thing.entry_uuid:
            self._wrong(thing, "it has no logicalID of a registered object")
            return
        held = [found.object for found in documents.versions(self.holdings.connection, thing.logical_id)]
        last = held[0] if held else None
        if not isinstance(last, type(thing)):
            self._wrong(thing, f"nothing is registered under the logicalID {thing.logical_id}")
            return
        if link.previous_version != str(last.version):
            what = f"PreviousVersion has to be {last.version}, not {link.previous_version or 'missing'}"
            self.problems.add(ErrorCode.VERSION, f"{named(link)}: {what}")
            return
        self._check_same(thing, last)
        if self.problems.found:
            return
        self._replace_version(thing, last, propagates=link.propagates)

    def _check_same(self, thing: Versioned, last: Versioned) -> None:
        """What stays the same from version to version."""
        self.holdings.load([last.entry_uuid])
        if self.restricted:
            check_restricted(thing, last, self.problems)
        elif last.status is not Status.APPROVED:
            self._wrong(thing, f"its last version is {last.status.value}")
        elif thing.unique_id != last.unique_id:
            self._wrong(thing, f"uniqueId {thing.unique_id} is not that of the last version, {last.unique_id}")
        elif isinstance(thing, DocumentEntry) and isinstance(last, DocumentEntry) and thing.on_demand != last.on_demand:
            self._wrong(thing, "its objectType is not that of the last version")
        if self.holdings.patient(last.entry_uuid) != self.related.patient:
            what = f"patientId {thing.patient_id} is not that of the last version"
            self.problems.add(ErrorCode.RECONCILIATION, f"{named(thing)}: {what}")

    def _replace_version(self, thing: Versioned, last: Versioned, *, propagates: bool) -> None:
        new: Versioned = replace(thing, version=last.version + 1, status=Status.APPROVED)
        if isinstance(new, Folder):
            new = replace(new, last_update_time=self.related.now)
        self.versions[new.entry_uuid] = new
        self.holdings.changes.change(replace(last, status=Status.DEPRECATED))
        if propagates:
            self.propagating.add(new.entry_uuid)
            self._propagate(last.entry_uuid, new)

    def _propagate(self, old: str, new: Versioned) -> None:
        """The new version stands in the folders and relationships of the old one (AssociationPropagation)."""
        for end in ("source", "target"):
            for held in self.holdings.links([old], end, depth=Depth.OBJECT):
                link = held.object
                if link is None or isinstance(self.holdings.get(link.source), SubmissionSet):
                    continue
                if end == "target" and link.association is AssociationKind.HAS_MEMBER:
                    if self._is_approved(link.source):
                        self.related.place(link.source, new.entry_uuid)
                else:
                    moved = (
                        replace(link, source=new.entry_uuid)
                        if end == "source"
                        else replace(link, target=new.entry_uuid)
                    )
                    self.related.brought.append(replace(moved, entry_uuid=new_uuid()))

    def _is_approved(self, folder: str) -> bool:
        held = self.holdings.get(folder)
        return held is not None and held.status is Status.APPROVED

    def _submit(self, trigger: Association) -> None:
        link = self.related.new.get(trigger.target)
        if not isinstance(link, Association):
            self._wrong_operation(f"{named(trigger)}: {trigger.target} is no association of the submission")
            return
        source, target = self.related.end(link.source), self.related.end(link.target)
        if source is None or target is None:
            missing = link.source if source is None else link.target
            self.problems.add(ErrorCode.UNRESOLVED, f"{named(link)} refers to {missing}, which is not there")
            return
        if {link.source, link.target} & self.propagating:
            self._wrong_operation(f"{named(link)}: associations of the new version are propagated already")
        if (
            link.association in RELATIONSHIPS
            and isinstance(source, DocumentEntry)
            and isinstance(target, DocumentEntry)
        ):
            self.related.check_patient(link, source)
            self.related.check_documents(link, source, target)
        elif isinstance(source, Folder) and isinstance(target, DocumentEntry):
            self.related.check_placed(link, source, target)
        else:
            self._wrong_operation(
                f"{named(link)}: {named(source)} cannot have {link.association.value} {named(target)}"
            )
        if not self.problems.found:
            self.holdings.changes.added.append(link)
            self.related.follow([link])

    def _set_status(self, trigger: Association) -> None:
        try:
            before, after = Status(trigger.original_status), Status(trigger.new_status)
        except ValueError:
            before = after = Status.APPROVED
        if before is after:
            given = f"{trigger.original_status or 'missing'} and {trigger.new_status or 'missing'}"
            self._wrong_operation(f"{named(trigger)}: OriginalStatus and NewStatus are two statuses, not {given}")
            return
        thing = self._changeable(trigger.target)
        if thing is None:
            what = f"{trigger.target} is no registered object with a status"
            self.problems.add(ErrorCode.UPDATE, f"{named(trigger)}: {what}")
        elif thing.status is not before:
            self._wrong(thing, f"its status is {thing.status.value}, not {before.value}")
        elif not self.problems.found:
            self._change(replace(thing, status=after))

    def _changeable(self, entry_uuid: str) -> Versioned | Association | None:
        """The object as it will be, of this patient; documents and folders in their last version alone."""
        if entry_uuid in self.versions:
            return self.versions[entry_uuid]
        held: RegistryObject | None = self.holdings.get(entry_uuid) or self.holdings.association(entry_uuid)
        if isinstance(held, DocumentEntry | Folder):
            newer = documents.versions(self.holdings.connection, held.logical_id)[0].entry_uuid != entry_uuid
            return None if newer or self.holdings.patient(entry_uuid) != self.related.patient else held
        if isinstance(held, Association):
            return held if self._is_of_patient(held) else None
        return None

    def _is_of_patient(self, link: Association) -> bool:
        for end in (link.source, link.target):
            if self.holdings.get(end) is not None:
                return self.holdings.patient(end) == self.related.patient
        return False

    def _change(self, thing: Versioned | Association) -> None:
        if not isinstance(thing, Association) and thing.entry_uuid in self.versions:
            self.versions[thing.entry_uuid] = thing
        else:
            self.holdings.changes.change(thing)

    def _wrong(self, thing: RegistryObject, what: str) -> None:
        self.problems.add(ErrorCode.UPDATE, f"{named(thing)}: {what}")

    def _wrong_operation(self, what: str) -> None:
        self.problems.add(ErrorCode.OPERATION, what)
