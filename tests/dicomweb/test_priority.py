"""Whose turn it is over HTTP: what address, actor and Priority field say, and what is bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from starlette.requests import Request

from tests.archives import Backend, LiveArchive, Open, put, start_archive
from tests.dicomweb.builders import ct, part10
from tests.dicomweb.client import Web
from vna.app.doors import Addresses, http_application
from vna.app.wiring import SHARED
from vna.board import SharedBoard
from vna.metrics import Metrics
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.priority import Priority
from vna.security.turns import priority_of

STUDY, SERIES = "1.2.826.6", "1.2.826.6.1"
UIDS = tuple(f"{SERIES}.{number}" for number in range(1, 5))
SIZE = 256 << 10
BACKGROUND = {"Priority": "u=7"}
FRAME = f"/studies/{STUDY}/series/{SERIES}/instances/{UIDS[0]}/frames/1"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, Priority.INTERACTIVE),
        ("u=0", Priority.INTERACTIVE),
        ("u=5, i", Priority.INTERACTIVE),
        ("u=6", Priority.ROUTINE),
        ("i, u=7", Priority.BULK),
        ("u=7;x=1,i", Priority.BULK),
        ("u=77", Priority.INTERACTIVE),
        ("xu=7", Priority.INTERACTIVE),
        ("7", Priority.INTERACTIVE),
    ],
)
def test_a_request_can_say_that_it_can_wait(said: str | None, expected: Priority) -> None:
    assert priority_of(_request(said), Priority.INTERACTIVE) is expected


def test_nothing_makes_a_request_higher_than_its_address_and_its_actor() -> None:
    for said in (None, "u=0", "u=6"):
        assert priority_of(_request(said), Priority.ROUTINE) is Priority.ROUTINE
        assert priority_of(_request(said, Priority.BULK), Priority.INTERACTIVE) is Priority.BULK


def _request(said: str | None, highest: Priority = Priority.INTERACTIVE) -> Request:
    headers = [] if said is None else [(b"priority", said.encode())]
    actor = Actor(ActorKind.USER, "u", frozenset(Action), priority=highest)
    return Request({"type": "http", "headers": headers, "state": {"actor": actor}})


@pytest.fixture
def web(open_archive: Open) -> Callable[..., Web]:
    """An archive with one study, and its HTTP doors in this process."""

    def start(**priority: object) -> Web:
        archive = open_archive(priority=priority)
        for uid in UIDS:
            put(archive, part10(ct(StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES, SOPInstanceUID=uid)))
        app = http_application(archive, Addresses(("127.0.0.1", 80), ("127.0.0.1", 104)), Metrics())
        return Web(app, "http://localhost/dicom-web")

    return start


@contextmanager
def taken(backend: Backend, subject: str) -> Iterator[None]:
    """As if another worker served such a request."""
    free = SharedBoard(backend.folder / "data" / SHARED, subject).take(0)
    assert free is not None
    yield
    free()


def test_bulk_is_told_to_ask_again_later_while_others_are_answered(
    web: Callable[..., Web], backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vna.security.turns._LONGEST_WAIT", 0.3)
    client = web(bulk_requests=1)
    with taken(backend, "HTTP bulk"):
        for path in (f"/studies/{STUDY}", "/studies", f"/studies/{STUDY}/metadata"):
            assert client.get(path).status_code == 200
        refused = client.get(f"/studies/{STUDY}", headers=BACKGROUND)
        assert refused.status_code == 503
        assert refused.json()["message"] == "too many bulk requests at once: ask again later"
        assert client.get("/studies", headers=BACKGROUND).status_code == 503
        soap = client.post("http://localhost/xds/registry", content=b"<a/>", headers=BACKGROUND)
        assert soap.status_code == 503
    assert client.get(f"/studies/{STUDY}", headers=BACKGROUND).status_code == 200
    assert client.get("/studies/1.2.3", headers=BACKGROUND).status_code == 404
    assert client.get(f"/studies/{STUDY}", headers=BACKGROUND).status_code == 200, "a refusal keeps no place"


def test_whole_studies_are_routine_and_single_instances_are_not(
    web: Callable[..., Web], backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vna.security.turns._LONGEST_WAIT", 0.3)
    client = web(routine_requests=1)
    with taken(backend, "HTTP routine"):
        for path in ("", f"/series/{SERIES}", "/bulkdata", "/pixeldata"):
            assert client.get(f"/studies/{STUDY}{path}").status_code == 503, path
        for path in (f"/series/{SERIES}/instances/{UIDS[0]}", "/metadata", "/series", "/rendered"):
            assert client.get(f"/studies/{STUDY}{path}").status_code == 200, path
        assert client.get(FRAME).status_code == 200
        assert client.get(FRAME, headers={"Priority": "u=6"}).status_code == 503


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    """One of a megabyte, where bulk has half of one a second, and one request at once in two workers."""
    folder = tmp_path_factory.mktemp("live")
    archive = start_archive(
        Backend("sqlite+folder", folder),
        PRIORITY__BULK_BANDWIDTH=str(512 << 10),
        PRIORITY__BULK_REQUESTS="1",
        HTTP__WORKERS="2",
    )
    (folder / "files").mkdir()
    for uid in UIDS:
        ds = ct(StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES, SOPInstanceUID=uid)
        ds.Rows, ds.Columns, ds.PixelData = 512, 256, bytes(SIZE)
        (folder / "files" / uid).write_bytes(part10(ds))
    assert archive.vna("import", str(folder / "files")).returncode == 0
    yield archive
    archive.stop()


def test_bulk_goes_no_faster_than_its_bandwidth_and_frames_are_not_slower(live: LiveArchive) -> None:
    with httpx.Client(base_url=live.dicomweb, headers={"Accept": "*/*"}, timeout=30) as client:
        alone = sorted(_seconds(client, FRAME) for _ in range(50))[25]
        ended: list[float] = []

        def download() -> None:
            begun = time.monotonic()
            answer = httpx.get(f"{live.dicomweb}/studies/{STUDY}", headers=BACKGROUND, timeout=30)
            assert len(answer.content) > 4 * SIZE
            ended.append(time.monotonic() - begun)

        threads = [threading.Thread(target=download) for _ in range(2)]
        for thread in threads:
            thread.start()
        beside = sorted(_seconds(client, FRAME) for _ in range(50))[25]
        assert not ended
        for thread in threads:
            thread.join()
        assert min(ended) > 1.6, "a megabyte at half a megabyte a second"
        assert max(ended) > 3.4, "one after the other, whichever worker they came to"
        assert beside < 5 * alone + 0.02
        assert _seconds(client, f"/studies/{STUDY}") < 1.6
        assert _seconds(client, FRAME, **BACKGROUND) + _seconds(client, FRAME, **BACKGROUND) > 0.3


def _seconds(client: httpx.Client, path: str, **headers: str) -> float:
    begun = time.monotonic()
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    assert len(answer.content) >= SIZE
    return time.monotonic() - begun


def test_users_and_tokens_have_a_highest_class(open_archive: Open) -> None:
    archive = open_archive()
    accounts = archive.accounts
    accounts.add_user(SYSTEM, "ayse", "secret-words", priority=Priority.ROUTINE)
    accounts.add_user(SYSTEM, "ayse", "other-secret-words")
    assert accounts.authenticate_basic("ayse", "other-secret-words", "").priority is Priority.ROUTINE
    for given, expected in ((Priority.INTERACTIVE, Priority.ROUTINE), (Priority.BULK, Priority.BULK)):
        secret = accounts.add_token(SYSTEM, "ayse", priority=given)
        assert accounts.authenticate_token(secret, "").priority is expected
