"""Specific Character Set (PS3.5 6.1, PS3.3 C.12.1.1.2): names are found and come back whatever they are written in."""

# ruff: noqa: RUF001 (letters of several alphabets)

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from pydicom import Dataset

from conformance.suite import objects
from conformance.suite.check import Failed, Target, check
from conformance.suite.dicom import EXPLICIT, STUDY_FIND, STUDY_GET, identifier, offer
from conformance.suite.session import Session

COVERS = ("storage", "C-FIND")


@dataclass(frozen=True, slots=True)
class Written:
    """A name and the character set in which it is stored."""

    id: str
    charset: str | list[str]
    name: str
    says: str


SETS: Final = (
    Written("latin1", "ISO_IR 100", "Müller^Jürgen", "Latin alphabet No. 1"),
    Written("latin2", "ISO_IR 101", "Wałęsa^Łucja", "Latin alphabet No. 2"),
    Written("latin5", "ISO_IR 148", "Yıldız^Ayşegül", "Latin alphabet No. 5 (Turkish)"),
    Written("cyrillic", "ISO_IR 144", "Люкceмбypг^Ольга", "Cyrillic"),
    Written("arabic", "ISO_IR 127", "قباني^لنزار", "Arabic"),
    Written("greek", "ISO_IR 126", "Διονυσιος^Νίκος", "Greek"),
    Written("hebrew", "ISO_IR 138", "שרון^דבורה", "Hebrew"),
    Written(
        "japanese", ["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "Japanese with code extensions"
    ),
    Written("korean", ["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동", "Korean with code extensions"),
    Written("utf8", "ISO_IR 192", "Wang^XiaoDong=王^小東", "Unicode in UTF-8"),
    Written("gb18030", "GB18030", "Wang^XiaoDong=王^小东", "GB18030"),
)


def _stored(session: Session, written: Written) -> Dataset:
    """An instance with that name, stored once a run."""

    def store() -> Dataset:
        ds = objects.image(session)
        ds.SpecificCharacterSet = written.charset
        ds.PatientName, ds.PatientID = written.name, objects.patient_id(session, written.id.upper())
        with session.dicom.open(offer(objects.CT, syntaxes=[EXPLICIT])) as peer:
            status = peer.store(ds).Status
        if status != 0x0000 and status >> 12 != 0xB:
            raise Failed(f"C-STORE is answered {status:04X}")
        return ds

    return session.once(f"a name in {written.says}", store)


def _name(ds: Dataset) -> str:
    ds.decode()
    return str(ds.get("PatientName", "")).rstrip("^=")


def comes_back(written: Written, session: Session) -> None:
    """C-FIND tells the name in a character set that it declares."""
    ds = _stored(session, written)
    asked = identifier(QueryRetrieveLevel="STUDY", StudyInstanceUID=ds.StudyInstanceUID, PatientName="")
    asked.SpecificCharacterSet = written.charset
    with session.dicom.open(offer(STUDY_FIND)) as peer:
        found = peer.find(STUDY_FIND, asked)
    if len(found.matches) != 1:
        raise Failed(f"{len(found.matches)} studies are found by the Study Instance UID")
    name = _name(found.matches[0])
    if name != written.name:
        declared = found.matches[0].get("SpecificCharacterSet", "nothing")
        raise Failed(f"the name is {name!r} in {declared}, {written.name!r} was stored")


def is_found(written: Written, session: Session) -> None:
    """A query with the name, in the same character set, finds it."""
    ds = _stored(session, written)
    asked = identifier(QueryRetrieveLevel="STUDY", PatientID=ds.PatientID, StudyInstanceUID="")
    asked.SpecificCharacterSet = written.charset
    asked.PatientName = f"{written.name}*"
    with session.dicom.open(offer(STUDY_FIND)) as peer:
        found = peer.find(STUDY_FIND, asked)
    if found.values("StudyInstanceUID") != [ds.StudyInstanceUID]:
        raise Failed(f"{len(found.matches)} studies are found by the name that was stored")


for _written in SETS:
    check(
        f"dimse.charset.{_written.id}.returned",
        "PS3.5 6.1, PS3.4 C.4.1.1.3.2",
        f"{_written.says}: the name comes back in C-FIND as it was stored",
        Target.DIMSE,
        covers=COVERS,
    )(partial(comes_back, _written))
    check(
        f"dimse.charset.{_written.id}.found",
        "PS3.4 C.2.2.2",
        f"{_written.says}: the name is found by itself",
        Target.DIMSE,
        covers=COVERS,
    )(partial(is_found, _written))


@check(
    "dimse.charset.kept",
    "PS3.4 B.4.1",
    "An instance comes back in the character set in which it was stored",
    Target.DIMSE,
    covers=(*COVERS, "C-GET"),
)
def kept(session: Session) -> None:
    ds = _stored(session, SETS[2])
    offers = [*offer(STUDY_GET), *offer(objects.CT, syntaxes=[EXPLICIT])]
    with session.dicom.open(offers, roles=[objects.CT]) as peer:
        asked = identifier(QueryRetrieveLevel="STUDY", StudyInstanceUID=ds.StudyInstanceUID)
        done = peer.get(STUDY_GET, asked)
    if not peer.received:
        raise Failed(f"C-GET ends with {done.status:04X} and brings nothing")
    came = peer.received[0].dataset()
    if _name(came) != SETS[2].name:
        raise Failed(f"the name is {_name(came)!r} in {came.get('SpecificCharacterSet')}")


@check(
    "dimse.charset.other-set",
    "PS3.4 C.2.2.2",
    "A name that was stored in Latin alphabet No. 5 is found by a query in UTF-8",
    Target.DIMSE,
    covers=COVERS,
)
def other_set(session: Session) -> None:
    written = SETS[2]
    is_found(Written(written.id, "ISO_IR 192", written.name, written.says), session)
