"""The tracking page in Chromium, without scripts: forms go out and come back, on wide and narrow screens."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.archives import Backend, LiveArchive, start_archive
from tests.peers.processes import system_program
from tests.web.national.seeds import HOSPITAL, fill
from vna.app import build, migrate, prepare

ROOT = Path(__file__).parents[3]
SCREENSHOTS = Path(os.environ.get("TEST_ARTEFACTS", ROOT / "build")) / "tracking"
PATIENCE = 30_000


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    backend = Backend("sqlite+folder", tmp_path_factory.mktemp("tracking"))
    settings = backend.settings()
    migrate(settings)
    prepare(settings)
    application = build(settings)
    fill(application)
    application.close()
    archive = start_archive(backend)
    yield archive
    archive.stop()


@pytest.fixture
def page(live: LiveArchive) -> Iterator[Page]:
    program = system_program("chromium", package="chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program), args=["--no-sandbox"])
        context = browser.new_context(java_script_enabled=False, locale="tr-TR", base_url=live.http)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        yield page
        browser.close()


def test_a_list_is_found_processed_again_and_downloaded(page: Page) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto("/tracking")
    page.get_by_label("Kurum (SKRS kodu)").fill(HOSPITAL)
    page.get_by_label("Başlangıç tarihi").fill("2026-11-29")
    page.get_by_label("Bitiş tarihi").fill("2026-12-01")
    page.get_by_role("button", name="Ara").click()
    expect(page.locator("tbody tr")).to_have_count(4)
    page.screenshot(path=SCREENSHOTS / "orders.png", full_page=True)

    page.get_by_role("button", name="Yeniden işle: A2").click()
    expect(page.locator("p.good")).to_have_text("Yeniden işlendi: A2")
    expect(page.locator("tbody tr")).to_have_count(4)

    with page.expect_download() as download:
        page.get_by_role("button", name="Excel indir").click()
    assert download.value.suggested_filename == "orders.xlsx"

    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.get_by_text("görüntü bekleniyor").last).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "narrow.png", full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert not wide, "nothing is wider than the screen"

    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Tracking")
    page.goto("/api/teleradiology/docs")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.screenshot(path=SCREENSHOTS / "docs.png")
