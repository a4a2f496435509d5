"""Asking a registry by ITI-18, and reading its answers back into the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lxml import etree

from tests.xds.builders import query, submission_set
from tests.xds.registries import PATIENT, Registries, contexts, found, status
from vna.documents.stored_queries import STORED_QUERIES
from vna.model.documents import Association, DocumentEntry, Folder, Status, Submission, SubmissionSet
from vna.xml.namespaces import RIM
from xds import iti18
from xds.ebrim import reading
from xds.ebrim.vocabulary import STATUS_URN
from xds.ebrim.writing import submit_request

IDS = {one.name: one.query_id for one in STORED_QUERIES}
APPROVED = f"('{STATUS_URN[Status.APPROVED]}')"
ANY_STATUS = f"('{STATUS_URN[Status.APPROVED]}','{STATUS_URN[Status.DEPRECATED]}')"
ANY_TYPE = "('urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1','urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')"


def quoted(text: str) -> str:
    """A text as a parameter's value."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


@dataclass(slots=True)
class Questions:
    """What is there of a patient."""

    registries: Registries
    patient: str = PATIENT

    def ask(self, name: str, returns: str = "LeafClass", **slots: Any) -> etree._Element:
        return self.registries.ask(iti18.ACTION, query(IDS[name], returns=returns, **slots))

    def answered(self, name: str, **slots: Any) -> Submission:
        """The answer in the model's words; an invented submission set where there is none."""
        answer = self.ask(name, **slots)
        assert status(answer) == "Success", contexts(answer)
        return read(answer)

    def find(self, **slots: Any) -> list[str]:
        """entryUUIDs of approved stable documents for which this holds."""
        given = {"XDSDocumentEntryPatientId": quoted(self.patient), "XDSDocumentEntryStatus": APPROVED}
        answer = self.ask("FindDocuments", "ObjectRef", **given | slots)
        assert status(answer) == "Success", contexts(answer)
        return [str(one) for one in found(answer, "//rim:ObjectRef/@id")]

    def documents(self, **slots: Any) -> list[DocumentEntry]:
        given = {"XDSDocumentEntryPatientId": quoted(self.patient), "XDSDocumentEntryStatus": APPROVED}
        return list(self.answered("FindDocuments", **given | slots).documents)

    def everything(self) -> dict[str, str]:
        """Every object of the patient by its entryUUID, as it is written."""
        slots = {f"{name}Status": ANY_STATUS for name in ("XDSDocumentEntry", "XDSSubmissionSet", "XDSFolder")}
        answer = self.ask("GetAll", patientId=quoted(self.patient), XDSDocumentEntryType=ANY_TYPE, **slots)
        assert status(answer) == "Success", contexts(answer)
        objects = found(answer, "//rim:RegistryObjectList/*")
        return {one.get("id"): etree.tostring(one, method="c14n").decode() for one in objects}

    def submission_sets(self) -> list[SubmissionSet]:
        answer = self.ask(
            "FindSubmissionSets", XDSSubmissionSetPatientId=quoted(self.patient), XDSSubmissionSetStatus=APPROVED
        )
        return [read(answer, package).submission_set for package in found(answer, "//rim:RegistryPackage")]

    def folders(self) -> list[Folder]:
        return list(
            self.answered("FindFolders", XDSFolderPatientId=quoted(self.patient), XDSFolderStatus=APPROVED).folders
        )

    def folder(self, entry_uuid: str) -> Folder:
        (one,) = self.answered("GetFolders", XDSFolderEntryUUID=f"('{entry_uuid}')").folders
        return one

    def document(self, entry_uuid: str) -> DocumentEntry:
        (one,) = self.answered("GetDocuments", XDSDocumentEntryEntryUUID=f"('{entry_uuid}')").documents
        return one

    def status_of(self, entry_uuid: str) -> str:
        return self.document(entry_uuid).status

    def associations(self, entry_uuid: str) -> list[Association]:
        return list(self.answered("GetAssociations", uuid=f"('{entry_uuid}')").associations)

    def members(self, entry_uuid: str) -> set[str]:
        answer = self.answered("GetFolderAndContents", XDSFolderEntryUUID=f"'{entry_uuid}'")
        return {one.entry_uuid for one in answer.documents}

    def sets_of(self, entry_uuid: str) -> list[str]:
        return [one.source for one in self.answered_links("GetSubmissionSets", entry_uuid)]

    def set_of(self, entry_uuid: str) -> str:
        (one,) = self.sets_of(entry_uuid)
        return one

    def answered_links(self, name: str, entry_uuid: str) -> list[Association]:
        answer = self.ask(name, uuid=f"('{entry_uuid}')")
        for package in found(answer, "//rim:RegistryPackage"):
            package.getparent().remove(package)
        return list(read(answer).associations)


def read(answer: etree._Element, *only: etree._Element) -> Submission:
    """An answer, or `only` some objects of it, as if it had been submitted."""
    things = list(only) or found(answer, "/*/rim:RegistryObjectList/*")
    request = submit_request(Submission(submission_set()))
    if any(_is_set(thing) for thing in things):
        del request[0][0]
    request[0].extend(things)
    return with_statuses(reading.submission(request, 10_000), request)


def with_statuses(submission: Submission, request: etree._Element) -> Submission:
    """What only a registry says of an object: status and version, which are not read of a submission."""
    from dataclasses import replace

    said = {element.get("id"): element for element in request.iter(f"{{{RIM}}}*") if element.get("status")}

    def complete(thing: Any) -> Any:
        element = said.get(thing.entry_uuid)
        if element is None:
            return thing
        changes: dict[str, Any] = {"status": next(s for s, urn in STATUS_URN.items() if urn == element.get("status"))}
        version = element.find(f"{{{RIM}}}VersionInfo")
        if version is not None:
            changes["version"] = int(version.get("versionName", ""))
        return replace(thing, **changes)

    return Submission(
        complete(submission.submission_set),
        tuple(map(complete, submission.documents)),
        tuple(map(complete, submission.folders)),
        tuple(map(complete, submission.associations)),
    )


def _is_set(element: etree._Element) -> bool:
    node = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
    return bool(found(element, f"rim:Classification[@classificationNode='{node}']"))
