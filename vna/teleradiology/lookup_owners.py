"""Whose an accession number is, and whom its images are of.

An accession number is unique within the facility that made it, and not beyond: what a look-up finds under one is
parted by its owners before anything is said of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from storage.index.accessions import FoundStudy
from vna.model.orders import KnownOrder, OrderState
from vna.teleradiology.lookup_person import Person

NOT_IMAGES = frozenset({"AU", "DOC", "KO", "PR", "REG", "SR"})
"""Modalities of what goes with images and is none: a study that has nothing else has no images (PS3.3 C.7.3.1.1.1)."""


@dataclass(frozen=True, slots=True)
class Owned:
    """What a facility has under an accession number: its order where one is known, and studies."""

    facility: str
    known: KnownOrder | None = None
    studies: tuple[FoundStudy, ...] = ()

    @property
    def with_images(self) -> tuple[FoundStudy, ...]:
        """Its studies that have images."""
        return tuple(filter(shows_images, self.studies))

    @property
    def has_report(self) -> bool:
        """Whether its order has a report."""
        return self.known is not None and self.known.standing.has_report

    @property
    def is_cancelled(self) -> bool:
        """Whether its order was cancelled."""
        return self.known is not None and self.known.order.state is OrderState.CANCELLED

    @property
    def examination(self) -> str:
        """What was ordered, in words."""
        return self.known.order.sut.text if self.known is not None else ""


def shows_images(study: FoundStudy) -> bool:
    """Whether there is something to see."""
    return not study.modalities or not NOT_IMAGES.issuperset(study.modalities)


def is_mixed(study: FoundStudy) -> bool:
    """Whether something lies beside its images that is none."""
    return not NOT_IMAGES.isdisjoint(study.modalities)


def image_modalities(study: FoundStudy) -> tuple[str, ...]:
    """Those of its images: that a report or a dose report lies beside them is no matter of theirs."""
    return tuple(name for name in study.modalities if name not in NOT_IMAGES) or study.modalities


def owners(
    orders: Iterable[KnownOrder], studies: Iterable[FoundStudy], matched: Iterable[tuple[KnownOrder, FoundStudy]] = ()
) -> list[Owned]:
    """Orders and studies of one accession number by the facility that made it; `matched` are known to belong together.

    An order that was cancelled is none, unless images were made all the same.
    """
    of_orders: list[tuple[KnownOrder, list[FoundStudy]]] = [(known, []) for known in orders]
    for known, study in matched:
        next(mine for one, mine in of_orders if one is known).append(study)
    placed = {study.study_instance_uid for _, mine in of_orders for study in mine}
    others: dict[str, list[FoundStudy]] = {}
    for study in studies:
        if study.study_instance_uid in placed:
            continue
        mine = next((mine for one, mine in of_orders if belongs(study, one)), None)
        if mine is None:
            mine = others.setdefault(study.facility or f"?{study.patient_id}", [])
        mine.append(study)
    return [
        *(
            Owned(known.order.key.facility, known, tuple(mine))
            for known, mine in of_orders
            if mine or known.order.state is not OrderState.CANCELLED
        ),
        *(Owned(facility if facility[:1] != "?" else "", None, tuple(mine)) for facility, mine in others.items()),
    ]


def of_person(found: Iterable[Owned], person: Person) -> list[Owned]:
    """What of it is this person's: by national number, else by file number at a facility where that is known to be
    the person's."""
    fitting = []
    for owned in found:
        order = owned.known.order if owned.known is not None else None
        is_ordered = order is not None and (
            person.is_called(order.patient.national_number)
            or person.has_file(order.key.facility, order.patient.patient_id)
        )
        studies = tuple(study for study in owned.studies if _is_of(study, owned, person, is_ordered))
        if is_ordered or studies:
            fitting.append(Owned(owned.facility, owned.known if is_ordered else None, studies))
    return fitting


def belongs(study: FoundStudy, known: KnownOrder) -> bool:
    """Whether a study under an order's accession number is of the facility that made it."""
    order = known.order
    return (
        study.study_instance_uid == order.study_instance_uid
        or study.facility in (order.key.facility, order.performed_at)
        or _is_called(study, order.patient.national_number)
    )


def _is_of(study: FoundStudy, owned: Owned, person: Person, is_ordered: bool) -> bool:
    if person.is_called(study.patient_id, *study.other_ids):
        return True
    if is_ordered and owned.known is not None:
        order = owned.known.order
        if study.study_instance_uid == order.study_instance_uid:
            return True
        if order.patient.patient_id and study.patient_id == order.patient.patient_id:
            return True
    facilities = {study.facility, owned.facility}
    return any(person.has_file(facility, study.patient_id) for facility in facilities) or person.is_named_in(study)


def _is_called(study: FoundStudy, national_number: str) -> bool:
    return bool(national_number) and (study.patient_id == national_number or national_number in study.other_ids)
