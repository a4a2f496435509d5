"""The page at `/`: what it shows, to whom, and that it loads nothing."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from tests.archives import put
from tests.objects import ct, part10
from tests.web.conftest import PASSWORD, Archive, Open
from vna.model.access import SYSTEM, Action
from vna.web import Addresses
from vna.web.page import dimse_address, readable_date, readable_name, readable_size

NAME = "Gizli^Şükrü"


def _cells(text: str) -> list[list[str]]:
    rows = re.findall(r"<tr title.*?</tr>", text)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]


def _enforced(archive: Open) -> Archive:
    made = archive(security={"mode": "enforced"})
    put(made.application, part10(ct(PatientName=NAME)))
    for name, rights in (("reader", {Action.QUERY}), ("sender", {Action.STORE})):
        made.application.accounts.add_user(SYSTEM, name, PASSWORD, frozenset(rights))
    return made


def test_it_says_what_this_is_and_where_the_doors_are(archive: Open) -> None:
    text = archive().web.get("/").text
    assert "Ready" in text
    assert "mode local" in text
    assert "<code>VNA@127.0.0.1:11112</code>" in text
    assert "<code>http://127.0.0.1:8080/dicom-web</code>" in text
    assert "<code>127.0.0.1:2575</code>" in text
    assert "Nothing is stored yet" in text


def test_every_address_of_document_sharing_is_shown_and_describes_itself(archive: Open) -> None:
    web = archive().web
    shown = re.findall(r'<a href="(/xds/[^"]+\?wsdl)"><code>http://127\.0\.0\.1:8080/xds/', web.get("/").text)

    assert {"/xds/registry?wsdl", "/xds/repository?wsdl", "/xds/imaging-source?wsdl"} <= set(shown)
    for url in shown:
        assert b"definitions" in web.get(url).content


def test_document_sharing_asks_for_a_login_before_anything_is_read_as_soap(archive: Open) -> None:
    web = _enforced(archive).web
    for answer in (web.get("/xds/registry?wsdl"), web.request("POST", "/xds/registry", content=b"<")):
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/json")
    assert web.get("/xds/registry?wsdl", auth=("sender", PASSWORD)).status_code == 200


def test_the_public_address_is_shown_where_one_is_set(archive: Open) -> None:
    text = archive(http={"public_url": "https://vna.example.org"}).web.get("/").text
    assert "<code>https://vna.example.org/dicom-web</code>" in text


@pytest.mark.parametrize(
    ("host", "shown"),
    [("0.0.0.0", "VNA@vna.example.org:104"), ("::1", "VNA@[::1]:104"), ("10.0.0.1", "VNA@10.0.0.1:104")],
)
def test_a_dicom_door_that_listens_everywhere_is_shown_as_the_page_was_called(host: str, shown: str) -> None:
    assert dimse_address(Addresses("VNA", host, 104), "vna.example.org") == shown


def test_a_study_is_a_row_with_the_name_as_people_say_it(archive: Open) -> None:
    made = archive()
    study = ct(PatientName="Yılmaz^Ayşe^^Dr.", StudyDescription="Toraks")  # noqa: RUF001
    put(made.application, part10(study))
    put(made.application, part10(ct(StudyInstanceUID=study.StudyInstanceUID, PatientName="Yılmaz^Ayşe^^Dr.")))  # noqa: RUF001
    cells = _cells(made.web.get("/").text)
    assert cells == [["2026-01-02", "Dr. Ayşe Yılmaz", "CT", "Toraks", "2", "2"]]  # noqa: RUF001


def test_the_newest_twenty_studies_come_newest_first(archive: Open) -> None:
    made = archive()
    for day in range(1, 23):
        put(made.application, part10(ct(StudyDate=f"202601{day:02}")))
    dates = [row[0] for row in _cells(made.web.get("/").text)]
    assert dates == [f"2026-01-{day:02}" for day in range(22, 2, -1)]


def test_what_a_data_set_says_is_never_markup(archive: Open) -> None:
    made = archive()
    put(made.application, part10(ct(PatientName="<script>x</script>^A", StudyDescription="<b>bold</b>")))
    text = made.web.get("/").text
    assert "<script" not in text
    assert "<b>" not in text
    assert "&lt;b&gt;bold&lt;/b&gt;" in text


def test_it_loads_nothing_and_only_its_own_style_may_apply(archive: Open) -> None:
    response = archive().web.get("/")
    style = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    policy = response.headers["content-security-policy"]
    assert len(style) == 1
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.findall(r'(?:src|href)="(?!/|data:)', response.text)
    assert "style=" not in response.text
    assert response.headers["cache-control"] == "no-store"


def test_nobody_sees_a_study_without_a_login_in_enforced_mode(archive: Open) -> None:
    response = _enforced(archive).web.get("/")
    assert response.status_code == 200
    assert "Not shown: this needs a login." in response.text
    assert "Gizli" not in response.text
    assert "Instances" not in response.text.partition("Newest")[0]


def test_a_user_who_may_query_sees_the_studies_in_enforced_mode(archive: Open) -> None:
    response = _enforced(archive).web.get("/", auth=("reader", PASSWORD))
    assert "Şükrü Gizli" in response.text
    assert "logged in as reader" in response.text


def test_a_user_who_may_not_query_sees_none_in_enforced_mode(archive: Open) -> None:
    response = _enforced(archive).web.get("/", auth=("sender", PASSWORD))
    assert response.status_code == 200
    assert "has no right to query" in response.text
    assert "Gizli" not in response.text


def test_it_works_while_the_index_does_not(archive: Open) -> None:
    made = archive(ready=False, database={"url": "postgresql+psycopg://nobody@127.0.0.1:1/none"})
    response = made.web.get("/")
    assert response.status_code == 200
    assert "Not ready" in response.text
    assert "the index does not answer" in response.text


@pytest.mark.parametrize(
    ("name", "shown"),
    [("A^B", "B A"), ("A^B^C^Dr.^MD", "Dr. B C A MD"), ("A", "A"), ("", ""), ("A^B^C^D^E^F", "D B C A E")],
)
def test_names_are_written_as_people_say_them(name: str, shown: str) -> None:
    assert readable_name(name) == shown


@pytest.mark.parametrize(
    ("date", "shown"), [("20260102", "2026-01-02"), ("2026", "2026"), ("", ""), ("2026.1.2", "2026.1.2")]
)
def test_dates_that_are_none_are_left_alone(date: str, shown: str) -> None:
    assert readable_date(date) == shown


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 bytes"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (3 << 40, "3.0 TiB")]
)
def test_sizes_are_written_with_units(size: int, shown: str) -> None:
    assert readable_size(size) == shown
