"""Who may ask what, how callers show who they are, and that every call is audited."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

from typing import Any

import pytest

from tests.archives import rows
from tests.sgk.conftest import AYSE, OTHER, PASSWORD, Archive, Open
from tests.sgk.messages import fault, message, said, token
from tests.sgk.test_codes import OPERATIONS
from vna.model.access import SYSTEM, Action
from vna.model.codes import Code

OWN, ELSEWHERE, PAYER = "500059", "500060", "999001"
MEDULA = {OWN: "11060001", ELSEWHERE: "11060002", PAYER: "11069999"}
FACILITY_CALLS = list(OPERATIONS)
CLERK_CALLS = ["accessionDogrula", "mukerrerSorgula"]


@pytest.fixture
def enforced(open_lookups: Open) -> Archive:
    """One in enforced mode, with a facility's account, a payer's clerk and somebody without rights."""
    archive = open_lookups(security={"mode": "enforced"})
    facilities = [Code(skrs, f"Hastane {skrs}", {"medula_code": medula}) for skrs, medula in MEDULA.items()]
    archive.application.national.codes.load(SYSTEM, "facilities", "1", facilities)
    archive.user("hospital", Action.LOOK_UP, facility=OWN)
    archive.user("clerk", Action.CHECK_BILLS, facility=PAYER)
    archive.user("reader", Action.QUERY, Action.RETRIEVE, facility=OWN)
    archive.user("nowhere", Action.LOOK_UP)
    return archive


def _code(archive: Archive, user: str, operation: str, facility: object, **changes: Any) -> str:
    fields = {**OPERATIONS[operation], **changes}
    return str(archive.ask(operation, user, saglikTesisKodu=facility, **fields)["sonucKodu"])


def test_a_facility_asks_everything_for_itself_and_nothing_for_another(enforced: Archive) -> None:
    enforced.images(OWN, PatientID=AYSE)
    for operation in FACILITY_CALLS:
        expected = "1003" if operation == "accessionDogrula" else "0000"
        assert _code(enforced, "hospital", operation, MEDULA[OWN]) == expected, operation
        for other in (MEDULA[ELSEWHERE], "12345678", OWN):
            assert _code(enforced, "hospital", operation, other) == "1010", operation
        assert _code(enforced, "nowhere", operation, MEDULA[OWN]) == "1010"


def test_whether_the_caller_may_ask_comes_before_every_other_check(enforced: Archive) -> None:
    assert _code(enforced, "reader", "goruntuSorgula", MEDULA[OWN], accession="") == "1010"
    assert _code(enforced, "hospital", "goruntuSorgula", MEDULA[ELSEWHERE], accession="A\\B") == "1010"
    assert _code(enforced, "hospital", "goruntuSorgula", None) == "1001"


def test_a_clerk_of_the_payer_checks_bills_and_sees_no_images(enforced: Archive) -> None:
    for operation in OPERATIONS:
        allowed = operation in CLERK_CALLS
        assert (_code(enforced, "clerk", operation, MEDULA[PAYER]) != "1010") == allowed, operation


def test_nobody_is_answered_without_credentials(enforced: Archive) -> None:
    content = message("goruntuSorgula", saglikTesisKodu=11060001, accession="A1", hastaTCK=AYSE)
    wrong = [
        enforced.post(content),
        enforced.post(content, "nobody"),
        enforced.post(b"no XML"),
        enforced.post(message("goruntuSorgula", header=token("hospital", "wrong password"))),
        enforced.post(content, Authorization="Bearer vna_nothing"),
    ]
    for answer in wrong:
        assert answer.status_code == 401
        assert 'Basic realm="vna", charset="UTF-8"' in answer.headers.get_list("www-authenticate")
    audited = enforced.audited()
    assert [event["result"] for event in audited] == ["401"] * len(wrong)
    assert audited[0]["patient"] == AYSE


def test_credentials_in_the_message_are_as_good(enforced: Archive) -> None:
    content = message("goruntuSorgula", header=token("hospital", PASSWORD), saglikTesisKodu=11060001, accession="A1")

    answer = enforced.post(content)

    assert said(answer.content)["sonucKodu"] == "1006"
    assert enforced.audited()[-1]["actor"] == "hospital"


@pytest.mark.parametrize("kind", ["urn:x#PasswordDigest", ""])
def test_a_digest_is_no_login_and_the_answer_says_what_is(enforced: Archive, kind: str) -> None:
    content = message("goruntuSorgula", header=token("hospital", PASSWORD, kind), saglikTesisKodu=1, accession="A1")

    for user in ("", "hospital"):
        answer = enforced.post(content, user)
        assert answer.status_code == 401
        assert "PasswordText" in answer.json()["message"]
    assert [event["result"] for event in enforced.audited()] == ["401", "401"]


def test_a_login_in_the_message_has_to_be_right_beside_one_in_the_header(enforced: Archive) -> None:
    def status(name: str, password: str) -> int:
        header = token(name, password)
        content = message("goruntuSorgula", header=header, saglikTesisKodu=MEDULA[OWN], accession="A1")
        return enforced.post(content, "hospital").status_code

    assert status("hospital", PASSWORD) == 200
    assert status("hospital", "wrong password") == status("nobody", PASSWORD) == status("reader", PASSWORD) == 401


def test_security_that_is_not_understood_is_not_passed_over(archive: Archive) -> None:
    header = token("a", "b").replace("<w:UsernameToken>", "<w:BinarySecurityToken/><w:UsernameToken>")

    assert fault(archive.post(message("goruntuSorgula", header=header)).content)[0] == "MustUnderstand"


def test_in_local_mode_no_credentials_are_asked_for_and_those_shown_are_passed_over(archive: Archive) -> None:
    content = message("goruntuSorgula", header=token("anybody", "anything"), saglikTesisKodu=7, accession="A1")

    assert said(archive.post(content).content)["sonucKodu"] == "1006"


def test_every_call_is_audited_with_caller_facility_patient_and_result(enforced: Archive) -> None:
    _code(enforced, "hospital", "goruntuSorgula", MEDULA[OWN], hastaTCK=AYSE)
    _code(enforced, "hospital", "goruntuListele", MEDULA[ELSEWHERE])

    first, second = enforced.audited()
    assert first == {
        "actor": "hospital",
        "operation": "find",
        "result": "1006",
        "address": "127.0.0.1",
        "caller_facility": OWN,
        "facility": MEDULA[OWN],
        "patient": AYSE,
        "accession": "A1",
        "sut_code": "",
        "requester": "",
    }
    assert (second["result"], second["facility"], second["caller_facility"]) == ("1010", MEDULA[ELSEWHERE], OWN)


def test_audit_keeps_no_more_of_a_field_than_it_can_be_long(archive: Archive) -> None:
    archive.ask("goruntuSorgula", accession="A" * 5000, sutKodu="8" * 5000)

    assert all(len(str(value)) <= 64 for value in archive.audited()[0].values())


def test_logs_hold_nothing_of_the_patient(archive: Archive, caplog: pytest.LogCaptureFixture) -> None:
    archive.images(PatientID=AYSE, AccessionNumber="SECRETNUMBER")
    caplog.set_level("DEBUG")
    archive.ask("goruntuSorgula", accession="SECRETNUMBER", hastaTCK=AYSE)
    archive.ask("goruntuLinkiAl", accession="SECRETNUMBER", hastaTCK=AYSE, isteyenTCK=OTHER)
    archive.post(message("goruntuSorgula", accession="SECRETNUMBER", unknown=AYSE))

    logged = "".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert not any(secret in logged for secret in (AYSE, OTHER, "SECRETNUMBER"))


def _link(archive: Archive, user: str = "", **fields: Any) -> dict[str, Any]:
    fields = {**OPERATIONS["goruntuLinkiAl"], **fields}
    return archive.ask("goruntuLinkiAl", user, **fields)


def test_a_link_opens_the_newest_images_as_often_as_was_asked(archive: Archive) -> None:
    archive.images(PatientID=AYSE)
    newest = archive.images(PatientID=AYSE, StudyDate="20260103")

    answer = _link(archive, kullanimSayisi=2)

    assert answer["url"].startswith("http://127.0.0.1:8080/l/")
    assert len(answer["gecerlilikSonu"]) == len("01.01.2026 10:00:00")
    opened = [archive.web.get(answer["url"]) for _ in range(3)]
    assert [one.status_code for one in opened] == [303, 303, 410]
    assert newest in opened[0].headers["location"]
    assert "1009" in opened[2].text


def test_a_link_opens_the_newest_images_of_the_callers_own_facility_first(archive: Archive) -> None:
    codes = [Code(skrs, f"Hastane {skrs}", {"medula_code": medula}) for skrs, medula in MEDULA.items()]
    archive.application.national.codes.load(SYSTEM, "facilities", "1", codes)
    own = [archive.images(OWN, PatientID=AYSE, StudyDate=f"2026010{day}") for day in (4, 3)]
    newest = archive.images(ELSEWHERE, PatientID=AYSE, StudyDate="20260105")

    def opened(facility: str) -> str:
        return str(archive.web.get(_link(archive, saglikTesisKodu=MEDULA[facility])["url"]).headers["location"])

    assert own[0] in opened(OWN)
    assert newest in opened(PAYER)  # which has none


def test_a_link_is_good_for_a_quarter_of_an_hour_and_one_use_unless_said_otherwise(archive: Archive) -> None:
    archive.images(PatientID=AYSE)
    _link(archive)

    ((uses, seconds),) = rows(
        archive.application,
        "select uses_left, round((julianday(expires_at) - julianday(created_at)) * 86400) from links",
    )
    assert (uses, seconds) == (1, 900)


def test_the_public_address_stands_in_a_link(open_lookups: Open) -> None:
    archive = open_lookups(http={"public_url": "https://vna.example.org", "port": 0, "workers": 1})
    archive.images(PatientID=AYSE)
    content = message("goruntuLinkiAl", saglikTesisKodu=1, **OPERATIONS["goruntuLinkiAl"])

    assert said(archive.post(content).content)["url"].startswith("https://vna.example.org/l/")


def test_why_a_link_could_be_had_is_audited(enforced: Archive, caplog: pytest.LogCaptureFixture) -> None:
    enforced.images(ELSEWHERE, PatientID=AYSE)
    caplog.set_level("WARNING")

    assert _link(enforced, "hospital", saglikTesisKodu=MEDULA[OWN])["sonucKodu"] == "0000"
    assert "another facility's patient" in caplog.text
    enforced.order("B1", OWN)
    assert _link(enforced, "hospital", saglikTesisKodu=MEDULA[OWN])["sonucKodu"] == "0000"

    assert [event["basis"] for event in enforced.audited()] == ["break-glass", "own patient"]
    assert [event["requester"] for event in enforced.audited()] == [OTHER, OTHER]


def test_an_examination_that_was_made_is_told_to_whoever_would_repeat_it(enforced: Archive) -> None:
    enforced.stands(enforced.order("B1", ELSEWHERE, requested_at="20260901100000"), has_images=True)

    answer = enforced.ask(
        "mukerrerSorgula",
        "hospital",
        saglikTesisKodu=MEDULA[OWN],
        hastaTCK=AYSE,
        sutKodu="804000",
        islemTarihi="01.12.2026",
    )

    assert (answer["sonucKodu"], answer["mukerrer"], answer["muaf"]) == ("0000", "true", "false")
    assert answer["oncekiTetkikler"] == [
        {
            "accession": "B1",
            "sutKodu": "804000",
            "tetkikAdi": "Bilgisayarlı tomografi, beyin",
            "tarih": "01.09.2026",
            "kurumKodu": ELSEWHERE,
            "kurumAdi": f"Hastane {ELSEWHERE}",
            "goruntuVarMi": "true",
            "raporVarMi": "false",
        }
    ]
    later = {"hastaTCK": AYSE, "sutKodu": "804000", "islemTarihi": "01.12.2027"}
    assert enforced.ask("mukerrerSorgula", "hospital", **later)["mukerrer"] == "false"
