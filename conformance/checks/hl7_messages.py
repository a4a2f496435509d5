"""HL7 v2 over MLLP: framing, answers, orders and patients (HL7 2.5.1 chapter 2, MLLP release 1, ITI TF-2 3.8)."""

from __future__ import annotations

from conformance.suite.check import Failed, NotApplicable, Target, check
from conformance.suite.messages import cancelled, new_order, order_message, patient_message
from conformance.suite.mllp import END, START, Answer, Connection, parsed, tell
from conformance.suite.session import Session

ORDERS, PATIENTS = ("ORM^O01",), ("ADT",)
ACCEPTED = ("AA", "CA")


def accepted(answer: Answer, what: str) -> Answer:
    """Failed where a message is not accepted."""
    if answer.code not in ACCEPTED:
        raise Failed(f"{what} is answered {answer.code or 'without MSA-1'} {answer.field('MSA', 3)}".rstrip())
    return answer


def refused(answer: Answer, what: str) -> Answer:
    """Failed where a message is accepted."""
    if answer.code not in ("AE", "AR", "CE", "CR"):
        raise Failed(f"{what} is answered {answer.code or 'without MSA-1'}, not AE or AR")
    return answer


@check("hl7.order.accepted", "HL7 2.9.2", "An order (ORM^O01, NW) is answered AA", Target.HL7, covers=ORDERS)
def order_accepted(session: Session) -> None:
    accepted(tell(session, order_message(session, new_order(session, 11))), "the order")


@check("hl7.order.changed", "HL7 4.5.1", "An order that is known is changed (XO)", Target.HL7, covers=ORDERS)
def order_changed(session: Session) -> None:
    order = new_order(session, 12)
    accepted(tell(session, order_message(session, order)), "the order")
    accepted(tell(session, order_message(session, order, control="XO")), "its change")


@check("hl7.order.cancelled", "HL7 4.5.1", "An order that is known is cancelled (CA)", Target.HL7, covers=ORDERS)
def order_cancelled(session: Session) -> None:
    order = new_order(session, 13)
    accepted(tell(session, order_message(session, order)), "the order")
    accepted(tell(session, cancelled(session, order)), "its cancellation")


@check(
    "hl7.order.unknown-cancelled",
    "HL7 2.9.2",
    "The cancellation of an order that is not known is refused (AE)",
    Target.HL7,
    covers=ORDERS,
)
def unknown_cancelled(session: Session) -> None:
    refused(tell(session, cancelled(session, new_order(session, 14))), "the cancellation of an unknown order")


@check(
    "hl7.ack.control-id",
    "HL7 2.15.8",
    "MSA-2 is the MSH-10 of the message that is acknowledged",
    Target.HL7,
    covers=ORDERS,
)
def control_id(session: Session) -> None:
    control = f"{session.mark}-CONTROL-ID"
    answer = tell(session, order_message(session, new_order(session, 15), control_id=control))
    if answer.field("MSA", 2) != control:
        raise Failed(f"MSA-2 is {answer.field('MSA', 2)!r}, MSH-10 was {control!r}")


@check(
    "hl7.ack.header",
    "HL7 2.15.9",
    "The acknowledgment is an ACK that is addressed back, of the version of the message, with a control ID of its own",
    Target.HL7,
    covers=ORDERS,
)
def header(session: Session) -> None:
    answer = tell(session, order_message(session, new_order(session, 16)))
    if not answer.field("MSH", 9).startswith("ACK"):
        raise Failed(f"MSH-9 is {answer.field('MSH', 9)!r}")
    back = answer.field("MSH", 5), answer.field("MSH", 6)
    if back != ("VNACONF", session.caller.facility):
        raise Failed(f"it is addressed to {back}, the message came from ('VNACONF', {session.caller.facility!r})")
    if not answer.field("MSH", 10) or answer.field("MSH", 12) != "2.3.1":
        raise Failed(f"MSH-10 is {answer.field('MSH', 10)!r}, MSH-12 {answer.field('MSH', 12)!r}")


@check(
    "hl7.ack.again",
    "HL7 2.9.2",
    "A message that is sent again gets the same answer, and is not an error",
    Target.HL7,
    covers=ORDERS,
)
def again(session: Session) -> None:
    message = order_message(session, new_order(session, 17))
    first, second = accepted(tell(session, message), "the order"), tell(session, message)
    accepted(second, "the same message, sent again,")
    if first.field("MSA", 2) != second.field("MSA", 2):
        raise Failed("the second answer is to another message")


@check(
    "hl7.ack.unknown-type",
    "HL7 2.9.2.1",
    "A message of a type that is not served is refused (AR or AE)",
    Target.HL7,
    covers=ORDERS,
)
def unknown_type(session: Session) -> None:
    message = order_message(session, new_order(session, 18)).replace("ORM^O01", "ZZZ^Z99", 1)
    refused(tell(session, message), "ZZZ^Z99")


@check(
    "hl7.ack.missing-segment",
    "HL7 2.9.2",
    "An order without PID is refused, and ERR or MSA-3 says something",
    Target.HL7,
    covers=ORDERS,
)
def missing_segment(session: Session) -> None:
    lines = order_message(session, new_order(session, 19)).split("\r")
    answer = refused(tell(session, "\r".join(line for line in lines if not line.startswith("PID"))), "it")
    if not answer.field("ERR", 1) and not answer.field("ERR", 3) and not answer.field("MSA", 3):
        raise Failed("neither ERR nor MSA-3 says what is wrong")


@check(
    "hl7.ack.garbage",
    "HL7 2.9.2.1",
    "What is no message is refused, and the next one served",
    Target.HL7,
    covers=ORDERS,
)
def garbage(session: Session) -> None:
    with Connection(session) as connection:
        connection.write(START + b"this is no message\r" + END)
        frame = connection.read()
        if frame:
            refused(parsed(frame), "what is no message")
    accepted(tell(session, order_message(session, new_order(session, 20))), "the next message")


@check(
    "hl7.mllp.several",
    "MLLP release 1",
    "Several messages on one connection are answered, each in its turn",
    Target.HL7,
    covers=("MLLP",),
)
def several(session: Session) -> None:
    with Connection(session) as connection:
        for number in (21, 22, 23):
            control = f"{session.mark}S{number}"
            message = order_message(session, new_order(session, number), control_id=control)
            answer = accepted(connection.ask(message), f"message {number - 20}")
            if answer.field("MSA", 2) != control:
                raise Failed("the answer is to another message")


@check(
    "hl7.mllp.together",
    "MLLP release 1",
    "Two frames that arrive in one piece are both answered",
    Target.HL7,
    covers=("MLLP",),
)
def together(session: Session) -> None:
    frames = [START + order_message(session, new_order(session, n)).encode() + END for n in (24, 25)]
    with Connection(session) as connection:
        connection.write(b"".join(frames))
        for _ in frames:
            frame = connection.read()
            if not frame:
                raise Failed("one of the two messages got no answer")
            accepted(parsed(frame), "the message")


@check(
    "hl7.mllp.pieces",
    "MLLP release 1",
    "A frame that arrives in pieces is answered",
    Target.HL7,
    covers=("MLLP",),
)
def pieces(session: Session) -> None:
    frame = START + order_message(session, new_order(session, 26)).encode() + END
    with Connection(session) as connection:
        for at in range(0, len(frame), 100):
            connection.write(frame[at : at + 100])
        came = connection.read()
    if not came:
        raise Failed("there is no acknowledgment")
    accepted(parsed(came), "the message")


@check(
    "hl7.charset.utf8",
    "HL7 2.15.9.18",
    "Letters of a message in UTF-8 are read: it is accepted",
    Target.HL7,
    covers=ORDERS,
)
def utf8(session: Session) -> None:
    order = new_order(session, 27, name="YILDIZ^AYŞEGÜL")
    accepted(tell(session, order_message(session, order)), "the order")


@check(
    "hl7.charset.wrong",
    "HL7 2.15.9.18",
    "Bytes that do not belong to the character set that MSH-18 names are refused",
    Target.HL7,
    covers=ORDERS,
)
def wrong_charset(session: Session) -> None:
    message = order_message(session, new_order(session, 28, name="YILDIZ^AYŞEGÜL"))
    with Connection(session) as connection:
        refused(connection.ask(message, codec="iso8859-9"), "Latin alphabet No. 5 that is called UTF8")


def _cx(session: Session, number: str) -> str:
    if not session.caller.domain:
        raise NotApplicable("--domain is not named: the affinity domain whose patients are registered")
    return f"VC{session.mark}{number}^^^&{session.caller.domain}&ISO"


@check(
    "hl7.patient.registered",
    "ITI TF-2 3.8.4.1",
    "A patient of the affinity domain is registered (ADT^A04)",
    Target.HL7,
    covers=(*PATIENTS, "ITI-8"),
)
def registered(session: Session) -> None:
    accepted(tell(session, patient_message(session, "A04", _cx(session, "P1"))), "ADT^A04")


@check(
    "hl7.patient.updated",
    "ITI TF-2 3.8.4.1",
    "A patient of the affinity domain is updated (ADT^A08)",
    Target.HL7,
    covers=(*PATIENTS, "ITI-8"),
)
def updated(session: Session) -> None:
    accepted(tell(session, patient_message(session, "A04", _cx(session, "P2"))), "ADT^A04")
    accepted(tell(session, patient_message(session, "A08", _cx(session, "P2"), name="Other^Name")), "ADT^A08")


@check(
    "hl7.patient.merged",
    "ITI TF-2 3.8.4.2",
    "Two patients of the affinity domain are merged (ADT^A40)",
    Target.HL7,
    covers=(*PATIENTS, "ITI-8"),
)
def merged(session: Session) -> None:
    for number in ("P3", "P4"):
        accepted(tell(session, patient_message(session, "A04", _cx(session, number))), "ADT^A04")
    message = patient_message(session, "A40", _cx(session, "P3"), merged=_cx(session, "P4"))
    accepted(tell(session, message), "ADT^A40")


@check(
    "hl7.patient.merged-into-itself",
    "ITI TF-2 3.8.4.2",
    "A merge of a patient into himself is refused",
    Target.HL7,
    covers=(*PATIENTS, "ITI-8"),
)
def merged_into_itself(session: Session) -> None:
    pid = _cx(session, "P5")
    accepted(tell(session, patient_message(session, "A04", pid)), "ADT^A04")
    refused(tell(session, patient_message(session, "A40", pid, merged=pid)), "ADT^A40 into himself")


@check(
    "hl7.patient.no-identifier",
    "ITI TF-2 3.8.4.1.2.3",
    "A patient without an identifier (PID-3) is refused",
    Target.HL7,
    covers=(*PATIENTS, "ITI-8"),
)
def no_identifier(session: Session) -> None:
    _cx(session, "P6")
    refused(tell(session, patient_message(session, "A04", "")), "ADT^A04 without PID-3")
