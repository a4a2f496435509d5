"""What the statements say of each service that is registered: its title, where the standard has it, and its check.

A test holds this to what is registered (`registered`) and to the checks there are (`covers` of a check).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Stated:
    """A service; `check` is what its checks cover."""

    title: str
    clause: str
    check: str


_QUERY, _MOVE, _GET = "C-FIND", "C-MOVE", "C-GET"

DICOM: Final[Mapping[str, Stated]] = {
    "DICOM storage": Stated("Storage, every class of the table below", "PS3.4 B", "storage"),
    "DICOM 1.2.840.10008.1.1": Stated("Verification", "PS3.4 A", "1.2.840.10008.1.1"),
    "DICOM 1.2.840.10008.5.1.4.1.2.1.1": Stated("Patient Root Q/R: FIND", "PS3.4 C.6.1", _QUERY),
    "DICOM 1.2.840.10008.5.1.4.1.2.1.2": Stated("Patient Root Q/R: MOVE", "PS3.4 C.6.1", _MOVE),
    "DICOM 1.2.840.10008.5.1.4.1.2.1.3": Stated("Patient Root Q/R: GET", "PS3.4 C.6.1", _GET),
    "DICOM 1.2.840.10008.5.1.4.1.2.2.1": Stated("Study Root Q/R: FIND", "PS3.4 C.6.2", _QUERY),
    "DICOM 1.2.840.10008.5.1.4.1.2.2.2": Stated("Study Root Q/R: MOVE", "PS3.4 C.6.2", _MOVE),
    "DICOM 1.2.840.10008.5.1.4.1.2.2.3": Stated("Study Root Q/R: GET", "PS3.4 C.6.2", _GET),
    "DICOM 1.2.840.10008.5.1.4.1.2.3.1": Stated("Patient/Study Only Q/R: FIND (retired)", "PS3.4 C.6.3", _QUERY),
    "DICOM 1.2.840.10008.5.1.4.1.2.3.2": Stated("Patient/Study Only Q/R: MOVE (retired)", "PS3.4 C.6.3", _MOVE),
    "DICOM 1.2.840.10008.5.1.4.1.2.3.3": Stated("Patient/Study Only Q/R: GET (retired)", "PS3.4 C.6.3", _GET),
    "DICOM 1.2.840.10008.5.1.4.31": Stated("Modality Worklist: FIND", "PS3.4 K", "1.2.840.10008.5.1.4.31"),
    "DICOM 1.2.840.10008.3.1.2.3.3": Stated(
        "Modality Performed Procedure Step", "PS3.4 F.7", "1.2.840.10008.3.1.2.3.3"
    ),
    "DICOM 1.2.840.10008.3.1.2.3.4": Stated(
        "Modality Performed Procedure Step: Retrieve", "PS3.4 F.8", "1.2.840.10008.3.1.2.3.4"
    ),
    "DICOM 1.2.840.10008.1.20.1": Stated("Storage Commitment Push Model", "PS3.4 J.3", "1.2.840.10008.1.20.1"),
}

_SEARCH, _RETRIEVE = "QIDO-RS", "WADO-RS"

WEB: Final[Mapping[str, Stated]] = {
    "DICOMweb store": Stated("Store (STOW-RS)", "PS3.18 10.5", "STOW-RS"),
    "DICOMweb search_studies": Stated("Search for studies (QIDO-RS)", "PS3.18 10.6", _SEARCH),
    "DICOMweb search_series": Stated("Search for series (QIDO-RS)", "PS3.18 10.6", _SEARCH),
    "DICOMweb search_instances": Stated("Search for instances (QIDO-RS)", "PS3.18 10.6", _SEARCH),
    "DICOMweb instances": Stated("Retrieve studies, series, instances (WADO-RS)", "PS3.18 10.4", _RETRIEVE),
    "DICOMweb metadata": Stated("Retrieve metadata", "PS3.18 10.4", "metadata"),
    "DICOMweb frames": Stated("Retrieve frames", "PS3.18 10.4", "frames"),
    "DICOMweb bulkdata": Stated("Retrieve bulk data, by the address that metadata give", "PS3.18 10.4", "bulkdata"),
    "DICOMweb every_bulkdata": Stated("Retrieve all bulk data of a resource", "PS3.18 10.4", "bulkdata"),
    "DICOMweb pixeldata": Stated("Retrieve pixel data", "PS3.18 10.4", "pixeldata"),
    "DICOMweb rendered": Stated("Retrieve rendered resources", "PS3.18 10.4", "rendered"),
    "DICOMweb thumbnail": Stated("Retrieve thumbnails", "PS3.18 10.4", "thumbnail"),
    "DICOMweb wado": Stated("URI service (WADO-URI)", "PS3.18 9", "WADO-URI"),
    "DICOMweb request_commitment": Stated("Storage commitment: request", "PS3.18 13", "web commitment"),
    "DICOMweb check_commitment": Stated("Storage commitment: result", "PS3.18 13", "web commitment"),
    "DICOMweb count_studies": Stated("Count studies (our own)", "none", "count"),
    "DICOMweb count_series": Stated("Count series (our own)", "none", "count"),
    "DICOMweb count_instances": Stated("Count instances (our own)", "none", "count"),
    "DICOMweb delete": Stated("Delete studies, series, instances (our own)", "none", "delete"),
    "DICOMweb changefeed": Stated("Feed of changes (our own)", "none", "changefeed"),
    "DICOMweb latest": Stated("Newest change (our own)", "none", "changefeed"),
}

_ITI, _RAD = "ITI TF-2 3.{}", "RAD TF-2 4.{}"

IHE: Final[Mapping[str, Stated]] = {
    "SOAP registry ITI-18": Stated("Registry Stored Query", _ITI.format(18), "ITI-18"),
    "SOAP registry ITI-42": Stated("Register Document Set-b", _ITI.format(42), "ITI-42"),
    "SOAP registry ITI-57": Stated("Update Document Set", _ITI.format(57), "ITI-57"),
    "SOAP registry ITI-61": Stated("Register On-Demand Document Entry", _ITI.format(61), "ITI-61"),
    "SOAP registry ITI-62": Stated("Remove Metadata", _ITI.format(62), "ITI-62"),
    "SOAP registry ITI-92": Stated("Restricted Update Document Set", _ITI.format(92), "ITI-92"),
    "SOAP repository ITI-41": Stated("Provide and Register Document Set-b", _ITI.format(41), "ITI-41"),
    "SOAP repository ITI-43": Stated("Retrieve Document Set", _ITI.format(43), "ITI-43"),
    "SOAP repository ITI-86": Stated("Remove Documents", _ITI.format(86), "ITI-86"),
    "SOAP imaging-source RAD-69": Stated("Retrieve Imaging Document Set", _RAD.format(69), "RAD-69"),
    "SOAP responding-gateway ITI-38": Stated("Cross Gateway Query", _ITI.format(38), "ITI-38"),
    "SOAP responding-gateway ITI-39": Stated("Cross Gateway Retrieve", _ITI.format(39), "ITI-39"),
    "SOAP responding-gateway RAD-75": Stated("Cross Gateway Retrieve Imaging Document Set", _RAD.format(75), "RAD-75"),
    "SOAP initiating-gateway forwarded_query": Stated("Registry Stored Query, forwarded", _ITI.format(18), "ITI-18"),
    "SOAP initiating-gateway forwarded_documents": Stated(
        "Retrieve Document Set, forwarded", _ITI.format(43), "ITI-43"
    ),
    "SOAP initiating-gateway forwarded_images": Stated(
        "Retrieve Imaging Document Set, forwarded", _RAD.format(69), "RAD-69"
    ),
    "HL7 ADT^A01": Stated("Patient Identity Feed: admission", _ITI.format(8), "ADT"),
    "HL7 ADT^A04": Stated("Patient Identity Feed: registration", _ITI.format(8), "ADT"),
    "HL7 ADT^A05": Stated("Patient Identity Feed: pre-admission", _ITI.format(8), "ADT"),
    "HL7 ADT^A08": Stated("Patient Identity Feed: update", _ITI.format(8), "ADT"),
    "HL7 ADT^A31": Stated("Update of a person", "HL7 3.3.31", "ADT"),
    "HL7 ADT^A40": Stated("Patient Identity Feed: merge", _ITI.format(8), "ADT"),
    "HL7 ORM^O01": Stated("Orders", "HL7 4.4.1", "ORM^O01"),
    "HL7 ORU^R01": Stated("Reports", "HL7 7.3.1", "ORU^R01"),
    "look-up find": Stated("Is there an examination under this number", "docs/sgk.md", "look-ups"),
    "look-up list": Stated("Examinations of a period", "docs/sgk.md", "look-ups"),
    "look-up link": Stated("A link to the images", "docs/sgk.md", "look-ups"),
    "look-up verify": Stated("Was it this person", "docs/sgk.md", "look-ups"),
    "look-up duplicates": Stated("Was the same done before", "docs/sgk.md", "look-ups"),
}

STATED: Final[Mapping[str, Stated]] = {**DICOM, **WEB, **IHE}


@dataclass(frozen=True, slots=True)
class Actor:
    """An actor of an IHE profile that this archive is, with what it does as one."""

    profile: str
    actor: str
    options: str


ACTORS: Final = (
    Actor("ITI XDS.b", "Document Registry", "Patient Identity Feed (HL7 v2), On-Demand Documents, Metadata Update"),
    Actor("ITI XDS.b", "Document Repository", "none"),
    Actor("ITI XDS.b", "Document Source", "Document Replacement"),
    Actor("RAD XDS-I.b", "Imaging Document Source", "Set of DICOM Instances; PDF, CDA and text reports"),
    Actor("RAD XDS-I.b", "Imaging Document Consumer", "none"),
    Actor("ITI XCA, RAD XCA-I", "Responding Gateway", "where a home community is set"),
    Actor("ITI XCA, RAD XCA-I", "Initiating Gateway", "where communities are set"),
    Actor("RAD SWF.b", "Image Manager, Image Archive", "DICOM and DICOMweb as in the DICOM Conformance Statement"),
    Actor("RAD SWF.b", "Performed Procedure Step Manager", "takes steps; does not forward them"),
    Actor("RAD IOCM", "Image Manager, Image Archive", "Key Object Selections with the titles of rejection"),
    Actor("ITI RMD", "Document Registry, Document Repository", "ITI-62, ITI-86"),
    Actor("ITI ATNA", "Secure Node", "TLS syslog; DICOM audit messages"),
)
