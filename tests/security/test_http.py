"""Who gets through to an HTTP door: by Host and Origin in `local` mode, by login in `enforced` mode."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from vna.app import Application, build, prepare
from vna.model.access import SYSTEM, Action
from vna.model.errors import BadRequest, TooLarge, Unavailable
from vna.security.http import HttpRules, enforced, local
from vna.settings import SecurityMode, Settings
from vna.settings.sections import SecuritySettings

PASSWORD = "correct horse battery"


async def who(request: Request) -> Response:
    """Says who asks, and how long the body was."""
    try:
        size = len(await request.body())
    except (BadRequest, TooLarge) as error:
        return JSONResponse({"error": str(error)}, 400)
    actor = request.state.actor
    seen = {"url": str(request.url), "address": actor.address, "kind": actor.kind, "name": actor.name, "body": size}
    return JSONResponse(seen | {"rights": sorted(actor.rights), "facility": actor.facility})


INNER = Starlette(routes=[Route("/who", who, methods=["GET", "POST"]), Route("/healthz", who)])
Ask = Callable[..., httpx.Response]


def asking(app: ASGIApp, base: str = "http://127.0.0.1:8080", client: str = "127.0.0.1") -> Ask:
    """A client at this network address."""

    def ask(path: str = "/who", method: str = "GET", **options: Any) -> httpx.Response:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(app, client=(client, 40000))
            async with httpx.AsyncClient(transport=transport, base_url=base) as session:
                return await session.request(method, path, **options)

        return asyncio.run(run())

    return ask


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    folder: Path = tmp_path_factory.mktemp("archive")
    settings = Settings(data_dir=folder, security=SecuritySettings(mode=SecurityMode.ENFORCED))
    prepare(settings)
    application = build(settings)
    application.accounts.add_user(SYSTEM, "ayşe", PASSWORD, frozenset({Action.QUERY, Action.RETRIEVE}), "H1")
    yield application
    application.close()


@pytest.fixture
def login(archive: Application) -> Ask:
    return asking(enforced(INNER, HttpRules(), archive.accounts), "https://vna.example.org")


@pytest.mark.parametrize(
    "base",
    ["http://127.0.0.1:8080", "http://localhost:8080", "http://localhost", "http://[::1]:8080", "http://LOCALHOST"],
)
def test_local_mode_answers_to_its_own_names(base: str) -> None:
    response = asking(local(INNER, HttpRules()), base)()
    assert response.status_code == 200
    assert response.json()["kind"] == "local"
    assert response.json()["rights"] == sorted(Action)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "192.168.1.5:8080",
        "localhost.evil.example:8080",
        "",
        "a@localhost",
        "localhost/evil.example",
        "localhost#evil.example",
        "localhost?evil.example",
        "[::1",
        "::1",
    ],
)
def test_local_mode_refuses_every_other_name(host: str) -> None:
    response = asking(local(INNER, HttpRules()))(headers={"Host": host})
    assert response.status_code == 403
    assert "Host field" in response.json()["message"]


@pytest.mark.parametrize(
    ("host", "own", "answered"),
    [
        ("localhost", "10.0.0.5", True),
        ("127.0.0.1:8080", "10.0.0.5", True),
        ("10.0.0.5:8080", "10.0.0.5", True),
        ("10.0.0.5:8080", "::ffff:10.0.0.5", True),
        ("[fd00::5]:8080", "fd00:0:0::5", True),
        ("vna.hospital:8080", "10.0.0.5", True),
        ("VNA.hospital", "10.0.0.5", True),
        ("evil.example", "10.0.0.5", False),
        ("10.0.0.6", "10.0.0.5", False),
        ("vna.hospital.evil.example", "10.0.0.5", False),
        ("", "", False),
        ("a@10.0.0.5", "10.0.0.5", False),
        ("10.0.0.5/evil.example", "10.0.0.5", False),
    ],
)
def test_enforced_mode_without_a_public_address_answers_to_its_own_names_alone(
    archive: Application, host: str, own: str, answered: bool
) -> None:
    app = enforced(INNER, HttpRules(names=("vna.hospital",)), archive.accounts)

    async def at_own_address(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "server": (own, 8080)}, receive, send)

    response = asking(at_own_address)(headers={"Host": host})
    assert response.status_code == (401 if answered else 403)
    assert answered or "VNA_HTTP__PUBLIC_URL" in response.json()["message"]
    assert asking(at_own_address)("/healthz", headers={"Host": host}).status_code == 200


def test_enforced_mode_with_a_public_address_takes_any_host_as_no_answer_is_made_of_it(archive: Application) -> None:
    app = enforced(INNER, HttpRules(public_url="https://vna.example.org"), archive.accounts)
    assert asking(app)(headers={"Host": "inside.example"}).status_code == 401


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8080", "http://127.0.0.1:8080/"[:-1]])
def test_a_page_of_the_archive_itself_may_ask(origin: str) -> None:
    assert asking(local(INNER, HttpRules()))(headers={"Origin": origin}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "",
        "http://127.0.0.1:3000",
        "https://127.0.0.1:8080",
        "http://localhost:8080",
        "file://",
    ],
)
def test_a_page_of_another_origin_may_not_ask(origin: str, archive: Application) -> None:
    for app in (local(INNER, HttpRules()), enforced(INNER, HttpRules(), archive.accounts)):
        response = asking(app)(method="POST", headers={"Origin": origin})
        assert response.status_code == 403
        assert "Origin field" in response.json()["message"]


def test_a_page_of_another_site_may_not_load_what_is_here_but_may_link_to_it() -> None:
    ask = asking(local(INNER, HttpRules()))
    embed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert ask(headers=embed).status_code == 403
    assert ask(headers=embed | {"Sec-Fetch-Mode": "navigate"}).status_code == 200
    assert ask(headers=embed | {"Sec-Fetch-Site": "none"}).status_code == 200


def test_the_public_address_is_one_of_its_names() -> None:
    rules = HttpRules(public_url="https://vna.example.org", origins=("https://viewer.example.org",))
    ask = asking(local(INNER, rules))
    assert ask(headers={"Host": "vna.example.org"}).status_code == 200
    assert ask(headers={"Origin": "https://vna.example.org"}).status_code == 200
    assert ask(headers={"Origin": "https://vna.example.org:443"}).status_code == 200
    assert ask(headers={"Origin": "https://viewer.example.org"}).status_code == 200
    assert ask(headers={"Origin": "http://vna.example.org"}).status_code == 403


def test_health_is_open_and_nothing_else(login: Ask) -> None:
    assert login("/healthz").json()["kind"] == "anonymous"
    for path in ("/who", "/healthz/", "/healthz/../who", "//healthz", "/"):
        response = login(path)
        assert response.status_code == 401, path
        challenges = response.headers.get_list("www-authenticate")
        assert challenges == ['Basic realm="vna", charset="UTF-8"', 'Bearer realm="vna"']
        assert response.json()["message"] == "this needs a login"


def test_a_password_makes_the_user_the_actor(login: Ask) -> None:
    credentials = b64encode(f"ayşe:{PASSWORD}".encode()).decode()
    seen = login(headers={"Authorization": f"Basic {credentials}"}).json()
    assert seen["kind"] == "user"
    assert seen["name"] == "ayşe"
    assert seen["facility"] == "H1"
    assert seen["rights"] == ["query", "retrieve"]


def test_a_token_makes_its_user_the_actor_with_the_rights_of_the_token(login: Ask, archive: Application) -> None:
    secret = archive.accounts.add_token(SYSTEM, "ayşe", rights=frozenset({Action.QUERY}))
    seen = login(headers={"Authorization": f"bearer {secret}"}).json()
    assert seen["kind"] == "token"
    assert seen["rights"] == ["query"]
    gone = archive.accounts.add_token(SYSTEM, "ayşe", lifetime=timedelta(seconds=-1))
    assert login(headers={"Authorization": f"Bearer {gone}"}).status_code == 401


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic " + b64encode(text).decode()
        for text in ("ayşe:wrong".encode(), b"nobody:x", b"no colon", b"\xff\xfe:x", b":")
    ]
    + ["Basic", "Basic !!!", "Bearer", "Bearer vna_wrong", "Digest x", "Negotiate", " "],
)
def test_wrong_credentials_are_401(login: Ask, authorization: str) -> None:
    assert login(headers={"Authorization": authorization}).status_code == 401
    assert login("/healthz", headers={"Authorization": authorization}).status_code in (200, 401)


def test_an_index_that_is_down_is_503(login: Ask, archive: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> None:
        raise Unavailable("the index does not answer")

    monkeypatch.setattr(archive.accounts, "authenticate_token", down)
    assert login(headers={"Authorization": "Bearer vna_x"}).status_code == 503


def test_forwarded_fields_of_a_configured_proxy_are_believed() -> None:
    rules = HttpRules(public_url="https://vna.example.org", trusted_proxies=("10.0.0.0/8",))
    headers = {
        "X-Forwarded-For": "6.6.6.6, 203.0.113.9, 10.0.0.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "vna.example.org",
    }
    seen = asking(local(INNER, rules), client="10.0.0.1")(headers=headers).json()
    assert seen["url"] == "https://vna.example.org/who"
    assert seen["address"] == "203.0.113.9"


LOGIN = "Basic " + b64encode(f"ayşe:{PASSWORD}".encode()).decode()
FORWARDED = [
    ({"X-Forwarded-Host": "vna.example.org", "X-Forwarded-Proto": "https"}, "https://vna.example.org"),
    ({"X-Forwarded-Host": "evil.example, vna.example.org:8443"}, "http://vna.example.org:8443"),
    ({"X-Forwarded-Host": "vna.example.org", "X-Forwarded-Port": "8443"}, "http://vna.example.org:8443"),
    (
        {"X-Forwarded-Host": "vna.example.org", "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https"},
        "https://vna.example.org",
    ),
    ({"X-Forwarded-Host": "[2001:db8::1]", "X-Forwarded-Port": "8443"}, "http://[2001:db8::1]:8443"),
    ({"Forwarded": "for=6.6.6.6;host=evil.example, for=203.0.113.9;proto=https;host=vna.example.org"}, "https://vna.example.org"),
    ({"Forwarded": 'for="[2001:db8::7]:4711"; proto=https; host="vna.example.org:8443"'}, "https://vna.example.org:8443"),
    (
        {"Forwarded": "for=6.6.6.6;host=evil.example", "X-Forwarded-Host": "vna.example.org"},
        "http://vna.example.org",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "url"), FORWARDED)
def test_without_a_public_address_the_host_that_a_configured_proxy_was_called_by_is_ours(
    archive: Application, headers: dict[str, str], url: str
) -> None:
    app = enforced(INNER, HttpRules(trusted_proxies=("10.0.0.0/8",)), archive.accounts)
    headers = {**headers, "Authorization": LOGIN, "Host": "vna:8080"}
    seen = asking(app, client="10.0.0.1")(headers=headers)
    assert seen.status_code == 200
    assert seen.json()["url"] == f"{url}/who"
    for rules, client in ((HttpRules(trusted_proxies=("10.0.0.0/8",)), "192.168.0.1"), (HttpRules(), "10.0.0.1")):
        refused = asking(enforced(INNER, rules, archive.accounts), client=client)(headers=headers)
        assert refused.status_code == 403
        assert "VNA_HTTP__PUBLIC_URL" in refused.json()["message"]


def test_a_configured_proxy_may_keep_the_host_that_it_was_called_by(archive: Application) -> None:
    app = enforced(INNER, HttpRules(trusted_proxies=("10.0.0.0/8",)), archive.accounts)
    headers = {
        "Host": "vna.example.org",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Port": "443",
        "Authorization": LOGIN,
    }
    assert asking(app, client="10.0.0.1")(headers=headers).json()["url"] == "https://vna.example.org/who"
    assert asking(app, client="192.168.0.1")(headers=headers).status_code == 403
    assert (
        asking(app, client="10.0.0.1")(headers={"Host": "vna.example.org", "Authorization": LOGIN}).status_code == 403
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("X-Forwarded-Host", "vna.example.org/evil"),
        ("X-Forwarded-Host", "user@vna.example.org"),
        ("X-Forwarded-Host", 'vna"'),
        ("Forwarded", "host=vna.example.org;proto"),
        ("Forwarded", 'host="vna.example.org'),
    ],
)
def test_a_forwarded_host_that_is_none_means_nothing(archive: Application, field: str, value: str) -> None:
    app = enforced(INNER, HttpRules(trusted_proxies=("10.0.0.0/8",)), archive.accounts)
    headers = {field: value, "Authorization": LOGIN}
    assert asking(app, client="10.0.0.1")(headers=headers).json()["url"] == "http://127.0.0.1:8080/who"


def test_the_address_of_the_caller_is_read_from_forwarded_too() -> None:
    rules = HttpRules(trusted_proxies=("10.0.0.0/8",))
    for value, address in (
        ("for=6.6.6.6, for=203.0.113.9:4711, for=10.0.0.7", "203.0.113.9"),
        ('for="[2001:db8::7]:4711"', "2001:db8::7"),
    ):
        seen = asking(local(INNER, rules), client="10.0.0.1")(headers={"Forwarded": value}).json()
        assert seen["address"] == address


def test_forwarded_fields_of_anybody_else_mean_nothing() -> None:
    rules = HttpRules(trusted_proxies=("10.0.0.0/8",))
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "localhost"}
    for app in (local(INNER, rules), local(INNER, HttpRules())):
        seen = asking(app, client="127.0.0.9")(headers=headers).json()
        assert seen["url"] == "http://127.0.0.1:8080/who"
        assert seen["address"] == "127.0.0.9"
    refused = asking(local(INNER, rules), "http://evil.example", client="127.0.0.9")(headers=headers)
    assert refused.status_code == 403


def test_a_body_longer_than_the_bound_is_413_before_it_is_read() -> None:
    ask = asking(local(INNER, HttpRules(max_body=10)))
    assert ask(method="POST", content=b"x" * 10).json()["body"] == 10
    refused = ask(method="POST", content=b"x" * 11)
    assert refused.status_code == 413
    assert refused.headers["connection"] == "close"
    assert ask(method="POST", headers={"Content-Length": "many"}).status_code == 413


def test_a_body_that_does_not_say_its_length_is_counted() -> None:
    async def chunks() -> Any:
        for _ in range(3):
            yield b"x" * 5

    refused = asking(local(INNER, HttpRules(max_body=10)))(method="POST", content=chunks())
    assert refused.json() == {"error": "the body is larger than 10 bytes"}
    assert refused.headers["connection"] == "close"


def test_a_body_that_stops_arriving_ends_as_an_error() -> None:
    app = local(INNER, HttpRules(body_idle_seconds=0.05))
    sent: list[Message] = []

    async def run() -> None:
        first: list[Message] = [{"type": "http.request", "body": b"x", "more_body": True}]

        async def receive() -> Message:
            if first:
                return first.pop()
            await asyncio.sleep(30)
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")]
        scope = {"type": "http", "method": "POST", "path": "/who", "query_string": b"", "headers": headers}
        await app({**scope, "scheme": "http", "server": ("localhost", 80), "client": ("127.0.0.1", 1)}, receive, send)

    asyncio.run(run())
    assert sent[0]["status"] == 400
    assert (b"connection", b"close") in sent[0]["headers"]
    assert b"nothing of the body arrived" in sent[1]["body"]


def test_websockets_are_refused() -> None:
    sent: list[Message] = []

    async def run() -> None:
        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        scope = {"type": "websocket", "path": "/who", "headers": [(b"host", b"localhost")]}
        await local(INNER, HttpRules())(scope, receive, send)

    asyncio.run(run())
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_refusals_are_logged_without_credentials(login: Ask, caplog: pytest.LogCaptureFixture) -> None:
    credentials = b64encode(b"someone:secret-word").decode()
    login(headers={"Authorization": f"Basic {credentials}"})
    (record,) = [record for record in caplog.records if record.name == "vna.security.http"]
    assert record.__dict__["reason"] == "wrong name or password"
    assert "secret-word" not in str(record.__dict__)
    assert credentials not in str(record.__dict__)


@pytest.mark.parametrize("path", ["/%77ho", "/who%2Fx", "/%2e/who"])
def test_an_address_whose_first_part_is_escaped_is_not_there(path: str) -> None:
    assert asking(local(INNER, HttpRules()))(path).status_code == 404
    assert asking(local(INNER, HttpRules()))("/who").status_code == 200
