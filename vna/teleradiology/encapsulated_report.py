"""A report as an Encapsulated PDF (PS3.3 A.45.1)."""

from base64 import b64encode

from storage.encode import encode
from storage.part10 import EXPLICIT_LITTLE, write_file_meta
from vna.teleradiology import report_pdf
from vna.teleradiology.report_dataset import ENCAPSULATED, Place, common, instance_uid, items, one

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"


def written(place: Place) -> bytes:
    """The object as a Part 10 file (PS3.3 C.24.2)."""
    document = report_pdf.written(place)
    said = common(place, ENCAPSULATED, SOP_CLASS) | {
        "0008002A": one("DT", place.report.approved_at),
        "00080064": one("CS", "WSD"),
        "0040A043": items(),
        "0040A493": one("CS", "VERIFIED"),
        "00280301": one("CS", "YES"),
        "00420010": one("ST", place.title),
        "00420011": {"vr": "OB", "InlineBinary": b64encode(document).decode()},
        "00420012": one("LO", "application/pdf"),
        "00420015": one("UL", len(document)),
    }
    uid = instance_uid(place.report, place.study.study_instance_uid, ENCAPSULATED)
    return write_file_meta(SOP_CLASS, uid, EXPLICIT_LITTLE) + encode(said)
