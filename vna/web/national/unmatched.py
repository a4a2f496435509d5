"""Orders without images and images without an order, each with the reason, as the addresses give them."""

from collections.abc import Sequence

from vna.model.access import Actor
from vna.model.order_queries import Period
from vna.model.unmatched import REASONS, UnmatchedOrder, UnmatchedStudy
from vna.teleradiology.listings import own_facility
from vna.web.national import plain_calls as calls
from vna.web.national.door import NationalDoor
from vna.web.national.fields import iso

MOST = 1000
"""The longest list that is given at once."""


def orders_without_images(
    door: NationalDoor, actor: Actor, facility: str, period: Period, modality: str, after: str = "", limit: int = MOST
) -> Sequence[UnmatchedOrder]:
    """Those of a facility that were asked for in a period; `modality` empty for all."""
    facility = own_facility(actor, facility)
    return door.unmatched.unmatched_orders(
        actor, facility, period.begin, period.end, modality, after=after, limit=limit
    )


def studies_without_order(
    door: NationalDoor, actor: Actor, facility: str, period: Period, modality: str, after: str = "", limit: int = MOST
) -> Sequence[UnmatchedStudy]:
    """Those of a facility that were made in a period; `modality` empty for all."""
    facility = own_facility(actor, facility)
    return door.unmatched.unmatched_studies(
        actor, facility, period.begin, period.end, modality, after=after, limit=limit
    )


def order_of(one: UnmatchedOrder) -> calls.UnmatchedOrder:
    """An order without images."""
    return calls.UnmatchedOrder(
        facility=one.order.key.facility,
        accession_number=one.order.key.accession_number,
        modality=one.order.modality,
        sut_code=one.sut_code,
        requested_at=iso(one.requested_at),
        scheduled_at=iso(one.order.scheduled_at),
        reason=reason_of(one.reason),
    )


def study_of(one: UnmatchedStudy) -> calls.UnmatchedStudy:
    """Images without an order."""
    return calls.UnmatchedStudy(
        study_instance_uid=one.study_instance_uid,
        facility=one.facility,
        accession_number=one.accession_number,
        study_date=one.study_date,
        modalities=list(one.modalities),
        quarantine=one.is_quarantined,
        reason=reason_of(one.reason),
    )


def reason_of(code: str) -> calls.Reason:
    """Why something is unmatched, in both languages."""
    said = REASONS.get(code)
    return calls.Reason(code=code, tr=said.turkish if said else code, en=said.english if said else code)
