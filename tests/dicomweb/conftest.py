"""A whole archive on SQLite and a folder, behind an in-process client."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pydicom.dataset import Dataset
from starlette.applications import Starlette

from dicomweb.routes import routes
from dicomweb.service import StudiesService
from tests.dicomweb.builders import STOW_TYPE, part10, stow_body
from tests.dicomweb.client import Web, service_of
from vna.app.wiring import Application, build, prepare
from vna.mime.reader import Bounds
from vna.security.http import HttpRules, local
from vna.settings import Settings

Stow = Callable[..., httpx.Response]


@pytest.fixture(scope="session")
def empty_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of an archive that holds nothing, made once: migrations take longer than most tests."""
    folder = tmp_path_factory.mktemp("empty") / "data"
    prepare(Settings(data_dir=folder))
    return folder


@pytest.fixture
def archive(empty_archive: Path, tmp_path: Path) -> Iterator[Application]:
    shutil.copytree(empty_archive, tmp_path / "data")
    application = build(Settings(data_dir=tmp_path / "data"))
    yield application
    application.close()


@pytest.fixture
def service(archive: Application) -> StudiesService:
    return service_of(archive, bounds=Bounds(parts=50))


@pytest.fixture
def web(service: StudiesService) -> Web:
    return Web(local(Starlette(routes=routes(service)), HttpRules()), "http://127.0.0.1:8080/dicom-web/")


@pytest.fixture
def stow(web: Web) -> Stow:
    """Store data sets, all in one request."""

    def send(*datasets: Dataset, study: str = "", **headers: str) -> httpx.Response:
        path = f"studies/{study}" if study else "studies"
        body = stow_body(*map(part10, datasets))
        return web.post(path, content=body, headers={"Content-Type": STOW_TYPE, **headers})

    return send
