"""Association negotiation and the upper layer protocol (PS3.8 7, 9; PS3.7 D)."""

from __future__ import annotations

import struct

from pynetdicom import evt

from conformance.suite.check import Failed, NotApplicable, Target, check
from conformance.suite.dicom import EXPLICIT, IMPLICIT, STUDY_FIND, VERIFICATION, identifier, offer
from conformance.suite.objects import CT
from conformance.suite.pdu import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    RELEASE_RP,
    Line,
    Pdu,
    accepted,
    item,
    pdu,
    request,
    user_information,
)
from conformance.suite.session import Session

COVERS = ("association",)
UNKNOWN = "1.2.826.0.1.3680043.10.1561.77.1"


def associated(line: Line, data: bytes) -> Pdu:
    """Send an association request that has to be accepted; what came."""
    line.send(data)
    came = line.read()
    if came.kind != ASSOCIATE_AC:
        raise Failed(f"the answer to A-ASSOCIATE-RQ is {came.name}, not A-ASSOCIATE-AC")
    return came


@check("dimse.association.accepted", "PS3.8 9.3.3", "An association is accepted", Target.DIMSE, covers=COVERS)
def is_accepted(session: Session) -> None:
    with Line(session) as line:
        associated(line, request(session))


@check(
    "dimse.association.results",
    "PS3.8 9.3.3.2",
    "Every proposed presentation context gets one result, an accepted one exactly one of its transfer syntaxes",
    Target.DIMSE,
    covers=COVERS,
)
def results(session: Session) -> None:
    proposed = [(1, VERIFICATION, IMPLICIT), (3, UNKNOWN, IMPLICIT), (5, VERIFICATION, UNKNOWN), (255, CT, EXPLICIT)]
    with Line(session) as line:
        found = accepted(associated(line, request(session, contexts=proposed)).body)
    if sorted(found) != [number for number, _, _ in proposed]:
        raise Failed(f"contexts 1, 3, 5 and 255 were proposed, {sorted(found)} were answered")
    for number, _, syntax in proposed:
        result, syntaxes = found[number]
        if result == 0 and syntaxes != [syntax]:
            raise Failed(f"context {number} was accepted in {syntaxes}, {syntax} was proposed")


@check(
    "dimse.association.unknown-abstract-syntax",
    "PS3.8 Table 9-18",
    "A presentation context of an abstract syntax that nobody knows is rejected with result 3, the others are not",
    Target.DIMSE,
    covers=COVERS,
)
def unknown_abstract_syntax(session: Session) -> None:
    with Line(session) as line:
        contexts = [(1, UNKNOWN, IMPLICIT), (3, VERIFICATION, IMPLICIT)]
        found = accepted(associated(line, request(session, contexts=contexts)).body)
    if found.get(3, (9, []))[0] != 0:
        raise Failed("the context of Verification was not accepted beside it")
    if found.get(1, (9, []))[0] == 0:
        raise NotApplicable("the server accepts abstract syntaxes that it does not know")
    if found[1][0] != 3:
        raise Failed(f"the result is {found[1][0]}, not 3 (abstract syntax not supported)")


@check(
    "dimse.association.unknown-transfer-syntax",
    "PS3.8 Table 9-18",
    "A presentation context without a transfer syntax that anybody knows is rejected with result 4",
    Target.DIMSE,
    covers=COVERS,
)
def unknown_transfer_syntax(session: Session) -> None:
    with Line(session) as line:
        contexts = [(1, VERIFICATION, UNKNOWN), (3, VERIFICATION, IMPLICIT)]
        found = accepted(associated(line, request(session, contexts=contexts)).body)
    if found.get(3, (9, []))[0] != 0:
        raise Failed("the context in Implicit VR Little Endian was not accepted beside it")
    if found.get(1, (9, []))[0] != 4:
        raise Failed(f"the result is {found[1][0] if 1 in found else 'missing'}, not 4 (no transfer syntax supported)")


@check(
    "dimse.association.many-contexts",
    "PS3.8 9.3.2.2",
    "128 presentation contexts, as many as there are odd numbers in a byte, are all answered",
    Target.DIMSE,
    covers=COVERS,
)
def many_contexts(session: Session) -> None:
    contexts = [(number, VERIFICATION, IMPLICIT) for number in range(1, 256, 2)]
    with Line(session) as line:
        found = accepted(associated(line, request(session, contexts=contexts)).body)
    lacking = [number for number, _, _ in contexts if number not in found]
    if lacking:
        raise Failed(f"no answer to contexts {lacking[:10]}")


@check(
    "dimse.association.user-information",
    "PS3.8 D.1, PS3.7 D.3.3.2",
    "The acceptor states its maximum length and its implementation class UID",
    Target.DIMSE,
    covers=COVERS,
)
def says_who_it_is(session: Session) -> None:
    with Line(session) as line:
        said = user_information(associated(line, request(session)).body)
    if len(said.get(0x51, b"")) != 4:
        raise Failed("there is no Maximum Length sub-item of four bytes")
    uid = said.get(0x52, b"").decode("ascii", "replace").rstrip("\0")
    if not uid or len(uid) > 64 or not all(part.isdigit() for part in uid.split(".")):
        raise Failed(f"the Implementation Class UID is {uid!r}")
    if len(said.get(0x55, b"")) > 16:
        raise Failed("the Implementation Version Name has more than 16 characters (PS3.7 D.3.3.2.3)")


@check(
    "dimse.association.max-length",
    "PS3.8 D.1",
    "No P-DATA-TF PDU is longer than the requestor's maximum length",
    Target.DIMSE,
    covers=COVERS,
)
def maximum_length(session: Session) -> None:
    longest = 0

    def measure(event: evt.Event) -> None:
        nonlocal longest
        if type(event.pdu).__name__.startswith("P_DATA"):
            longest = max(longest, event.pdu.pdu_length)

    asked = identifier(QueryRetrieveLevel="STUDY", StudyInstanceUID="", PatientName="", StudyDescription="")
    handlers = [(evt.EVT_PDU_RECV, measure)]
    with session.dicom.open(offer(VERIFICATION, STUDY_FIND), max_pdu=128, handlers=handlers) as peer:
        peer.echo()
        if peer.accepted(STUDY_FIND):
            peer.find(STUDY_FIND, asked)
    session.evidence.note(f"128 bytes were allowed, the longest PDU had {longest}")
    if longest > 128:
        raise Failed(f"a P-DATA-TF PDU of {longest} bytes came, 128 are the maximum that was negotiated")


@check(
    "dimse.association.unknown-item",
    "PS3.8 9.3.1",
    "Items and sub-items of an association request that nobody knows are passed over",
    Target.DIMSE,
    covers=COVERS,
)
def unknown_items(session: Session) -> None:
    more = item(0x7E, b"not of this version")
    with Line(session) as line:
        associated(line, request(session, more=more, more_user_information=item(0x5F, b"nor this")))


@check(
    "dimse.association.application-context",
    "PS3.8 9.3.4",
    "A request with another application context is rejected: source 1, reason 2 (it is not supported)",
    Target.DIMSE,
    covers=COVERS,
)
def application_context(session: Session) -> None:
    with Line(session) as line:
        line.send(request(session, application_context=UNKNOWN))
        rejected(line.read(), source=1, reason=2)


@check(
    "dimse.association.protocol-version",
    "PS3.8 9.3.4",
    "A request of a protocol version without bit 0 is rejected: source 2, reason 2 (protocol-version-not-supported)",
    Target.DIMSE,
    covers=COVERS,
)
def protocol_version(session: Session) -> None:
    with Line(session) as line:
        line.send(request(session, version=2))
        rejected(line.read(), source=2, reason=2)


def rejected(came: Pdu, *, source: int, reason: int) -> None:
    """Whether it is that A-ASSOCIATE-RJ."""
    if came.kind != ASSOCIATE_RJ:
        raise Failed(f"the answer is {came.name}, not A-ASSOCIATE-RJ")
    if tuple(came.body[2:4]) != (source, reason):
        raise Failed(f"source and reason are {came.body[2]} and {came.body[3]}, not {source} and {reason}")


@check(
    "dimse.association.versions",
    "PS3.8 Table 9-11",
    "A request of several protocol versions, bit 0 among them, is accepted: other bits are not tested",
    Target.DIMSE,
    covers=COVERS,
)
def versions(session: Session) -> None:
    with Line(session) as line:
        associated(line, request(session, version=3))


@check(
    "dimse.association.release",
    "PS3.8 9.2",
    "A-RELEASE-RQ is answered with A-RELEASE-RP",
    Target.DIMSE,
    covers=COVERS,
)
def release(session: Session) -> None:
    with Line(session) as line:
        associated(line, request(session))
        line.send(pdu(0x05, bytes(4)))
        came = line.read()
    if came.kind != RELEASE_RP:
        raise Failed(f"the answer is {came.name}")


@check(
    "dimse.association.abort",
    "PS3.8 9.2",
    "After an A-ABORT of the requestor the connection ends, and the next association is accepted",
    Target.DIMSE,
    covers=COVERS,
)
def abort(session: Session) -> None:
    with Line(session) as line:
        associated(line, request(session))
        line.send(pdu(0x07, bytes(4)))
        came = line.read()
        if came.kind != 0:
            raise Failed(f"after A-ABORT came {came.name}, not the end of the connection")
    with Line(session) as line:
        associated(line, request(session))


@check(
    "dimse.association.unknown-pdu",
    "PS3.8 9.2, Table 9-26",
    "A PDU of a type that is none ends an association with A-ABORT of the service provider",
    Target.DIMSE,
    covers=COVERS,
)
def unknown_pdu(session: Session) -> None:
    with Line(session) as line:
        associated(line, request(session))
        line.send(pdu(0x42, b"what is this"))
        aborted(line.read())


@check(
    "dimse.association.data-first",
    "PS3.8 9.2",
    "P-DATA-TF before any association is answered with A-ABORT",
    Target.DIMSE,
    covers=COVERS,
)
def data_first(session: Session) -> None:
    with Line(session) as line:
        line.send(pdu(0x04, struct.pack(">IBB", 2, 1, 3)))
        aborted(line.read(), by_provider=False)


@check(
    "dimse.association.second-request",
    "PS3.8 9.2",
    "A second A-ASSOCIATE-RQ on an association is answered with A-ABORT",
    Target.DIMSE,
    covers=COVERS,
)
def second_request(session: Session) -> None:
    with Line(session) as line:
        associated(line, request(session))
        line.send(request(session))
        aborted(line.read())


def aborted(came: Pdu, *, by_provider: bool = True) -> None:
    """Whether it is A-ABORT (PS3.8 9.3.8)."""
    if came.kind != ABORT:
        raise Failed(f"the answer is {came.name}, not A-ABORT")
    if by_provider and came.body[2:3] != b"\x02":
        raise Failed(f"the source of the A-ABORT is {came.body[2]}, not 2 (service provider)")


@check(
    "dimse.association.several",
    "PS3.8 7.1",
    "Two associations are served at the same time",
    Target.DIMSE,
    covers=COVERS,
)
def at_the_same_time(session: Session) -> None:
    with session.dicom.open(offer(VERIFICATION)) as one, session.dicom.open(offer(VERIFICATION)) as two:
        for peer in (two, one):
            if peer.echo().Status != 0x0000:
                raise Failed("a C-ECHO on one of two associations was not answered with Success")


@check(
    "dimse.association.roles",
    "PS3.7 D.3.3.4",
    "A role selection is answered with no more roles than were proposed",
    Target.DIMSE,
    covers=COVERS,
)
def roles(session: Session) -> None:
    uid = CT.encode()
    asked = item(0x54, struct.pack(">H", len(uid)) + uid + b"\x00\x01")
    with Line(session) as line:
        data = request(session, contexts=[(1, CT, IMPLICIT)], more_user_information=asked)
        answer = user_information(associated(line, data).body).get(0x54)
    if answer is None:
        raise NotApplicable("the acceptor does not answer the role selection: the default roles hold")
    scu, scp = answer[-2:]
    if scu or scp not in (0, 1):
        raise Failed(f"SCP alone was proposed, SCU {scu} and SCP {scp} were answered")


@check(
    "dimse.association.extended",
    "PS3.4 C.5.1.1",
    "Extended negotiation of C-FIND agrees to nothing that was not proposed",
    Target.DIMSE,
    covers=COVERS,
)
def extended(session: Session) -> None:
    uid = STUDY_FIND.encode()
    asked = item(0x56, struct.pack(">H", len(uid)) + uid + bytes([0, 0, 0, 0]))
    with Line(session) as line:
        data = request(session, contexts=[(1, STUDY_FIND, IMPLICIT)], more_user_information=asked)
        answer = user_information(associated(line, data).body).get(0x56)
    if answer is None:
        raise NotApplicable("the acceptor does not answer the extended negotiation")
    if any(answer[2 + len(uid) :]):
        raise Failed(f"nothing was proposed, {answer[2 + len(uid) :].hex(' ')} was answered")


@check(
    "dimse.association.fragments",
    "PS3.8 E",
    "A message whose command comes in many small fragments is understood",
    Target.DIMSE,
    covers=COVERS,
)
def fragments(session: Session) -> None:
    command = _echo_request()
    with Line(session) as line:
        associated(line, request(session))
        pieces = [command[at : at + 8] for at in range(0, len(command), 8)]
        for number, piece in enumerate(pieces):
            header = 3 if number == len(pieces) - 1 else 1
            line.send(pdu(0x04, struct.pack(">IBB", len(piece) + 2, 1, header) + piece))
        came = line.read()
    if came.kind != 0x04 or b"\x30\x80" not in came.body:
        raise Failed(f"the answer is {came.name}, not a C-ECHO-RSP")


def _echo_request() -> bytes:
    """C-ECHO-RQ in Implicit VR Little Endian (PS3.7 9.3.5.1)."""
    uid = VERIFICATION.encode() + b"\0" * (len(VERIFICATION) % 2)
    elements = [
        (0x0002, uid),
        (0x0100, struct.pack("<H", 0x0030)),
        (0x0110, struct.pack("<H", 5)),
        (0x0800, struct.pack("<H", 0x0101)),
    ]
    body = b"".join(struct.pack("<HHI", 0, number, len(value)) + value for number, value in elements)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body
