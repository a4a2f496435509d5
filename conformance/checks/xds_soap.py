"""SOAP 1.2 and WS-Addressing at the doors of document sharing (ITI TF-2 Appendix V; SOAP 1.2; WS-Addressing 1.0)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from conformance.suite.check import Failed, NotApplicable, Target, check
from conformance.suite.session import Session
from conformance.suite.sharing import GET_DOCUMENTS, QUERY, RETRIEVE, STORED_QUERY, XDSB, wanted
from conformance.suite.soap import ANONYMOUS, SOAP12, Reply, message, post
from conformance.suite.submissions import RIM

PLAIN: Final = "application/soap+xml; charset=UTF-8"
IHERAD: Final = "urn:ihe:rad:xdsi-b:2009"
RETRIEVE_IMAGES: Final = "urn:ihe:rad:2009:RetrieveImagingDocumentSet"

_ASKED = wanted("1.2.3.4", "1.2.3.4.5")
_QUESTION = (
    f'<q:AdhocQueryRequest xmlns:q="{QUERY}" xmlns:rim="{RIM}"><q:ResponseOption returnType="ObjectRef" '
    f'returnComposedObjects="true"/><rim:AdhocQuery id="{GET_DOCUMENTS}"/></q:AdhocQueryRequest>'
)
_IMAGES = (
    f'<i:RetrieveImagingDocumentSetRequest xmlns:i="{IHERAD}" xmlns:xdsb="{XDSB}"><i:StudyRequest '
    f'studyInstanceUID="1.2"><i:SeriesRequest seriesInstanceUID="1.3">{_ASKED}</i:SeriesRequest></i:StudyRequest>'
    "<i:TransferSyntaxUIDList><i:TransferSyntaxUID>1.2.840.10008.1.2.1</i:TransferSyntaxUID>"
    "</i:TransferSyntaxUIDList></i:RetrieveImagingDocumentSetRequest>"
)
_BODIES: Final = {
    Target.XDS_REGISTRY: (
        STORED_QUERY,
        f"{STORED_QUERY}Response",
        _QUESTION,
    ),
    Target.XDS_REPOSITORY: (
        RETRIEVE,
        f"{RETRIEVE}Response",
        f'<xdsb:RetrieveDocumentSetRequest xmlns:xdsb="{XDSB}">{_ASKED}</xdsb:RetrieveDocumentSetRequest>',
    ),
    Target.XDS_IMAGING_SOURCE: (
        RETRIEVE_IMAGES,
        f"{RETRIEVE}Response",
        _IMAGES,
    ),
}
"""What each door is asked: its action, that of its answer, and a question that it can answer."""


def _url(session: Session, door: Target) -> str:
    return str(getattr(session.targets, door.value.replace("-", "_")))


def _send(session: Session, door: Target, content: bytes) -> Reply:
    return post(session, _url(session, door), content, PLAIN)


def _addressed(door: Target, session: Session) -> None:
    action, answer_action, body = _BODIES[door]
    name = "urn:uuid:5b7f4d2e-0000-4000-8000-00000000c0fe"
    reply = _send(session, door, message(action, body, to=_url(session, door), message_id=name))
    relates, said = reply.header("RelatesTo"), reply.header("Action")
    if relates is None or (relates.text or "").strip() != name:
        raise Failed(
            f"wsa:RelatesTo is {None if relates is None else relates.text!r}, not the MessageID of the question"
        )
    if said is None or (said.text or "").strip() != answer_action:
        raise Failed(f"wsa:Action is {None if said is None else said.text!r}, not {answer_action}")
    if said.get(f"{{{SOAP12}}}mustUnderstand") not in ("1", "true"):
        raise Failed("wsa:Action of the answer does not have to be understood (ITI TF-2 V.3.2.2)")


def _no_reply_to(door: Target, session: Session) -> None:
    action, _, body = _BODIES[door]
    content = message(action, body, to=_url(session, door)).replace(
        f"<wsa:ReplyTo><wsa:Address>{ANONYMOUS}</wsa:Address></wsa:ReplyTo>".encode(), b""
    )
    reply = _send(session, door, content)
    if reply.status != 200:
        raise NotApplicable("wsa:ReplyTo has to be there, as ITI TF-2 V.3.2.2 has it")
    if reply.header("RelatesTo") is None:
        raise Failed("the answer does not say what it relates to")


def _faulty(door: Target, session: Session, content: bytes, codes: tuple[str, ...], subcodes: tuple[str, ...]) -> None:
    reply = _send(session, door, content)
    code, subcode = reply.fault()
    if code not in codes or (subcodes and subcode not in subcodes):
        raise Failed(f"the fault is {code} {subcode}, not {' or '.join((*codes, *subcodes))}")
    if reply.status not in (400, 500):
        raise Failed(f"the HTTP status of the fault is {reply.status}, not 400 or 500 (SOAP 1.2 part 2 7.5)")


def _unknown_action(door: Target, session: Session) -> None:
    content = message("urn:ihe:iti:2007:NoSuchTransaction", _BODIES[door][2], to=_url(session, door))
    _faulty(door, session, content, ("Sender",), ("ActionNotSupported", "ActionMismatch"))


def _no_action(door: Target, session: Session) -> None:
    content = message("", _BODIES[door][2], to=_url(session, door))
    named = ("MessageAddressingHeaderRequired", "ActionNotSupported", "InvalidAddressingHeader")
    _faulty(door, session, content, ("Sender",), named)


def _must_understand(door: Target, session: Session) -> None:
    block = '<x:unknown xmlns:x="urn:conformance:unknown" soap:mustUnderstand="1"/>'
    action, _, body = _BODIES[door]
    _faulty(door, session, message(action, body, header=block), ("MustUnderstand",), ())


def _no_xml(door: Target, session: Session) -> None:
    content = message(_BODIES[door][0], _BODIES[door][2])[:-20]
    _faulty(door, session, content, ("Sender",), ())


def _entity(door: Target, session: Session) -> None:
    content = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + message(_BODIES[door][0], "<x>&e;</x>")
    _faulty(door, session, content, ("Sender",), ())


_Run = Callable[[Target, Session], None]
_CLAIMS: Final[tuple[tuple[str, str, str, _Run], ...]] = (
    ("addressed", "ITI TF-2 V.3.2.2", "An answer names its action and the MessageID of the question", _addressed),
    ("no-reply-to", "WS-Addressing 1.0 Core 3.2", "A question without wsa:ReplyTo is answered on its connection",
     _no_reply_to),
    ("unknown-action", "WS-Addressing 1.0 SOAP Binding 6.4", "An action that is not served is a fault of wsa",
     _unknown_action),
    ("no-action", "WS-Addressing 1.0 SOAP Binding 6.4", "A message without wsa:Action is a fault of wsa", _no_action),
    ("must-understand", "SOAP 1.2 part 1 5.4.6", "A header block that must be understood and is not is MustUnderstand",
     _must_understand),
    ("no-xml", "SOAP 1.2 part 1 5.4.6", "What is no XML is a fault: Sender", _no_xml),
    ("document-type", "SOAP 1.2 part 1 5", "A message with a document type declaration is a fault", _entity),
)  # fmt: skip

_SERVICES: Final = {
    Target.XDS_REGISTRY: ("registry", "ITI-18"),
    Target.XDS_REPOSITORY: ("repository", "ITI-43"),
    Target.XDS_IMAGING_SOURCE: ("imaging-source", "RAD-69"),
}
for _door, (_name, _service) in _SERVICES.items():
    for _claim, _clause, _title, _run in _CLAIMS:
        check(f"xds.{_name}.soap.{_claim}", _clause, _title, _door, covers=(_service,))(partial(_run, _door))
