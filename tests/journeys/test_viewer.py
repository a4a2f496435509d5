"""The viewer in a real browser: the list and its filters, pixels of every kind of object, upload, access links."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, BrowserType, Page, Response, expect, sync_playwright

from tests.archives import Backend, LiveArchive, make_backend, start_archive
from tests.journeys import viewer_studies
from tests.journeys.viewer_studies import SENTENCE, Study
from tests.peers.processes import missing, system_program, wait_for
from tests.routing.manifests import kos, written
from tests.worklist.ordering import order
from vna.app import build
from vna.model.access import SYSTEM
from vna.model.orders import OrderedPatient
from vna.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore")

ROOT = Path(__file__).parents[2]
SCREENSHOTS = Path(os.environ.get("TEST_ARTEFACTS", ROOT / "build")) / "viewer"
SOFTWARE_WEBGL = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
)
SECONDS = 1000
PATIENCE = 60 * SECONDS
PANE = '[data-cy="viewport-pane"]'
NO_TOUR = "try { localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour'])) } catch {}"

LOOK = """
() => {
  const shown = document.querySelector('[data-cy="viewport-pane"] canvas');
  if (!shown || !shown.width || !shown.height) return null;
  const copy = document.createElement('canvas');
  copy.width = shown.width; copy.height = shown.height;
  const context = copy.getContext('2d', { willReadFrequently: true });
  context.drawImage(shown, 0, 0);
  const data = context.getImageData(0, 0, copy.width, copy.height).data;
  const levels = new Set();
  let lit = 0, coloured = 0;
  for (let i = 0; i < data.length; i += 4) {
    const most = Math.max(data[i], data[i + 1], data[i + 2]), least = Math.min(data[i], data[i + 1], data[i + 2]);
    levels.add(most);
    lit += most > 30; coloured += most - least > 40;
  }
  const pixels = data.length / 4;
  return { levels: levels.size, lit: lit / pixels, coloured: coloured / pixels };
}
"""
"""What the canvas shows: how many levels of brightness, and which part is not dark, and coloured."""


@pytest.fixture(scope="module")
def held() -> dict[str, Study]:
    return viewer_studies.studies()


@pytest.fixture(scope="module")
def live(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, held: dict[str, Study]
) -> Iterator[LiveArchive]:
    """An archive that serves the viewer and holds every study."""
    viewer = ROOT / "viewer"
    if not (viewer / "index.html").is_file():
        missing("the viewer is not there (make viewer)")
    folder = tmp_path_factory.mktemp("archive")
    archive = start_archive(make_backend("sqlite+folder", request, folder), HTTP__VIEWER=str(viewer))
    files = tmp_path_factory.mktemp("files")
    for study in held.values():
        for number, data in enumerate(study.files):
            (files / f"{study.kind}-{number}.dcm").write_bytes(data)
    done = archive.vna("import", str(files))
    assert done.returncode == 0, done.stderr
    yield archive
    archive.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[BrowserType]:
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="module")
def context(
    chromium: BrowserType, live: LiveArchive, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """One profile on disk for all tests: what it keeps of the viewer, compiled, makes them twice as quick."""
    with _profile(chromium, live, tmp_path_factory.mktemp("profile")) as made:
        yield made


@contextmanager
def _profile(chromium: BrowserType, live: LiveArchive, folder: Path) -> Iterator[BrowserContext]:
    """A browser without windows that knows nobody yet."""
    made = chromium.launch_persistent_context(
        folder,
        executable_path=system_program("chromium", package="chromium"),
        args=SOFTWARE_WEBGL,
        base_url=live.http,
        viewport={"width": 1000, "height": 700},
        locale="en-GB",
    )
    made.set_default_timeout(PATIENCE)
    made.add_init_script(NO_TOUR)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, live: LiveArchive, request: pytest.FixtureRequest) -> Iterator[Page]:
    with _page(context, live, request.node.name) as opened:
        yield opened


@contextmanager
def _page(context: BrowserContext, live: LiveArchive, name: str) -> Iterator[Page]:
    """A tab. Nothing in it may fail, ask another origin, or get an error from the archive; its picture is kept."""
    opened = context.new_page()
    wrong: list[str] = []

    def asked(url: str) -> None:
        if not url.startswith((f"{live.http}/", "blob:", "data:", "about:", "chrome:", "chrome-extension:")):
            wrong.append(f"asked another origin: {url}")

    def answered(response: Response) -> None:
        if response.status >= 400:
            wrong.append(f"{response.status} {response.request.method} {response.url}")

    opened.on("pageerror", lambda error: wrong.append(f"error in the page: {error}"))
    opened.on("request", lambda request: asked(request.url))
    opened.on("response", answered)
    yield opened
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    opened.screenshot(path=SCREENSHOTS / f"{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}.png")
    opened.close()
    assert wrong == []


def _open(page: Page, study: Study) -> None:
    page.goto(f"/viewer/viewer?StudyInstanceUIDs={study.uid}")
    page.wait_for_selector(PANE)


def _look(page: Page, condition: str) -> dict[str, Any]:
    """What the canvas shows, once `condition` holds of it."""
    seen = page.wait_for_function(f"() => {{ const seen = ({LOOK})(); return seen && ({condition}) && seen; }}")
    found: dict[str, Any] = seen.json_value()
    return found


def _filter(page: Page, column: str) -> Any:
    """The field under a heading; headings come and go with the width of the window."""
    place = [text.strip() for text in page.locator("thead th").all_inner_texts()].index(column)
    return page.locator('tr[data-filter-row="true"] > td').nth(place).locator("input")


def _rows(page: Page) -> Any:
    return page.locator("tbody tr[aria-selected]")


def _list(page: Page, held: dict[str, Study]) -> None:
    page.set_viewport_size({"width": 1700, "height": 700})
    page.goto("/viewer/")
    _shows(page, *held.values())


def _shows(page: Page, *studies: Study) -> None:
    """The list shows these and no others."""
    expect(_rows(page)).to_have_count(len(studies), timeout=PATIENCE)
    for study in studies:
        expect(_rows(page).filter(has_text=study.accession)).to_have_count(1)


def test_the_list_shows_every_study_and_each_filter_finds_its_own(page: Page, held: dict[str, Study]) -> None:
    _list(page, held)
    turkish, xa = held["Turkish"], held["XA"]
    expect(_rows(page).filter(has_text="Çağlar, Işıl İğde")).to_have_count(1)  # noqa: RUF001
    expect(_rows(page).filter(has_text=turkish.description)).to_have_count(1)
    for column, text, sent, found in (
        ("Patient", "çağlar", "PatientName", turkish),
        ("Patient", "caglar", "PatientName", turkish),
        ("Patient", "isil caglar", "PatientName", turkish),
        ("Patient", "PATIENTXA", "PatientName", xa),
        ("MRN", "004", "00100020", xa),
        ("Accession", "004XA", "AccessionNumber", xa),
        ("Description", "ışın", "StudyDescription", turkish),  # noqa: RUF001
        ("Description", "of XA", "StudyDescription", xa),
    ):
        with page.expect_response(re.compile(f"/studies[?].*{sent}=")) as asked:
            _filter(page, column).fill(text)
        assert text in parse_qs(urlsplit(asked.value.url).query)[sent][0]
        _shows(page, found)
        page.get_by_role("button", name="Reset filters").click()
        _shows(page, *held.values())


def test_the_list_is_narrowed_by_modality(page: Page, held: dict[str, Study]) -> None:
    _list(page, held)
    page.get_by_role("combobox", name="Filter Modalities").click()
    with page.expect_response(re.compile("ModalitiesInStudy=")):
        page.get_by_role("option", name="XA", exact=True).click()
    _shows(page, held["XA"])


def test_the_list_is_narrowed_by_a_range_of_dates(page: Page, held: dict[str, Study]) -> None:
    _list(page, held)
    page.locator('[data-cy="input-date-range-start"]').fill("2025-03-02")
    page.locator('[data-cy="input-date-range-start"]').press("Enter")
    with page.expect_response(re.compile("StudyDate=20250302-20250304")):
        page.locator('[data-cy="input-date-range-end"]').fill("2025-03-04")
        page.locator('[data-cy="input-date-range-end"]').press("Enter")
    _shows(page, held["MR"], held["US"], held["XA"])


def test_a_study_opens_from_the_list_and_shows_its_pixels(page: Page, held: dict[str, Study]) -> None:
    _list(page, held)
    _rows(page).filter(has_text=held["XA"].accession).dblclick()
    page.wait_for_url(re.compile(f"StudyInstanceUIDs={held['XA'].uid}"))
    _look(page, "seen.levels > 60 && seen.lit > 0.3")


def test_a_study_without_any_modality_is_listed_and_opens(page: Page, held: dict[str, Study]) -> None:
    _list(page, held)
    _open(page, held["Bare"])  # by its address: from the list OHIF offers no mode for it
    _look(page, "seen.levels > 60 && seen.lit > 0.3")


@pytest.mark.parametrize("kind", ["CT", "Turkish"])
def test_pixels_of_a_grey_image_show(page: Page, held: dict[str, Study], kind: str) -> None:
    _open(page, held[kind])
    seen = _look(page, "seen.levels > 60 && seen.lit > 0.3")
    assert seen["coloured"] < 0.01


def test_every_frame_of_an_enhanced_mr_image_shows(page: Page, held: dict[str, Study]) -> None:
    _open(page, held["MR"])
    _look(page, "seen.levels > 60")
    for number in range(2, 7):
        page.locator(PANE).hover()
        page.mouse.wheel(0, 100)
        expect(page.locator('[data-cy="viewport-overlay-bottom-right"]')).to_contain_text(f"({number}/6)")
        _look(page, "seen.levels > 60 && seen.lit > 0.3")


def test_a_jpeg_2000_ultrasound_shows_in_colour(page: Page, held: dict[str, Study]) -> None:
    _open(page, held["US"])
    seen = _look(page, "seen.levels > 60 && seen.lit > 0.1")
    assert seen["coloured"] > 0.01


def test_a_structured_report_shows_its_sentence(page: Page, held: dict[str, Study]) -> None:
    _open(page, held["SR"])
    expect(page.locator('[data-cy="viewport-grid"]')).to_contain_text(SENTENCE, timeout=PATIENCE)


def test_an_approved_report_shows_beside_its_images(page: Page, live: LiveArchive, held: dict[str, Study]) -> None:
    study = held["CT"]
    sentence = "Beyin parankiminde patolojik bulgu saptanmamıştır; şişlik, çökme ve ödem yoktur."  # noqa: RUF001
    image = pydicom.dcmread(io.BytesIO(study.files[0]))
    with closing(build(Settings(data_dir=Path(live.environment["VNA_DATA_DIR"])))) as archive:
        patient = OrderedPatient(national_number=image.PatientID, name=str(image.PatientName))
        archive.national.orders.place(SYSTEM, order(study.accession, patient=patient))
    said = ("--findings", sentence, "--conclusion", "Normal.", "--approved", "--by", "10000000382:ÖRNEK^IŞIL")
    done = live.vna("report", "file", "500059", study.accession, *said)
    assert done.returncode == 0, done.stderr

    def rendered() -> list[str]:
        answer = httpx.get(f"{live.dicomweb}/studies/{study.uid}/instances?Modality=SR&includefield=0020000E")
        series = answer.json() if answer.content else []
        found = [f"series/{one['0020000E']['Value'][0]}/instances/{one['00080018']['Value'][0]}" for one in series]
        return [httpx.get(f"{live.dicomweb}/studies/{study.uid}/{one}/rendered").text for one in found]

    wait_for(lambda: any(sentence in text for text in rendered()), what="the report", timeout=30)
    _open(page, study)
    page.locator('[data-cy="study-browser-thumbnail-no-image"]').filter(has_text="SR").dblclick()
    expect(page.locator('[data-cy="viewport-grid"]')).to_contain_text(sentence, timeout=PATIENCE)


def test_a_document_shows_its_page(page: Page, held: dict[str, Study]) -> None:
    _open(page, held["PDF"])
    page.wait_for_selector(f"{PANE} object")

    def is_there() -> bool:
        shown = Image.open(io.BytesIO(page.locator(PANE).screenshot())).convert("RGB")
        blue = (np.asarray(shown) // 64 == (0, 0, 3)).all(axis=2)
        return float(blue.mean()) > 0.02

    wait_for(is_there, what="the page of the document", timeout=30)


def test_an_electrocardiogram_shows_its_leads(page: Page, held: dict[str, Study]) -> None:
    with page.expect_response(re.compile("/bulkdata/54000100/0/54001010$")):
        _open(page, held["ECG"])
    _look(page, "seen.levels > 20 && seen.lit > 0.01")


def test_a_segmentation_shows_over_its_images(page: Page, held: dict[str, Study]) -> None:
    _open(page, held["SEG"])
    assert _look(page, "seen.levels > 60 && seen.lit > 0.3")["coloured"] < 0.01
    page.locator('[data-cy="study-browser-thumbnail-no-image"]').filter(has_text="SEG").dblclick()
    _look(page, "seen.coloured > 0.02")


def test_a_film_plays(page: Page, held: dict[str, Study]) -> None:
    if "Film" not in held:
        pytest.skip("../shared/data/dicom is not here")
    with page.expect_response(re.compile("/rendered$")) as film:
        _open(page, held["Film"])
    assert film.value.status == 206
    assert film.value.headers["content-type"] == "video/mp4"
    _look(page, "seen.levels > 60 && seen.lit > 0.1")


def test_a_file_is_uploaded_in_the_viewer(
    page: Page, live: LiveArchive, held: dict[str, Study], tmp_path: Path
) -> None:
    study = viewer_studies.upload()
    (tmp_path / "upload.dcm").write_bytes(study.files[0])
    _list(page, held)
    page.get_by_role("button", name="Upload").click()
    with page.expect_response(lambda response: response.request.method == "POST") as stored:
        page.locator('input[type="file"]:not([webkitdirectory])').first.set_input_files(tmp_path / "upload.dcm")
    assert stored.value.status == 200
    expect(page.get_by_role("dialog")).to_contain_text("1 file completed", timeout=PATIENCE)
    (found,) = httpx.get(f"{live.dicomweb}/studies", params={"StudyInstanceUID": study.uid}).json()
    assert found["00080050"]["Value"] == [study.accession]
    _open(page, study)
    _look(page, "seen.levels > 60 && seen.lit > 0.3")
    held["Upload"] = study


def test_an_access_link_opens_one_study_only(
    chromium: BrowserType, live: LiveArchive, held: dict[str, Study], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    mine, prior = held["MR"], held["Prior"]
    assert mine.patient_id == prior.patient_id
    printed = live.vna("link", "add", "--study", mine.uid, "--uses", "1").stdout.strip()
    path = urlsplit(printed).path
    with _profile(chromium, live, tmp_path / "visitor") as visitor, _page(visitor, live, request.node.name) as page:
        with page.expect_response(re.compile("studies[?]00100020=")) as priors:
            page.goto(path)
        assert urlsplit(page.url).path == "/viewer/viewer"
        assert [study["0020000D"]["Value"] for study in priors.value.json()] == [[mine.uid]]
        _look(page, "seen.levels > 60 && seen.lit > 0.3")
        studies = page.evaluate("async () => (await fetch('/dicom-web/studies')).json()")
        assert [study["0020000D"]["Value"] for study in studies] == [[mine.uid]]
        _list(page, {"MR": mine})
    assert httpx.get(live.http + path).status_code == 410


def test_a_study_that_another_archive_keeps_opens_and_shows_its_pixels(
    chromium: BrowserType, live: LiveArchive, held: dict[str, Study], tmp_path: Path
) -> None:
    study = held["CT"]
    named = dict[str, list[str]]()
    for data in study.files:
        ds = pydicom.dcmread(io.BytesIO(data))
        named.setdefault(ds.SeriesInstanceUID, []).append(ds.SOPInstanceUID)
    (tmp_path / "manifest.dcm").write_bytes(written(kos(study.uid, named, location="1.2.826.9.99")))
    centre = start_archive(Backend("sqlite+folder", tmp_path), HTTP__VIEWER=str(ROOT / "viewer"))
    try:
        known = centre.vna(
            "source", "add", "A", "--wado-rs", live.dicomweb, "--qido-rs", live.dicomweb,
            "--location-uid", "1.2.826.9.99",
        )  # fmt: skip
        assert known.returncode == 0, known.stderr
        assert centre.vna("import", str(tmp_path / "manifest.dcm")).returncode == 0

        def elsewhere() -> int:
            found = httpx.get(f"{centre.dicomweb}/studies/{study.uid}/instances", timeout=30).json()
            return sum(one["00080056"]["Value"] == ["NEARLINE"] for one in found)

        wait_for(lambda: elsewhere() == len(study.files), what="what the manifest names", timeout=30)
        with (
            _profile(chromium, centre, tmp_path / "profile") as browser,
            _page(browser, centre, "a-study-that-another-archive-keeps") as page,
        ):
            _open(page, study)
            _look(page, "seen.levels > 60 && seen.lit > 0.3")
        assert elsewhere() == 0
    finally:
        centre.stop()
