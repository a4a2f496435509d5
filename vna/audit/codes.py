"""Codes of audit messages: DICOM's (PS3.16 CID 400 to 405), those of RFC 3881, IHE's transactions and metadata."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value as the schema has it (PS3.15 A.5.1): code, coding scheme, text."""

    value: str
    scheme: str
    text: str


def dcm(value: int, text: str) -> Code:
    """A code of DICOM."""
    return Code(str(value), "DCM", text)


APPLICATION_ACTIVITY = dcm(110100, "Application Activity")  # PS3.16 CID 400
AUDIT_LOG_USED = dcm(110101, "Audit Log Used")
ACCESSED = dcm(110103, "DICOM Instances Accessed")
TRANSFERRED = dcm(110104, "DICOM Instances Transferred")
STUDY_DELETED = dcm(110105, "DICOM Study Deleted")
EXPORT = dcm(110106, "Export")
IMPORT = dcm(110107, "Import")
ORDER_RECORD = dcm(110109, "Order Record")
PATIENT_RECORD = dcm(110110, "Patient Record")
PROCEDURE_RECORD = dcm(110111, "Procedure Record")
QUERY = dcm(110112, "Query")
SECURITY_ALERT = dcm(110113, "Security Alert")
USER_AUTHENTICATION = dcm(110114, "User Authentication")

APPLICATION_START = dcm(110120, "Application Start")  # PS3.16 CID 401
APPLICATION_STOP = dcm(110121, "Application Stop")
LOGIN = dcm(110122, "Login")
LOGOUT = dcm(110123, "Logout")
EMERGENCY_OVERRIDE = dcm(110127, "Emergency Override Started")
NETWORK_CONFIGURATION = dcm(110128, "Network Configuration")
SECURITY_CONFIGURATION = dcm(110129, "Security Configuration")
SOFTWARE_CONFIGURATION = dcm(110131, "Software Configuration")
RESTRICTED_FUNCTION = dcm(110132, "Use of Restricted Function")
RECORDING_STOPPED = dcm(110133, "Audit Recording Stopped")
RECORDING_STARTED = dcm(110134, "Audit Recording Started")
OBJECT_SECURITY = dcm(110135, "Object Security Attributes Changed")
USER_SECURITY = dcm(110137, "User security Attributes Changed")

APPLICATION = dcm(110150, "Application")  # PS3.16 CID 402
LAUNCHER = dcm(110151, "Application Launcher")
DESTINATION = dcm(110152, "Destination Role ID")
SOURCE = dcm(110153, "Source Role ID")
DESTINATION_MEDIA = dcm(110154, "Destination Media")
URI_MEDIA = dcm(110037, "URI")  # PS3.16 CID 405

STUDY_INSTANCE_UID = dcm(110180, "Study Instance UID")  # PS3.16 CID 404
SOP_CLASS_UID = dcm(110181, "SOP Class UID")
NODE_ID = dcm(110182, "Node ID")
PATIENT_NUMBER = Code("2", "RFC-3881", "Patient Number")  # RFC 3881 5.5.4
REPORT_NUMBER = Code("9", "RFC-3881", "Report Number")
SEARCH_CRITERIA = Code("10", "RFC-3881", "Search Criteria")
URI = Code("12", "RFC-3881", "URI")
APPLICATION_SERVER = "4"  # RFC 3881 5.4.3

_METADATA = "IHE XDS Metadata"
SUBMISSION_SET = Code("urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd", _METADATA, "submission set classificationNode")
OBJECT_REFERENCE = Code("urn:ihe:iti:2017:ObjectRef", _METADATA, "registry object reference")

IHE = "IHE Transactions"
TRANSACTIONS = {
    code: Code(code, IHE, text)
    for code, text in {
        "ITI-8": "Patient Identity Feed",
        "ITI-9": "PIX Query",
        "ITI-18": "Registry Stored Query",
        "ITI-30": "Patient Identity Management",
        "ITI-38": "Cross Gateway Query",
        "ITI-39": "Cross Gateway Retrieve",
        "ITI-41": "Provide and Register Document Set-b",
        "ITI-42": "Register Document Set-b",
        "ITI-43": "Retrieve Document Set",
        "ITI-45": "PIX Query",
        "ITI-57": "Update Document Set",
        "ITI-61": "Register On-Demand Document Entry",
        "ITI-62": "Remove Metadata",
        "ITI-86": "Remove Documents",
        "ITI-92": "Restricted Update Document Set",
        "RAD-68": "Provide and Register Imaging Document Set",
        "RAD-69": "Retrieve Imaging Document Set",
        "RAD-75": "Cross Gateway Retrieve Imaging Document Set",
    }.items()
}
"""IHE's transactions by number, as EventTypeCode has them."""

PURPOSES = {
    "TREAT": "treatment",
    "ETREAT": "emergency treatment",
    "PATRQT": "patient requested",
    "HPAYMT": "healthcare payment",
    "HOPERAT": "healthcare operations",
}
PURPOSE_SCHEME = "2.16.840.1.113883.5.8"
"""HL7's ActReason."""
ROLE_SCHEME = "vna"
