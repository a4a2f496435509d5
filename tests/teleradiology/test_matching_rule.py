"""The rule by which images are of orders, against a plain reading of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from vna.model.matches import MatchRule, Outline, Subject
from vna.model.orders import ANY_FACILITY, OrderKey
from vna.model.profile.matching import MatchingProfile
from vna.teleradiology.matching_rule import Pair, assigned

RULES = MatchingProfile()

FACILITIES = st.sampled_from(["F1", "F2"])
NUMBERS = st.sampled_from(["A1", "A2", "9999"])
PEOPLE = st.sampled_from(["", "N1", "N2"])
FILES = st.sampled_from(["", "P1", "N1"])
TIMES = st.sampled_from(["", "20261130100000", "20261130104000", "20261130104001", "nonsense"])
ORDERS = st.builds(
    Outline,
    key=st.builds(OrderKey, FACILITIES, NUMBERS),
    patient_id=FILES,
    national_number=PEOPLE,
    doctor_number=st.sampled_from(["", "D1"]),
    modality=st.sampled_from(["CT", "MR"]),
    scheduled_at=TIMES,
    performing_facility=st.sampled_from(["", "F2", ANY_FACILITY]),
    placed_at=st.sampled_from(["2026-11-30T08", "2026-11-30T12"]),
    cancelled=st.sampled_from([False, False, False, True]),
)
SUBJECTS = st.builds(
    Subject,
    study_instance_uid=st.sampled_from(["1.1", "1.2", "1.3"]),
    accession_numbers=st.frozensets(NUMBERS, max_size=2),
    patient_id=FILES,
    numbers=st.frozensets(st.sampled_from(["N1", "N2", "P1"]), max_size=2),
    facility=st.sampled_from(["", "F1", "F2", "F3"]),
    known_at=st.sampled_from(["", "2026-11-30T10", "2026-11-30T13"]),
)
WORLDS = st.tuples(
    st.lists(ORDERS, max_size=5, unique_by=lambda order: order.key),
    st.lists(SUBJECTS, max_size=3, unique_by=lambda subject: subject.study_instance_uid),
)


@given(WORLDS, st.data())
def test_the_pairs_are_those_of_a_plain_reading(
    world: tuple[list[Outline], list[Subject]], data: st.DataObject
) -> None:
    orders, subjects = world
    pairs = [(order.key, subject.study_instance_uid) for order in orders for subject in subjects]
    released = data.draw(st.sets(st.sampled_from(pairs))) if pairs else set()
    by_hand = (data.draw(st.sets(st.sampled_from(pairs))) if pairs else set()) - released
    assert assigned(orders, subjects, RULES, released=released, by_hand=by_hand) == _plainly(
        orders, subjects, released, by_hand
    )


def _plainly(
    orders: list[Outline], subjects: list[Subject], released: set[Pair], by_hand: set[Pair]
) -> dict[Pair, MatchRule]:
    """The rule as it is written, each pair alone."""
    own: dict[Pair, MatchRule] = {}
    for order in orders:
        for subject in subjects:
            rule = _own(order, subject)
            rivals = [o for o in orders if o.key.accession_number == order.key.accession_number]
            at_home = [o for o in rivals if _own(o, subject) and _home(o, subject)]
            if rule and (_home(order, subject) or not at_home):
                own[order.key, subject.study_instance_uid] = rule
    own = {pair: rule for pair, rule in own.items() if pair not in released}
    shared: dict[Pair, MatchRule] = {}
    for order in orders:
        has_own = any(key == order.key for key, _ in [*own, *by_hand])
        for other in orders:
            for subject in subjects:
                pair = (order.key, subject.study_instance_uid)
                if (
                    not has_own
                    and pair not in released
                    and (other.key, subject.study_instance_uid) in own
                    and _shares(order, other, subject)
                ):
                    shared[pair] = MatchRule.TOGETHER
    return own | shared


def _own(order: Outline, subject: Subject) -> MatchRule | None:
    number = order.key.accession_number
    if order.cancelled or number == "9999" or number not in subject.accession_numbers:
        return None
    if order.national_number != "" and order.national_number in subject.numbers:
        return MatchRule.NATIONAL
    if order.patient_id != "" and order.patient_id == subject.patient_id and order.key.facility == subject.facility:
        return MatchRule.FILE
    return None


def _home(order: Outline, subject: Subject) -> bool:
    if subject.facility == "":
        return False
    return order.performing_facility == "*" or subject.facility in (order.key.facility, order.performing_facility)


def _shares(order: Outline, other: Outline, subject: Subject) -> bool:
    return (
        not order.cancelled
        and not other.cancelled
        and order.key.facility == other.key.facility
        and order.key.accession_number != other.key.accession_number
        and "9999" not in (order.key.accession_number, other.key.accession_number)
        and order.national_number == other.national_number != ""
        and order.doctor_number == other.doctor_number != ""
        and order.modality == other.modality
        and _minutes(order, other) <= 40
        and subject.known_at != ""
        and subject.known_at >= order.placed_at
        and subject.known_at >= other.placed_at
    )


def _minutes(order: Outline, other: Outline) -> float:
    times = (order.scheduled_at, other.scheduled_at)
    if not all(time.isdigit() for time in times):
        return 1e9
    one, two = (datetime.strptime(f"{time}+0000", "%Y%m%d%H%M%S%z") for time in times)
    return abs(one - two) / timedelta(minutes=1)
