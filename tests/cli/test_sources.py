"""`vna source add|list|remove` for archives that are read: what is kept, what is hidden, what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from storage import journal
from tests.archives import Open, rows
from tests.cli.conftest import Vna
from vna.model.access import SYSTEM
from vna.model.events import EventKind
from vna.model.sources import RemoteArchive, Source

SECRET = "tulip-and-stork"


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_an_archive_is_kept_with_everything_that_is_said_of_it(vna: Vna) -> None:
    done = vna(
        *("source", "add", "CITY", "--facility", "34001", "--dicom", "PACS@[::1]:104", "--tls", "--tls-ca", "ca.pem"),
        *("--wado-uri", "http://10.0.0.9/wado", "--wado-rs", "http://10.0.0.9/rs", "--qido-rs", "http://10.0.0.9/rs"),
        *("--rad69", "http://10.0.0.9/rad69", "--repository", "1.2.3", "--location-uid", "1.2.4"),
        *("--retrieve-ae", "PACS", "--priority", "7", "--bandwidth", "1000000", "--connections", "3"),
        *("--bulk-bandwidth", "500000", "--bulk-connections", "2"),
        *("--hl7", "[::1]:2575", "--hl7-tls", "--hl7-profile", "national", "--character-set", "UTF8"),
    )
    assert done.out == "CITY is known\n"
    (row,) = json.loads(vna("source", "list", "--format", "json").out)
    assert {key: value for key, value in row.items() if value not in ("", False)} == {
        "name": "CITY",
        "application": "CITY",
        "facility": "34001",
        "dicom": "PACS@[::1]:104",
        "tls": True,
        "tls_ca": str(Path("ca.pem").absolute()),
        "wado_uri": "http://10.0.0.9/wado",
        "wado_rs": "http://10.0.0.9/rs",
        "qido_rs": "http://10.0.0.9/rs",
        "rad_69": "http://10.0.0.9/rad69",
        "repository_unique_id": "1.2.3",
        "retrieve_location_uid": "1.2.4",
        "retrieve_ae_title": "PACS",
        "priority": 7,
        "bandwidth": 1000000,
        "connections": 3,
        "bulk_bandwidth": 500000,
        "bulk_connections": 2,
        "hl7": "[::1]:2575",
        "hl7_tls": True,
        "hl7_profile": "national",
        "character_set": "UTF8",
    }


def test_what_is_given_changes_the_rest_stays_and_an_empty_word_takes_away(vna: Vna) -> None:
    vna("source", "add", "CITY", "--dicom", "PACS@10.0.0.9:104", "--wado-rs", "http://10.0.0.9/rs")
    vna("source", "add", "CITY", "--dicom", "", "--qido-rs", "http://10.0.0.9/q")
    (row,) = json.loads(vna("source", "list", "--format", "json").out)
    assert (row["dicom"], row["wado_rs"], row["qido_rs"]) == ("", "http://10.0.0.9/rs", "http://10.0.0.9/q")
    assert "WADO-RS, QIDO-RS" in vna("source", "list").out


@pytest.mark.parametrize("option", ["--password-stdin", "--token-stdin"])
def test_a_secret_is_in_no_output(vna: Vna, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    typed(monkeypatch, SECRET + "\n")
    user = ("--user", "reader") if option == "--password-stdin" else ()
    done = vna("source", "add", "CITY", "--wado-rs", "https://10.0.0.9/rs", *user, option)
    assert done.code == 0, done.err
    shown = [done, vna("source", "list"), vna("source", "list", "--format", "json")]
    assert SECRET not in "".join(one.out + one.err for one in shown)
    (row,) = json.loads(shown[-1].out)
    assert (row["has_password"], row["has_token"]) == (bool(user), not user)


def test_a_secret_is_neither_in_events_nor_in_the_journal_and_a_replayed_event_leaves_it(open_archive: Open) -> None:
    archive = open_archive()
    remote = RemoteArchive(wado_rs="https://10.0.0.9/rs", user_name="reader", password=SECRET)
    archive.sources.add(SYSTEM, Source("CITY", "CITY", archive=remote))
    archive.sources.add(SYSTEM, Source("TOWN", "TOWN", archive=RemoteArchive(wado_rs="https://10/rs", token=SECRET)))
    assert SECRET in str(rows(archive, "select * from sources"))
    assert SECRET not in str(rows(archive, "select * from events"))
    assert SECRET not in repr(archive.sources.all())
    archive.catch_up()
    told = [event.detail for event in journal.read(archive.blobs) if event.kind is EventKind.SOURCE_CHANGED]
    assert [detail["name"] for detail in told] == ["CITY", "TOWN"]
    assert SECRET not in str(told)
    list(archive.reindex.run(SYSTEM))
    known = {source.name: source.archive for source in archive.sources.all()}
    assert known["CITY"].user_name == "reader"
    assert (known["CITY"].wado_rs, known["CITY"].connections) == ("https://10.0.0.9/rs", 4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--dicom", "PACS@10.0.0.9"), "no application entity"),
        (("--wado-rs", "ftp://10.0.0.9/rs"), "the address of WADO-RS looks like https://"),
        (("--wado-rs", "https://me:pw@10.0.0.9/rs"), "names a login"),
        (("--wado-uri", "https://10.0.0.9/wado?x=1"), "ends before ? and #"),
        (("--qido-rs", "http://[10.0.0.9/rs"), "the address of QIDO-RS looks like"),
        (("--rad69", "https://10.0.0.9/rad69"), "repository's unique id"),
        (("--wado-rs", "http://10/rs", "--tls-key", "a.key"), "a key is of no use without its certificate"),
        (("--wado-rs", "http://10/rs", "--location-uid", "1.2.x"), "a Retrieve Location UID is an OID"),
        (("--wado-rs", "http://10/rs", "--retrieve-ae", "A" * 17), "a Retrieve AE Title is 1 to 16"),
        (("--wado-rs", "http://10/rs", "--priority", "101"), "a priority is a number from 0 to 100"),
        (("--wado-rs", "http://10/rs", "--connections", "0"), "the number of connections is from 1 to 64"),
        (("--wado-rs", "http://10/rs", "--bandwidth", "10"), "a bandwidth is 16384 bytes a second or more"),
        (("--wado-rs", "http://10/rs", "--bulk-bandwidth", "-1"), "a bandwidth is 16384 bytes a second or more"),
        (
            ("--wado-rs", "http://10/rs", "--bandwidth", "20000", "--bulk-bandwidth", "30000"),
            "bulk requests cannot have more bandwidth than there is",
        ),
        (
            ("--wado-rs", "http://10/rs", "--connections", "2", "--bulk-connections", "2"),
            "bulk requests leave at least one of the connections",
        ),
        (("--wado-rs", "http://10/rs", "--bulk-connections", "-1"), "bulk requests leave at least one"),
        (("--wado-rs", "http://10/rs", "--user", "a"), "give it with --password-stdin"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    vna: Vna, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    typed(monkeypatch, "")
    done = vna("source", "add", "CITY", *options)
    assert done.code != 0
    assert words in done.err
    assert done.err.count("\n") == 1
    assert json.loads(vna("source", "list", "--format", "json").out) == []
