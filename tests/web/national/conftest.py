"""The whole HTTP application over an archive with orders, shared by the tests of a module that only read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from starlette.types import ASGIApp

from tests.archives import Backend
from tests.dicomweb.client import Web
from tests.web.national.seeds import HOSPITAL, OTHER, clerk, fill
from vna.app import Application, build, migrate, prepare
from vna.app.doors import Addresses, http_application
from vna.metrics import Metrics
from vna.model.access import SYSTEM

ADDRESSES = Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112))


@dataclass(frozen=True, slots=True)
class Site:
    """Use cases, the application, and a client of it."""

    application: Application
    app: ASGIApp
    web: Web


def _open(folder: Backend, **sections: dict[str, object]) -> Site:
    settings = folder.settings(**sections)
    migrate(settings)
    prepare(settings)
    application = build(settings)
    fill(application)
    app = http_application(application, ADDRESSES, Metrics())
    return Site(application, app, Web(app, "http://127.0.0.1:8080"))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Nobody has to log in."""
    site = _open(Backend("sqlite+folder", tmp_path_factory.mktemp("local")))
    yield site
    site.application.close()


@pytest.fixture(scope="module")
def enforced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Users `hbys` of the hospital, `other` of another one, and `viewer` without the right to look up."""
    site = _open(Backend("sqlite+folder", tmp_path_factory.mktemp("enforced")), security={"mode": "enforced"})
    clerk(site.application, "hbys", HOSPITAL)
    clerk(site.application, "other", OTHER)
    site.application.accounts.add_user(SYSTEM, "viewer", "a long secret")
    yield site
    site.application.close()
