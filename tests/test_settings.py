"""Settings: where they come from, what is refused and in which words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vna.model.access import Action, Coercion, Peer
from vna.settings import SecurityMode, UnusableSettings, load, read_coercion, table
from vna.settings.root import fields


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of whoever runs the tests."""
    import os

    for name in [name for name in os.environ if name.startswith("VNA_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def _refusal() -> str:
    with pytest.raises(UnusableSettings) as caught:
        load()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults_are_an_archive_in_the_current_folder(tmp_path: Path) -> None:
    settings = load().settings
    assert settings.data_dir == tmp_path / "vna-data"
    assert settings.database_url == f"sqlite:///{tmp_path}/vna-data/index.sqlite"
    assert settings.storage_url == f"file://{tmp_path}/vna-data/blobs"
    assert (settings.http.port, settings.dimse.port, settings.dimse.ae_title) == (8080, 11112, "VNA")
    assert settings.security.mode is SecurityMode.LOCAL


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "vna.toml").write_text("[http]\nport = 9000\nworkers = 3\n")
    monkeypatch.setenv("VNA_HTTP__PORT", "9001")
    loaded = load()
    assert (loaded.settings.http.port, loaded.settings.http.workers, loaded.settings.http.host) == (
        9001,
        3,
        "127.0.0.1",
    )
    sources = {row.variable: row.source for row in table(loaded)}
    assert sources["VNA_HTTP__PORT"] == "environment"
    assert sources["VNA_HTTP__WORKERS"] == "vna.toml"
    assert sources["VNA_HTTP__HOST"] == "default"


def test_a_file_that_was_named_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VNA_CONFIG", "nowhere.toml")
    assert _refusal() == "nowhere.toml cannot be read: No such file or directory"


@pytest.mark.parametrize(("text", "size"), [("1073741824", 1 << 30), ("1GiB", 1 << 30), ("1GB", 10**9), ("0", 0)])
def test_sizes_may_have_units(monkeypatch: pytest.MonkeyPatch, text: str, size: int) -> None:
    monkeypatch.setenv("VNA_STORAGE__MIN_FREE", text)
    assert load().settings.storage.min_free == size


def test_peers_come_as_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "VNA_DIMSE__PEERS",
        '[{"ae_title": "PACS", "host": "h", "port": 104, "facility": "F", "rights": ["store"],'
        ' "coercion": {"set": {"InstitutionName": "X"}}}]',
    )
    (peer,) = load().settings.dimse.peers
    rules = Coercion(set=(("InstitutionName", "X"),))
    assert peer.as_peer() == Peer("PACS", "h", 104, "F", frozenset({Action.STORE}), rules)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VNA_HTTP__PORT", "")
    assert load().settings.http.port == 8080


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1", "localhost"])
def test_local_mode_takes_every_loopback_address(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("VNA_HTTP__HOST", host)
    monkeypatch.setenv("VNA_DIMSE__HOST", host)
    assert load().settings.http.host == host


@pytest.mark.parametrize("door", ["HTTP", "DIMSE"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "archive.example.org"])
def test_local_mode_refuses_an_address_that_others_can_reach_and_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, door: str, host: str
) -> None:
    monkeypatch.setenv(f"VNA_{door}__HOST", host)
    refusal = _refusal()
    assert f"VNA_{door}__HOST is {host}" in refusal
    assert "set VNA_SECURITY__MODE=enforced, or" in refusal
    monkeypatch.setenv("VNA_SECURITY__MODE", "enforced")
    load()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("VNA_HTTP__PORT", "x", "VNA_HTTP__PORT: should be a valid integer"),
        ("VNA_HTTP__PORT", "65536", "VNA_HTTP__PORT: should be less than or equal to 65535"),
        ("VNA_HTTP__PROT", "1", "VNA_HTTP__PROT: there is no such setting"),
        ("VNA_HTTP__PUBLIC_URL", "vna.example.org", "VNA_HTTP__PUBLIC_URL: a public address looks like https://"),
        ("VNA_HTTP__TRUSTED_PROXIES", "here", "VNA_HTTP__TRUSTED_PROXIES: 'here' does not appear to be an IPv4"),
        ("VNA_DIMSE__AE_TITLE", "A" * 17, "VNA_DIMSE__AE_TITLE: an AE title is 1 to 16 printable ASCII"),
        ("VNA_DIMSE__AE_TITLE", "../X\\Y", "VNA_DIMSE__AE_TITLE: an AE title is 1 to 16 printable ASCII"),
        ("VNA_DIMSE__PEERS", "[1", "VNA_DIMSE__PEERS is not valid JSON"),
        ("VNA_DIMSE__PEERS", '[{"host": "h"}]', "VNA_DIMSE__PEERS[0].ae_title: Field required"),
        ("VNA_XDS__HOME_COMMUNITY_ID", "here", "VNA_XDS__HOME_COMMUNITY_ID: a home community id is an OID such as 1.2"),
        ("VNA_XDS__COMMUNITIES", "[1", "VNA_XDS__COMMUNITIES is not valid JSON"),
        (
            "VNA_XDS__COMMUNITIES",
            '[{"home_community_id": "1.2", "query": "west"}]',
            "VNA_XDS__COMMUNITIES[0].query: a service is at an address like https://",
        ),
        (
            "VNA_XDS__COMMUNITIES",
            '[{"home_community_id": "1.2", "query": "http://h/"}]',
            "VNA_XDS: communities are asked on behalf of ours: set home_community_id first",
        ),
        (
            "VNA_XDS__COMMUNITIES",
            '[{"home_community_id": "1.2", "query": "http://h/", "tls": {"key": "ours.key"}}]',
            "VNA_XDS__COMMUNITIES[0].tls: a key needs its certificate",
        ),
        (
            "VNA_XDS__COMMUNITIES",
            '[{"home_community_id": "1.2", "query": "http://h/", "token": "t"}]',
            "VNA_XDS__COMMUNITIES[0]: a token goes over https alone",
        ),
        ("VNA_XDS__COMMUNITIES", '[{"home_community_id": "1.2"}]', "VNA_XDS__COMMUNITIES[0].query: Field required"),
        ("VNA_SECURITY__MODE", "open", "VNA_SECURITY__MODE: should be 'local' or 'enforced'"),
        ("VNA_STORAGE__MIN_FREE", "lots", "VNA_STORAGE__MIN_FREE: could not parse value and unit"),
        *(
            ("VNA_DATABASE__URL", url, "VNA_DATABASE__URL: an index is at postgresql+psycopg://user:password@host/name")
            for url in (
                "mysql://u:hush@x",
                "x",
                "postgresql://x/y",
                "postgresql+psycopg://x:y/z",
                "postgresql+psycopg://a,/z",
                "sqlite:///:memory:",
            )
        ),
        *(
            ("VNA_STORAGE__URL", url, "VNA_STORAGE__URL: a blob store is at file:///absolute/path or s3://bucket")
            for url in ("ftp://x", "x", "/srv/blobs", "file://srv/blobs", "s3://")
        ),
    ],
)
def test_a_wrong_value_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert _refusal().startswith(words)


def test_a_wrong_value_in_the_file_is_named_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "vna.toml").write_text("[http]\nprot = 1\n")
    assert _refusal() == "http.prot in vna.toml: there is no such setting"


def test_a_variable_of_no_section_is_reported_and_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VNA_HTPP__PORT", "1")
    assert load().unknown == ("VNA_HTPP__PORT",)


def test_secrets_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VNA_DATABASE__URL", "postgresql+psycopg://vna:hush-db@db/vna")
    monkeypatch.setenv("VNA_STORAGE__SECRET_KEY", "hush-s3")
    loaded = load()
    shown = {row.variable: row.value for row in table(loaded)}
    assert shown["VNA_DATABASE__URL"] == "postgresql+psycopg://vna:********@db/vna"
    assert shown["VNA_STORAGE__SECRET_KEY"] == "********"
    assert "hush" not in repr(loaded.settings)


def test_coercion_rules_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('remove = ["OperatorsName"]\n[set]\nInstitutionName = "X"\n[map.StationName]\nA = "B"\n')
    assert read_coercion(path) == Coercion(
        set=(("InstitutionName", "X"),), remove=("OperatorsName",), map=(("StationName", (("A", "B"),)),)
    )
    path.write_text('replace = ["OperatorsName"]\n')
    with pytest.raises(UnusableSettings, match="replace: there is no such setting"):
        read_coercion(path)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("VNA_DATABASE__URL", "postgresql+psycopg://vna:a/b:c@db:5432/vna"),
        ("VNA_DATABASE__URL", "postgresql+psycopg://[::1]:5432/vna"),
        ("VNA_DATABASE__URL", "postgresql+psycopg:///vna?host=/run/postgresql"),
        (
            "VNA_DATABASE__URL",
            "postgresql+psycopg://vna:a/b@db1:5432,db2,[::1]:5433/vna?target_session_attrs=read-write",
        ),
        ("VNA_DATABASE__URL", "postgresql+psycopg://vna@/vna?host=db1:5432&host=db2:5433"),
        ("VNA_DATABASE__URL", "sqlite:////srv/vna/index.sqlite"),
        ("VNA_STORAGE__URL", "file:///srv/vna%20blobs"),
        ("VNA_STORAGE__URL", "s3://vna?endpoint=http://127.0.0.1:8333"),
    ],
)
def test_addresses_of_index_and_blob_store_are_taken(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    settings = load().settings
    assert value in (settings.database_url, settings.storage_url)


@pytest.mark.parametrize("name", [name for name, _ in fields()])
def test_every_setting_is_read_by_the_archive(name: str) -> None:
    section, _, field = name.rpartition(".")
    words = rf"\b{section}\.{field}\b|\bsettings\.{field}\b"
    root = Path(__file__).parents[1] / "vna"
    filled_in = {"database.url": "database_url", "storage.url": "storage_url", "storage.spool": "spool_folder"}
    sources = [path.read_text() for folder in ("app", "cli") for path in (root / folder).glob("*.py")]
    assert [text for text in sources if re.search(filled_in.get(name, words), text)]


def test_communities_come_as_tables_of_the_file_and_their_tokens_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "vna.toml").write_text(
        """
[xds]
home_community_id = "1.2.1"
[[xds.communities]]
home_community_id = "urn:oid:1.2.2"
query = "https://west.example.org/xds/responding-gateway"
token = "secret"
tls = { ca = "ca.pem" }
[[xds.communities]]
home_community_id = "1.2.3"
query = "http://east.example.org/query"
"""
    )
    loaded = load()
    xds = loaded.settings.xds
    assert (xds.home_community_id, xds.communities[0].tls.ca) == ("urn:oid:1.2.1", "ca.pem")
    shown = {row.variable: row.value for row in table(loaded)}["VNA_XDS__COMMUNITIES"]
    assert shown == "urn:oid:1.2.2, urn:oid:1.2.3"


@pytest.mark.parametrize("homes", [("1.2.1",), ("1.2.2", "urn:oid:1.2.2")])
def test_every_community_is_another(tmp_path: Path, homes: tuple[str, ...]) -> None:
    tables = "".join(f'[[xds.communities]]\nhome_community_id = "{home}"\nquery = "http://h/"\n' for home in homes)
    (tmp_path / "vna.toml").write_text(f'[xds]\nhome_community_id = "1.2.1"\n{tables}')
    assert "is there twice, or is our own" in _refusal()


def test_a_spool_in_front_of_a_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VNA_STORAGE__ACKNOWLEDGE", "spool")
    assert "VNA_STORAGE__ACKNOWLEDGE=spool is for an object store" in _refusal()
    monkeypatch.setenv("VNA_STORAGE__URL", "s3://bucket?endpoint=http://127.0.0.1:8333")
    assert load().settings.spool_folder.name == "waiting"


def test_a_short_secret_of_nodes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VNA_NODE__SECRET", "short")
    assert "16 characters or more" in _refusal()
