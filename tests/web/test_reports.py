"""Reports over HTTP: written, approved, added to and read by whoever has the right, and refused in words."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.archives import rows
from tests.teleradiology.reporting import CONCLUSION, FINDINGS, RADIOLOGIST, approved
from tests.web.conftest import PASSWORD, Archive, Open
from tests.worklist.ordering import order
from vna.model.access import SYSTEM, Action
from vna.model.orders import ANY_FACILITY

PATH = "/api/teleradiology/reports/500059/A1"
PARTS = [{"name": "findings", "text": FINDINGS.text}, {"name": "conclusion", "text": CONCLUSION.text}]
BY = [{"number": RADIOLOGIST.number, "name": RADIOLOGIST.name}]
APPROVED = {"parts": PARTS, "state": "approved", "radiologists": BY, "approved_at": "20261130101500"}


def ask(archive: Archive, method: str, path: str, said: object = None, **more: Any) -> Any:
    content = None if said is None else said if isinstance(said, bytes) else orjson.dumps(said)
    return archive.web.request(method, path, content=content, **more)


def test_a_draft_is_written_replaced_approved_and_added_to(archive: Open) -> None:
    opened = archive()
    opened.application.national.orders.place(SYSTEM, order())
    assert ask(opened, "GET", PATH).json() == {
        "facility": "500059",
        "accession_number": "A1",
        "order_known": True,
        "reports": [],
    }
    first = ask(opened, "POST", PATH, {"parts": PARTS[:1]})
    assert (first.status_code, first.json()["number"], first.json()["state"]) == (200, 1, "draft")
    html = {"name": "technique", "text": "<p>5 mm<script>x</script></p>", "html": True}
    replaced = ask(opened, "PUT", f"{PATH}/1", {"parts": [*PARTS, html]})
    assert replaced.json()["parts"] == [
        {"name": "technique", "text": "<p>5 mm</p>", "html": True},
        *({**part, "html": False} for part in PARTS),
    ]
    done = ask(opened, "POST", f"{PATH}/1/approve", {"radiologists": BY, "approved_at": "20261130101500"})
    assert (done.status_code, done.json()["state"], done.json()["radiologists"]) == (200, "approved", BY)
    again = ask(opened, "PUT", f"{PATH}/1", {"parts": PARTS})
    assert (again.status_code, again.json()["message"]) == (
        409,
        "an approved report does not change: what is to be said after it is an addendum",
    )
    same = ask(opened, "POST", f"{PATH}/1/approve", {"radiologists": BY})
    assert (same.status_code, same.json()) == (200, done.json())
    another = ask(opened, "POST", f"{PATH}/1/approve", {"radiologists": [{"number": "10000000450"}]})
    assert another.status_code == 409
    for said in (APPROVED, {"parts": PARTS, "number": 1}):
        assert ask(opened, "POST", f"{PATH}/99/addendum", said).status_code == 404
    text = {"parts": [{"name": "conclusion", "text": "Kontrol."}], "state": "approved", "radiologists": BY}
    addendum = ask(opened, "POST", f"{PATH}/1/addendum", text)
    assert (addendum.json()["number"], addendum.json()["addendum_to"]) == (2, 1)
    listed = ask(opened, "GET", PATH).json()["reports"]
    assert listed == [done.json(), addendum.json()]
    assert ask(opened, "GET", f"{PATH}/2").json() == addendum.json()


def test_a_report_of_an_order_that_has_not_come_is_kept_and_says_so(archive: Open) -> None:
    opened = archive()
    assert ask(opened, "GET", PATH).status_code == 404
    assert ask(opened, "POST", PATH, APPROVED).status_code == 200
    assert ask(opened, "GET", PATH).json()["order_known"] is False


@pytest.mark.parametrize(
    ("path", "said", "status", "words"),
    [
        (PATH, b"{", 400, "no JSON"),
        (PATH, {"parts": "x"}, 400, "parts: Input should be a valid"),
        (PATH, {"parts": [{"name": "sonuc", "text": ""}]}, 400, "parts.0.name"),
        (PATH, {"part": []}, 400, "part: Extra inputs"),
        (PATH, {**APPROVED, "quality_rating": 9}, 400, "quality_rating"),
        (PATH, {**APPROVED, "approved_at": "now"}, 400, "the time of approval"),
        (PATH, {**APPROVED, "approved_at": "2999-11-30T10:15:00"}, 400, "in the future"),
        (PATH.replace("A1", "9999"), APPROVED, 400, "no accession number"),
        (PATH, {**APPROVED, "parts": PARTS[1:]}, 409, "part 3 (findings) of the report is missing"),
        (PATH, {**APPROVED, "radiologists": []}, 409, "does not say who approved it"),
        (PATH, {"parts": [{"name": "findings", "text": "x" * 100_001}]}, 413, "longer than 100000 characters"),
        (PATH, b" " * (9 << 20), 413, "longer than"),
        (PATH + "/1/approve", {"radiologists": BY}, 404, "no version 1"),
        (PATH + "/3/addendum", APPROVED, 404, "no approved version 3"),
        (PATH.replace("A1", "A1%5C2"), APPROVED, 400, "a facility, and an accession number"),
        (PATH.replace("A1", "A" * 17), APPROVED, 413, "longer than 16"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(
    archive: Open, path: str, said: object, status: int, words: str
) -> None:
    opened = archive()
    answer = ask(opened, "POST", path, said)
    assert (answer.status_code, words in answer.json()["message"]) == (status, True), answer.text
    assert ask(opened, "GET", PATH).status_code == 404


@pytest.mark.parametrize("said", ["2026-11-30T10:15:00", "20261130101500", "30.11.2026 10:15"])
def test_the_time_of_approval_comes_in_any_form_of_the_api(archive: Open, said: str) -> None:
    answer = ask(archive(), "POST", PATH, {**APPROVED, "approved_at": said})
    assert (answer.status_code, answer.json()["approved_at"]) == (200, "20261130101500")


def test_a_rule_that_is_broken_is_named(archive: Open) -> None:
    answer = ask(archive(), "POST", PATH, {**APPROVED, "parts": [{"name": "findings", "text": "Normal."}, PARTS[1]]})
    assert (answer.status_code, answer.json()["rule"]) == (409, "findings")


def test_writing_takes_the_right_to_report_and_reading_the_one_to_look_up(archive: Open) -> None:
    opened = archive(security={"mode": "enforced"})
    for name, right in (("writer", Action.REPORT), ("reader", Action.LOOK_UP)):
        opened.application.accounts.add_user(SYSTEM, name, PASSWORD, frozenset({right}))
    writer, reader = ("writer", PASSWORD), ("reader", PASSWORD)
    statuses = [
        ask(opened, "POST", PATH, APPROVED, auth=who).status_code if method == "POST" else
        ask(opened, "GET", PATH, auth=who).status_code
        for method, who in (("POST", None), ("POST", reader), ("POST", writer), ("GET", None), ("GET", writer),
                            ("GET", reader))
    ]  # fmt: skip
    assert statuses == [401, 403, 200, 401, 403, 200]
    assert ask(opened, "GET", PATH, auth=reader).json()["reports"][0]["source"] == "writer"


@pytest.fixture
def shared(archive: Open) -> Archive:
    """A1 ordered and performed by 500059, B1 and C1 ordered by 500060: B1 for 500059, C1 for any. Users by facility."""
    opened = archive(security={"mode": "enforced"})
    national, both = opened.application.national, frozenset({Action.REPORT, Action.LOOK_UP})
    for one in (
        order(),
        order("B1", "500060", performing_facility="500059"),
        order("C1", "500060", performing_facility=ANY_FACILITY),
        order("D1", "500060"),
    ):
        national.orders.place(SYSTEM, one)
    for name, facility in (("first", "500059"), ("second", "500060"), ("third", "500061"), ("ministry", "")):
        opened.application.accounts.add_user(SYSTEM, name, PASSWORD, both, facility)
    return opened


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("first", "500059/A1 500060/B1 500059/NEW"),
        ("second", "500060/B1 500060/C1 500060/D1"),
        ("third", ""),
        ("ministry", "500059/A1 500060/B1 500060/C1 500060/D1 500059/NEW"),
    ],
)
def test_an_account_with_a_facility_has_to_do_with_what_that_ordered_or_performs(
    shared: Archive, name: str, own: str
) -> None:
    filed = [
        one
        for one in ("500059/A1", "500060/B1", "500060/C1", "500060/D1", "500059/NEW")
        if ask(shared, "POST", f"/api/teleradiology/reports/{one}", APPROVED, auth=(name, PASSWORD)).status_code == 200
    ]
    assert filed == own.split()
    for one in ("500059/A1", "500060/B1", "500060/C1", "500060/D1"):
        path = f"/api/teleradiology/reports/{one}"
        ask(shared, "POST", path, APPROVED, auth=("ministry", PASSWORD))
        draft = ask(shared, "POST", path, {"parts": PARTS[:1]}, auth=("ministry", PASSWORD)).json()["number"]
        for method, after, said in (
            ("GET", "", None),
            ("GET", "/1", None),
            ("PUT", f"/{draft}", {"parts": PARTS}),
            ("POST", f"/{draft}/approve", {"radiologists": BY}),
            ("POST", "/1/addendum", {"parts": PARTS}),
        ):
            answer = ask(shared, method, path + after, said, auth=(name, PASSWORD))
            assert answer.status_code == (200 if one in own.split() else 404), (one, method, after, answer.text)
            if one not in own.split():
                assert answer.json()["message"] == "no such order is known at this facility"


def test_whoever_opens_a_report_can_be_named(archive: Open) -> None:
    opened = archive()
    opened.application.national.orders.place(SYSTEM, order())
    ask(opened, "POST", PATH, {"parts": PARTS[:1]})
    ask(opened, "GET", f"{PATH}?doctor=10000000214")  # a draft is no report yet
    opened.application.national.reports.file(SYSTEM, approved())
    wrong = ask(opened, "GET", f"{PATH}?doctor=1")
    assert (wrong.status_code, "national number" in wrong.json()["message"]) == (400, True)
    ask(opened, "GET", PATH)
    ask(opened, "GET", f"{PATH}?doctor=10000000214")
    ask(opened, "GET", f"{PATH}/2?doctor=10000000382")
    assert rows(opened.application, "select doctor_number, kind from looks order by id") == [
        ("10000000214", "opened"),
        ("10000000382", "opened"),
    ]
