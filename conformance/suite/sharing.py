"""Transactions of document sharing as the suite asks them, and what their answers say (ITI TF-3 4.2.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from conformance.suite.check import Failed
from conformance.suite.session import Session
from conformance.suite.soap import Reply, tell, tell_packed
from conformance.suite.submissions import RIM, UNIQUE_ID, Document

RS: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
QUERY: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
XDSB: Final = "urn:ihe:iti:xds-b:2007"
REGISTER: Final = "urn:ihe:iti:2007:RegisterDocumentSet-b"
STORED_QUERY: Final = "urn:ihe:iti:2007:RegistryStoredQuery"
PROVIDE: Final = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
RETRIEVE: Final = "urn:ihe:iti:2007:RetrieveDocumentSet"
FIND_DOCUMENTS: Final = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
GET_DOCUMENTS: Final = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
APPROVED: Final = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
DEPRECATED: Final = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"
SUCCESS: Final = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
FAILURE: Final = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
PARTIAL: Final = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
_SEVERITY: Final = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:"


def response(reply: Reply) -> etree._Element:
    """The element that has the status; Failed where there is none, or where it contradicts its errors."""
    body = reply.body
    found = body if body.get("status") is not None else body.find(f"{{{RS}}}RegistryResponse")
    if found is None:
        code, inner = reply.fault()
        raise Failed(f"the answer is a fault: {code} {inner}".rstrip())
    severe = [one for one in errors(found) if one.get("severity") == f"{_SEVERITY}Error"]
    if found.get("status") == FAILURE and not severe:
        raise Failed("the status is Failure, and no error says why (ITI TF-3 4.2.4)")
    if found.get("status") == SUCCESS and severe:
        raise Failed("the status is Success, and there is an error (ITI TF-3 4.2.4)")
    return found


def errors(found: etree._Element) -> list[etree._Element]:
    """Every rs:RegistryError."""
    return list(found.iter(f"{{{RS}}}RegistryError"))


def succeeded(reply: Reply, what: str) -> etree._Element:
    """Failed where the status is another than Success; else the element that has it."""
    return _with_status(reply, SUCCESS, what)


def partly(reply: Reply, what: str) -> etree._Element:
    """Failed where the status is another than PartialSuccess."""
    return _with_status(reply, PARTIAL, what)


def _with_status(reply: Reply, wanted: str, what: str) -> etree._Element:
    found = response(reply)
    if found.get("status") != wanted:
        codes = " ".join(one.get("errorCode", "") for one in errors(found))
        said = (found.get("status") or "").rpartition(":")[2]
        raise Failed(f"{what} is answered {said} {codes}, not {wanted.rpartition(':')[2]}")
    return found


def refused(reply: Reply, what: str, *codes: str) -> etree._Element:
    """Failed where the answer is no Failure with one of these codes, or where its errors are not as they have to be."""
    found = _with_status(reply, FAILURE, what)
    came = [one.get("errorCode", "") for one in errors(found)]
    if codes and not set(codes) & set(came):
        raise Failed(f"{what} is refused with {' '.join(came)}, not {' or '.join(codes)}")
    _written(found)
    return found


def _written(found: etree._Element) -> None:
    for one in errors(found):
        if not one.get("codeContext") or one.get("severity") not in (f"{_SEVERITY}Error", f"{_SEVERITY}Warning"):
            raise Failed("a RegistryError has no codeContext, or no severity (ITI TF-3 4.2.4)")


def register(session: Session, request: str) -> Reply:
    """ITI-42."""
    return tell(session, session.targets.xds_registry, REGISTER, request)


def ask(session: Session, query: str, slots: Mapping[str, str], returns: str = "LeafClass") -> Reply:
    """ITI-18: a stored query with these parameters, as they are written on the wire."""
    given = "".join(
        f'<rim:Slot name="${name}"><rim:ValueList><rim:Value>{escape(value)}</rim:Value></rim:ValueList></rim:Slot>'
        for name, value in slots.items()
    )
    body = (
        f'<query:AdhocQueryRequest xmlns:query="{QUERY}" xmlns:rim="{RIM}"><query:ResponseOption '
        f'returnComposedObjects="true" returnType="{returns}"/><rim:AdhocQuery id="{query}">{given}</rim:AdhocQuery>'
        "</query:AdhocQueryRequest>"
    )
    return tell(session, session.targets.xds_registry, STORED_QUERY, body)


def find(session: Session, patient: str, *statuses: str, returns: str = "LeafClass", **more: str) -> Reply:
    """FindDocuments of a patient with one of these statuses, Approved where none is named."""
    listed = ",".join(f"'{one}'" for one in statuses or (APPROVED,))
    slots = {"XDSDocumentEntryPatientId": f"'{patient}'", "XDSDocumentEntryStatus": f"({listed})", **more}
    return ask(session, FIND_DOCUMENTS, slots, returns)


def by_unique_id(session: Session, *unique_ids: str) -> Reply:
    """GetDocuments."""
    listed = ",".join(f"'{one}'" for one in unique_ids)
    return ask(session, GET_DOCUMENTS, {"XDSDocumentEntryUniqueId": f"({listed})"})


def objects(reply: Reply, what: str = "the query") -> list[etree._Element]:
    """What a query found."""
    listed = succeeded(reply, what).find(f"{{{RIM}}}RegistryObjectList")
    if listed is None:
        raise Failed("the answer has no RegistryObjectList")
    return list(listed.iterchildren("*"))


def entries(reply: Reply, what: str = "the query") -> dict[str, etree._Element]:
    """The documents that a query found, by their uniqueId."""
    found = [one for one in objects(reply, what) if etree.QName(one).localname == "ExtrinsicObject"]
    return {identifier(one, UNIQUE_ID): one for one in found}


def identifier(thing: etree._Element, scheme: str) -> str:
    """An external identifier of an object."""
    found = thing.find(f"{{{RIM}}}ExternalIdentifier[@identificationScheme='{scheme}']")
    return "" if found is None else found.get("value", "")


def slot(thing: etree._Element, name: str) -> str:
    """The first value of a slot."""
    return thing.findtext(f"{{{RIM}}}Slot[@name='{name}']/{{{RIM}}}ValueList/{{{RIM}}}Value") or ""


def provide(session: Session, request: str, documents: Iterable[Document], *, inline: str = "") -> Reply:
    """ITI-41 as an MTOM package; `inline` is base64 in the place of an attachment."""
    documents = tuple(documents)
    attached = {} if inline else {f"{one.id}@conformance": one.content for one in documents}
    include = '<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:{}@conformance"/>'
    carried = "".join(
        f'<xdsb:Document id="{one.id}">{inline or include.format(one.id)}</xdsb:Document>' for one in documents
    )
    body = (
        f'<xdsb:ProvideAndRegisterDocumentSetRequest xmlns:xdsb="{XDSB}">{request}{carried}'
        "</xdsb:ProvideAndRegisterDocumentSetRequest>"
    )
    return tell_packed(session, session.targets.xds_repository, PROVIDE, body, attached)


def retrieve(session: Session, repository: str, *unique_ids: str) -> Reply:
    """ITI-43 as an MTOM package."""
    asked = "".join(wanted(repository, one) for one in unique_ids)
    body = f'<xdsb:RetrieveDocumentSetRequest xmlns:xdsb="{XDSB}">{asked}</xdsb:RetrieveDocumentSetRequest>'
    return tell_packed(session, session.targets.xds_repository, RETRIEVE, body)


def wanted(repository: str, unique_id: str) -> str:
    """A DocumentRequest."""
    return (
        f"<xdsb:DocumentRequest><xdsb:RepositoryUniqueId>{escape(repository)}</xdsb:RepositoryUniqueId>"
        f"<xdsb:DocumentUniqueId>{escape(unique_id)}</xdsb:DocumentUniqueId></xdsb:DocumentRequest>"
    )


def contents(reply: Reply) -> dict[str, tuple[str, bytes]]:
    """Media type and bytes of what came, by uniqueId."""
    found = {}
    for one in reply.body.iterfind(f"{{{XDSB}}}DocumentResponse"):
        document = one.find(f"{{{XDSB}}}Document")
        if document is None:
            raise Failed("a DocumentResponse has no Document")
        name = one.findtext(f"{{{XDSB}}}DocumentUniqueId") or ""
        found[name] = one.findtext(f"{{{XDSB}}}mimeType") or "", reply.content(document)
    return found
