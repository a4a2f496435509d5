"""The worklist: which orders whoever asks is given, and what is said of them."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from storage.index import worklist
from tests.archives import BACKENDS, Backend, Open, make_backend
from tests.worklist.ordering import AYSE, WHENEVER, order
from vna.app import Application, build, migrate, prepare
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.dictionary import path_of, vr_of
from vna.model.errors import BadRequest, NotAuthorized
from vna.model.orders import ANY_FACILITY, Coded, OrderedPatient, OrderKey, OrderState, Person
from vna.model.query import Key, Level, Match, Query
from vna.worklist.schedule import Bounds, Schedule

STATION = "ScheduledProcedureStepSequence.ScheduledStationAETitle"
DATE = "ScheduledProcedureStepSequence.ScheduledProcedureStepStartDate"
TIME = "ScheduledProcedureStepSequence.ScheduledProcedureStepStartTime"
MODALITY = "ScheduledProcedureStepSequence.Modality"
PHYSICIAN = "ScheduledProcedureStepSequence.ScheduledPerformingPhysicianName"


def key(name: str, *values: str) -> Key:
    path = path_of(name)
    return Key(path, vr_of(path[-1]), values)


def query(*keys: tuple[str, str], fuzzy: bool = False) -> Query:
    return Query(Level.PATIENT, tuple(key(name, value) for name, value in keys), fuzzy=fuzzy)


def station(title: str, facility: str = "") -> Actor:
    return Actor(ActorKind.AE, title, frozenset({Action.QUERY}), facility)


def value(match: Any, name: str) -> Any:
    elements = match.elements if isinstance(match, Match) else match
    for tag in path_of(name)[:-1]:
        elements = elements[tag]["Value"][0]
    values = elements.get(path_of(name)[-1], {}).get("Value", [None])
    return values[0]


def numbers(found: Any) -> list[str]:
    return [value(match, "AccessionNumber") for match in found.matches]


MEHMET = OrderedPatient("F1002", "10000000214", "ÇALIŞKAN^İBRAHİM", "19701231", "M")
FAR = OrderedPatient("F1003", "10000000382", "Uzak^Işıl", "19950505", "F")
ORDERS = (
    order("A1", technician=Person("", "TEKNİKER^BİR")),
    order("A2", patient=MEHMET, modality="MR", scheduled_at="20261201083000", station_ae_title="MR1"),
    order("A3", patient=FAR, scheduled_at="20261202140000", performing_facility="600001"),
    order("A4", patient=MEHMET, scheduled_at="", requested_at="20261203070000", performing_facility=ANY_FACILITY),
    order("A5", state=OrderState.IN_PROGRESS, scheduled_at="20261204100000", facility="600001"),
    order("A6", state=OrderState.COMPLETED),
)

QUESTIONS = [
    ([], "A1 A2 A3 A4 A5"),
    ([("PatientName", "örnek^ayşe")], "A1 A5"),
    ([("PatientName", "ORNEK*")], "A1 A5"),
    ([("PatientName", "*ÇALIŞKAN^İBRAHİM*")], "A2 A4"),
    ([("PatientName", "caliskan^ibrah?m")], "A2 A4"),
    ([("PatientName", "ışıl")], ""),
    ([("PatientID", "F1002")], "A2 A4"),
    ([("PatientID", "10000000382")], "A3"),
    ([("PatientID", "F1003")], ""),
    ([("PatientID", "F100?")], "A1 A2 A4 A5"),
    ([("AccessionNumber", "A3")], "A3"),
    ([("AccessionNumber", "a3")], ""),
    ([("RequestedProcedureID", "A2")], "A2"),
    ([("StudyInstanceUID", order("A4").study_instance_uid)], "A4"),
    ([("OtherPatientIDs", "10000000214")], "A2 A4"),
    ([(MODALITY, "MR")], "A2"),
    ([(MODALITY, "CT"), ("PatientID", "F1002")], "A4"),
    ([(STATION, "MR1")], "A1 A2 A3 A4 A5"),
    ([(STATION, "CT1")], "A1 A3 A4 A5"),
    ([(DATE, "20261201")], "A2"),
    ([(DATE, "20261201-20261202")], "A2 A3"),
    ([(DATE, "20261203-")], "A4 A5"),
    ([(DATE, "-20261130")], "A1"),
    ([(DATE, "20261203")], "A4"),
    ([(DATE, "20261201-20261202"), (TIME, "090000-150000")], "A3"),
    ([(DATE, "20261201"), (TIME, "0800-0900")], "A2"),
    ([(TIME, "0830")], "A2"),
    ([(PHYSICIAN, "tekniker*")], "A1"),
    ([("ReferringPhysicianName", "hekim*")], "A1 A2 A3 A4 A5"),
    ([("RequestedProcedureCodeSequence.CodeValue", "804000")], "A1 A2 A3 A4 A5"),
    ([("RequestedProcedureCodeSequence.CodeValue", "999999")], ""),
    ([("PatientSex", "M"), ("PatientBirthDate", "19701231")], "A2 A4"),
]


@pytest.fixture(scope="module", params=BACKENDS)
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    backend: Backend = make_backend(request.param, request, tmp_path_factory.mktemp("worklist"))
    settings = backend.settings(national=WHENEVER)
    migrate(settings)
    prepare(settings)
    application = build(settings)
    for one in ORDERS:
        application.national.orders.place(SYSTEM, one)
    yield application
    application.close()


@pytest.mark.parametrize(("keys", "expected"), QUESTIONS, ids=str)
def test_the_steps_that_match_are_those_of_the_standard(
    archive: Application, keys: list[tuple[str, str]], expected: str
) -> None:
    found = archive.national.schedule.find(SYSTEM, query(*keys))

    assert set(numbers(found)) == set(expected.split())
    assert not found.capped
    assert found.unsupported == frozenset()


def test_what_is_in_progress_comes_first_then_what_is_due_first(archive: Application) -> None:
    found = archive.national.schedule.find(SYSTEM, query())

    assert numbers(found) == ["A5", "A4", "A1", "A2", "A3"]


def test_words_of_a_name_match_in_any_order_where_that_was_negotiated(archive: Application) -> None:
    schedule = archive.national.schedule

    assert set(numbers(schedule.find(SYSTEM, query(("PatientName", "ibrahim cal"), fuzzy=True)))) == {"A2", "A4"}
    assert numbers(schedule.find(SYSTEM, query(("PatientName", "ibrahim cal")))) == []


def test_a_station_sees_what_its_facility_performs_and_no_other_station_does(archive: Application) -> None:
    schedule = archive.national.schedule

    assert set(numbers(schedule.find(station("CT1", "500059"), query()))) == {"A1", "A4"}
    assert set(numbers(schedule.find(station("MR1", "500059"), query()))) == {"A1", "A2", "A4"}
    assert set(numbers(schedule.find(station("CT1", "600001"), query()))) == {"A3", "A4", "A5"}
    assert set(numbers(schedule.find(station("CT1", "700001"), query()))) == {"A4"}
    assert set(numbers(schedule.find(station("CT1"), query()))) == {"A1", "A3", "A4", "A5"}


def test_a_step_that_is_open_to_every_station_is_shown_for_the_one_that_asks(archive: Application) -> None:
    schedule = archive.national.schedule
    of_one = query(("AccessionNumber", "A1"))

    assert value(schedule.find(station("CT1"), of_one).matches[0], STATION) == "CT1"
    for_another = query(("AccessionNumber", "A1"), (STATION, "CT7"))
    assert value(schedule.find(station("DESK"), for_another).matches[0], STATION) == "CT7"


def test_elsewhere_the_national_number_stands_in_the_place_of_a_file_number(archive: Application) -> None:
    schedule, of_one = archive.national.schedule, query(("AccessionNumber", "A4"))

    assert value(schedule.find(station("CT1", "500059"), of_one).matches[0], "PatientID") == "F1002"
    assert value(schedule.find(station("CT1", "600001"), of_one).matches[0], "PatientID") == "10000000214"


def test_keys_that_are_not_known_narrow_nothing_and_are_named(archive: Application) -> None:
    found = archive.national.schedule.find(SYSTEM, query(("StudyDescription", "X"), ("AccessionNumber", "A1")))

    assert numbers(found) == ["A1"]
    assert found.unsupported == {"00081030"}

    blank = archive.national.schedule.find(SYSTEM, query(("PregnancyStatus", "0"), ("AccessionNumber", "A1")))
    assert numbers(blank) == ["A1"]  # as dcmjs-dimse asks for nothing
    assert blank.unsupported == {"001021C0"}


def test_a_date_that_is_none_is_refused(archive: Application) -> None:
    with pytest.raises(BadRequest):
        archive.national.schedule.find(SYSTEM, query((DATE, "tomorrow")))


def test_answers_and_orders_looked_at_are_bounded(archive: Application) -> None:
    database, policy = archive.database, archive.policy

    few = Schedule(database, policy, Bounds(max_matches=2)).find(SYSTEM, query())
    assert (len(few.matches), few.capped, few.cap) == (2, True, "2 matches")
    short = Schedule(database, policy, Bounds(max_scanned=3)).find(SYSTEM, query())
    assert (len(short.matches), short.cap) == (3, "3 orders")
    whole = Schedule(database, policy, Bounds(max_matches=5, max_scanned=6)).find(SYSTEM, query())
    assert not whole.capped


def test_more_orders_than_are_read_at_once_come_all_and_once(archive: Application, monkeypatch: Any) -> None:
    monkeypatch.setattr(worklist, "_PAGE", 2)

    assert numbers(archive.national.schedule.find(SYSTEM, query())) == ["A5", "A4", "A1", "A2", "A3"]


def test_who_opened_a_link_or_has_no_right_sees_no_worklist(open_archive: Open) -> None:
    archive = open_archive(security={"mode": "enforced"})
    link = Actor(ActorKind.LINK, "link", frozenset({Action.QUERY}), study_instance_uid="1.2.3")

    for actor in (link, Actor(ActorKind.AE, "X", frozenset({Action.STORE}))):
        with pytest.raises(NotAuthorized):
            archive.national.schedule.find(actor, query())


def test_a_step_says_all_that_the_order_does(archive: Application) -> None:
    def named(facility: str) -> str:
        return {"500059": "ÖRNEK HASTANESİ"}.get(facility, "")

    archive.national.orders.place(
        SYSTEM,
        order(
            "FULL",
            scheduled_at="20271130100000",
            priority="S",
            clinical_information="Baş ağrısı",
            diagnoses=(Coded("R51", "Baş ağrısı"),),
            admission_reference="REF1",
            clinic=Coded("1", "Nöroloji"),
        ),
    )
    schedule = Schedule(archive.database, archive.policy, institution=named)
    (found,) = schedule.find(SYSTEM, query(("AccessionNumber", "FULL"))).matches
    archive.national.orders.cancel(SYSTEM, OrderKey("500059", "FULL"))

    code = found.elements["00321064"]["Value"]
    assert len(code) == 1
    assert (value(code[0], "CodeValue"), value(code[0], "CodingSchemeDesignator")) == ("804000", "99SUT")
    assert value(code[0], "EquivalentCodeSequence.CodeValue") == "24725-4"
    said = {
        "PatientName": {"Alphabetic": "ÖRNEK^AYŞE"},
        "PatientBirthDate": "19800102",
        "PatientSex": "F",
        "OtherPatientIDs": "10000000146",
        "OtherPatientIDsSequence.PatientID": "10000000146",
        "InstitutionName": "ÖRNEK HASTANESİ",
        "ReferringPhysicianName": {"Alphabetic": "HEKİM^DENEME"},
        "RequestingPhysician": {"Alphabetic": "HEKİM^DENEME"},
        "RequestingService": "Nöroloji",
        "RequestedProcedurePriority": "STAT",
        "RequestedProcedureDescription": "Bilgisayarlı tomografi, beyin",
        "ReasonForTheRequestedProcedure": "Baş ağrısı",
        "ReasonForRequestedProcedureCodeSequence.CodeValue": "R51",
        "AdmissionID": "REF1",
        "StudyInstanceUID": order("FULL").study_instance_uid,
        DATE: "20271130",
        TIME: "100000",
        "ScheduledProcedureStepSequence.ScheduledProcedureStepStatus": "SCHEDULED",
        "ScheduledProcedureStepSequence.ScheduledProcedureStepID": "FULL",
    }
    assert {name: value(found, name) for name in said} == said


def test_the_worklist_follows_changes_and_cancellations_at_once(open_archive: Open) -> None:
    archive = open_archive(national=WHENEVER)
    orders, schedule = archive.national.orders, archive.national.schedule
    orders.place(SYSTEM, order())
    orders.change(SYSTEM, order(patient=replace(AYSE, name="YENİ^AYŞE"), scheduled_at="20270101080000"))

    (found,) = schedule.find(SYSTEM, query(("PatientName", "yeni*"))).matches
    assert value(found, DATE) == "20270101"

    orders.cancel(SYSTEM, OrderKey("500059", "A1"))
    assert schedule.find(SYSTEM, query()).matches == ()
