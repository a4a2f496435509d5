"""The web door of an archive in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from tests import archives
from tests.archives import Backend
from tests.dicomweb.client import Web
from vna.app import Application, build
from vna.app.doors import Addresses, http_application
from vna.metrics import FOLDER_VARIABLE, Metrics

PASSWORD = "a long secret"


@dataclass(frozen=True, slots=True)
class Archive:
    """Use cases, and the whole HTTP application over them."""

    application: Application
    app: ASGIApp
    web: Web


Open = Callable[..., Archive]


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """`archive(security={"mode": "enforced"})` makes one with these settings."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    metrics = Metrics()
    metrics.subscribe()
    opened: list[Application] = []

    def make(*, ready: bool = True, **sections: dict[str, object]) -> Archive:
        settings = Backend("sqlite+folder", tmp_path).settings(**sections)
        if ready:
            archives.ready(settings)
        application = build(settings)
        opened.append(application)
        app = http_application(
            application, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112), ("0.0.0.0", 2575)), metrics
        )
        return Archive(application, app, Web(app, "http://127.0.0.1:8080"))

    yield make
    metrics.unsubscribe()
    for application in opened:
        application.close()
