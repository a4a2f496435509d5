"""The DICOM Conformance Statement, DICOMweb included, in the form of PS3.2."""

from __future__ import annotations

from pydicom.uid import UID

from conformance.requirements import tables
from conformance.statement.document import Document
from conformance.statement.registered import Registered
from conformance.statement.stated import DICOM, WEB
from dimse.find import FIND_STATUS
from dimse.procedure_step import STEP_STATUS
from dimse.status import RETRIEVE_STATUS, STORE_STATUS, StatusTable
from dimse.upper_layer.profile import Profile
from vna.app import Application
from vna.app.doors import dimse_server
from vna.model.attributes import BY_LEVEL, COMPUTED
from vna.model.charsets import CODECS
from vna.model.query import Level
from vna.model.sop_classes import STORAGE_CLASSES
from vna.model.transfer_syntaxes import QUERY_TRANSFER_SYNTAXES, STORAGE_TRANSFER_SYNTAXES

AS_USER = (
    ("Storage", "PS3.4 B", "C-MOVE, `vna send`, forwarding"),
    ("Study Root and Patient Root Q/R: FIND, MOVE, GET", "PS3.4 C", "archives elsewhere (docs/federation.md)"),
    ("Verification", "PS3.4 A", "`vna source test`"),
    ("Storage Commitment Push Model", "PS3.4 J.3", "`vna send --commit`"),
    ("Instance Availability Notification", "PS3.4 R", "AE titles of VNA_AVAILABILITY__NOTIFY"),
)


def statement(application: Application, found: Registered, version: str) -> Document:
    """The whole document."""
    document = Document()
    document.heading(1, f"DICOM Conformance Statement: vna {version}")
    document.say(
        "This document follows PS3.2. `vna conformance statement` writes it from what the code registers. It is "
        "of an archive with these settings. `vna conformance run` checks what it says."
    )
    _overview(document, found)
    _model(document)
    _entity(document, application, dimse_server(application).profile)
    _storage(document, found)
    _query(document)
    _statuses(document)
    _web(document, found)
    _rest(document)
    return document


def _overview(document: Document, found: Registered) -> None:
    document.heading(2, "1 Overview")
    document.say(
        "An archive: it stores composite instances of every class, answers searches, sends what it holds, gives the "
        "worklist of modalities, takes performed procedure steps, and commits itself to what it keeps."
    )
    services = (DICOM[key] for key in list(found.keys()) if key in DICOM)
    document.table(("Network service", "clause"), [(one.title, one.clause) for one in services])


def _model(document: Document) -> None:
    document.heading(2, "2 Networking")
    document.heading(3, "2.1 Implementation model")
    document.say(
        "One application entity serves all of it. What it acknowledges is durable: the object is written and synced, "
        "and its index entry committed, before Success is answered. Objects are kept as they were received "
        "(Level 2, Full); corrections lie beside them and are applied whenever one is read."
    )
    document.heading(3, "2.2 As provider (SCP)")
    document.table(
        ("SOP class", "UID", "clause"),
        [(one.title, key.partition(" ")[2], one.clause) for key, one in DICOM.items()],
    )
    document.heading(3, "2.3 As user (SCU)")
    document.table(("SOP classes", "clause", "where it is used"), AS_USER)


def _entity(document: Document, application: Application, profile: Profile) -> None:
    settings = application.settings.dimse
    document.heading(3, "2.4 Association policies")
    document.table(
        ("Policy", "Value"),
        [
            ("Application context", "1.2.840.10008.3.1.1.1"),
            ("AE title", f"{settings.ae_title} (VNA_DIMSE__AE_TITLE)"),
            ("Port", "11112, or VNA_DIMSE__PORT"),
            ("Maximum length received", f"{settings.max_pdu_bytes} bytes (VNA_DIMSE__MAX_PDU_BYTES)"),
            ("Associations at the same time", f"{settings.max_associations} (VNA_DIMSE__MAX_ASSOCIATIONS)"),
            ("Asynchronous operations", "not negotiated: one operation at a time on an association"),
            ("Implementation class UID", profile.implementation_class_uid),
            ("Implementation version name", profile.implementation_version_name),
            ("Role selection", "SCP for storage classes (C-GET) and storage commitment, where it is asked for"),
            ("Extended negotiation", "relational queries, combined date-time, fuzzy names, empty and multiple values"),
        ],
    )
    document.say(
        "In `enforced` mode only AE titles that are known associate (`vna ae`); in `local` mode everyone of this host "
        "does. Of several transfer syntaxes of a context the first that is supported is accepted."
    )


def _storage(document: Document, found: Registered) -> None:
    document.heading(3, "2.5 Storage")
    document.say("Transfer syntaxes of every storage class:")
    document.table(("Transfer syntax", "UID"), [(UID(uid).name, uid) for uid in STORAGE_TRANSFER_SYNTAXES])
    document.say("Of all other classes: " + ", ".join(UID(uid).name for uid in QUERY_TRANSFER_SYNTAXES) + ".")
    rows = sorted((UID(uid).name, uid) for uid in found.sop_classes if uid in STORAGE_CLASSES)
    document.table(("Storage SOP class", "UID"), rows)


def _query(document: Document) -> None:
    document.heading(3, "2.6 Query")
    document.say(
        "Keys of each level. All of them are matched; matching is of single values, lists of UIDs, wildcards, ranges, "
        "universal and within sequences. At IMAGE level every other attribute of the header can be asked as well."
    )
    for level in Level:
        named = [(one.keyword, _tag(one.tag), one.vr) for one in BY_LEVEL[level]]
        computed = [(one.keyword, _tag(one.tag), one.vr) for one in COMPUTED if one.level is level]
        document.heading(4, f"{level.name} level")
        document.table(("Key", "tag", "VR"), [*named, *computed])


def _tag(tag: str) -> str:
    return f"({tag[:4]},{tag[4:]})"


_ERRORS: tuple[tuple[str, StatusTable], ...] = (
    ("C-STORE", STORE_STATUS),
    ("C-FIND", FIND_STATUS),
    ("C-MOVE, C-GET", RETRIEVE_STATUS),
    ("N-CREATE, N-SET, N-GET of performed steps", STEP_STATUS),
)


def _statuses(document: Document) -> None:
    document.heading(3, "2.7 Statuses")
    rows = [(service, f"{status:04X}", _words(kinds)) for service, table in _ERRORS for status, kinds in _by(table)]
    document.table(("Service", "status", "when"), rows)
    document.say("An Error Comment says in words what is wrong.")


def _by(table: StatusTable) -> list[tuple[int, list[str]]]:
    statuses = sorted(set(table.values()))
    return [(status, [kind.__name__ for kind, code in table.items() if code == status]) for status in statuses]


def _words(names: list[str]) -> str:
    spaced = ("".join(f" {char.lower()}" if char.isupper() else char for char in name).strip() for name in names)
    return ", ".join(spaced)


def _web(document: Document, found: Registered) -> None:
    document.heading(2, "3 DICOM web services")
    document.say("As an origin server, under these addresses; docs/ps3_18.md goes through PS3.18 clause by clause.")
    addresses: dict[str, list[str]] = {}
    for one in found.addresses:
        addresses.setdefault(f"DICOMweb {one.name}", []).append(f"{one.method} {one.url}")
    document.table(
        ("Transaction", "clause", "addresses"),
        [(WEB[key].title, WEB[key].clause, ", ".join(paths)) for key, paths in addresses.items()],
    )
    document.heading(3, "3.1 What is not offered")
    rows = [
        (f"{table.standard} {one.clause}", one.says, one.not_offered)
        for table in tables()
        for one in table.requirements
        if one.not_offered
    ]
    document.table(("Clause", "what it asks", "why it is not offered"), rows)


def _rest(document: Document) -> None:
    document.heading(2, "4 Media interchange")
    document.say("As a file-set creator: `vna export` writes file-sets with DICOMDIR (docs/export.md).")
    document.heading(2, "5 Character sets")
    document.say("Read: " + ", ".join(name for name in CODECS if name) + ".")
    document.say("An answer is in the character set of its request where that has the letters, else in ISO_IR 192.")
    document.heading(2, "6 Security")
    document.say(
        "DICOM, HTTP and HL7 speak TLS 1.2 and 1.3 where a certificate is set (docs/tls.md). Access is by one policy "
        "on every door; every access, change and refusal is audited (PS3.15 A.5)."
    )
    document.heading(2, "7 Extensions and private elements")
    document.say(
        "No standard extended or private SOP class, no private transfer syntax. Private elements of others are kept. "
        "STOW-RS answers have Error Comment (0000,0902) beside Failure Reason."
    )
