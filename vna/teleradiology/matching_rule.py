"""Which studies are of which orders, as the national profile says: pure functions of what both say.

The rule: the accession numbers are equal, and the national number is Patient ID or one of Other Patient IDs, or the
facility is the same and the file number is Patient ID. Where an order has no images of its own, those of another order
of the same acquisition are.
"""

from collections.abc import Iterable, Iterator, Set
from datetime import datetime, timedelta

from vna.model.matches import MatchRule, Outline, Subject
from vna.model.orders import OrderKey
from vna.model.profile.matching import MatchingProfile

Pair = tuple[OrderKey, str]
"""An order, and a study by its UID."""


def assigned(
    orders: Iterable[Outline],
    subjects: Iterable[Subject],
    rules: MatchingProfile,
    *,
    released: Set[Pair] = frozenset(),
    by_hand: Set[Pair] = frozenset(),
) -> dict[Pair, MatchRule]:
    """Every pair that the rules make. What a person `released` is none, and no reason for another one; an order that a
    person gave images `by_hand` shares none."""
    known = {order.key: order for order in orders}
    studies = {subject.study_instance_uid: subject for subject in subjects}
    found = {pair: rule for pair, rule in _direct(known.values(), studies.values(), rules) if pair not in released}
    of_order: dict[OrderKey, list[Subject]] = {}
    for key, study in found:
        of_order.setdefault(key, []).append(studies[study])
    have = {key for key, _ in by_hand} | of_order.keys()
    shared: dict[Pair, MatchRule] = {}
    for order in known.values():
        if order.key in have or order.cancelled:
            continue
        for other in known.values():
            for subject in of_order.get(other.key, ()):
                pair = order.key, subject.study_instance_uid
                if pair not in released and is_together(order, other, rules) and is_after(subject, order, other):
                    shared[pair] = MatchRule.TOGETHER
    return found | shared


def _direct(
    orders: Iterable[Outline], subjects: Iterable[Subject], rules: MatchingProfile
) -> Iterator[tuple[Pair, MatchRule]]:
    by_number: dict[str, list[Outline]] = {}
    for order in orders:
        by_number.setdefault(order.key.accession_number, []).append(order)
    for subject in subjects:
        for number in subject.accession_numbers:
            those = [(order, rule) for order in by_number.get(number, ()) if (rule := met(order, subject, rules))]
            at_home = [one for one in those if one[0].is_home(subject.facility)] if subject.facility else []
            for order, rule in at_home or those:
                yield (order.key, subject.study_instance_uid), rule


def met(order: Outline, subject: Subject, rules: MatchingProfile) -> MatchRule | None:
    """By which rule a study is of an order, looking at these two alone."""
    number = order.key.accession_number
    if order.cancelled or number in rules.markers or number not in subject.accession_numbers:
        return None
    if order.national_number and order.national_number in subject.numbers:
        return MatchRule.NATIONAL
    same_file = order.patient_id and order.patient_id == subject.patient_id
    return MatchRule.FILE if same_file and subject.facility and subject.facility == order.key.facility else None


def is_together(order: Outline, other: Outline, rules: MatchingProfile) -> bool:
    """Whether one acquisition may be for both: of one patient, doctor, modality and facility, scheduled about the same
    time, with different accession numbers."""
    same = (
        (order.national_number, other.national_number),
        (order.doctor_number, other.doctor_number),
        (order.modality, other.modality),
        (order.key.facility, other.key.facility),
    )
    if order.key == other.key or other.cancelled or not all(one and one == two for one, two in same):
        return False
    if not rules.markers.isdisjoint((order.key.accession_number, other.key.accession_number)):
        return False
    first, second = local_time(order.scheduled_at), local_time(other.scheduled_at)
    return bool(first and second) and abs(first - second) <= timedelta(minutes=rules.together_minutes)  # type: ignore[operator]


def is_after(subject: Subject, *orders: Outline) -> bool:
    """Whether the images came after all of these orders."""
    return bool(subject.known_at) and all(order.placed_at <= subject.known_at for order in orders)


def local_time(text: str) -> datetime | None:
    """A local time of an order; None where it is none."""
    try:
        return datetime.strptime(text[:14].ljust(14, "0"), "%Y%m%d%H%M%S") if len(text) >= 8 else None  # noqa: DTZ007
    except ValueError:
        return None
