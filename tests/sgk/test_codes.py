"""Every code of the contract, in the order of its checks, and what is no business answer but a fault."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sgk.conftest import AYSE, FOREIGN, OTHER, Archive
from tests.sgk.messages import NAMESPACE, enveloped, fault, message, said
from vna.model.access import SYSTEM
from vna.model.lookups import Asked, Operation, Result
from vna.model.national import is_national_number
from vna.model.orders import OrderKey
from vna.teleradiology.lookup_checks import Question, check, is_accession, moment

NO_ACCESSIONS = ("A" * 17, "A\\B", "A\tB", "A\nB", "A\x7fB", "A\x85")
NO_PERSONS = ("10000000145", "1000000014", "0" * 11, "1000000014x", "١٠٠٠٠٠٠٠١٤٦")
NO_DAYS = ("31.02.2026", "2026-01-01", "1.1.2026", "01.01.2026 25:00:00", "01.01.0000")
EMPTY = (None, "", "  ")

OPERATIONS: dict[str, dict[str, Any]] = {
    "goruntuSorgula": {"accession": "A1"},
    "goruntuListele": {"hastaTCK": AYSE},
    "goruntuLinkiAl": {"accession": "A1", "hastaTCK": AYSE, "isteyenTCK": OTHER},
    "accessionDogrula": {"sutKodu": "804000"},
    "mukerrerSorgula": {"hastaTCK": AYSE, "sutKodu": "804000"},
}
"""Required fields beside `saglikTesisKodu`, copied from the contract."""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is slowed down here."""
    monkeypatch.setattr("vna.teleradiology.guesses.Guesses.pause", lambda *_: 0.0)


def test_the_codes(archive: Archive) -> None:
    archive.images(PatientID=AYSE)
    archive.order("ORDERED")
    cases: list[tuple[str, str, dict[str, Any]]] = [
        *(("1001", op, {**fields, "saglikTesisKodu": None}) for op, fields in OPERATIONS.items()),
        *(("1001", op, {**said, name: none}) for op, said in OPERATIONS.items() for name in said for none in EMPTY),
        *(("1002", "goruntuSorgula", {"accession": bad}) for bad in NO_ACCESSIONS),
        ("1002", "accessionDogrula", {"sutKodu": "1", "accession": "A\\B"}),
        ("1004", "goruntuSorgula", {"accession": "9998"}),
        ("1004", "goruntuSorgula", {"accession": "9999"}),
        ("1004", "goruntuLinkiAl", {**OPERATIONS["goruntuLinkiAl"], "accession": "9999"}),
        *(("1005", "goruntuListele", {"hastaTCK": bad}) for bad in NO_PERSONS),
        ("1005", "goruntuSorgula", {"accession": "A1", "hastaTCK": "10000000145"}),
        ("1005", "goruntuLinkiAl", {**OPERATIONS["goruntuLinkiAl"], "isteyenTCK": "10000000145"}),
        ("0000", "goruntuListele", {"hastaTCK": FOREIGN}),
        *(("1011", "mukerrerSorgula", {**OPERATIONS["mukerrerSorgula"], "islemTarihi": bad}) for bad in NO_DAYS),
        ("1011", "goruntuListele", {"hastaTCK": AYSE, "baslangicTarihi": "02.01.2026", "bitisTarihi": "01.01.2026"}),
        ("0000", "goruntuListele", {"hastaTCK": AYSE, "baslangicTarihi": "02.01.2026", "bitisTarihi": "02.01.2026"}),
        ("0000", "goruntuListele", {"hastaTCK": AYSE, "baslangicTarihi": "02.01.2026 00:00:01"}),
        ("1003", "accessionDogrula", {"sutKodu": "804000"}),
        ("1006", "accessionDogrula", {"sutKodu": "804000", "accession": "NONE"}),
        ("1006", "goruntuSorgula", {"accession": "NONE"}),
        ("1006", "goruntuLinkiAl", {**OPERATIONS["goruntuLinkiAl"], "accession": "ORDERED"}),
        ("1007", "accessionDogrula", {"sutKodu": "804000", "accession": "A1", "hastaTCK": OTHER}),
    ]  # fmt: skip
    for code, operation, fields in cases:
        answer = archive.ask(operation, **fields)
        assert answer["sonucKodu"] == code, (operation, fields)
        assert answer["sonucMesaji"]
    assert [event["result"] for event in archive.audited()] == [code for code, _, _ in cases]


PRECEDENCE: list[tuple[Result, dict[str, str]]] = [
    (Result.MISSING, {"facility": ""}),
    (Result.ACCESSION_MALFORMED, {"accession": "A\\B"}),
    (Result.MARKER, {"accession": "9998"}),
    (Result.PERSON_MALFORMED, {"patient": "1"}),
    (Result.DATE_MALFORMED, {"at": "yesterday"}),
]


@pytest.mark.parametrize("first", range(len(PRECEDENCE)))
def test_the_first_of_several_faults_is_told(first: int) -> None:
    wrong: dict[str, str] = {}
    for _, fields in reversed(PRECEDENCE[first:]):
        wrong |= fields
    asked = replace(Asked(Operation.FIND, facility="1", accession="A1"), **wrong)  # type: ignore[arg-type]

    assert _checked(asked) is PRECEDENCE[first][0]


def test_a_date_is_looked_at_before_a_code_that_requires_a_number() -> None:
    asked = Asked(Operation.VERIFY, "1", sut_code="804000", at="x")

    assert _checked(asked) is Result.DATE_MALFORMED


def _checked(asked: Asked) -> Question | Result:
    return check(asked, frozenset({"9998", "9999"}), lambda code: code == "804000")


def test_codes_of_mr_and_ct_require_a_number_and_no_others_do(archive: Archive) -> None:
    required = [*range(803870, 804511, 10), 804101, 804102]
    for code in (*required[::9], 804101, 804102, 804510, 803870):
        answer = archive.ask("accessionDogrula", sutKodu=code)
        assert (answer["sonucKodu"], answer["uygun"]) == ("1003", "false"), code
    for code in (803860, 803871, 804103, 804520, 700000):
        answer = archive.ask("accessionDogrula", sutKodu=code)
        assert (answer["sonucKodu"], answer["uygun"], answer["goruntuVarMi"]) == ("0000", "true", "false"), code
    requires = archive.application.national.lookups._rules.requires
    assert [code for code in range(800000, 810000) if requires(str(code))] == sorted(required)


@pytest.mark.parametrize("marker", ["9998", "9999"])
def test_markers_stand_for_a_number_and_are_never_looked_up(archive: Archive, marker: str) -> None:
    archive.images(PatientID=AYSE, AccessionNumber=marker)

    answer = archive.ask("accessionDogrula", sutKodu="804000", accession=marker)

    assert (answer["sonucKodu"], answer["uygun"], answer["goruntuVarMi"]) == ("0000", "true", "false")
    assert archive.ask("goruntuSorgula", accession=marker, hastaTCK=AYSE)["sonucKodu"] == "1004"


def test_a_number_is_verified_against_what_is_held_and_ordered(archive: Archive) -> None:
    archive.order("ORDERED")
    archive.images(PatientID=AYSE, AccessionNumber="HELD")

    def verified(**fields: Any) -> tuple[str, str]:
        answer = archive.ask("accessionDogrula", **fields)
        return answer["uygun"], answer["goruntuVarMi"]

    assert verified(sutKodu="804000", accession="HELD") == ("true", "true")
    assert verified(sutKodu="804000", accession="ORDERED", hastaTCK=AYSE) == ("true", "false")
    assert verified(sutKodu="804010", accession="ORDERED") == ("false", "false")  # it was ordered as something else


def test_a_cancelled_order_is_no_examination_to_pay_for(archive: Archive) -> None:
    archive.order("ORDERED")
    archive.images(PatientID=AYSE, AccessionNumber="ORDERED")
    asked = {"sutKodu": "804000", "accession": "ORDERED"}
    assert archive.ask("accessionDogrula", **asked)["uygun"] == "true"

    archive.application.national.orders.cancel(SYSTEM, OrderKey("500059", "ORDERED"))

    for patient in ({}, {"hastaTCK": AYSE}):
        answer = archive.ask("accessionDogrula", **asked, **patient)
        assert (answer["sonucKodu"], answer["uygun"], answer["goruntuVarMi"]) == ("0000", "false", "true")


def test_children_come_in_any_order_and_the_action_says_nothing(archive: Archive) -> None:
    content = message("goruntuSorgula", hastaTCK=AYSE, accession="A1", saglikTesisKodu=1)

    for action in ('""', "", "urn:anything"):
        assert said(archive.post(content, SOAPAction=action).content)["sonucKodu"] == "1006"
    assert said(archive.post(content).content)["sonucKodu"] == "1006"


FAULTS = {
    "no XML": b"<soap:Envelope",
    "nothing": b"",
    "no envelope": b"<goruntuSorgula/>",
    "an entity": b'<!DOCTYPE x [<!ENTITY e "A1">]>' + message("goruntuSorgula", saglikTesisKodu=1, accession="A1"),
    "another namespace": enveloped('<s:goruntuSorgula xmlns:s="urn:other"/>'),
    "no namespace": enveloped("<goruntuSorgula/>"),
    "another operation": enveloped(f'<s:goruntuSil xmlns:s="{NAMESPACE}"/>'),
    "an empty Body": enveloped(""),
    "qualified children": enveloped(
        f'<goruntuSorgula xmlns="{NAMESPACE}"><goruntuSorgulaGiris><accession>A1</accession></goruntuSorgulaGiris>'
        "</goruntuSorgula>"
    ),
    "an unknown child": message("goruntuSorgula", saglikTesisKodu=1, accession="A1", hastaTck=AYSE),
    "a child twice": message("goruntuSorgula", saglikTesisKodu=1, accession=["A1", "A2"]),
    "no number": message("goruntuSorgula", saglikTesisKodu="x", accession="A1"),
    "too large a number": message("goruntuSorgula", saglikTesisKodu=2**31, accession="A1"),
    "no use": message("goruntuLinkiAl", saglikTesisKodu=1, kullanimSayisi=0),
    "a child within a text": enveloped(
        f'<s:goruntuSorgula xmlns:s="{NAMESPACE}"><goruntuSorgulaGiris><accession><b/></accession>'
        "</goruntuSorgulaGiris></s:goruntuSorgula>"
    ),
    "a header that is not understood": enveloped(
        f'<s:goruntuSorgula xmlns:s="{NAMESPACE}"/>', '<x xmlns="urn:x" soap:mustUnderstand="1"/>'
    ),
    "SOAP 1.2": b'<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"><Body><x/></Body></Envelope>',
}
_CODES = {"a header that is not understood": "MustUnderstand", "SOAP 1.2": "VersionMismatch"}


def test_what_is_no_message_of_the_contract_is_a_fault_and_audited(archive: Archive) -> None:
    for name, content in FAULTS.items():
        answer = archive.post(content)
        code, words = fault(answer.content)
        assert (answer.status_code, code) == (500, _CODES.get(name, "Client")), name
        assert words
        assert AYSE not in words
    assert [event["result"] for event in archive.audited()] == [_CODES.get(name, "Client") for name in FAULTS]


def test_a_message_larger_than_a_look_up_is_refused(archive: Archive) -> None:
    answer = archive.post(message("goruntuSorgula", accession="A" * 70_000))

    assert answer.status_code == 413
    assert fault(answer.content)[0] == "Client"


def test_another_media_type_is_refused(archive: Archive) -> None:
    answer = archive.web.post("/sgk/goruntu-paylasim", content=b"{}", headers={"Content-Type": "application/json"})

    assert (answer.status_code, fault(answer.content)[0]) == (415, "Client")


def test_a_failure_tells_nothing_of_itself(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret path /srv/index")

    monkeypatch.setattr("storage.index.accessions.with_accession", broken)
    answer = archive.post(message("goruntuSorgula", saglikTesisKodu=1, accession="A1"))

    assert said(answer.content)["sonucKodu"] == "9000"
    assert b"secret" not in answer.content
    assert [event["result"] for event in archive.audited()] == ["9000"]


def test_what_cannot_be_audited_is_not_answered(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.images(PatientID=AYSE)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("storage.index.events.append", broken)
    answer = archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)

    assert answer["sonucKodu"] == "9000"
    assert set(answer) == {"sonucKodu", "sonucMesaji"}


@given(st.text(max_size=20))
def test_an_accession_number_is_sixteen_characters_without_backslash_and_control_characters(text: str) -> None:
    controls = {chr(code) for code in (*range(32), *range(127, 160))}
    assert is_accession(text) == (len(text) <= 16 and not {"\\", *controls} & set(text))


@given(st.integers(10**8, 10**9 - 1))
def test_a_national_number_is_known_by_its_last_two_digits_and_a_foreign_one_is_not_tested(nine: int) -> None:
    digits = [int(character) for character in str(nine)]
    tenth = (sum(digits[0::2]) * 7 - sum(digits[1::2])) % 10
    eleventh = (sum(digits) + tenth) % 10
    good = f"{nine}{tenth}{eleventh}"
    bad = f"{nine}{tenth}{(eleventh + 1) % 10}"
    foreign = str(nine).startswith("99")

    def result(number: str) -> bool:
        return _checked(Asked(Operation.LIST, facility="1", patient=number)) is not Result.PERSON_MALFORMED

    assert is_national_number(good)
    assert result(good)
    assert result(bad) == foreign
    assert not result(good[:10])
    assert not result(good + "0")


@given(st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9999, 12, 31)))
def test_a_moment_is_read_as_it_is_written(at: datetime) -> None:
    assert moment(f"{at:%d.%m.%Y %H:%M:%S}") == f"{at:%Y%m%d%H%M%S}"
    assert moment(f"{at:%d.%m.%Y}") == f"{at:%Y%m%d}000000"
    assert moment(f"{at:%d.%m.%Y}", ends=True) == f"{at:%Y%m%d}235959"
