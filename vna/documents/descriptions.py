"""Document metadata of manifests and reports of a study (RAD TF-3 4.68.4.1.2.3, ITI TF-3 4.2.3)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from storage.elements import person_name, text
from vna.documents import manifest
from vna.documents.affinity import Patient, derived_oid, patient_of
from vna.documents.event_codes import BODY_PARTS, DCM, MODALITIES, SNOMED
from vna.documents.profile import Profile, Sort
from vna.documents.registry import dtm
from vna.model.contents import StudyContents
from vna.model.dates import normal_date, normal_time
from vna.model.documents import (
    Association,
    AssociationKind,
    Author,
    Code,
    DocumentEntry,
    Status,
    Submission,
    SubmissionSet,
)
from vna.model.errors import NotAcceptable
from vna.model.identifiers import is_oid
from vna.model.query import Element

Elements = Mapping[str, Element]

MANIFEST_FORMAT = Code(manifest.SOP_CLASS, "1.2.840.10008.2.6.1", "Key Object Selection Document")
_IHE_FORMATS = "1.3.6.1.4.1.19376.1.2.3"
REPORT_FORMATS = {  # RAD TF-3 4.68.4.1.2.3, ITI TF-3 4.2.3.2.9
    "application/pdf": Code("urn:ihe:rad:PDF", _IHE_FORMATS, "Radiology report (PDF)"),
    "text/plain": Code("urn:ihe:rad:TEXT", _IHE_FORMATS, "Radiology report (text)"),
    "text/xml": Code("urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013", _IHE_FORMATS, "Radiology report (CDA)"),
}
"""By media type: what reports can be."""

CODING_SCHEMES = {  # PS3.16 Table 8-1
    "DCM": DCM,
    "LN": "2.16.840.1.113883.6.1",
    "RADLEX": "2.16.840.1.113883.6.256",
    "SCT": SNOMED,
    "SNM3": SNOMED,
    "SRT": SNOMED,
    "UCUM": "2.16.840.1.113883.6.8",
}
ACCESSION = "urn:ihe:iti:xds:2013:accession"
_ORDER = "urn:ihe:iti:xds:2013:order"
_STUDY = "urn:ihe:iti:xds:2016:studyInstanceUID"
_ESCAPED = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"})
_SEXES = frozenset("FMO")


@dataclass(frozen=True, slots=True)
class Describing:
    """Says of a study's documents what the images, the profile and the archive know.

    `own_oid` is this archive's, `domain` that of the affinity domain, empty where any will do.
    """

    profile: Profile
    own_oid: str
    domain: str = ""

    def institution_name(self, study: StudyContents) -> str:
        """What manifests say instead of what the images do; empty where the images have the word."""
        institution = self.profile.institution(study.facility)
        return institution.institution_name if institution is not None else ""

    def manifest(self, study: StudyContents, *, entry_uuid: str, unique_id: str, made_at: datetime) -> DocumentEntry:
        """Of the manifest with this SOP Instance UID. Rejected when its patient cannot be said."""
        described = self._described(study, self.profile.images, entry_uuid, unique_id, made_at)
        return replace(described, mime_type="application/dicom", format_code=MANIFEST_FORMAT)

    def report(
        self, study: StudyContents, *, media_type: str, title: str, entry_uuid: str, unique_id: str, made_at: datetime
    ) -> DocumentEntry:
        """Of a report about the study; NotAcceptable when reports are of other media types."""
        if media_type not in REPORT_FORMATS:
            raise NotAcceptable(f"a report is {', '.join(REPORT_FORMATS)}, not {media_type[:60]}")
        described = self._described(study, self.profile.reports, entry_uuid, unique_id, made_at)
        format_code = REPORT_FORMATS[media_type]
        return replace(described, mime_type=media_type, format_code=format_code, title=title or described.title)

    def submission(
        self, document: DocumentEntry, *, entry_uuid: str, unique_id: str, at: datetime, replaces: str = ""
    ) -> Submission:
        """One document in a submission set of its own, in the place of the one with the entryUUID `replaces`."""
        is_manifest = document.format_code == MANIFEST_FORMAT
        submission_set = SubmissionSet(
            entry_uuid=entry_uuid,
            patient_id=document.patient_id,
            unique_id=unique_id,
            title=document.title,
            authors=document.authors,
            content_type_code=(self.profile.images if is_manifest else self.profile.reports).content_type_code,
            source_id=self.own_oid,
            submission_time=dtm(at),
        )
        member = Association(
            entry_uuid="member",
            association=AssociationKind.HAS_MEMBER,
            source=entry_uuid,
            target=document.entry_uuid,
            submission_set_status="Original",
        )
        links = [member]
        if replaces:
            kind = AssociationKind.REPLACES
            links.append(
                Association(entry_uuid="replaces", association=kind, source=document.entry_uuid, target=replaces)
            )
        return Submission(submission_set, (document,), associations=tuple(links))

    def withdrawal(self, document: str, patient_id: str, *, unique_id: str, at: datetime) -> Submission:
        """The update that deprecates the document with this entryUUID (XDS Metadata Update 3.57.4.1.3.3.3)."""
        submission_set = SubmissionSet(
            entry_uuid="set",
            patient_id=patient_id,
            unique_id=unique_id,
            content_type_code=self.profile.images.content_type_code,
            source_id=self.own_oid,
            submission_time=dtm(at),
        )
        deprecates = Association(
            entry_uuid="deprecates",
            association=AssociationKind.UPDATES_STATUS,
            source="set",
            target=document,
            original_status=Status.APPROVED.value,
            new_status=Status.DEPRECATED.value,
        )
        return Submission(submission_set, associations=(deprecates,))

    def local(self, at: datetime, elements: Elements) -> datetime:
        """The time where the images were made: in their offset from UTC, else in the profile's time zone."""
        try:
            zone = datetime.strptime(text(elements, "00080201"), "%z").tzinfo
        except ValueError:
            zone = ZoneInfo(self.profile.time_zone) if self.profile.time_zone else None
        return at.astimezone(zone)

    def _described(
        self, study: StudyContents, sort: Sort, entry_uuid: str, unique_id: str, made_at: datetime
    ) -> DocumentEntry:
        profile, patient = self.profile, patient_of(study, self.profile, self.own_oid, self.domain)
        return DocumentEntry(
            entry_uuid=entry_uuid,
            unique_id=unique_id,
            patient_id=str(patient.affinity),
            source_patient_id=str(patient.source),
            source_patient_info=tuple(_patient_info(study.elements, patient)),
            title=text(study.elements, "00081030") or sort.class_code.display,
            authors=self._authors(study),
            class_code=sort.class_code,
            type_code=next(self._procedures(study), sort.type_code),
            healthcare_facility_type_code=profile.healthcare_facility_type_code,
            practice_setting_code=profile.practice_setting_code,
            confidentiality_codes=(profile.confidentiality_code,),
            event_codes=tuple(dict.fromkeys([*_modalities(study), *self._regions(study)])),
            language_code=profile.language_code,
            creation_time=dtm(made_at),
            service_start_time=self._begun(study.elements),
            reference_ids=tuple(dict.fromkeys(self._references(study))),
            repository_unique_id=self.own_oid,
        )

    def _authors(self, study: StudyContents) -> tuple[Author, ...]:
        """The institution alone: a manifest is written by a machine."""
        institution = self.profile.institution(study.facility)
        if institution is not None:
            name, oid = institution.name, institution.oid
        else:
            names = (text(series.elements, "00080080") for series in study.series)
            name, oid = next(filter(None, names), "").partition("^")[0].strip(), ""
        if not name:
            return ()
        written = name.translate(_ESCAPED)
        return (Author(institution=(f"{written}^^^^^&{oid}&ISO^^^^{study.facility}" if oid else written,)),)

    def _procedures(self, study: StudyContents) -> Iterator[Code]:
        """The procedure that was performed, else the one that was requested."""
        yield from self._codes(study.elements, "00081032")
        for series in study.series:
            yield from self._codes(series.elements, "00321064")
            for request in series.elements.get("00400275", {}).get("Value", ()):
                yield from self._codes(request, "00321064")

    def _regions(self, study: StudyContents) -> Iterator[Code]:
        for series in study.series:
            regions = list(self._codes(series.elements, "00082218"))
            part = BODY_PARTS.get(text(series.elements, "00180015").strip().upper())
            yield from regions or ([part] if part is not None else [])

    def _codes(self, elements: Elements, tag: str) -> Iterator[Code]:
        for item in elements.get(tag, {}).get("Value", ()):
            value = text(item, "00080100") or text(item, "00080119") or text(item, "00080120")
            designator = text(item, "00080102")
            known = self.profile.coding_schemes.get(designator) or CODING_SCHEMES.get(designator)
            scheme = text(item, "0008010C") or known or designator
            if value and scheme:
                yield Code(value, scheme, text(item, "00080104"))

    def _begun(self, elements: Elements) -> str:
        """Study Date and Time in UTC, to the second; the date alone where the images say no time."""
        date, time = normal_date(text(elements, "00080020")), normal_time(text(elements, "00080030"))
        if not date or not time:
            return date
        written, offset = f"{date}{time[:6]}", text(elements, "00080201")
        try:
            if offset:
                return dtm(datetime.strptime(f"{written}{offset}", "%Y%m%d%H%M%S%z"))
            local = datetime.strptime(written, "%Y%m%d%H%M%S")  # noqa: DTZ007  # its zone is added below
        except ValueError:
            return date
        zone = ZoneInfo(self.profile.time_zone) if self.profile.time_zone else None
        return dtm(local.replace(tzinfo=zone) if zone is not None else local.astimezone())

    def _references(self, study: StudyContents) -> Iterator[str]:
        """Accession number, orders, the study itself (ITI TF-3 4.2.3.2.28)."""
        number = text(study.elements, "00080050").strip()
        if number and number not in self.profile.accession_markers:
            yield accession_reference(number, self._accession_authority(study))
        for series in study.series:
            for request in series.elements.get("00400275", {}).get("Value", ()):
                order = text(request, "00402016").strip()
                if order:
                    issuer = _universal(request, "00400026") or derived_oid(self.own_oid, "orders", study.facility)
                    yield _cxi(order, issuer, _ORDER)
        yield f"{study.study_instance_uid}^^^^{_STUDY}"

    def _accession_authority(self, study: StudyContents) -> str:
        institution = self.profile.institution(study.facility)
        configured = institution.accession_authority if institution is not None else ""
        said = _universal(study.elements, "00080051")
        return said or configured or derived_oid(self.own_oid, "accession", study.facility)


def accession_reference(number: str, authority: str) -> str:
    """How a document refers to an accession number; `authority` is the OID of its issuer, empty for none."""
    return _cxi(number, authority, ACCESSION)


def _cxi(value: str, authority: str, kind: str) -> str:
    issuer = f"&{authority}&ISO" if authority else ""
    return f"{value.translate(_ESCAPED)}^^^{issuer}^{kind}"


def _universal(elements: Elements, tag: str) -> str:
    """The OID of an issuer (PS3.3 10.14); what is none is not said, since no registry takes it."""
    items: Sequence[Elements] = elements.get(tag, {}).get("Value") or [{}]
    said = text(items[0], "00400032")
    return said if text(items[0], "00400033") == "ISO" and is_oid(said) else ""


def _modalities(study: StudyContents) -> Iterator[Code]:
    found = (text(series.elements, "00080060") for series in study.series)
    return (MODALITIES[modality] for modality in found if modality in MODALITIES)


def _patient_info(elements: Elements, patient: Patient) -> Iterator[str]:
    """PID-3, 5, 7, 8 of HL7 (ITI TF-3 4.2.3.2.23)."""
    yield f"PID-3|{patient.source}"
    components = [*person_name(elements, "00100010").partition("=")[0].split("^"), *[""] * 4][:5]
    family, given, middle, prefix, suffix = (part.strip().translate(_ESCAPED) for part in components)
    name = "^".join((family, given, middle, suffix, prefix)).rstrip("^")
    birth, sex = normal_date(text(elements, "00100030")), text(elements, "00100040")
    for field, value in (("PID-5", name), ("PID-7", birth), ("PID-8", sex if sex in _SEXES else "U" if sex else "")):
        if value:
            yield f"{field}|{value}"
