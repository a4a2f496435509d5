"""Which attribute of the model is which slot, classification and external identifier (ITI TF-3 4.2.3, 4.2.5)."""

from dataclasses import dataclass

from vna.model.documents import (
    AssociationKind,
    DocumentEntry,
    Folder,
    Registered,
    Status,
    SubmissionSet,
)

STABLE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
ON_DEMAND = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"
DOCUMENTATION = "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3"

_REGREP = "urn:oasis:names:tc:ebxml-regrep:"
OBJECT_TYPE = f"{_REGREP}ObjectType:RegistryObject:"
_STATUS = f"{_REGREP}StatusType:"
RESPONSE_STATUS = f"{_REGREP}ResponseStatusType:"
SEVERITY = f"{_REGREP}ErrorSeverityType:"

STATUS_URN = {status: _STATUS + status.value for status in Status}
STATUSES = {urn: status for status, urn in STATUS_URN.items()}

_SPACES = {
    AssociationKind.HAS_MEMBER: f"{_REGREP}AssociationType:",
    AssociationKind.SNAPSHOT: "urn:ihe:iti:2010:AssociationType:",
    AssociationKind.UPDATES_STATUS: "urn:ihe:iti:2010:AssociationType:",
    AssociationKind.SUBMITS: "urn:ihe:iti:2010:AssociationType:",
}
ASSOCIATION_URN = {
    kind: _SPACES.get(kind, "urn:ihe:iti:2007:AssociationType:") + kind.value for kind in AssociationKind
}
ASSOCIATIONS = {urn: kind for kind, urn in ASSOCIATION_URN.items()} | {kind.value: kind for kind in AssociationKind}
"""The short names are of the time before XDS.b, and still met."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot, and the field of the model that holds its value, or its values."""

    name: str
    field: str
    many: bool = False


@dataclass(frozen=True, slots=True)
class Scheme:
    """A classification scheme, and the field of the model that holds its code, or its codes."""

    urn: str
    field: str
    name: str
    many: bool = False


@dataclass(frozen=True, slots=True)
class Identifier:
    """A scheme of external identifiers, the field that holds the value, and what it is called on the wire."""

    urn: str
    field: str
    name: str


@dataclass(frozen=True, slots=True)
class Form:
    """How one class of objects is written. `node` classifies a package as what it is; `limited` says that less is said
    of the object than should be."""

    slots: tuple[Slot, ...]
    schemes: tuple[Scheme, ...]
    identifiers: tuple[Identifier, ...]
    limited: str
    author: str = ""
    node: str = ""


AUTHOR = (
    Slot("authorPerson", "person", many=True),
    Slot("authorInstitution", "institution", many=True),
    Slot("authorRole", "role", many=True),
    Slot("authorSpecialty", "specialty", many=True),
    Slot("authorTelecommunication", "telecommunication", many=True),
)

DOCUMENT = Form(
    slots=(
        Slot("creationTime", "creation_time"),
        Slot("hash", "hash"),
        Slot("languageCode", "language_code"),
        Slot("legalAuthenticator", "legal_authenticator"),
        Slot("repositoryUniqueId", "repository_unique_id"),
        Slot("serviceStartTime", "service_start_time"),
        Slot("serviceStopTime", "service_stop_time"),
        Slot("size", "size"),
        Slot("sourcePatientId", "source_patient_id"),
        Slot("sourcePatientInfo", "source_patient_info", many=True),
        Slot("URI", "uri"),
        Slot("documentAvailability", "availability"),
        Slot("urn:ihe:iti:xds:2013:referenceIdList", "reference_ids", many=True),
    ),
    author="urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d",
    schemes=(
        Scheme("urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a", "class_code", "classCode"),
        Scheme(
            "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f", "confidentiality_codes", "confidentialityCode", many=True
        ),
        Scheme("urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4", "event_codes", "eventCodeList", many=True),
        Scheme("urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d", "format_code", "formatCode"),
        Scheme(
            "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
            "healthcare_facility_type_code",
            "healthcareFacilityTypeCode",
        ),
        Scheme("urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead", "practice_setting_code", "practiceSettingCode"),
        Scheme("urn:uuid:f0306f51-975f-434e-a61c-c59651d33983", "type_code", "typeCode"),
    ),
    identifiers=(
        Identifier("urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427", "patient_id", "XDSDocumentEntry.patientId"),
        Identifier("urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab", "unique_id", "XDSDocumentEntry.uniqueId"),
    ),
    limited="urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85",
)

SUBMISSION_SET = Form(
    node="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd",
    slots=(
        Slot("submissionTime", "submission_time"),
        Slot("intendedRecipient", "intended_recipients", many=True),
    ),
    author="urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d",
    schemes=(Scheme("urn:uuid:aa543740-bdda-424e-8c96-df4873be8500", "content_type_code", "contentTypeCode"),),
    identifiers=(
        Identifier("urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446", "patient_id", "XDSSubmissionSet.patientId"),
        Identifier("urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832", "source_id", "XDSSubmissionSet.sourceId"),
        Identifier("urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8", "unique_id", "XDSSubmissionSet.uniqueId"),
    ),
    limited="urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707",
)

FOLDER = Form(
    node="urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2",
    slots=(Slot("lastUpdateTime", "last_update_time"),),
    schemes=(Scheme("urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5", "codes", "codeList", many=True),),
    identifiers=(
        Identifier("urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a", "patient_id", "XDSFolder.patientId"),
        Identifier("urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a", "unique_id", "XDSFolder.uniqueId"),
    ),
    limited="urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03",
)

FORMS: dict[type[Registered], Form] = {DocumentEntry: DOCUMENT, SubmissionSet: SUBMISSION_SET, Folder: FOLDER}

ASSOCIATION_SLOTS = (
    Slot("SubmissionSetStatus", "submission_set_status"),
    Slot("PreviousVersion", "previous_version"),
)
STATUS_SLOTS = (
    Slot("OriginalStatus", "original_status"),
    Slot("NewStatus", "new_status"),
)
PROPAGATION = "AssociationPropagation"
