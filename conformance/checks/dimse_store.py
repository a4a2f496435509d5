"""Storage Service Class as provider (PS3.4 B)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from io import BytesIO

from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.pdu_primitives import MaximumLengthNotification
from pynetdicom.sop_class import _STORAGE_CLASSES

from conformance.suite import objects
from conformance.suite.check import Failed, NotApplicable, Target, check
from conformance.suite.dicom import EXPLICIT, IMPLICIT, STUDY_FIND, STUDY_GET, Peer, identifier, offer
from conformance.suite.session import Session

COVERS = ("storage",)
RLE, DEFLATED = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.99"


def stored(peer: Peer, ds: Dataset) -> None:
    """Store it; Failed where that is not answered with Success or a warning."""
    status = peer.store(ds)
    if status.Status != 0x0000 and status.Status >> 12 != 0xB:
        comment = status.get("ErrorComment", "")
        raise Failed(f"C-STORE is answered with {status.Status:04X} {comment}".rstrip())


@check("dimse.store.success", "PS3.4 B.2.3", "An image is stored with Success", Target.DIMSE, covers=COVERS)
def success(session: Session) -> None:
    with session.dicom.open(offer(objects.CT, syntaxes=[EXPLICIT])) as peer:
        status = peer.store(objects.image(session)).Status
    if status != 0x0000:
        raise Failed(f"C-STORE is answered with {status:04X}")


@check(
    "dimse.store.response",
    "PS3.7 9.1.1.1",
    "The response names the message, the SOP class and the instance of its request, and carries no data set",
    Target.DIMSE,
    covers=COVERS,
)
def response(session: Session) -> None:
    answers: list[Dataset] = []
    handlers = [(evt.EVT_DIMSE_RECV, lambda event: answers.append(event.message.command_set))]
    ds = objects.image(session)
    with session.dicom.open(offer(objects.CT, syntaxes=[EXPLICIT]), handlers=handlers) as peer:
        peer.assoc.send_c_store(ds, msg_id=4711)
        session.stored_studies.add(str(ds.StudyInstanceUID))
    if not answers:
        raise Failed("there is no response")
    answer = answers[0]
    if answer.get("MessageIDBeingRespondedTo") != 4711:
        raise Failed(f"Message ID Being Responded To is {answer.get('MessageIDBeingRespondedTo')}, not 4711")
    for keyword, value in (("AffectedSOPClassUID", ds.SOPClassUID), ("AffectedSOPInstanceUID", ds.SOPInstanceUID)):
        if answer.get(keyword) not in (None, value):
            raise Failed(f"{keyword} is {answer.get(keyword)}, the request has {value}")
    if answer.get("CommandDataSetType") != 0x0101:
        raise Failed("the response says that a data set follows")


def kind_is_stored(name: str, session: Session) -> None:
    """An instance of that kind comes in and is found."""
    ds = objects.KINDS[name](session)
    uid = str(ds.SOPClassUID)
    with session.dicom.open(offer(uid, STUDY_FIND, syntaxes=[EXPLICIT, IMPLICIT])) as peer:
        stored(peer, ds)
        if peer.accepted(STUDY_FIND):
            found = peer.find(STUDY_FIND, named(ds))
            if found.values("SOPInstanceUID") != [ds.SOPInstanceUID]:
                raise Failed(f"the instance was acknowledged, and {len(found.matches)} are found under its UIDs")


for _kind in objects.KINDS:
    _name = _kind.lower().replace(" ", "-")
    check(
        f"dimse.store.kind.{_name}", "PS3.4 B.5", f"{_kind}: stored, and found afterwards", Target.DIMSE, covers=COVERS
    )(partial(kind_is_stored, _kind))


def named(ds: Dataset) -> Dataset:
    """An identifier of exactly this instance."""
    return identifier(
        QueryRetrieveLevel="IMAGE",
        StudyInstanceUID=ds.StudyInstanceUID,
        SeriesInstanceUID=ds.SeriesInstanceUID,
        SOPInstanceUID=ds.SOPInstanceUID,
    )


def syntax_is_kept(syntax: str, session: Session) -> None:
    """An instance in that transfer syntax comes in, and comes back with the same pixels."""
    ds = objects.image(session)
    if syntax == RLE:
        ds.compress(UID(RLE), generate_instance_uid=False)
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    with session.dicom.open(offer(objects.CT, syntaxes=[syntax])) as peer:
        stored(peer, ds)
    came = got(session, ds, syntax)
    if came.PixelData != ds.PixelData:
        raise Failed("the pixel data that came back is not what was stored")


def got(session: Session, ds: Dataset, syntax: str = EXPLICIT) -> Dataset:
    """The instance, by C-GET in this transfer syntax."""
    offers = [*offer(STUDY_GET), *offer(str(ds.SOPClassUID), syntaxes=[syntax])]
    with session.dicom.open(offers, roles=[str(ds.SOPClassUID)]) as peer:
        done = peer.get(STUDY_GET, named(ds))
    matching = [one for one in peer.received if one.sop_instance_uid == ds.SOPInstanceUID]
    if not matching:
        raise Failed(f"C-GET of it ends with {done.status:04X} and brings nothing")
    return matching[-1].dataset()


for _title, _syntax in (
    ("implicit", IMPLICIT),
    ("explicit", EXPLICIT),
    ("deflated", DEFLATED),
    ("rle", RLE),
):
    check(
        f"dimse.store.syntax.{_title}",
        "PS3.4 B.4.1",
        f"{UID(_syntax).name}: what is stored in it comes back with the same pixels",
        Target.DIMSE,
        covers=(*COVERS, "C-GET"),
    )(partial(syntax_is_kept, _syntax))


@check(
    "dimse.store.every-element",
    "PS3.4 B.4.1",
    "All elements are kept, private, unknown and nested ones too (Level 2)",
    Target.DIMSE,
    covers=(*COVERS, "C-GET"),
)
def every_element(session: Session) -> None:
    ds = objects.image(session)
    inner = Dataset()
    inner.CodeValue, inner.CodingSchemeDesignator, inner.CodeMeaning = "T-A0100", "SRT", "Brain"
    block = inner.private_block(0x0011, "CONFORMANCE SUITE", create=True)
    block.add_new(0x02, "LO", "inside a sequence")
    ds.AnatomicRegionSequence = Sequence([inner])
    block = ds.private_block(0x0009, "CONFORMANCE SUITE", create=True)
    block.add_new(0x01, "LO", "private text")
    block.add_new(0x02, "FD", [1.5, -2.25])
    block.add_new(0x03, "OB", b"\x00\x01\x02\xff")
    block.add_new(0x04, "SQ", Sequence([Dataset()]))
    ds.add(DataElement(0x00211099, "UN", b"of nobody!"))
    ds.ImageComments = "  leading and trailing spaces "
    with session.dicom.open(offer(objects.CT, syntaxes=[EXPLICIT])) as peer:
        stored(peer, ds)
    came = got(session, ds)
    lost = list(differences(ds, came))
    if lost:
        raise Failed(f"what came back differs in {', '.join(lost[:8])}")


def differences(stored_ds: Dataset, came: Dataset) -> Iterable[str]:
    """Elements that are not as they were; group lengths and padding are nobody's."""
    for element in stored_ds:
        other = came.get(element.tag)
        if other is None:
            yield f"{element.tag} {element.name} (missing)"
        elif element.VR == "SQ":
            if len(element.value) != len(other.value):
                yield f"{element.tag} {element.name} (items)"
            else:
                for one, two in zip(element.value, other.value, strict=True):
                    yield from differences(one, two)
        elif _plain(element.value) != _plain(other.value):
            yield f"{element.tag} {element.name}"


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return value.rstrip(b"\0 ").hex()
    return str(value).rstrip()


@check(
    "dimse.store.twice",
    "PS3.4 B.2.3",
    "An instance that is stored twice is there once",
    Target.DIMSE,
    covers=COVERS,
)
def twice(session: Session) -> None:
    ds = objects.image(session)
    with session.dicom.open(offer(objects.CT, STUDY_FIND, syntaxes=[EXPLICIT, IMPLICIT])) as peer:
        stored(peer, ds)
        again = peer.store(ds).Status
        session.evidence.note(f"The second time it was answered with {again:04X}")
        uids = identifier(
            QueryRetrieveLevel="IMAGE",
            StudyInstanceUID=ds.StudyInstanceUID,
            SeriesInstanceUID=ds.SeriesInstanceUID,
            SOPInstanceUID="",
        )
        found = peer.find(STUDY_FIND, uids).values("SOPInstanceUID")
    if found != [ds.SOPInstanceUID]:
        raise Failed(f"{len(found)} instances are found, not 1")


@check(
    "dimse.store.garbage",
    "PS3.4 B.2.3",
    "A data set that is none is not acknowledged with Success",
    Target.DIMSE,
    covers=COVERS,
)
def garbage(session: Session) -> None:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID = UID(objects.CT), UID(session.uid()), session.uid()
    ds.add(DataElement(0x00091010, "UN", b"\xfe\xff" * 300))
    objects.finished(ds, EXPLICIT, {})
    with session.dicom.open(offer(objects.CT, syntaxes=[EXPLICIT])) as peer:
        status = _stored_raw(peer, ds, b"\xff\xfe\xfd no data set at all \x00\x01" * 40)
    if status == 0x0000 or status >> 12 == 0xB:
        raise Failed(f"what no data set can be read from was answered with {status:04X}")


def _stored_raw(peer: Peer, ds: Dataset, content: bytes) -> int:
    """C-STORE of these bytes under the UIDs of `ds`."""
    request = C_STORE()
    request.MessageID, request.Priority = 99, 0
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    request.DataSet = BytesIO(content)
    context = next(one for one in peer.assoc.accepted_contexts if one.abstract_syntax == ds.SOPClassUID)
    assert context.context_id is not None
    peer.assoc._reactor_checkpoint.clear()
    peer.assoc.dimse.send_msg(request, context.context_id)
    _, answer = peer.assoc.dimse.get_msg(block=True)
    peer.assoc._reactor_checkpoint.set()
    if answer is None:
        peer.assoc.abort()
        return 0xC000  # to end the association is a refusal too
    return int(answer.Status or 0)


@check(
    "dimse.store.other-class",
    "PS3.4 Table B.2-1",
    "A data set of another SOP class than its command says is not acknowledged with Success (A9xx)",
    Target.DIMSE,
    covers=COVERS,
)
def other_class(session: Session) -> None:
    ds = objects.image(session)
    content = encode(objects.image(session, objects.MR, SOPInstanceUID=ds.SOPInstanceUID), False, True)
    assert content is not None
    with session.dicom.open(offer(objects.CT, syntaxes=[EXPLICIT])) as peer:
        status = _stored_raw(peer, ds, content)
    if status == 0x0000:
        raise Failed("an MR image under the SOP Class UID of CT was answered with Success")


@check(
    "dimse.store.small-fragments",
    "PS3.8 E",
    "A data set that comes in many fragments is stored whole",
    Target.DIMSE,
    covers=(*COVERS, "C-GET"),
)
def small_fragments(session: Session) -> None:
    ds = objects.image(session)
    with session.dicom.open(offer(objects.CT, syntaxes=[EXPLICIT])) as peer:
        for one in peer.assoc.acceptor.user_information:
            if isinstance(one, MaximumLengthNotification):
                one.maximum_length_received = 134
        stored(peer, ds)
    came = got(session, ds)
    if list(differences(ds, came)):
        raise Failed("what came back is not what was stored")


@check(
    "dimse.store.large",
    "PS3.4 B.2.3",
    "An image of eight megabytes is stored, and comes back",
    Target.DIMSE,
    covers=(*COVERS, "C-GET"),
)
def large(session: Session) -> None:
    ds = objects.image(session, Rows=2048, Columns=2048, PixelData=bytes(range(256)) * (2048 * 16))
    with session.dicom.open(offer(objects.CT, syntaxes=[EXPLICIT])) as peer:
        stored(peer, ds)
    came = got(session, ds)
    if came.PixelData != ds.PixelData:
        raise Failed("the pixel data that came back is not what was stored")


@check(
    "dimse.store.classes",
    "PS3.4 B.5",
    "Every Storage SOP Class that is accepted at all is accepted in the default transfer syntax",
    Target.DIMSE,
    covers=COVERS,
)
def classes(session: Session) -> None:
    without: list[str] = []
    count = 0
    uids = sorted(str(uid) for uid in _STORAGE_CLASSES.values())
    for at in range(0, len(uids), 60):
        part = uids[at : at + 60]
        offers = [*offer(*part, syntaxes=[EXPLICIT, RLE]), *offer(*part, syntaxes=[IMPLICIT])]
        assoc = session.dicom.associate(offers)
        accepted = [(str(one.abstract_syntax), str(one.transfer_syntax[0])) for one in assoc.accepted_contexts]
        if assoc.is_established:
            assoc.release()
        known = {uid for uid, _ in accepted}
        count += len(known)
        without += [uid for uid in known if (uid, IMPLICIT) not in accepted]
    session.evidence.note(f"{count} of {len(uids)} Storage SOP Classes are accepted")
    if not count:
        raise NotApplicable("no Storage SOP Class is accepted")
    if without:
        raise Failed(f"{len(without)} classes are not taken in Implicit VR Little Endian: {', '.join(without[:5])}")
