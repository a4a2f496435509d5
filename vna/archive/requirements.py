"""What an object has to be before it is kept, whatever the door."""

from collections.abc import Mapping

from storage.elements import texts
from storage.metadata import Scan
from storage.values import Element
from vna.model.errors import CannotUnderstand, SOPClassNotSupported, SyntaxNotSupported
from vna.model.identifiers import require_uid
from vna.model.sop_classes import STORAGE_CLASSES, may_be_storage
from vna.model.transfer_syntaxes import TRANSFER_SYNTAXES

_PIXEL_DATA = "7FE00010"


def required_uid(elements: Mapping[str, Element], tag: str, keyword: str) -> str:
    """The one UID of an attribute, or CannotUnderstand."""
    values = texts(elements, tag)
    if len(values) > 1:
        raise CannotUnderstand(f"{keyword} has more than one value")
    return require_uid(values[0] if values else "", keyword)


def require_transfer_syntax(uid: str) -> None:
    """One that the standard knows: of others nobody can say how the bytes are to be read."""
    if require_uid(uid, "TransferSyntaxUID") not in TRANSFER_SYNTAXES:
        raise SyntaxNotSupported("the transfer syntax is unknown")


def require_storage(sop_class_uid: str, *, unknown: bool) -> None:
    """A storage SOP Class; one that no registry knows only where the setting allows it."""
    if sop_class_uid not in STORAGE_CLASSES and not (unknown and may_be_storage(sop_class_uid)):
        raise SOPClassNotSupported("the SOP Class is not one of storage")


def require_form(scanned: Scan, transfer_syntax_uid: str) -> None:
    """Pixel data in fragments where the transfer syntax says so, and only there (PS3.5 A.4)."""
    if _PIXEL_DATA not in scanned.elements:
        return
    syntax = TRANSFER_SYNTAXES[transfer_syntax_uid]
    if syntax.encapsulated != scanned.encapsulated:
        form = "native" if syntax.encapsulated else "encapsulated"
        raise CannotUnderstand(f"the pixel data is {form}, its transfer syntax says otherwise")
