"""Every field of the national table, wrong: each with its code, by a list that is copied by hand from it."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hl7.conftest import Feed, parsed
from tests.hl7.national import (
    FACILITY,
    PATIENT,
    changed,
    group,
    header,
    observation,
    order,
    part,
    person,
    report,
    reported,
    without,
)
from vna.hl7 import orm_o01, oru_r01
from vna.hl7.field_table import KEY_FIELDS, ORDER_FIELDS, REPORT_FIELDS, Rules
from vna.hl7.refusal import Refused
from vna.model import profile
from vna.model.orders import Coded, Order, OrderState
from vna.model.profile import Profile
from vna.model.profile.hl7 import SenderRules
from vna.worklist.orders import Told

PROFILE = profile.read()
WRONG_NUMBER = "10000000147"


def rules(sender: SenderRules = PROFILE.hl7.national, said: Profile = PROFILE, facility: str = FACILITY) -> Rules:
    return Rules(said.hl7, sender, said.matching.markers, said.zone, facility, "HBYS")


def read(message: str, by: Rules | None = None) -> Order:
    (tiding,) = orm_o01.tidings(parsed(message.encode()), by or rules())
    return tiding.order


def read_or_rule(message: str) -> Order | str:
    try:
        return read(message)
    except Refused as refused:
        return refused.rule


class _Named(Exception):
    """A refusal that has a code."""


WRONG = [  # facts 2.3: the field, what is in it, and the code with the field that ERR names
    ("ORC", 1, "", "V301", "ORC-1"),
    ("ORC", 1, "RP", "V301", "ORC-1"),
    ("ORC", 2, "A12345678901234567", "V303", "ORC-2"),
    ("ORC", 2, r"A\E\1", "V303", "ORC-2"),
    ("ORC", 2, r"A\X01\1", "V303", "ORC-2"),
    ("ORC", 2, "A*", "V303", "ORC-2"),
    ("ORC", 2, "A?1", "V303", "ORC-2"),
    ("ORC", 2, "9998", "V303", "ORC-2"),
    ("ORC", 2, "9999", "V303", "ORC-2"),
    ("ORC", 3, "B1", "V304", "ORC-3"),
    ("ORC", 5, "ZZ", "V302", "ORC-5"),
    ("ORC", 9, "", "V305", "ORC-9"),
    ("ORC", 9, "20260230090000", "V305", "ORC-9"),
    ("ORC", 9, "yesterday", "V305", "ORC-9"),
    ("ORC", 12, "", "V306", "ORC-12"),
    ("ORC", 12, person(WRONG_NUMBER, "HEKİM", "DENEME"), "V306", "ORC-12"),
    ("ORC", 17, "x" * 65, "V307", "ORC-17"),
    ("ORC", 21, "", "0054", "ORC-21"),
    ("ORC", 21, "500060", "0054", "ORC-21"),
    ("ORC", 21, "!", "0054", "ORC-21"),
    ("OBR", 2, "B1", "V304", "OBR-2"),
    ("OBR", 3, "B1", "V304", "OBR-3"),
    ("OBR", 18, "B1", "V304", "OBR-18"),
    ("OBR", 4, "", "V308", "OBR-4"),
    ("OBR", 4, "80.400^BT^SUT^24725-4^CT Head^LNC", "V308", "OBR-4"),
    ("OBR", 4, "80400^BT^SUT^24725-4^CT Head^LNC", "V308", "OBR-4"),
    ("OBR", 4, "804000^BT^L^24725-4^CT Head^LNC", "V308", "OBR-4"),
    ("OBR", 4, "804000^BT^SUT^24725-5^CT Head^LNC", "V309", "OBR-4"),
    ("OBR", 4, "804000^BT^SUT^24725-4^CT Head^LN", "V309", "OBR-4"),
    ("OBR", 6, "99999999", "V305", "OBR-6"),
    ("OBR", 13, "x" * 4001, "V317", "OBR-13"),
    ("OBR", 15, "!&&SKRS^^^^^R", "V310", "OBR-15"),
    ("OBR", 16, person(WRONG_NUMBER, "HEKİM", "DENEME"), "V306", "OBR-16"),
    ("OBR", 20, "x" * 65, "V311", "OBR-20"),
    ("OBR", 21, "x" * 65, "V312", "OBR-21"),
    ("OBR", 24, "", "V313", "OBR-24"),
    ("OBR", 24, "C", "V313", "OBR-24"),
    ("OBR", 24, "1T", "V313", "OBR-24"),
    ("OBR", 27, "1^once^^tomorrow", "V314", "OBR-27"),
    ("OBR", 31, "no reason^x", "V315", "OBR-31"),
    ("OBR", 34, f"{WRONG_NUMBER}&TEKNİK&ER", "V316", "OBR-34"),
    ("OBR", 36, "2026113010000", "V314", "OBR-36"),
    ("PID", 3, r"F\E\1", "V201", "PID-3"),
    ("PID", 3, "9" * 65, "V201", "PID-3"),
    ("PID", 4, WRONG_NUMBER, "V202", "PID-4"),
    ("PID", 4, "01234567890", "V202", "PID-4"),
    ("PID", 5, "", "V203", "PID-5"),
    ("PID", 5, "Ö" * 65, "V203", "PID-5"),
    ("PID", 7, "", "V204", "PID-7"),
    ("PID", 7, "19801301", "V204", "PID-7"),
    ("PID", 7, "29800102", "V204", "PID-7"),
    ("PID", 8, "", "V205", "PID-8"),
    ("PID", 8, "K", "V205", "PID-8"),
    ("PV1", 2, "7", "V207", "PV1-2"),
    ("PV1", 2, "A", "V207", "PV1-2"),
    ("PV1", 19, "", "0278", "PV1-19"),
    ("PV1", 20, "x" * 65, "V206", "PV1-20"),
    ("NTE", 3, "NTE0005^x^TELETIP", "V319", "NTE-3"),
    ("DG1", 3, "headache^x^I10", "V318", "DG1-3"),
    ("DG1", 3, "R51^x^I9C", "V318", "DG1-3"),
    ("DG1", 6, "X", "V318", "DG1-6"),
]


@pytest.fixture(scope="module")
def national_feed(empty_feed: Feed) -> Feed:
    empty_feed.know("HBYS")
    return empty_feed


@pytest.mark.parametrize(("name", "number", "value", "code", "place"), WRONG)
def test_each_wrong_field_of_an_order_has_its_code(
    national_feed: Feed, name: str, number: int, value: str, code: str, place: str
) -> None:
    assert national_feed(order(changed(name, number, value))) == ("AE", code, place)


def test_every_rule_of_the_table_is_among_the_wrong_ones() -> None:
    codes = {code for _, _, _, code, _ in WRONG}
    assert {PROFILE.hl7.errors[field.error] for field in (*KEY_FIELDS, *ORDER_FIELDS)} <= codes
    assert {field.error for field in REPORT_FIELDS} <= PROFILE.hl7.errors.keys()


WRONG_HEADERS = [
    ({"m5": "HASTANE"}, "AE", "V101", "MSH-5"),
    ({"m6": ""}, "AE", "V101", "MSH-6"),
    ({"m10": ""}, "AE", "V104", "MSH-10"),
    ({"m10": "9" * 200}, "AE", "V104", "MSH-10"),
    ({"m11": "X"}, "AR", "V103", "MSH-11"),
    ({"m11": "T"}, "AR", "V103", "MSH-11"),
    ({"m11": "D"}, "AR", "V103", "MSH-11"),
    ({"m12": "2.5"}, "AR", "0002", "MSH-12"),
    ({"m12": "2.2"}, "AR", "0002", "MSH-12"),
    ({"m18": ""}, "AE", "V102", "MSH-18"),
    ({"m18": "Windows1254"}, "AE", "V102", "MSH-18"),
    ({"m18": "KLINGON"}, "AR", "V102", "MSH-18"),
]


@pytest.mark.parametrize(("changes", "answer", "code", "place"), WRONG_HEADERS)
def test_each_wrong_field_of_the_header_has_its_code(
    national_feed: Feed, changes: dict[str, str], answer: str, code: str, place: str
) -> None:
    message = order(msh=header("ORM^O01", **changes)).encode("ascii", "replace")
    found = national_feed.raw(message)
    assert found.one("MSA").value(1) == answer
    assert code in found.one("ERR").text
    assert national_feed(message)[2] == place


def test_words_say_what_is_wrong_with_a_marker_and_end_at_a_word(national_feed: Feed) -> None:
    said = national_feed.raw(order(changed("ORC", 2, "9999"))).one("MSA").value(3)
    assert said == "ORC-2 is a marker for a missing number, and no accession number"
    assert national_feed.raw(order(changed("PV1", 19, ""))).one("MSA").value(3).endswith(" reference")
    long = national_feed.raw(order(changed("ORC", 2, "A*"))).one("MSA").value(3)
    assert long == "ORC-2 has to be an accession number of 1 to 16 characters without backslash, *"


def test_a_message_that_is_too_long_is_not_to_be_sent_again(national_feed: Feed) -> None:
    answer = parsed(national_feed.dispatch.reject(order().encode(), "the message has more than 9 bytes", "127.0.0.1"))
    assert answer.one("MSA").value(1) == "AE"
    assert "do not send it again" in answer.one("MSA").value(3)


def test_the_receiver_may_be_written_in_small_letters() -> None:
    assert read(order(msh=header("ORM^O01", m5="teletip", m6="Teletip"))).modality == "CT"


WRONG_REPORTS = [
    ({"m2": "ED"}, "V402", "OBX-2"),
    ({"m3": "RTF^BASE64"}, "V402", "OBX-3"),
    ({"m3": "TXT^PLAIN"}, "V402", "OBX-3"),
    ({"m5": "Tm90IGE" * 60 + "^3"}, "V403", "OBX-5"),
    ({"m5": "Tm90IGE" * 30 + "!" + "Tm90IGE" * 30 + "^3"}, "V403", "OBX-5"),
    ({"m5": "Tm90IGE=X^3"}, "V403", "OBX-5"),
    ({"m5": "/////w==^3"}, "V403", "OBX-5"),
    ({"m5": "T m 9 0 " + "A" * 100 + "^3"}, "V403", "OBX-5"),
    ({"m5": part("a", 5)}, "V404", "OBX-5"),
    ({"m5": part("a", 3).removesuffix("^3")}, "V404", "OBX-5"),
    ({"m5": part("a", 3) + "~" + part("b", 3)}, "V404", "OBX-5"),
    ({"m11": "P"}, "V405", "OBX-11"),
    ({"m13": "6^1"}, "V406", "OBX-13"),
    ({"m13": "1^x"}, "V406", "OBX-13"),
    ({"m16": ""}, "V407", "OBX-16"),
    ({"m16": person(WRONG_NUMBER, "RAPOR", "ECE")}, "V407", "OBX-16"),
    ({"m17": "IM^iohexol^350"}, "V408", "OBX-17"),
    ({"m17": "IV^^350"}, "V408", "OBX-17"),
]


@pytest.mark.parametrize(("changes", "code", "place"), WRONG_REPORTS)
def test_each_wrong_field_of_a_report_has_its_code(changes: dict[str, str], code: str, place: str) -> None:
    with pytest.raises(Refused) as caught:
        oru_r01.reports(parsed(report(observation(**changes)).encode()), rules())
    assert PROFILE.hl7.errors[caught.value.rule] == code
    assert f"{caught.value.place[0]}-{caught.value.place[1]}" == place


@pytest.mark.parametrize(("value", "found"), [("", "V401"), ("soon", "V401"), ("29261130113000", "V401")])
def test_a_report_says_when_it_was_approved(value: str, found: str) -> None:
    one = reported()
    one["OBR"] |= {7: value}
    with pytest.raises(Refused) as caught:
        oru_r01.reports(parsed(report(of=one).encode()), rules())
    assert PROFILE.hl7.errors[caught.value.rule] == found


@pytest.mark.parametrize("name", ["PID", "OBR", "ORC"])
def test_an_order_without_a_segment_that_it_needs_is_refused(national_feed: Feed, name: str) -> None:
    answer, code, place = national_feed(order(without([name])))
    assert (answer, place[:3]) == ("AE", {"PID": "PID", "OBR": "OBR", "ORC": "ORC"}[name])
    assert code in ("V106", "V301")


# What is right


@pytest.mark.parametrize(
    "value",
    [
        FACILITY,
        f"ÖRNEK HASTANESİ^^{FACILITY}\\S\\1\\S\\11069999",
        f"ÖRNEK HASTANESİ^^{FACILITY}^1^11069999",
    ],
)
def test_the_facility_is_read_in_both_forms(value: str) -> None:
    assert read(order(changed("ORC", 21, value))).key.facility == FACILITY


@pytest.mark.parametrize("place", [("ORC", 2), ("ORC", 3), ("OBR", 2), ("OBR", 3), ("OBR", 18)])
@pytest.mark.parametrize("value", ["A1&CD", "A1&&CD^HBYS"])
def test_an_accession_number_with_a_subcomponent_is_refused_and_not_cut(place: tuple[str, int], value: str) -> None:
    with pytest.raises(Refused) as refused:
        read(order(changed(*place, value)))
    assert (refused.value.rule, refused.value.place[:2]) == ("accession", place)


def test_any_component_after_the_first_of_an_accession_number_is_not_compared() -> None:
    one = group()
    one["ORC"] |= {2: "A1^HBYS", 3: "A1^PACS"}
    assert read(order(one)).key.accession_number == "A1"


@pytest.mark.parametrize("number", ["", "99000000001"])
def test_foreigners_and_people_without_a_number_are_not_blocked(number: str) -> None:
    patient = read(order(changed("PID", 4, number))).patient
    assert (patient.national_number, patient.patient_id) == (number, "F1001")


def test_somebody_without_a_number_needs_a_file_number(national_feed: Feed) -> None:
    one = group()
    one["PID"] |= {3: "", 4: ""}
    assert national_feed(order(one)) == ("AE", "V201", "PID-3")
    assert read(order(changed("PID", 3, ""))).patient.national_number == PATIENT


def test_an_order_can_be_for_another_facility_or_for_any() -> None:
    assert read(order(group())).performed_at == FACILITY
    assert read(order(changed("OBR", 15, "500061&&SKRS^^^^^R"))).performed_at == "500061"
    assert read(order(changed("OBR", 15, "*&&SKRS^^^^^R"))).performed_at == "*"


def test_another_word_can_stand_for_any_facility() -> None:
    said = PROFILE.model_copy(update={"hl7": PROFILE.hl7.model_copy(update={"any_facility": "HERHANGI"})})
    one = order(changed("OBR", 15, "HERHANGI&&SKRS^^^^^R"))
    assert read(one, rules(said=said)).performed_at == "*"


@pytest.mark.parametrize(
    ("said", "local"),
    [
        ("202611301000", "20261130100000"),
        ("20261130070000+0000", "20261130100000"),
        ("20261130223000.123-0500", "20261201063000"),
        ("20261130", "20261130000000"),
    ],
)
def test_times_are_local_whatever_offset_they_come_with(said: str, local: str) -> None:
    assert read(order(changed("OBR", 36, said))).scheduled_at == local


def test_notes_diagnoses_and_text_are_kept() -> None:
    found = read(order(group()))
    assert found.notes == (Coded("NTE0001", "Baş ağrısı"),)
    assert found.diagnoses == (Coded("R51", "Baş ağrısı"),)
    assert found.clinical_information == "Baş ağrısı\r\n3 gündür"
    assert found.technician.name == "TEKNİK^ER^^TKR"
    assert found.ordering_doctor.name == "HEKİM^DENEME^^DR"


def test_a_final_diagnosis_is_taken_like_an_admitting_one() -> None:
    assert read(order(changed("DG1", 6, "F"))).diagnoses == (Coded("R51", "Baş ağrısı"),)


def test_a_note_may_have_its_code_in_the_fourth_field() -> None:
    one = group()
    one["NTE"] = {1: "1", 3: "Migren", 4: "NTE0002^Öykü^TELETIP"}
    assert read(order(one)).notes == (Coded("NTE0002", "Migren"),)


@pytest.mark.parametrize(
    ("control", "status", "told", "state"),
    [
        ("NW", "SC", Told.NEW, OrderState.SCHEDULED),
        ("NW", "", Told.NEW, OrderState.SCHEDULED),
        ("XO", "IP", Told.CHANGED, OrderState.IN_PROGRESS),
        ("SC", "IP", Told.STATE, OrderState.IN_PROGRESS),
        ("SC", "CM", Told.STATE, OrderState.COMPLETED),
        ("SC", "DC", Told.STATE, OrderState.DISCONTINUED),
        ("SC", "CA", Told.STATE, OrderState.CANCELLED),
        ("CA", "CA", Told.CANCELLED, OrderState.SCHEDULED),
    ],
)
def test_order_control_and_status_say_what_is_told(control: str, status: str, told: Told, state: OrderState) -> None:
    one = group(control=control)
    one["ORC"] |= {5: status}
    (tiding,) = orm_o01.tidings(parsed(order(one).encode()), rules())
    assert (tiding.told, tiding.order.state) == (told, state)


def test_a_cancellation_needs_nothing_but_the_key() -> None:
    one = {name: fields for name, fields in group(control="CA").items() if name in ("PID", "ORC")}
    one["ORC"] = {1: "CA", 2: "A1", 21: FACILITY}
    (tiding,) = orm_o01.tidings(parsed(order(one).encode()), rules())
    assert (tiding.told, str(tiding.order.key)) == (Told.CANCELLED, f"order:{FACILITY}:A1")


def test_a_site_switches_a_check_off_in_its_profile() -> None:
    lenient = PROFILE.hl7.national.model_copy(update={"unchecked": frozenset({"sut", "diagnosis"})})
    one = changed("OBR", 4, "804.000^BT^L")
    assert read(order(one), rules(lenient)).sut.code == "804.000"
    one = changed("DG1", 3, "headache^x")
    assert read(order(one), rules(lenient)).diagnoses == (Coded("headache", "x"),)


def test_hospitals_are_read_with_fewer_rules() -> None:
    one = group()
    one["PID"] |= {4: "ALT-7", 7: "", 8: ""}
    one["PV1"] = {2: "I"}
    one["ORC"] = {1: "NW", 2: "A1", 12: "4711^HEKİM^DENEME"}
    one["OBR"] |= {4: "CTHEAD^CT head^L"}
    found = read(order(one, msh=header("ORM^O01", m5="PACS", m12="2.4")), rules(PROFILE.hl7.hospital))
    assert (found.key.facility, found.patient.national_number, found.sut.code) == (FACILITY, "", "CTHEAD")
    assert found.ordering_doctor.number == "4711"


# Properties

_ACCESSIONS = st.text(
    st.characters(
        codec="utf-8",
        exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Cf", "Cn", "Co"),
        exclude_characters="\\|^~&*?",
    ),
    min_size=1,
    max_size=16,
).filter(lambda text: text not in ("9998", "9999", '""'))


@given(_ACCESSIONS)
def test_every_accession_number_that_dicom_can_hold_is_kept_as_it_is(accession: str) -> None:
    assert read(order(group(accession))).key.accession_number == accession


@given(st.text(max_size=40))
def test_an_accession_number_is_kept_whole_or_refused(accession: str) -> None:
    escaped = re.sub(r"[|^~&\\\r\n]", lambda found: f"\\X{ord(found[0]):02X}\\", accession)
    one = group(escaped)
    one["ORC"] |= {2: escaped}
    outcome = read_or_rule(order(one))
    if isinstance(outcome, str):
        assert outcome in ("accession", "accession_differs")
        return
    found = outcome.key.accession_number
    assert found == accession.strip(" ")
    assert 0 < len(found) <= 16
    assert found.isprintable()
    assert "\\" not in found


@given(
    st.lists(st.tuples(st.sampled_from(("PID", "PV1", "ORC", "OBR", "NTE", "DG1", "OBX", "ZZZ")), st.text(max_size=60)))
)
def test_whatever_comes_is_read_or_refused_and_nothing_else(lines: list[tuple[str, str]]) -> None:
    text = order() + "\r".join(f"{name}|{rest}" for name, rest in lines if "\r" not in rest and "\n" not in rest)
    message = parsed(text.encode())
    for parse in (orm_o01.tidings, oru_r01.reports):
        with suppress(_Named):
            try:
                parse(message, rules())
            except Refused as refused:
                raise _Named(PROFILE.hl7.errors[refused.rule]) from refused
