"""The plain form of the status API."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.web.national.conftest import Site
from tests.web.national.seeds import HOSPITAL, OTHER, PASSWORD, study_of
from vna.model.order_queries import Period

API = "/api/teleradiology"


def get(site: Site, path: str, user: str = "", **params: Any) -> Any:
    auth = {"auth": (user, PASSWORD)} if user else {}
    return site.web.get(API + path, params=params, **auth)


def numbers(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return sorted(one["accession_number"] for one in answer.json()["orders"])


def test_orders_are_found_by_patient_and_say_how_they_stand(local: Site) -> None:
    assert numbers(get(local, "/orders", patient="10000000146")) == ["A1", "A2"]
    assert numbers(get(local, "/orders", patient="F1001", facility=HOSPITAL)) == ["A1", "A2"]
    period: dict[str, Any] = {"facility": HOSPITAL, "from": "2026-11-29", "to": "30.11.2026"}
    assert numbers(get(local, "/orders", **period)) == ["A1", "A2", "A3", "B1"]
    assert numbers(get(local, "/orders", **period, status="blocked")) == ["A3"]
    assert numbers(get(local, "/orders", accession=["A1", "A3", "NONE"])) == ["A1", "A3"]
    one = get(local, f"/orders/{HOSPITAL}/A3").json()
    assert (one["status"], one["matched"], one["has_report"]) == ("blocked", True, False)
    assert one["studies"] == [study_of("A3")]
    assert one["reasons"][1] == {"code": "no-report", "tr": "Rapor gelmedi", "en": "No approved report came"}
    assert one["performed_at"] == "2026-11-30T11:10:00"
    assert one["notification"]["state"] == "refused"
    assert one["notification"]["last_sent_at"] == "2026-11-30T12:30:00"
    assert one["patient"]["national_number"] == "10000000214"


def test_a_list_is_read_page_by_page(local: Site) -> None:
    params: dict[str, Any] = {"facility": HOSPITAL, "from": "2026-11-01", "to": "2026-11-30", "limit": 3}
    first = get(local, "/orders", **params).json()
    second = get(local, "/orders", **params, after=first["next"]).json()
    seen = [one["accession_number"] for one in (*first["orders"], *second["orders"])]
    assert (len(first["orders"]), sorted(seen), second["next"]) == (3, ["A1", "A2", "A3", "B1"], None)


def test_a_list_of_which_one_end_is_said_goes_as_far_from_it_as_a_list_may(local: Site) -> None:
    def listed(**period: str) -> list[str]:
        return numbers(get(local, "/orders", facility=HOSPITAL, **period))

    assert sorted(listed(**{"from": "2026-11-29"})) == ["A1", "A2", "A3", "B1"]
    assert sorted(listed(to="2026-11-30")) == ["A1", "A2", "A3", "B1"]
    assert listed(**{"from": "2026-01-01"}) == []
    assert Period("20260101000000").closed(92) == Period("20260101000000", "20260403000000")
    assert Period(end="20260403000000").closed(92) == Period("20260101000000", "20260403000000")
    assert Period().closed(92) == Period()


def test_accession_numbers_are_answered_in_their_order_whatever_is_known(local: Site) -> None:
    asked = {"facility": HOSPITAL, "accession_numbers": ["NONE", "X9", "A2", "A1"]}
    answer = local.web.post(API + "/status", content=orjson.dumps(asked))
    assert answer.status_code == 200, answer.text
    found = [(one["accession_number"], one["found"]) for one in answer.json()["statuses"]]
    assert found == [
        ("NONE", "nothing"),
        ("X9", "images without order"),
        ("A2", "order without images"),
        ("A1", "matched"),
    ]
    assert answer.json()["statuses"][1]["studies"][0]["study_instance_uid"] == study_of("X9")


def test_earlier_examinations_are_those_of_any_facility_and_asking_is_noted(local: Site) -> None:
    answer = get(local, "/previous", patient="10000000146", sut_code="804000", doctor="10000000214")
    (earlier,) = answer.json()["examinations"]
    assert (earlier["facility_name"], earlier["accession_number"]) == ("Örnek Devlet Hastanesi", "A1")
    assert get(local, "/previous", patient="10000000146", sut_code=["800000", "800001"]).json() == {"examinations": []}
    with local.application.database.read() as connection:
        looks = connection.exec_driver_sql("SELECT kind, doctor_number FROM looks").all()
    assert ("query", "10000000214") in [tuple(row) for row in looks]


def test_notifications_that_failed_are_listed(local: Site) -> None:
    period: dict[str, Any] = {"from": "2026-11-30", "to": "2026-11-30"}
    (failed,) = get(local, "/notifications/failed", facility=HOSPITAL, **period).json()["notifications"]
    assert (failed["accession_number"], failed["response_message"]) == ("A3", "Takip bulunamadı")


@pytest.mark.parametrize(
    ("path", "params", "word"),
    [
        ("/orders", {}, "say a patient"),
        ("/orders", {"facility": HOSPITAL, "from": "yesterday"}, "a time looks like"),
        ("/orders", {"facility": HOSPITAL, "from": "2026-11-30", "to": "2026-11-01"}, "ends before"),
        ("/orders", {"facility": HOSPITAL, "from": "2026-01-01", "to": "2026-11-01"}, "at most 92 days"),
        ("/orders", {"patient": "10000000146", "limit": 501}, "limit"),
        ("/orders", {"patient": "10000000146", "after": "!!"}, "after"),
        ("/orders", {"patient": "10000000146", "by": "birth"}, "by"),
        ("/orders", {"patient": "10000000146", "status": "done"}, "status is one of cancelled, discontinued"),
        ("/orders", {"patient": "10000000146", "state": "blocked"}, "known are from, begin, to, end, facility"),
        ("/previous", {"patient": "10000000146"}, "sut_code"),
        ("/orders", {"patient": "1\0"}, "patient"),
        ("/orders/500059/A%01", {}, "accession"),
        ("/notifications/failed", {}, "from"),
        ("/notifications/failed", {"from": "2026-02-30", "to": "2026-03-01"}, ""),
    ],
    ids=str,
)
def test_what_cannot_be_answered_is_told_in_words(local: Site, path: str, params: dict[str, Any], word: str) -> None:
    answer = get(local, path, **params)
    assert answer.status_code == 400
    assert answer.json()["status"] == 400
    assert word in answer.json()["message"]


def test_bodies_that_are_none_are_refused(local: Site) -> None:
    for content, status in ((b"", 400), (b"[]", 400), (b"{", 400), (b"\xff", 400), (b"[" * 70_000, 413)):
        assert local.web.post(API + "/status", content=content).status_code == status, content[:9]


def test_an_order_that_is_not_known_is_not_found_and_an_accession_number_may_have_a_slash(local: Site) -> None:
    assert get(local, f"/orders/{HOSPITAL}/NONE").status_code == 404
    assert "no such order" in get(local, f"/orders/{HOSPITAL}/2026%2F1").json()["message"]
    again = local.web.post(f"{API}/orders/{HOSPITAL}/A1/reprocess")
    assert (again.status_code, again.json()["accession_number"]) == (200, "A1")


def test_an_account_of_a_facility_sees_its_own_orders_and_a_user_without_the_right_none(enforced: Site) -> None:
    assert numbers(get(enforced, "/orders", "hbys", patient="10000000214")) == ["A3", "B1"]
    assert numbers(get(enforced, "/orders", "other", patient="10000000214")) == ["B1"]
    assert get(enforced, f"/orders/{OTHER}/B1", "hbys").status_code == 200
    assert get(enforced, f"/orders/{HOSPITAL}/A1", "other").status_code == 404
    assert get(enforced, "/orders", "other", facility=HOSPITAL, patient="F1001").status_code == 403
    assert get(enforced, "/orders", "viewer", patient="10000000146").status_code == 403
    assert get(enforced, "/orders", patient="10000000146").status_code == 401
    earlier = get(enforced, "/previous", "other", patient="10000000146", sut_code="804000").json()
    assert [one["accession_number"] for one in earlier["examinations"]] == ["A1"]
