"""The door in `enforced` mode: who may not, may not; whoever asks is known before anything is read."""

from __future__ import annotations

import shutil
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from dicomweb.routes import ADDRESSES, WADO, routes
from dicomweb.service import PREFIX
from tests.dicomweb.builders import SERIES, STOW_TYPE, STUDY, ct, part10, stow_body
from tests.dicomweb.client import Web, service_of
from vna.app import Application, build
from vna.model.access import SYSTEM, Action
from vna.security.http import HttpRules, enforced
from vna.settings import SecurityMode, Settings
from vna.settings.sections import SecuritySettings

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def application(empty_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    folder = tmp_path_factory.mktemp("rights") / "data"
    shutil.copytree(empty_archive, folder)
    made = build(Settings(data_dir=folder, security=SecuritySettings(mode=SecurityMode.ENFORCED)))
    for action in (Action.STORE, Action.QUERY, Action.RETRIEVE, Action.DELETE):
        made.accounts.add_user(SYSTEM, action.value, PASSWORD, frozenset({action}), "H1")
    yield made
    made.close()


def web_of(application: Application, name: str = "") -> Web:
    service = service_of(application)
    app = enforced(Starlette(routes=routes(service)), HttpRules(), application.accounts)
    login = {"Authorization": "Basic " + b64encode(f"{name}:{PASSWORD}".encode()).decode()} if name else {}
    return Web(app, "https://vna.example.org/", **login)


@pytest.mark.claim("PS3.18-8.5/401", "PS3.18-8.5/403", "PS3.18-8.11")
@pytest.mark.parametrize("address", ADDRESSES, ids=lambda one: f"{one.method} {one.path}")
def test_each_address_asks_for_the_right_that_the_table_says(application: Application, address: object) -> None:
    assert isinstance(address, type(ADDRESSES[0]))
    values = {"study": STUDY, "series": SERIES, "instance": "1.2.3", "frames": "1", "path:path": "7FE00010"}
    values["transaction"] = "1.2.3"
    path = address.url + (
        f"?requestType=WADO&studyUID={STUDY}&seriesUID={SERIES}&objectUID=1.2.3" * (address.path == WADO)
    )
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", value)
    body = stow_body(part10(ct())) if address.method == "POST" else b""
    headers = {"Content-Type": STOW_TYPE} if body else {}
    for name in ("store", "query", "retrieve", "delete"):
        status = web_of(application, name).request(address.method, path, content=body, headers=headers).status_code
        assert (status == 403) == (name != address.action.value), name
    assert web_of(application).request(address.method, path, content=body, headers=headers).status_code == 401


def test_a_401_names_every_way_to_log_in(application: Application) -> None:
    service = service_of(application)
    response = Web(Starlette(routes=routes(service)), f"https://vna.example.org{PREFIX}/").get("studies")
    assert response.status_code == 401
    assert [one.split()[0] for one in response.headers.get_list("www-authenticate")] == ["Basic", "Bearer"]


def test_who_stored_it_and_whose_it_is_are_kept(application: Application) -> None:
    ds = ct()
    response = web_of(application, "store").post(
        "dicom-web/studies", content=part10(ds), headers={"Content-Type": "application/dicom"}
    )
    assert response.status_code == 200
    with application.database.read() as connection:
        row = connection.exec_driver_sql(
            "SELECT source_ae, facility, door FROM instances WHERE sop_instance_uid = ?", (ds.SOPInstanceUID,)
        ).one()
    assert tuple(row) == ("store", "H1", "STOW-RS")


def test_a_refused_store_reads_no_more_of_a_long_body_than_it_must(application: Application) -> None:
    large = stow_body(part10(ct(frames=8, rows=512, columns=512)))
    response = web_of(application, "query").post(
        "dicom-web/studies", content=large, headers={"Content-Type": STOW_TYPE}
    )
    assert response.status_code == 403
    assert list(application.blobs.spool_folder.iterdir()) == []
