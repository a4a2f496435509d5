"""Storage commitment as attributes: what is asked, and what is answered (PS3.3 C.14, PS3.4 J.3, PS3.18 J)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from storage.elements import text
from storage.values import Element
from vna.model.commitments import COMMITTED, Outcome, Referenced
from vna.model.errors import BadRequest, InvalidValue, MissingAttribute, TooLarge
from vna.model.identifiers import is_uid
from vna.model.matching import items_of

TRANSACTION_UID: Final = "00081195"
REFERENCED: Final = "00081199"
FAILED: Final = "00081198"
_REASON: Final = "00081197"
_CLASS: Final = "00081150"
_INSTANCE: Final = "00081155"
_STUDIES: Final = "00081110"


def transaction_of(elements: Mapping[str, Element]) -> str:
    """The Transaction UID, which has to be one."""
    return require_transaction(text(elements, TRANSACTION_UID))


def require_transaction(uid: str) -> str:
    """The text itself, or what is wrong with it."""
    if not uid:
        raise MissingAttribute("TransactionUID is missing")
    if not is_uid(uid):
        raise InvalidValue("TransactionUID is no UID")
    return uid


def asked_of(elements: Mapping[str, Element], most: int) -> tuple[Referenced, ...]:
    """What is to be kept, instance by instance: at least one, and at most so many."""
    if REFERENCED not in elements:
        if _STUDIES in elements:
            raise BadRequest("ReferencedStudySequence is not taken: name the instances in ReferencedSOPSequence")
        raise MissingAttribute("ReferencedSOPSequence is missing")
    items = items_of(elements[REFERENCED])
    if not items:
        raise InvalidValue("ReferencedSOPSequence has no item")
    if len(items) > most:
        raise TooLarge(f"{len(items)} instances in one request: {most} are taken at most")
    return tuple(_referenced(item) for item in items)


def _referenced(item: Mapping[str, Element]) -> Referenced:
    found = Referenced(text(item, _CLASS), text(item, _INSTANCE))
    if not is_uid(found.sop_class_uid) or not is_uid(found.sop_instance_uid):
        raise InvalidValue("an item of ReferencedSOPSequence has no SOP Class UID and SOP Instance UID")
    return found


def outcomes_of(elements: Mapping[str, Element]) -> dict[str, int]:
    """What an answer says of each SOP Instance UID: COMMITTED, or the Failure Reason."""
    said = {text(item, _INSTANCE): COMMITTED for item in items_of(elements.get(REFERENCED))}
    for item in items_of(elements.get(FAILED)):
        said[text(item, _INSTANCE)] = _reason(item)
    return said


def _reason(item: Mapping[str, Element]) -> int:
    values = item.get(_REASON, {}).get("Value") or [0]
    return int(values[0]) or 0x0110 if isinstance(values[0], int | float) else 0x0110


def request_elements(transaction_uid: str, asked: Iterable[Referenced]) -> dict[str, Element]:
    """A request of ours."""
    return {
        TRANSACTION_UID: _one("UI", transaction_uid),
        REFERENCED: {"vr": "SQ", "Value": [_item(one.sop_class_uid, one.sop_instance_uid) for one in asked]},
    }


def result_elements(outcomes: Iterable[Outcome]) -> dict[str, Element]:
    """An answer: the committed ones and the failed ones, each sequence only where it has an item."""
    kept, failed = [], []
    for one in outcomes:
        item = _item(one.sop_class_uid, one.sop_instance_uid)
        if one.result == COMMITTED:
            kept.append(item)
        else:
            failed.append(item | {_REASON: _one("US", one.result)})
    said: dict[str, Element] = {}
    if failed:
        said[FAILED] = {"vr": "SQ", "Value": failed}
    if kept:
        said[REFERENCED] = {"vr": "SQ", "Value": kept}
    return said


def _item(sop_class_uid: str, sop_instance_uid: str) -> dict[str, Element]:
    return {_CLASS: _one("UI", sop_class_uid), _INSTANCE: _one("UI", sop_instance_uid)}


def _one(vr: str, value: Any) -> Element:
    return {"vr": vr, "Value": [value]}
