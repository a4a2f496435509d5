"""A link of a look-up in Chromium, where no viewer is installed: the pictures of the study are really shown."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from tests.archives import Backend, LiveArchive, start_archive
from tests.peers.processes import system_program
from tests.sgk.conftest import AYSE, OTHER, PASSWORD, opened
from tests.sgk.messages import PATH, message, said
from vna.model.access import SYSTEM, Action
from vna.model.codes import Code

FACILITY, MEDULA = "500059", "11060001"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    backend = Backend("sqlite+folder", tmp_path_factory.mktemp("pictures"))
    archive = opened(backend, security={"mode": "enforced"})
    known = Code(FACILITY, "Hastane", {"medula_code": MEDULA})
    archive.application.national.codes.load(SYSTEM, "facilities", "1", [known])
    archive.user("hospital", Action.LOOK_UP, facility=FACILITY)
    study = archive.images(FACILITY, PatientID=AYSE, StudyInstanceUID="1.2.3")
    archive.images(FACILITY, PatientID=AYSE, StudyInstanceUID=study, SeriesInstanceUID="1.2.3.9", Modality="MR")
    archive.images(FACILITY, PatientID=AYSE, AccessionNumber="A2", StudyInstanceUID="1.2.4")
    archive.application.close()
    server = start_archive(backend, SECURITY__MODE="enforced", HTTP__VIEWER=str(backend.folder / "none"))
    yield server
    server.stop()


def test_a_link_shows_pictures_of_its_study_once_and_of_no_other(live: LiveArchive) -> None:
    fields = {"saglikTesisKodu": MEDULA, "accession": "A1", "hastaTCK": AYSE, "isteyenTCK": OTHER}
    headers = {"Content-Type": "text/xml; charset=utf-8"}
    asked = message("goruntuLinkiAl", **fields)
    answer = httpx.post(f"{live.http}{PATH}", content=asked, headers=headers, auth=("hospital", PASSWORD))
    url = said(answer.content)["url"]
    program = system_program("chromium", package="chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(url)
        expect(page.locator("main img")).to_have_count(2, timeout=30_000)
        page.wait_for_function(
            "[...document.querySelectorAll('main img')].every((one) => one.complete && one.naturalWidth > 0)",
            timeout=30_000,
        )
        headings = sorted(one[:2] for one in page.locator("main h2").all_inner_texts())
        page.goto(f"{live.http}/viewer/viewer?StudyInstanceUIDs=1.2.4")
        expect(page.locator("#said")).not_to_contain_text("being listed", timeout=30_000)
        others = page.locator("main img").count()
        spent = browser.new_page().goto(url)
        browser.close()

    assert (headings, others) == (["CT", "MR"], 0)
    assert spent is not None
    assert spent.status == 410
