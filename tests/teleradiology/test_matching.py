"""Orders meet images as they come, change and go; by hand too; and after a reindex."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.uid import CTImageStorage

from storage.index import matches, subjects
from tests.archive.test_plans import explained
from tests.archives import Open, make_backend, put, rows
from tests.routing.manifests import kos, written
from tests.teleradiology.imaging import FACILITY, KEY, NATIONAL, image, pairs, settle, store
from tests.worklist.ordering import AYSE, DOCTOR, order
from vna.app import Application, build, migrate, prepare
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.errors import BadRequest, NotAuthorized, NotFound
from vna.model.manifests import ListedSeries
from vna.model.matches import MatchRule
from vna.model.orders import ANY_FACILITY, OrderedPatient, OrderKey
from vna.model.profile.matching import MatchingProfile
from vna.model.unmatched import REASONS
from vna.routing.noted import noted
from vna.teleradiology.matching_rule import assigned

NATIONAL_RULE, FILE, TOGETHER, HAND = MatchRule.NATIONAL, MatchRule.FILE, MatchRule.TOGETHER, MatchRule.HAND
BEREN = OrderedPatient("F2002", "10000000382", "ÖRNEK^BEREN", "19900102", "F")


def test_images_meet_their_order_whichever_comes_first(open_archive: Open) -> None:
    archive = open_archive()
    archive.national.orders.place(SYSTEM, order())
    store(archive, "1.1")
    store(archive, "1.2", AccessionNumber="A2")
    assert pairs(archive) == {("A1", "1.1"): NATIONAL_RULE}

    archive.national.orders.place(SYSTEM, order("A2"))
    archive.dispatcher().drain()
    assert pairs(archive) == {("A1", "1.1"): NATIONAL_RULE, ("A2", "1.2"): NATIONAL_RULE}
    told = rows(archive, "select study_instance_uid from events where kind = 'match.changed' order by id")
    assert told == [("1.1",), ("1.2",)]


def test_the_patient_is_told_by_any_of_the_numbers_or_by_file_and_facility(open_archive: Open) -> None:
    archive = open_archive()
    item = Dataset()
    item.PatientID = NATIONAL
    for number in ("A1", "A2", "A3", "A4", "A5"):
        archive.national.orders.place(SYSTEM, order(number, scheduled_at=""))
    store(archive, "1.1", AccessionNumber="A1", PatientID="X", OtherPatientIDs=["Y", NATIONAL])
    store(archive, "1.2", AccessionNumber="A2", PatientID="X2", OtherPatientIDsSequence=[item])
    store(archive, "1.3", AccessionNumber="A3", PatientID=AYSE.patient_id)
    store(archive, "1.4", AccessionNumber="A4", PatientID=AYSE.patient_id, InstitutionName="x^^^SKRS1^^^y")
    store(archive, "1.5", AccessionNumber="A5", PatientID="somebody")
    assert pairs(archive) == {("A1", "1.1"): NATIONAL_RULE, ("A2", "1.2"): NATIONAL_RULE, ("A3", "1.3"): FILE}


def test_markers_are_never_keys(open_archive: Open) -> None:
    archive = open_archive()
    archive.national.orders.place(SYSTEM, order("9999"))
    store(archive, "1.1", AccessionNumber="9999")
    assert pairs(archive) == {}
    assert [one.reason for one in archive.national.unmatched.unmatched_orders(SYSTEM, FACILITY)] == ["marker"]
    assert [one.reason for one in archive.national.unmatched.unmatched_studies(SYSTEM, FACILITY)] == ["marker"]


def test_an_order_open_to_any_centre_matches_wherever_it_is_performed(open_archive: Open) -> None:
    archive = open_archive()
    archive.national.orders.place(SYSTEM, order(performing_facility=ANY_FACILITY))
    archive.national.orders.place(SYSTEM, order(facility="500060"))
    store(archive, "1.1", InstitutionName="Merkez^^^SKRS500061^^^FK2")
    with archive.database.read() as connection:
        assert [one.key.facility for one in matches.of_studies(connection, ["1.1"])] == [FACILITY]


def test_one_acquisition_is_for_several_orders_of_the_same_time(open_archive: Open) -> None:
    archive = open_archive()
    orders = archive.national.orders
    orders.place(SYSTEM, order("A1", scheduled_at="20261130100000"))
    orders.place(SYSTEM, order("A2", scheduled_at="20261130104000"))
    orders.place(SYSTEM, order("A3", scheduled_at="20261130104100"))
    orders.place(SYSTEM, order("A4", scheduled_at="20261130100000", modality="MR"))
    orders.place(SYSTEM, order("A5", scheduled_at="20261130100000", ordering_doctor=replace(DOCTOR, number="1")))
    store(archive, "1.1")
    orders.place(SYSTEM, order("A6", scheduled_at="20261130100000"))
    archive.dispatcher().drain()
    assert pairs(archive) == {("A1", "1.1"): NATIONAL_RULE, ("A2", "1.1"): TOGETHER}
    reasons = {
        u.order.key.accession_number: u.reason for u in archive.national.unmatched.unmatched_orders(SYSTEM, FACILITY)
    }
    assert reasons == {"A3": "no-study", "A4": "no-study", "A5": "no-study", "A6": "late"}

    store(archive, "1.2", AccessionNumber="A2")
    of_both = {("A1", "1.1"): NATIONAL_RULE, ("A2", "1.2"): NATIONAL_RULE}
    assert pairs(archive) == {**of_both, ("A3", "1.2"): TOGETHER, ("A6", "1.2"): TOGETHER}
    archive.deletion.delete(SYSTEM, "1.2")
    archive.dispatcher().drain()
    assert pairs(archive) == {("A1", "1.1"): NATIONAL_RULE, ("A2", "1.1"): TOGETHER}
    orders.change(SYSTEM, order("A1", scheduled_at="20261201100000"))
    archive.dispatcher().drain()
    assert pairs(archive) == {("A1", "1.1"): NATIONAL_RULE}


def test_a_study_that_requests_several_orders_is_of_all_of_them(open_archive: Open) -> None:
    archive = open_archive()
    items = [Dataset(), Dataset()]
    items[0].AccessionNumber, items[1].AccessionNumber = "A1", "A2"
    store(archive, "1.1", AccessionNumber="", RequestAttributesSequence=items)
    for number in ("A1", "A2", "A3"):
        archive.national.orders.place(SYSTEM, order(number, scheduled_at=""))
    archive.dispatcher().drain()
    assert pairs(archive) == {("A1", "1.1"): NATIONAL_RULE, ("A2", "1.1"): NATIONAL_RULE}


def test_a_performed_step_names_orders_too(open_archive: Open) -> None:
    from datetime import UTC, datetime

    from storage.index import events
    from storage.index.national_schema import performed_steps
    from vna.model.events import EventKind

    archive = open_archive()
    archive.national.orders.place(SYSTEM, order("A7", scheduled_at=""))
    store(archive, "1.1", AccessionNumber="")
    with archive.database.transaction() as connection:
        step = {"sop_instance_uid": "1.9", "study_instance_uid": "1.1", "accession_numbers": '["A7"]'}
        connection.execute(performed_steps.insert().values(**step))
        events.append(
            connection, EventKind.STEP_CHANGED, at=datetime.now(UTC), actor="x", study_instance_uid="1.1", detail={}
        )
    archive.dispatcher().drain()
    assert pairs(archive) == {("A7", "1.1"): NATIONAL_RULE}


def test_matches_follow_what_orders_and_images_become(open_archive: Open) -> None:
    archive = open_archive(storage={"duplicates": "replace"})
    orders = archive.national.orders
    orders.place(SYSTEM, order())
    accepted = store(archive, "1.1")
    orders.change(SYSTEM, order(patient=BEREN))
    archive.dispatcher().drain()
    assert pairs(archive) == {}
    orders.change(SYSTEM, order())
    archive.dispatcher().drain()
    assert pairs(archive) == {("A1", "1.1"): NATIONAL_RULE}

    archive.deletion.delete(SYSTEM, "1.1")
    archive.dispatcher().drain()
    assert pairs(archive) == {}
    assert [one.problem for one in archive.deletion.restore(SYSTEM, "1.1")] == [""]
    archive.dispatcher().drain()
    assert pairs(archive) == {("A1", "1.1"): NATIONAL_RULE}
    assert accepted.sop_instance_uid

    orders.cancel(SYSTEM, KEY)
    archive.dispatcher().drain()
    assert pairs(archive) == {}
    assert [one.reason for one in archive.national.unmatched.unmatched_studies(SYSTEM, FACILITY)] == ["cancelled"]


def test_a_person_matches_and_releases_and_no_rule_contradicts(open_archive: Open) -> None:
    archive = open_archive()
    orders, matching = archive.national.orders, archive.national.matching
    orders.place(SYSTEM, order())
    orders.place(SYSTEM, order("A2", patient=BEREN))
    store(archive, "1.1")
    store(archive, "1.2", AccessionNumber="", PatientID="F2002")

    matching.match(SYSTEM, OrderKey(FACILITY, "A2"), "1.2", "no number at the modality")
    matching.release(SYSTEM, KEY, "1.1", "another examination")
    settle(archive)
    store(archive, "1.1")
    assert pairs(archive) == {("A2", "1.2"): HAND}
    assert [one.reason for one in archive.national.unmatched.unmatched_orders(SYSTEM, FACILITY)] == ["released"]
    assert [one.reason for one in archive.national.unmatched.unmatched_studies(SYSTEM, FACILITY)] == ["released"]
    told = rows(archive, "select actor, detail from events where kind = 'match.changed' order by id desc limit 1")
    assert told[0][0] == "vna"
    assert "another examination" in str(told[0][1])

    orders.cancel(SYSTEM, OrderKey(FACILITY, "A2"))
    matching.match(SYSTEM, KEY, "1.1", "it was right after all")
    settle(archive)
    assert pairs(archive) == {("A1", "1.1"): HAND, ("A2", "1.2"): HAND}
    archive.deletion.delete(SYSTEM, "1.2")
    archive.dispatcher().drain()
    assert pairs(archive) == {("A1", "1.1"): HAND}


def test_matching_by_hand_asks_for_a_right_a_reason_and_two_that_are_known(open_archive: Open) -> None:
    archive = open_archive(security={"mode": "enforced"})
    archive.national.orders.place(SYSTEM, order())
    store(archive, "1.1")
    matching = archive.national.matching
    clerk = Actor(ActorKind.USER, "clerk", frozenset({Action.LOOK_UP}))
    other = Actor(ActorKind.USER, "other", frozenset({Action.MATCH, Action.LOOK_UP}), facility="1")
    for actor in (clerk, other):
        with pytest.raises(NotAuthorized):
            matching.match(actor, KEY, "1.1", "x")
        with pytest.raises(NotAuthorized):
            matching.release(actor, KEY, "1.1", "x")
    with pytest.raises(NotAuthorized):
        archive.national.unmatched.unmatched_orders(other, FACILITY)
    with pytest.raises(BadRequest):
        matching.match(SYSTEM, KEY, "1.1", " ")
    with pytest.raises(NotFound):
        matching.match(SYSTEM, OrderKey(FACILITY, "A9"), "1.1", "x")
    with pytest.raises(NotFound):
        matching.match(SYSTEM, KEY, "1.9", "x")
    with pytest.raises(NotFound):
        matching.release(SYSTEM, KEY, "1.9", "x")


def test_what_is_unmatched_says_why_page_by_page(open_archive: Open) -> None:
    archive = open_archive()
    unmatched = archive.national.unmatched
    for number in ("A1", "A2", "A3", "A4"):
        archive.national.orders.place(SYSTEM, order(number, requested_at=f"2026113009000{number[1]}", scheduled_at=""))
    store(archive, "1.1", PatientID="somebody", StudyDate="20260101")
    store(archive, "1.2", AccessionNumber="A2", PatientID="F1001", InstitutionName="x^^^SKRS1^^^y")
    store(archive, "1.3", AccessionNumber="A3")
    store(archive, "1.5", AccessionNumber="A9", StudyDate="20260105")
    store(archive, "1.6", AccessionNumber="", StudyDate="20260106")

    first = unmatched.unmatched_orders(SYSTEM, FACILITY, limit=2)
    rest = unmatched.unmatched_orders(SYSTEM, FACILITY, limit=2, after=first[-1].position)
    assert [(u.order.key.accession_number, u.reason) for u in (*first, *rest)] == [
        ("A1", "patient-differs"),
        ("A2", "facility-differs"),
        ("A4", "no-study"),
    ]
    within = unmatched.unmatched_orders(SYSTEM, FACILITY, "20261130090002", "20261130090002")
    assert [u.order.key.accession_number for u in within] == ["A2"]
    assert unmatched.unmatched_orders(SYSTEM, FACILITY, modality="MR") == []

    page = unmatched.unmatched_studies(SYSTEM, FACILITY, limit=2)
    more = unmatched.unmatched_studies(SYSTEM, FACILITY, limit=2, after=page[-1].position)
    assert [(u.study_instance_uid, u.reason) for u in (*page, *more)] == [
        ("1.1", "patient-differs"),
        ("1.5", "no-order"),
        ("1.6", "no-accession"),
    ]
    assert [u.study_instance_uid for u in unmatched.unmatched_studies(SYSTEM, FACILITY, "20260105", "20260105")] == [
        "1.5"
    ]
    assert unmatched.unmatched_studies(SYSTEM, FACILITY, modality="MR") == []
    with pytest.raises(BadRequest):
        unmatched.unmatched_orders(SYSTEM, "")
    with pytest.raises(BadRequest):
        unmatched.unmatched_orders(SYSTEM, FACILITY, "yesterday")
    with pytest.raises(BadRequest):
        unmatched.unmatched_orders(SYSTEM, FACILITY, after="x")


def test_every_reason_has_words_in_both_languages() -> None:
    assert all(words.turkish and words.english and words.turkish != words.english for words in REASONS.values())


def test_a_reindex_brings_matches_back_and_finds_what_it_missed(open_archive: Open) -> None:
    archive = open_archive()
    archive.national.orders.place(SYSTEM, order())
    archive.national.orders.place(SYSTEM, order("A2", patient=BEREN))
    store(archive, "1.1")
    store(archive, "1.2", AccessionNumber="")
    archive.national.matching.match(SYSTEM, OrderKey(FACILITY, "A2"), "1.2", "typed wrongly")
    settle(archive)
    before = pairs(archive)
    assert before == {("A1", "1.1"): NATIONAL_RULE, ("A2", "1.2"): HAND}

    assert [one for one in archive.reindex.run(SYSTEM) if one.reason] == []
    assert pairs(archive) == before
    with archive.database.transaction() as connection:
        matches.remove(connection, KEY, "1.1")
    archive.workers().drain()
    assert pairs(archive) == before


def test_the_same_events_again_change_nothing(open_archive: Open) -> None:
    from storage.index import events

    archive = open_archive()
    archive.national.orders.place(SYSTEM, order())
    store(archive, "1.1")
    archive.dispatcher().drain()
    with archive.database.read() as connection:
        past = events.after(connection, 0, 100)
    archive.national.matching(past)
    with archive.database.read() as connection:
        assert events.after(connection, past[-1].event_id, 10) == []


@pytest.fixture(scope="module")
def one_archive(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Application]:
    backend = make_backend("sqlite+folder", request, tmp_path_factory.mktemp("one"))
    migrate(backend.settings())
    prepare(backend.settings())
    archive = build(backend.settings())
    yield archive
    archive.close()


def test_no_table_is_looked_through_for_what_is_unmatched_or_has_to_be_matched(one_archive: Application) -> None:
    put(one_archive, image("1.999", AccessionNumber="B1"))
    one_archive.national.orders.place(SYSTEM, order("B1", "plans"))
    with explained(one_archive.database) as lines:
        one_archive.national.unmatched.unmatched_orders(SYSTEM, "plans", "2026", "2027")
        one_archive.national.unmatched.unmatched_studies(SYSTEM, "plans", "2026", "2027")
        with one_archive.database.transaction() as connection:
            one_archive.national.matching.look(connection, {"1.999"}, {OrderKey("plans", "B1")})
    assert lines
    assert [line for line in lines if line.startswith("SCAN") and not line.startswith("SCAN anon_")] == []


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["order", "cancel", "store", "delete", "match", "release", "notice"]),
        st.sampled_from(["A1", "A2", "A3"]),
        st.sampled_from([AYSE, BEREN]),
        st.sampled_from(["20261130100000", "20261130103000", "20261130120000"]),
    ),
    max_size=12,
)
_RUNS = iter(range(1_000_000))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_STEPS)
def test_whatever_happens_in_whatever_order_the_rows_are_what_the_rule_says_of_the_whole(
    one_archive: Application, steps: list[tuple[str, str, OrderedPatient, str]]
) -> None:
    from contextlib import suppress

    from vna.model.errors import VnaError

    archive, run = one_archive, next(_RUNS)
    facility = f"F{run}"
    national = archive.national
    for what, number, patient, at in steps:
        key, study = OrderKey(facility, number), f"1.{run}.{number[1]}"
        someone = replace(patient, national_number=f"{patient.national_number[:5]}{run}")
        with suppress(VnaError):
            if what == "order":
                national.orders.place(SYSTEM, order(number, facility, patient=someone, scheduled_at=at))
            elif what == "cancel":
                national.orders.cancel(SYSTEM, key)
            elif what == "store":
                data = image(study, AccessionNumber=number, PatientID=someone.national_number)
                put(archive, data)
            elif what == "delete":
                archive.deletion.delete(SYSTEM, study)
            elif what == "match":
                national.matching.match(SYSTEM, key, study, "x")
            elif what == "release":
                national.matching.release(SYSTEM, key, study, "x")
            else:
                archive.dispatcher().drain()
    archive.dispatcher().drain()
    archive.dispatcher().drain()
    _same_as_the_rule(archive, facility, run)


def _same_as_the_rule(archive: Application, facility: str, run: int) -> None:
    numbers = ("A1", "A2", "A3")
    with archive.database.read() as connection:
        orders = [one for one in matches.outlines(connection, numbers) if one.key.facility == facility]
        known = subjects.find(connection, [f"1.{run}.{number[1]}" for number in numbers])
        held = matches.of_orders(connection, [OrderKey(facility, number) for number in numbers])
    released = {(one.key, one.study_instance_uid) for one in held if one.released}
    by_hand = {(one.key, one.study_instance_uid) for one in held if one.rule is HAND and not one.released}
    live = {(one.key, one.study_instance_uid): one.rule for one in held if not one.released}
    wanted = assigned(orders, known.values(), MatchingProfile(), released=released, by_hand=by_hand)
    assert live == wanted | dict.fromkeys(by_hand, HAND)
    assert all(study in known for _, study in live)


def test_what_another_archive_keeps_is_matched_as_what_is_here(open_archive: Open) -> None:
    archive = open_archive()
    archive.national.orders.place(SYSTEM, order())
    archive.national.orders.place(SYSTEM, order("A2", scheduled_at="20261130100000"))
    said = {
        "00100020": {"vr": "LO", "Value": ["X"]},
        "00101000": {"vr": "LO", "Value": [NATIONAL]},
        "00080050": {"vr": "SH", "Value": ["A2"]},
        "0020000D": {"vr": "UI", "Value": ["1.77"]},
    }
    listed = ListedSeries("1.77", "1.77.1", "", "", ((CTImageStorage, "1.77.1.1"),))
    archive.store.note(SYSTEM, list(noted(listed, said, FACILITY, "2026-11-30T10:00:00.000000+00:00")))
    settle(archive)
    assert pairs(archive) == {("A2", "1.77"): NATIONAL_RULE}

    manifest = kos("1.78", {"1.78.1": ["1.78.1.1"]}, location="1.2.9", PatientID="X", OtherPatientIDs=[NATIONAL])
    put(archive, written(manifest))
    settle(archive)
    assert pairs(archive) == {("A1", "1.78"): NATIONAL_RULE, ("A2", "1.77"): NATIONAL_RULE}
    archive.deletion.delete(SYSTEM, "1.78", instance=manifest.SOPInstanceUID)
    settle(archive)
    assert pairs(archive) == {("A2", "1.77"): NATIONAL_RULE}
