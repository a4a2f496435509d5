"""Memberships and relationships between documents, and what they bring about (ITI TF-2 3.42.4.1.3.4 to .6)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

from vna.documents.holdings import Holdings
from vna.documents.identifiers import new_uuid
from vna.documents.problems import ErrorCode, Problems
from vna.documents.requirements import named
from vna.model.documents import (
    RELATIONSHIPS,
    Association,
    AssociationKind,
    DocumentEntry,
    Folder,
    Registered,
    RegistryObject,
    Status,
    Submission,
    SubmissionSet,
)

_REPLACING = (AssociationKind.REPLACES, AssociationKind.TRANSFORMS_AND_REPLACES)
_TO_WHAT_IS_HELD = frozenset({*_REPLACING, AssociationKind.SNAPSHOT})
_CHILDREN = (AssociationKind.APPENDS, AssociationKind.TRANSFORMS)
_TRANSFORMATIONS = (AssociationKind.TRANSFORMS, AssociationKind.TRANSFORMS_AND_REPLACES)
_MEMBERSHIP = ("Original", "Reference")


@dataclass(slots=True)
class Relationships:
    """The associations of one submission, checked against it and against what is held, with what follows from them."""

    submission: Submission
    patient: int
    holdings: Holdings
    problems: Problems
    now: str
    new: dict[str, RegistryObject] = field(default_factory=dict)
    brought: list[Association] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.new = {thing.entry_uuid: thing for thing in self.submission}
        ends = {end for link in self.submission.associations for end in (link.source, link.target)}
        self.holdings.load(ends - self.new.keys())

    def check(self, links: Iterable[Association]) -> None:
        """Every rule; refused at the end when one is broken, so that nothing follows from what is wrong."""
        links = list(links)
        for link in links:
            if link.association is AssociationKind.HAS_MEMBER:
                self._check_member(link)
            elif link.association in RELATIONSHIPS:
                self._check_relationship(link)
            else:
                self.problems.add(ErrorCode.METADATA, f"{named(link)}: {link.association.value} is for updates only")
        self._check_everything_is_submitted(links)
        self._check_replaced_once(links)
        self.check_rings(links)

    def check_rings(self, links: Iterable[Association]) -> None:
        """No document of a submission is related to itself, straight or by way of others; the first ring is told."""
        related = [link for link in links if link.association in RELATIONSHIPS]
        sorter = TopologicalSorter[str]()
        for link in related:
            sorter.add(link.target, link.source)
        try:
            sorter.prepare()
        except CycleError as error:
            ring: list[str] = error.args[1]
            first = next(link for link in related if [link.source, link.target] == ring[:2])
            what = f"the documents {', '.join(ring)} are related in a ring"
            self.problems.add(ErrorCode.METADATA, f"{named(first)}: {what}")

    def follow(self, links: Iterable[Association]) -> None:
        """What replacing and placing bring about; only after `check` found nothing wrong."""
        for link in links:
            if link.association in _REPLACING:
                self._replace(link.source, link.target)
            elif link.association is AssociationKind.HAS_MEMBER and isinstance(self.end(link.source), Folder):
                self.touch(link.source)

    def end(self, entry_uuid: str) -> RegistryObject | None:
        """What is at an end of an association: of the submission, or held."""
        return self.new.get(entry_uuid) or self.holdings.get(entry_uuid) or self.holdings.association(entry_uuid)

    def _check_everything_is_submitted(self, links: list[Association]) -> None:
        own = self.submission.submission_set.entry_uuid
        members = {link.target for link in links if link.source == own}
        submitted: list[Registered] = [*self.submission.documents, *self.submission.folders]
        for thing in submitted:
            if thing.entry_uuid not in members:
                self.problems.add(ErrorCode.METADATA, f"{named(thing)} is no member of the submission set")

    def _check_replaced_once(self, links: list[Association]) -> None:
        """The first replacement deprecates it, so that there is none for a second."""
        replaced: dict[str, str] = {}
        for link in links:
            if link.association in _REPLACING and replaced.setdefault(link.target, link.entry_uuid) != link.entry_uuid:
                what = f"DocumentEntry {link.target} is replaced by another association, {replaced[link.target]}"
                self.problems.add(ErrorCode.DEPRECATED, f"{named(link)}: {what}")

    def _check_member(self, link: Association) -> None:
        source, target = self._ends(link)
        if source is None or target is None:
            return
        if isinstance(source, SubmissionSet):
            self._check_submitted(link, target)
        elif isinstance(source, Folder) and isinstance(target, DocumentEntry):
            self.check_placed(link, source, target)
        else:
            self.problems.add(ErrorCode.METADATA, f"{named(link)}: {named(source)} cannot have {named(target)}")

    def check_placed(self, link: Association, folder: Folder, document: DocumentEntry) -> None:
        """The rules for a document in a folder, wherever they come from."""
        for thing in (folder, document):
            self._check_approved(link, thing)
            self.check_patient(link, thing)

    def _check_submitted(self, link: Association, target: RegistryObject) -> None:
        own, is_new = self.submission.submission_set.entry_uuid, target.entry_uuid in self.new
        if link.source != own:
            self.problems.add(
                ErrorCode.METADATA, f"{named(link)}: its submission set {link.source} is not the one of the submission"
            )
        if isinstance(target, DocumentEntry):
            wanted = _MEMBERSHIP[0] if is_new else _MEMBERSHIP[1]
            if link.submission_set_status != wanted:
                what = f"SubmissionSetStatus has to be {wanted}, not {link.submission_set_status or 'missing'}"
                self.problems.add(ErrorCode.METADATA, f"{named(link)}: {what}")
        if isinstance(target, SubmissionSet):
            self.problems.add(ErrorCode.METADATA, f"{named(link)}: a submission set has no submission sets")
        elif not isinstance(target, Association) and not is_new:
            self.check_patient(link, target)

    def _check_relationship(self, link: Association) -> None:
        source, target = self._ends(link)
        if source is None or target is None:
            return
        if not isinstance(source, DocumentEntry) or not isinstance(target, DocumentEntry):
            other = target if isinstance(source, DocumentEntry) else source
            self.problems.add(ErrorCode.UNRESOLVED, f"{named(link)}: {named(other)} is no document")
            return
        if link.source not in self.new:
            self.problems.add(
                ErrorCode.UNRESOLVED, f"{named(link)}: its sourceObject {link.source} is not in the submission"
            )
        self.check_documents(link, source, target)

    def check_documents(self, link: Association, source: DocumentEntry, target: DocumentEntry) -> None:
        """The rules for the two documents of a relationship, wherever they come from."""
        if link.target in self.new:
            if link.association in _TO_WHAT_IS_HELD:
                what = f"the targetObject {link.target} of {link.association.value} is not in the registry"
                self.problems.add(ErrorCode.UNRESOLVED, f"{named(link)}: {what}")
            return
        self._check_approved(link, target)
        self.check_patient(link, target)
        if link.association is AssociationKind.SNAPSHOT and (source.on_demand or not target.on_demand):
            self.problems.add(ErrorCode.METADATA, f"{named(link)}: a snapshot is a stable document of an on-demand one")
        if link.association is AssociationKind.APPENDS and self.holdings.links(
            [link.target], "source", *_TRANSFORMATIONS
        ):
            self.problems.add(
                ErrorCode.METADATA, f"{named(link)}: {link.target} is a transformation, append to the original"
            )

    def _ends(self, link: Association) -> tuple[RegistryObject | None, RegistryObject | None]:
        ends = self.end(link.source), self.end(link.target)
        for text, thing in zip((link.source, link.target), ends, strict=True):
            if thing is None:
                self.problems.add(ErrorCode.UNRESOLVED, f"{named(link)} refers to {text}, which is not there")
        return ends

    def _check_approved(self, link: Association, thing: Registered) -> None:
        if thing.status is not Status.APPROVED:
            self.problems.add(ErrorCode.DEPRECATED, f"{named(link)}: {named(thing)} is {thing.status.value}")

    def check_patient(self, link: Association, thing: Registered) -> None:
        """What is held has to be of the submission's patient."""
        if thing.entry_uuid not in self.new and self.holdings.patient(thing.entry_uuid) != self.patient:
            wanted = self.submission.submission_set.patient_id
            self.problems.add(ErrorCode.OTHER_PATIENT, f"{named(link)}: {named(thing)} is not of the patient {wanted}")

    def _replace(self, replacement: str, replaced: str) -> None:
        """Deprecate it with its addenda and transformations; its folders take the replacement."""
        folders = self.holdings.folders_of(replaced)
        self._deprecate([replaced])
        for folder in folders:
            if not any(
                link.source == folder.entry_uuid and link.target == replacement for link in self.submission.associations
            ):
                self.place(folder.entry_uuid, replacement)

    def _deprecate(self, entry_uuids: list[str]) -> None:
        seen = set[str]()
        while entry_uuids:
            seen.update(entry_uuids)
            self.holdings.load(entry_uuids)
            for entry_uuid in entry_uuids:
                thing = self.holdings.get(entry_uuid)
                if thing is not None and thing.status is Status.APPROVED:
                    self.holdings.changes.change(replace(thing, status=Status.DEPRECATED))
            children = self.holdings.links(entry_uuids, "target", *_CHILDREN)
            entry_uuids = [child for child in dict.fromkeys(link.source for link in children) if child not in seen]

    def place(self, folder: str, document: str) -> None:
        """Put a document into a folder that is held, on behalf of the submission set."""
        own = self.submission.submission_set.entry_uuid
        member = AssociationKind.HAS_MEMBER
        placed = Association(entry_uuid=new_uuid(), association=member, source=folder, target=document)
        self.brought.append(placed)
        self.brought.append(
            Association(entry_uuid=new_uuid(), association=member, source=own, target=placed.entry_uuid)
        )
        self.touch(folder)

    def touch(self, folder: str) -> None:
        """A document was put into it, now."""
        held = self.holdings.get(folder) if folder not in self.new else None
        if isinstance(held, Folder):
            self.holdings.changes.change(replace(held, last_update_time=self.now))
