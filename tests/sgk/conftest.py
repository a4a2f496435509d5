"""An archive with the look-ups, asked over HTTP in this process."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from storage.index import orders as order_rows
from tests.archives import Backend, put, rows
from tests.dicomweb.client import Web
from tests.objects import ct, part10
from tests.sgk.messages import PATH, message, said
from tests.worklist.ordering import order
from vna.app import Application, build, migrate, prepare
from vna.app.doors import Addresses, http_application
from vna.metrics import Metrics
from vna.model.access import SYSTEM, Action
from vna.model.orders import Order, Standing

PASSWORD = "a long secret"
AYSE, OTHER = "10000000146", "10000000214"
"""National numbers of invented patients."""
FOREIGN = "99000000001"


@dataclass(frozen=True, slots=True)
class Archive:
    """Use cases, and their HTTP door."""

    application: Application
    web: Web

    def post(self, content: bytes, user: str = "", **headers: str) -> httpx.Response:
        """A message, with Basic credentials where a user is named."""
        if user:
            shown = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
            headers["Authorization"] = f"Basic {shown}"
        return self.web.post(PATH, content=content, headers={"Content-Type": "text/xml; charset=utf-8", **headers})

    def ask(self, operation: str, user: str = "", **fields: Any) -> dict[str, Any]:
        """What is answered; `saglikTesisKodu` is there unless it is said otherwise."""
        fields = {"saglikTesisKodu": 11060001, **fields}
        answer = self.post(message(operation, **fields), user, SOAPAction='""')
        assert answer.status_code == 200, answer.text
        return said(answer.content)

    def user(self, name: str, *rights: Action, facility: str = "") -> None:
        """A user who can log in."""
        self.application.accounts.add_user(SYSTEM, name, PASSWORD, frozenset(rights), facility)

    def images(self, facility: str = "500059", **elements: Any) -> str:
        """An image of a facility; the UID of its study."""
        ds = ct(InstitutionName=f"HASTANE^^^SKRS{facility}^^^FK1" if facility else "", **elements)
        put(self.application, part10(ds))
        return str(ds.StudyInstanceUID)

    def order(self, accession_number: str = "A1", facility: str = "500059", **changes: Any) -> Order:
        """An order."""
        placed = order(accession_number, facility, **changes)
        self.application.national.orders.place(SYSTEM, placed)
        return placed

    def stands(self, placed: Order, **standing: Any) -> None:
        """How an order stands, as the rules would find out."""
        with self.application.database.transaction() as connection:
            order_rows.set_standing(connection, placed.key, Standing(**standing))

    def audited(self) -> list[dict[str, Any]]:
        """What was audited of look-ups."""
        found = rows(self.application, "select actor, detail from events where kind = 'looked.up' order by id")
        return [{"actor": actor, **orjson.loads(str(detail))} for actor, detail in found]


Open = Callable[..., Archive]


@pytest.fixture
def open_lookups(tmp_path: Path) -> Iterator[Open]:
    """`open_lookups(security={"mode": "enforced"})` makes one."""
    made: list[Archive] = []

    def make(**sections: dict[str, object]) -> Archive:
        made.append(opened(Backend("sqlite+folder", tmp_path), **sections))
        return made[-1]

    yield make
    for archive in made:
        archive.application.close()


def opened(backend: Backend, **sections: dict[str, object]) -> Archive:
    """One on these stores; whoever asks for it closes its application."""
    settings = backend.settings(**sections)
    migrate(settings)
    prepare(settings)
    application = build(settings)
    app = http_application(application, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())
    return Archive(application, Web(app, "http://127.0.0.1:8080"))


@pytest.fixture
def archive(open_lookups: Open) -> Archive:
    """One in local mode."""
    return open_lookups()
