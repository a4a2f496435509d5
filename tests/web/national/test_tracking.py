"""The tracking page: one status with reasons for each order, in Turkish and English, and as files."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

import csv
import io
import re
from datetime import date, datetime, timedelta
from typing import Any
from zipfile import ZipFile

import pytest
from lxml import etree, html

from tests.web.national.conftest import Site
from tests.web.national.seeds import HOSPITAL, OTHER, PASSWORD, study_of
from vna.model.access import SYSTEM
from vna.model.orders import OrderKey
from vna.teleradiology.reasons import Status
from vna.web.national.tables import Row, as_csv, as_xlsx, harmless

PERIOD = {"facility": HOSPITAL, "begin": "2026-11-29", "end": "2026-12-01"}
PERIOD_ENDS = ("begin", "end")


def page(site: Site, user: str = "", path: str = "/tracking", **form: str) -> Any:
    auth = {"auth": (user, PASSWORD)} if user else {}
    answer = site.web.post(path, data=form, **auth)
    return answer, html.fromstring(answer.text)


def order_id(site: Site, accession_number: str) -> str:
    return site.application.national.order_ids.given(SYSTEM, OrderKey(HOSPITAL, accession_number))


def table(document: Any) -> dict[str, list[str]]:
    """The cells of each row, by its heading."""
    found = {}
    for row in document.xpath("//tbody/tr"):
        cells = [cell.text_content().strip() for cell in row.xpath("./th|./td")]
        found[cells[0]] = cells[1:]
    return found


def test_pasted_accession_numbers_are_shown_with_one_status_and_its_reasons(local: Site) -> None:
    answer, document = page(local, numbers="A1, A2\r\nA3;X9\tNONE", facility=HOSPITAL, lang="tr")
    rows = table(document)
    assert list(rows) == ["A1", "A2", "A3", "X9", "NONE"]
    status = {number: cells[6] for number, cells in rows.items()}
    assert status == {
        "A1": "bildirildi",
        "A2": "görüntü bekleniyor",
        "A3": "engellendi",
        "X9": "istem yok",
        "NONE": "kayıt yok",
    }
    assert rows["A2"][7] == "İstem geldi - Tetkik gelmedi yada eşleşmedi; Rapor gelmedi"
    assert rows["A1"][1:3] == ["AYŞE ÖRNEK", "10000000146"]
    assert answer.headers["content-language"] == "tr"


def test_the_page_speaks_the_language_that_is_asked_for(local: Site) -> None:
    def titled(query: str = "", accepted: str = "") -> str:
        text = local.web.get("/tracking" + query, headers={"Accept-Language": accepted}).text
        return f"{re.findall(r'<html lang=.(..).', text)[0]} {re.findall('<h1>(.*)</h1>', text)[0]}"

    assert titled(accepted="en-GB,en;q=0.9,tr;q=0.5") == "en Tracking"
    assert titled(accepted="de,tr;q=0.5,en;q=0.1") == "tr Takip"
    assert titled(accepted="fr;q=x, en;q=0") == "tr Takip"
    assert titled("?lang=en", "tr") == "en Tracking"
    english = table(page(local, numbers="A2", facility=HOSPITAL, lang="en")[1])
    assert english["A2"][6] == "waiting for images"
    assert english["A2"][7].startswith("The order came; its images did not")


def test_lists_by_facility_date_modality_patient_and_status(local: Site) -> None:
    assert table(page(local, **PERIOD)[1]).keys() == {"A1", "A2", "A3", "B1"}
    assert table(page(local, **PERIOD, modality="MR")[1]).keys() == {"A1", "A2"}
    assert table(page(local, **PERIOD, status="blocked")[1]).keys() == {"A3"}
    assert table(page(local, patient="10000000214")[1]).keys() == {"A0", "A3", "B1"}
    assert table(page(local, facility=HOSPITAL, begin="2026-12-01", end="2026-12-01", by="scheduled")[1]).keys() == {
        "A2"
    }
    failed = table(page(local, **PERIOD, view="failed")[1])
    assert failed == {"A3": [HOSPITAL, "2026-11-30 12:30:00", "1", "1104", "Takip bulunamadı"]}
    orders = table(page(local, **PERIOD, view="unmatched-orders")[1])
    assert orders.keys() == {"A2"}
    studies = table(page(local, **PERIOD, view="unmatched-studies")[1])
    assert studies["X9"][3:] == [study_of("X9"), "Tetkik geldi, bu erişim numarasıyla istem gelmedi"]


def test_the_form_as_it_comes_lists_the_week_that_ends_today(local: Site) -> None:
    for view in ("orders", "unmatched-orders", "unmatched-studies", "failed"):
        answer, document = page(local, view=view, facility=HOSPITAL, begin="", end="", by="requested", numbers="")
        assert answer.status_code == 200, view
        begin, end = (date.fromisoformat(document.xpath(f"string(//input[@id='{one}']/@value)")) for one in PERIOD_ENDS)
        assert end - begin == timedelta(days=7)
        assert abs(end - datetime.now(local.application.national.profile.zone).date()) <= timedelta(days=1)
    assert table(page(local, facility=HOSPITAL, begin="2026-11-29")[1]).keys() == {"A1", "A2", "A3", "B1"}
    assert table(page(local, facility=HOSPITAL, end="2026-12-01")[1]).keys() == {"A1", "A2", "A3", "B1"}


def test_what_cannot_be_listed_is_said_in_words(local: Site) -> None:
    for form in (
        {"view": "orders"},
        {"facility": HOSPITAL, "begin": "2026-01-01", "end": "2026-12-01"},
        {"facility": HOSPITAL, "begin": "soon"},
        {"view": "everything"},
        {"numbers": "A1 \0", "facility": HOSPITAL},
        {"numbers": " ".join(f"N{number}" for number in range(501)), "facility": HOSPITAL},
    ):
        answer, document = page(local, **form)
        assert (answer.status_code, table(document)) == (400, {}), form
        assert document.xpath("//*[@role='status']//p[@class='bad']"), form


def test_every_status_is_said_in_words_of_its_own(local: Site) -> None:
    for lang, refused in (("tr", "reddedildi"), ("en", "refused")):
        document = page(local, lang=lang)[1]
        said = {one.get("value"): one.text for one in document.xpath("//select[@id='status']/option")}
        assert said["refused"] == refused
        assert len(set(said.values())) == len(Status) + 1


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"begin": "2026-01-01", "end": "2026-12-01"}, "bir dönem en çok 92 gündür"),
        ({"begin": "2026-12-01", "end": "2026-11-01"}, "dönem başlamadan bitiyor"),
        ({"begin": "soon"}, "tarih 2026-01-31"),
        ({"numbers": " ".join(f"N{number}" for number in range(501))}, "bir kerede en çok 500 erişim numarası"),
        ({"status": "done"}, "böyle bir durum yok"),
        ({"after": "!!"}, "listenin böyle bir sayfası yok"),
        ({"view": "unmatched-orders", "facility": ""}, "kurum kodunu yazın"),
        ({"view": "everything"}, "Liste: bu değer geçersiz"),
    ],
)
def test_what_is_refused_is_said_in_turkish(local: Site, form: dict[str, str], sentence: str) -> None:
    answer, document = page(local, **{"facility": HOSPITAL, "lang": "tr", **form})
    assert answer.status_code == 400
    assert sentence in document.xpath("string(//p[@class='bad'])")


def test_another_facility_is_refused_in_turkish(enforced: Site) -> None:
    document = page(enforced, "other", facility=HOSPITAL, begin="2026-11-29", lang="tr")[1]
    assert "sorulan başka bir kurumundur" in document.xpath("string(//p[@class='bad'])")


def test_what_people_wrote_is_shown_as_text(local: Site) -> None:
    evil = "<script>alert(1)</script>"
    answer, document = page(local, numbers=evil, patient=evil, facility='"><img src=x>')
    assert document.xpath("//script|//img") == []
    assert document.xpath("//input[@id='patient']/@value") == [evil]
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy


def test_an_order_is_processed_again_and_the_same_list_is_shown(local: Site) -> None:
    _, document = page(local, **PERIOD, status="waiting for images", modality="MR")
    (button,) = document.xpath("//button[@name='order']")
    state = {one.get("name"): one.get("value") for one in document.xpath("//form[@id='state']/input")}
    answer, again = page(local, path=button.get("formaction"), **state, order=button.get("value"))
    assert (answer.status_code, list(table(again))) == (200, ["A2"])
    assert "A2" in again.xpath("string(//p[@class='good'])")
    unknown = order_id(local, "NONE")
    assert page(local, path="/tracking/reprocess", **state, order=unknown)[0].status_code == 404


def test_forms_of_another_origin_change_nothing(enforced: Site) -> None:
    form = {**PERIOD, "order": order_id(enforced, "A1")}
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = enforced.web.post("/tracking/reprocess", data=form, headers=headers, auth=("hbys", PASSWORD))
        assert answer.status_code == 403
    same = {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}
    answer = enforced.web.post("/tracking/reprocess", data=form, headers=same, auth=("hbys", PASSWORD))
    assert answer.status_code == 200


def test_an_account_of_a_facility_sees_its_own_list_and_others_are_refused(enforced: Site) -> None:
    period = {"begin": "2026-11-29", "end": "2026-12-01"}
    assert table(page(enforced, "hbys", **period)[1]).keys() == {"A1", "A2", "A3", "B1"}
    assert table(page(enforced, "other", **period)[1]).keys() == {"B1"}
    assert page(enforced, "other", **period, facility=HOSPITAL)[0].status_code == 403
    assert page(enforced, "hbys", **period, facility=OTHER)[0].status_code == 403
    assert page(enforced, "viewer", **period, facility=HOSPITAL)[0].status_code == 403
    assert enforced.web.get("/tracking").status_code == 401
    theirs = {**period, "order": order_id(enforced, "A1")}
    assert page(enforced, "other", path="/tracking/reprocess", **theirs)[0].status_code == 404


@pytest.mark.parametrize("lang", ["tr", "en"])
def test_a_list_is_exported_as_csv_and_as_a_workbook(local: Site, lang: str) -> None:
    form = {**PERIOD, "lang": lang, "patient": "10000000214"}
    answer = local.web.post("/tracking/export", data={**form, "format": "csv"})
    assert answer.headers["content-disposition"] == 'attachment; filename="orders.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
    assert rows[0][0] == {"tr": "Erişim no", "en": "Accession"}[lang]
    assert sorted(row[0] for row in rows[1:]) == ["A3", "B1"]
    book = local.web.post("/tracking/export", data={**form, "format": "xlsx"})
    assert _cells(book.content) == rows
    assert local.web.post("/tracking/export", data={**form, "format": "pdf"}).status_code == 400


def _cells(book: bytes) -> list[list[str]]:
    with ZipFile(io.BytesIO(book)) as package:
        assert package.testzip() is None
        sheet: Any = etree.fromstring(package.read("xl/worksheets/sheet1.xml"))
    names = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    assert sheet.xpath("//s:f", namespaces=names) == []
    return [
        ["".join(cell.itertext()) for cell in row.xpath("s:c[@t='inlineStr']", namespaces=names)]
        for row in sheet.xpath("//s:row", namespaces=names)
    ]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_begins_a_formula(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"
    text = as_csv(["a"], [Row((cell,))]).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))[1] == [f"'{cell}"]
    assert _cells(as_xlsx(["a"], [Row(("x\0\x0b",))])) == [["a"], ["x"]]
