"""`/viewer/`: the viewer's files with the headers that it needs, and what is said where they are not there."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.archives import put
from tests.objects import ct, part10
from tests.web.conftest import Archive, Open
from vna.web.viewer import HEADERS

INDEX = "<html>the viewer</html>"
HASHED = "app.bundle.0f6159c501addfe9.js"


def _install(made: Archive) -> Path:
    folder = made.application.settings.http.viewer
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(INDEX)
    for name in (HASHED, "34b1e6b1deb5828e.wasm", "app.bundle.css", "assets/logo.svg"):
        (folder / name).write_text(name)
    (folder / f"{HASHED}.gz").write_bytes(gzip.compress(HASHED.encode()))
    (folder.parent / "secret.txt").write_text("not of the viewer")
    return folder


def test_without_the_viewer_one_page_says_how_to_get_it(archive: Open) -> None:
    made = archive()
    for path in ("/viewer/", "/viewer/viewer?StudyInstanceUIDs=1.2.3"):
        answer = made.web.get(path)
        assert answer.status_code == 200
        assert "make viewer" in answer.text
        assert answer.headers["cache-control"] == "no-store"
    assert "not installed yet" in made.web.get("/").text


def test_the_viewer_may_be_installed_while_the_archive_runs(archive: Open) -> None:
    made = archive()
    assert "make viewer" in made.web.get("/viewer/").text
    _install(made)
    assert made.web.get("/viewer/").text == INDEX


@pytest.mark.parametrize("path", ["", "viewer", "viewer?StudyInstanceUIDs=1.2.3", "segmentation", "local/basic"])
def test_every_page_of_the_viewer_is_its_one_file(archive: Open, path: str) -> None:
    made = archive()
    _install(made)
    answer = made.web.get(f"/viewer/{path}")
    assert (answer.status_code, answer.text) == (200, INDEX)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("name", "media_type", "kept"),
    [
        (HASHED, "text/javascript; charset=utf-8", True),
        ("34b1e6b1deb5828e.wasm", "application/wasm", True),
        ("app.bundle.css", "text/css; charset=utf-8", False),
        ("assets/logo.svg", "image/svg+xml", False),
    ],
)
def test_a_file_has_its_media_type_and_is_kept_for_good_when_its_name_is_its_digest(
    archive: Open, name: str, media_type: str, kept: bool
) -> None:
    made = archive()
    _install(made)
    answer = made.web.get(f"/viewer/{name}", headers={"Accept-Encoding": "identity"})
    assert (answer.status_code, answer.text) == (200, name)
    assert answer.headers["content-type"] == media_type
    assert ("immutable" in answer.headers["cache-control"]) is kept


def test_every_answer_isolates_the_viewer_from_other_origins(archive: Open) -> None:
    made = archive()
    answers = [made.web.get("/viewer/")]
    _install(made)
    answers += [made.web.get(f"/viewer/{path}") for path in ("", HASHED, "app-config.js", "gone.js")]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert HEADERS["Cross-Origin-Opener-Policy"] == "same-origin"
    assert HEADERS["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert HEADERS["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "http" not in HEADERS["Content-Security-Policy"]


def test_a_file_goes_out_packed_to_those_who_take_it(archive: Open) -> None:
    made = archive()
    _install(made)
    answer = made.web.get(f"/viewer/{HASHED}", headers={"Accept-Encoding": "gzip, br"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.text == HASHED


def test_a_file_that_did_not_change_is_not_sent_again(archive: Open) -> None:
    made = archive()
    _install(made)
    first = made.web.get("/viewer/app.bundle.css")
    again = made.web.get("/viewer/app.bundle.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_the_viewers_settings_are_this_archive_on_the_same_origin(archive: Open) -> None:
    made = archive()
    (_install(made) / "app-config.js").write_text("somebody else's")
    answer = made.web.get("/viewer/app-config.js")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "qidoRoot: '/dicom-web'" in answer.text
    assert "routerBasename: '/viewer'" in answer.text
    assert "//" not in answer.text


@pytest.mark.parametrize(
    "path", ["../secret.txt", "%2e%2e/secret.txt", "assets/..%2f..%2fsecret.txt", "%2fetc/hosts.txt", "x%00.js", "x.js"]
)
def test_nothing_outside_the_viewers_folder_is_served(archive: Open, path: str) -> None:
    made = archive()
    _install(made)
    answer = made.web.get(f"/viewer/{path}")
    assert answer.status_code == 404
    assert "not of the viewer" not in answer.text


def test_the_viewers_own_files_need_no_login_in_enforced_mode(archive: Open) -> None:
    made = archive(security={"mode": "enforced"})
    _install(made)
    assert made.web.get("/viewer/").status_code == 200
    assert made.web.get(f"/viewer/{HASHED}").status_code == 200
    assert made.web.get("/viewer").status_code == 307
    assert made.web.get("/viewers").status_code == 401
    assert made.web.get("/dicom-web/studies").status_code == 401


def test_the_page_leads_to_each_study_in_the_viewer(archive: Open) -> None:
    made = archive()
    study = ct()
    put(made.application, part10(study))
    address = f'href="/viewer/viewer?StudyInstanceUIDs={study.StudyInstanceUID}"'
    assert address not in made.web.get("/").text
    _install(made)
    assert address in made.web.get("/").text


def test_without_the_viewer_a_study_is_shown_by_pictures(archive: Open) -> None:
    answer = archive().web.get("/viewer/viewer?StudyInstanceUIDs=1.2.3")

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert "../wado?" in answer.text
    assert "1.2.3" not in answer.text  # the page reads it of its own address
