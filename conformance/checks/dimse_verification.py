"""Verification Service Class (PS3.4 A, PS3.7 9.1.5)."""

from conformance.suite.check import Failed, Target, check
from conformance.suite.dicom import EXPLICIT, IMPLICIT, VERIFICATION, offer
from conformance.suite.session import Session

COVERS = (VERIFICATION,)


@check("dimse.echo.success", "PS3.4 A.4", "C-ECHO is answered with Success", Target.DIMSE, covers=COVERS)
def success(session: Session) -> None:
    with session.dicom.open(offer(VERIFICATION)) as peer:
        status = peer.echo()
    if status.Status != 0x0000:
        raise Failed(f"the status is {status.Status:04X}, not 0000")


@check(
    "dimse.echo.implicit",
    "PS3.5 10.1",
    "Verification is accepted in the default transfer syntax, Implicit VR Little Endian, alone",
    Target.DIMSE,
    covers=COVERS,
)
def default_syntax(session: Session) -> None:
    with session.dicom.open(offer(VERIFICATION, syntaxes=[IMPLICIT])) as peer:
        if peer.echo().Status != 0x0000:
            raise Failed("C-ECHO was not answered with Success")


@check(
    "dimse.echo.several",
    "PS3.7 9.1.5.1",
    "Several C-ECHOs on one association are answered one by one, each with the Message ID of its request",
    Target.DIMSE,
    covers=COVERS,
)
def several(session: Session) -> None:
    with session.dicom.open(offer(VERIFICATION, syntaxes=[EXPLICIT, IMPLICIT])) as peer:
        for number in (1, 7, 65_535):
            status = peer.assoc.send_c_echo(msg_id=number)
            if status.get("Status") != 0x0000:
                raise Failed(f"the request with Message ID {number} was not answered with Success")
