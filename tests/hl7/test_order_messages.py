"""Orders by message on both pairs of stores: done once, all of a message or nothing, answered with their codes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from storage.index.events import time_text
from tests.archives import rows
from tests.hl7.conftest import Feed
from tests.hl7.messages import adt
from tests.hl7.national import DOCTOR, FACILITY, PATIENT, changed, group, header, order, person
from vna.hl7.framing import Frames, framed
from vna.model.access import SYSTEM
from vna.model.orders import OrderKey, OrderState
from vna.model.sources import MessageProfile
from vna.worklist.receipts import Receipts

TOLD = ("AA", "", "")


@pytest.fixture
def national(feed: Feed) -> Feed:
    feed.know("HBYS")
    return feed


def state(feed: Feed, accession: str) -> OrderState:
    return feed.archive.national.orders.get(SYSTEM, OrderKey(FACILITY, accession)).order.state


def message(one: dict[str, dict[int, str]], control_id: str) -> str:
    return order(one, msh=header("ORM^O01", control_id))


def test_an_order_is_placed_changed_followed_and_cancelled(national: Feed) -> None:
    assert national(message(group(), "1")) == TOLD
    assert state(national, "A1") is OrderState.SCHEDULED

    other = group(control="XO")
    other["OBR"] |= {24: "MR"}
    assert national(message(other, "2")) == TOLD
    assert national.archive.national.orders.get(SYSTEM, OrderKey(FACILITY, "A1")).order.modality == "MR"

    status = group(control="SC")
    status["ORC"] |= {5: "IP"}
    assert national(message(status, "3")) == TOLD
    assert state(national, "A1") is OrderState.IN_PROGRESS

    assert national(message(group(), "4")) == TOLD
    assert state(national, "A1") is OrderState.IN_PROGRESS, "what is told late takes nothing back"

    assert national(message(group(control="CA"), "5")) == TOLD
    assert state(national, "A1") is OrderState.CANCELLED
    assert national(message(group(), "6")) == ("AE", "V321", "")


def test_what_is_not_known_is_not_changed_and_what_was_made_not_cancelled(national: Feed) -> None:
    for control in ("XO", "CA", "SC"):
        assert national(message(group(control=control), control)) == ("AE", "V320", "")
    done = group()
    done["ORC"] |= {5: "CM"}
    assert national(message(done, "1")) == TOLD
    assert national(message(group(control="CA"), "2")) == ("AE", "V321", "")


@pytest.mark.parametrize("control", ["NW", "XO", "CA", "SC"])
@pytest.mark.parametrize("number", ["10000000450", ""])
def test_an_order_of_another_patient_is_neither_changed_nor_cancelled(
    national: Feed, control: str, number: str
) -> None:
    assert national(message(group(), "1")) == TOLD
    mixed = group(control=control)
    mixed["PID"] |= {3: "F2002", 4: number}
    mixed["ORC"] |= {5: "CM" if control == "SC" else ""}
    assert national(message(mixed, "2")) == ("AE", "V322", "")
    assert state(national, "A1") is OrderState.SCHEDULED
    mixed["PID"] |= {3: "F1001" if number == "" else "", 4: number and PATIENT}
    assert national(message(mixed, "2")) == TOLD, "by the number that both have it is the same patient"


def test_an_order_is_the_survivors_once_its_patient_was_merged(national: Feed) -> None:
    assert national(message(group(), "1")) == TOLD
    survivor = group(control="XO")
    survivor["PID"] |= {3: "F2002", 4: "10000000450"}
    assert national(message(survivor, "2")) == ("AE", "V322", "")
    assert national(adt("A40", pid="F2002", mrg="F1001", application="HBYS", control_id="3"))[0] == "AA"
    assert national(message(survivor, "2")) == TOLD
    late = group(control="CA")
    assert national(message(late, "4")) == TOLD
    assert state(national, "A1") is OrderState.CANCELLED


def test_several_orders_of_a_message_are_all_written_or_none(national: Feed) -> None:
    bad = group("A3")
    bad["OBR"] |= {24: ""}
    assert national(order(group("A1"), group("A2"), bad)) == ("AE", "V313", "OBR-24")
    raw = national.raw(order(group("A1"), group("A2"), bad))
    assert raw.one("ERR").value(1, 2) == "3", "the third OBR is to blame"
    assert national(order(group("A1"), group("A2"), group("A9", "XO"))) == ("AE", "V320", "")
    assert rows(national.archive, "select count(*) from orders") == [(0,)]
    assert rows(national.archive, "select count(*) from received_messages") == [(0,)]

    assert national(order(group("A1"), group("A2"))) == TOLD
    assert rows(national.archive, "select accession_number from orders order by 1") == [("A1",), ("A2",)]


def test_a_message_that_comes_again_gets_the_same_answer_and_writes_nothing(national: Feed) -> None:
    first = national.dispatch.answer(order().encode(), "127.0.0.1")
    cancelled = message(group(control="CA"), "C2")
    assert national(cancelled) == TOLD
    assert national.dispatch.answer(order().encode(), "127.0.0.1") == first
    later = order(msh=header("ORM^O01", m7="20261201090000"))
    assert national.dispatch.answer(later.encode(), "127.0.0.1") == first, "when it was sent is not what it says"
    assert state(national, "A1") is OrderState.CANCELLED
    assert rows(national.archive, "select count(*) from events where kind = 'order.changed'") == [(2,)]


def test_another_message_under_the_same_control_id_is_an_error(national: Feed) -> None:
    assert national(order()) == TOLD
    assert national(order(group("A2"))) == ("AE", "V104", "")
    assert "&205&" in national.raw(order(group("A2"))).one("ERR").text
    assert rows(national.archive, "select accession_number from orders") == [("A1",)]


def test_what_was_refused_may_be_mended_and_sent_under_the_same_control_id(national: Feed) -> None:
    assert national(order(changed("OBR", 24, ""))) == ("AE", "V313", "OBR-24")
    assert national(order()) == TOLD


def test_who_is_not_known_is_judged_as_national_in_local_mode_and_told_apart_by_facility(feed: Feed) -> None:
    assert feed(order(changed("OBR", 4, ""))) == ("AE", "V308", "OBR-4")
    assert feed(order()) == TOLD
    assert feed(order(group("A2"), msh=header("ORM^O01", m4="OTHER"))) == TOLD
    assert feed(order(group("A3"))) == ("AE", "V104", "")


def test_two_senders_may_use_the_same_control_id(national: Feed) -> None:
    national.know("OTHER")
    assert national(order()) == TOLD
    assert national(order(group("A2"), msh=header("ORM^O01", m3="OTHER"))) == TOLD


def test_one_message_over_many_connections_at_once_is_written_once(national: Feed) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(lambda _: national.dispatch.answer(order().encode(), "127.0.0.1"), range(24)))
    assert len(answers) == 1
    assert b"MSA|AA|C1" in answers.pop()
    assert rows(national.archive, "select count(*) from events where kind = 'order.changed'") == [(1,)]


def test_messages_with_the_same_orders_in_another_order_do_not_lock_each_other_out(national: Feed) -> None:
    names = [f"A{number}" for number in range(12)]

    def send(number: int) -> tuple[str, str, str]:
        mine = names if number % 2 else names[::-1]
        several = [changed("OBR", 20, str(number), name) for name in mine]
        return national(order(*several, msh=header("ORM^O01", f"L{number}")))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(16))) == {TOLD}


def test_old_receipts_are_forgotten_and_young_ones_stay(national: Feed) -> None:
    archive = national.archive
    assert national(order()) == TOLD
    old = time_text(datetime.now(UTC) - timedelta(days=91))
    with archive.database.transaction() as connection:
        connection.exec_driver_sql(f"update received_messages set at = '{old}'")
    assert national(order(group("A2"), msh=header("ORM^O01", "C2"))) == TOLD
    assert len(rows(archive, "select * from received_messages")) == 2, "they are looked for once a minute"
    Receipts(archive.database, archive.policy, days=90)._prune()
    assert rows(archive, "select control_id from received_messages") == [("C2",)]


def test_windows_1254_is_read_as_declared(feed: Feed) -> None:
    feed.know("HBYS", character_set="Windows1254")
    one = order(msh=header("ORM^O01", m18="WINDOWS-1254")).encode("cp1254")
    assert feed(one) == TOLD
    found = feed.archive.national.orders.get(SYSTEM, OrderKey(FACILITY, "A1")).order
    assert (found.patient.name, found.ordering_doctor.name) == ("ÖRNEK^AYŞE", "HEKİM^DENEME^^DR")
    mixed = order(msh=header("ORM^O01", "C2", m18="UTF8")).encode()
    assert feed(mixed) == ("AE", "V102", "MSH-18")


def test_bytes_of_another_character_set_than_the_declared_one_are_refused(national: Feed) -> None:
    assert national(order().encode("cp1254")) == ("AR", "V102", "MSH-18")
    assert rows(national.archive, "select count(*) from orders") == [(0,)]


def test_a_hospital_that_says_no_character_set_is_read_in_the_one_it_declared(feed: Feed) -> None:
    feed.know("HIS", profile=MessageProfile.HOSPITAL, character_set="Windows1254")
    assert feed(order(msh=header("ORM^O01", m3="HIS", m12="2.4", m18="")).encode("cp1254")) == TOLD
    assert feed.archive.national.orders.get(SYSTEM, OrderKey(FACILITY, "A1")).order.patient.name == "ÖRNEK^AYŞE"


@pytest.mark.parametrize(("version", "answer"), [("2.3", "AA"), ("2.5.1", "AA"), ("2.6", "AR")])
def test_hospitals_speak_versions_from_2_3_to_2_5_1(feed: Feed, version: str, answer: str) -> None:
    feed.know("HIS", profile=MessageProfile.HOSPITAL)
    found = feed.raw(order(msh=header("ORM^O01", m3="HIS", m12=version)))
    assert found.one("MSA").value(1) == answer


def test_a_new_version_has_the_national_code_in_err_5(feed: Feed) -> None:
    feed.know("HIS", profile=MessageProfile.HOSPITAL)
    bad = order(changed("OBR", 36, "soon"), msh=header("ORM^O01", m3="HIS", m12="2.5"))
    err = feed.raw(bad).one("ERR")
    assert (err.value(3), err.value(5), err.value(5, 3)) == ("102", "V314", "99VNA")


def test_software_and_facility_are_those_of_the_sender(national: Feed) -> None:
    assert national(order(changed("ORC", 21, "500060"))) == ("AE", "0054", "ORC-21")
    archive = national.archive
    strict = national.enforced()
    with closing(strict.archive):
        assert strict(order(msh=header("ORM^O01", m3="FOREIGN"))) == ("AE", "0275", "")
        assert strict(order(msh=header("ORM^O01", m3="hbys"))) == TOLD
        assert not strict.archive.sources.admits("10.9.8.7")
    assert rows(archive, "select count(*) from orders") == [(1,)]


def test_two_messages_in_one_frame_are_one_that_is_refused(national: Feed) -> None:
    both = (order() + order(group("A2"))).encode()
    assert national(both)[0] == "AE"
    frames = Frames(1 << 20)
    frames.feed(framed(order().encode()) + framed(order(group("A2"), msh=header("ORM^O01", "C2")).encode()))
    assert [national(frames.next() or b"") for _ in range(2)] == [TOLD, TOLD]


def test_words_of_the_answer_say_nothing_of_the_patient(national: Feed) -> None:
    bad = changed("ORC", 12, person("10000000147", "GİZLİ", "KİŞİ"))
    answer = national.dispatch.answer(order(bad).encode(), "127.0.0.1").decode()
    assert not any(word in answer for word in ("ÖRNEK", "GİZLİ", "10000000146", "10000000147", DOCTOR))


@pytest.mark.parametrize("name", ["HB\x00YS", "H" * 181])
def test_names_of_senders_that_cannot_be_kept_are_refused_in_words(national: Feed, name: str) -> None:
    answer = national.raw(order(msh=header("ORM^O01", m3=name, m18="UTF8"))).one("MSA")
    assert answer.value(1) == "AR"
    assert answer.value(3).startswith("MSH-3 has control characters in it")
