"""`vna ae`, `vna user`, `vna token`, `vna settings`: what they change and show."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Done, Vna
from tests.objects import ct, part10
from vna.app import build
from vna.model.access import Action, ActorKind, Coercion, Peer
from vna.model.priority import Priority
from vna.settings import load


def _add_user(vna: Vna, monkeypatch: pytest.MonkeyPatch, *args: str, password: str = "a long secret") -> Done:
    monkeypatch.setattr(sys, "stdin", io.StringIO(password + "\n"))
    return vna("user", "add", "ayse", "--password-stdin", *args)


def test_an_ae_title_is_added_listed_and_forgotten(vna: Vna, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('[set]\nInstitutionName = "X"\n')
    added = vna("ae", "add", "PACS", "--host", "10.0.0.5", "--port", "104", "--facility", "34001", "--rights", "store",
                "--coerce", "rules.toml")  # fmt: skip
    assert (added.code, added.out) == (0, "PACS is known\n")
    archive = build(load().settings)
    rules = Coercion(set=(("InstitutionName", "X"),))
    assert archive.peers.get("PACS") == Peer("PACS", "10.0.0.5", 104, "34001", frozenset({Action.STORE}), rules)
    archive.close()
    (row,) = json.loads(vna("ae", "list", "--format", "json").out)
    assert (row["ae_title"], row["port"], row["rights"]) == ("PACS", "104", "store")
    assert "10.0.0.5" in vna("ae", "list").out
    assert vna("ae", "remove", "PACS").code == 0
    assert json.loads(vna("ae", "list", "--format", "json").out) == []


def test_what_may_not_be_urgent_is_listed_and_other_words_are_refused(
    vna: Vna, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert vna("ae", "add", "COPIER", "--priority", "bulk").code == 0
    assert _add_user(vna, monkeypatch, "--priority", "routine").code == 0
    assert vna("token", "add", "ayse", "--priority", "bulk").code == 0
    for kind, word in (("ae", "bulk"), ("user", "routine"), ("token", "bulk")):
        (row,) = json.loads(vna(kind, "list", "--format", "json").out)
        assert row["priority"] == word
    for arguments in (("ae", "add", "X"), ("token", "add", "ayse")):
        done = vna(*arguments, "--priority", "urgent")
        words = "vna: urgent is no priority: it is one of interactive, routine, bulk\n"
        assert (done.code, done.out, done.err) == (1, "", words)


def _known(ae_title: str) -> Peer | None:
    archive = build(load().settings)
    try:
        return archive.peers.get(ae_title)
    finally:
        archive.close()


def test_of_a_known_ae_title_only_what_is_given_changes(vna: Vna, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('[set]\nInstitutionName = "X"\n')
    (tmp_path / "none.toml").write_text("")
    vna("ae", "add", "PACS", "--host", "h", "--port", "104", "--facility", "34001", "--coerce", "rules.toml")
    rules = Coercion(set=(("InstitutionName", "X"),))
    known = Peer("PACS", "h", 104, "34001", coercion=rules)
    assert _known("PACS") == known
    for args, changes in (
        (("--rights", "store"), {"rights": frozenset({Action.STORE})}),
        (("--port", "105"), {"port": 105}),
        ((), {}),
        (("--facility", ""), {"facility": ""}),
        (("--host", "", "--port", "0"), {"host": "", "port": 0}),
        (("--priority", "bulk"), {"priority": Priority.BULK}),
        (("--coerce", "none.toml"), {"coercion": None}),
    ):
        assert vna("ae", "add", "PACS", *args).code == 0
        known = replace(known, **changes)
        assert _known("PACS") == known
    assert (vna("ae", "add", "PACS", "--host", "h").code, _known("PACS")) == (1, known)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ('[set]\nSOPInstanceUID = "1.2.3"\n', "SOPInstanceUID cannot be coerced: it is a UID"),
        (
            'remove = ["SpecificCharacterSet"]\n',
            "SpecificCharacterSet cannot be coerced: it says how characters are read",
        ),
        ('[map.Modality]\nCT = "CT-EMERGENCY-WAY-TOO-LONG"\n', "Modality cannot have the value of its coercion rule: "),
        ('[set]\nStudyDate = "yesterday"\n', "StudyDate cannot have the value of its coercion rule: "),
        ('remove = ["OperatorName"]\n', "not the keyword of a DICOM attribute: OperatorName"),
    ],
)
def test_rules_that_cannot_be_are_refused_and_nothing_changes(vna: Vna, tmp_path: Path, rules: str, words: str) -> None:
    vna("ae", "add", "PACS", "--facility", "34001")
    (tmp_path / "rules.toml").write_text(rules)
    done = vna("ae", "add", "PACS", "--facility", "34002", "--coerce", "rules.toml")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"vna: {words}")
    assert done.err.count("\n") == 1
    assert _known("PACS") == Peer("PACS", facility="34001")


@pytest.mark.parametrize(
    ("peer", "words"),
    [
        ('"coercion": {"remove": ["Rows"]}', "Rows cannot be coerced: it says how pixels are read"),
        (
            '"rights": ["store", "admin"]',
            (
                "the rights of an AE title are one or more of store, query, retrieve, query-across, read-documents, "
                "write-documents, feed"
            ),
        ),
    ],
)
def test_a_seed_is_judged_like_an_ae_title_that_is_added(
    vna: Vna, monkeypatch: pytest.MonkeyPatch, peer: str, words: str
) -> None:
    monkeypatch.setenv("VNA_DIMSE__PEERS", f'[{{"ae_title": "GOOD"}}, {{"ae_title": "PACS", {peer}}}]')
    done = vna("ae", "list")
    assert (done.code, done.out, done.err) == (1, "", f"vna: {words}\n")
    monkeypatch.delenv("VNA_DIMSE__PEERS")
    assert json.loads(vna("ae", "list", "--format", "json").out) == []


def test_a_user_logs_in_with_the_password_that_was_given(vna: Vna, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _add_user(vna, monkeypatch, "--rights", "query,retrieve").code == 0
    archive = build(load().settings)
    actor = archive.accounts.authenticate_basic("ayse", "a long secret", "")
    archive.close()
    assert actor.rights == {Action.QUERY, Action.RETRIEVE}
    (row,) = json.loads(vna("user", "list", "--format", "json").out)
    assert (row["name"], row["rights"]) == ("ayse", "query,retrieve")
    assert vna("user", "remove", "ayse").code == 0
    assert json.loads(vna("user", "list", "--format", "json").out) == []


def test_a_short_password_is_refused(vna: Vna, monkeypatch: pytest.MonkeyPatch) -> None:
    done = _add_user(vna, monkeypatch, password="short")
    assert (done.code, done.err) == (1, "vna: a password has at least 12 characters\n")


def test_without_a_terminal_the_password_has_to_come_from_standard_input(
    vna: Vna, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    done = vna("user", "add", "ayse")
    assert (done.code, done.err) == (
        1,
        "vna: there is no terminal to ask for the password: give it with --password-stdin\n",
    )


def test_a_token_is_printed_once_and_works_until_it_is_removed(vna: Vna, monkeypatch: pytest.MonkeyPatch) -> None:
    _add_user(vna, monkeypatch)
    secret = vna("token", "add", "ayse", "--expires", "30d", "--rights", "query", "--description", "viewer").out.strip()
    archive = build(load().settings)
    actor = archive.accounts.authenticate_token(secret, "")
    archive.close()
    assert (actor.kind, actor.rights) == (ActorKind.TOKEN, frozenset({Action.QUERY}))
    listed = vna("token", "list", "--format", "json").out
    assert secret not in listed
    (row,) = json.loads(listed)
    assert (row["user"], row["description"]) == ("ayse", "viewer")
    assert vna("token", "remove", row["token_id"]).code == 0
    assert json.loads(vna("token", "list", "--format", "json").out) == []


def test_settings_are_shown_with_their_source_and_without_secrets(vna: Vna, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VNA_STORAGE__SECRET_KEY", "hush")
    monkeypatch.setenv("VNA_NONSENSE", "1")
    shown = vna("settings", "--format", "json")
    values = json.loads(shown.out)
    assert values["VNA_STORAGE__SECRET_KEY"] == {"value": "********", "source": "environment"}
    assert values["VNA_HTTP__PORT"] == {"value": "8080", "source": "default"}
    assert shown.err == "vna: VNA_NONSENSE is in the environment and is no setting: it is ignored\n"
    table = vna("settings").out
    assert "hush" not in table
    assert "VNA_DIMSE__AE_TITLE" in table


def test_a_link_is_printed_once_and_opens_its_study_until_it_is_removed(vna: Vna, tmp_path: Path) -> None:
    study = ct()
    (tmp_path / "one.dcm").write_bytes(part10(study))
    assert vna("import", tmp_path / "one.dcm").code == 0
    printed = vna("link", "add", "--study", study.StudyInstanceUID, "--uses", "2", "--description", "a consultant").out
    address, _, secret = printed.strip().rpartition("/l/")
    assert address == "http://127.0.0.1:8080"
    archive = build(load().settings)
    assert archive.links.open(secret, "").study_instance_uid == study.StudyInstanceUID
    archive.close()
    listed = vna("link", "list", "--format", "json").out
    assert secret not in listed
    (row,) = json.loads(listed)
    assert (row["study"], row["uses_left"], row["description"]) == (study.StudyInstanceUID, "1", "a consultant")
    assert vna("link", "remove", row["link_id"]).code == 0
    assert json.loads(vna("link", "list", "--format", "json").out) == []


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--study", "1.2.3"), "no study 1.2.3 is held"),
        (("--study", "1.2.3", "--uses", "0"), "a link can be opened 1 to 1000000 times"),
        (("--study", "1.2.3", "--expires", "never"), "a link has to expire: write 7d, 12h or 45m"),
    ],
)
def test_a_link_that_cannot_be_made_is_refused_in_one_line(vna: Vna, args: tuple[str, ...], words: str) -> None:
    done = vna("link", "add", *args)
    assert (done.code, done.err) == (1, f"vna: {words}\n")


def test_of_a_known_user_only_the_password_and_what_is_given_changes(vna: Vna, monkeypatch: pytest.MonkeyPatch) -> None:
    _add_user(vna, monkeypatch, "--rights", "query", "--facility", "34001")
    _add_user(vna, monkeypatch, password="another long secret")
    (row,) = json.loads(vna("user", "list", "--format", "json").out)
    assert (row["rights"], row["facility"]) == ("query", "34001")
    _add_user(vna, monkeypatch, "--rights", "delete,query")
    (row,) = json.loads(vna("user", "list", "--format", "json").out)
    assert (row["rights"], row["facility"]) == ("query,delete", "34001")


def test_a_token_cannot_have_a_right_that_its_user_lacks(vna: Vna, monkeypatch: pytest.MonkeyPatch) -> None:
    _add_user(vna, monkeypatch, "--rights", "query")
    done = vna("token", "add", "ayse", "--rights", "query,write-documents")
    assert (done.code, done.out, "ayse has no right write-documents" in done.err) == (1, "", True)
    assert json.loads(vna("token", "list", "--format", "json").out) == []


def test_a_token_without_any_right_is_refused(vna: Vna, monkeypatch: pytest.MonkeyPatch) -> None:
    _add_user(vna, monkeypatch)
    done = vna("token", "add", "ayse", "--rights", "")
    assert done.code == 1
    assert "without any right" in done.err


def test_a_sweep_removes_what_nothing_names(vna: Vna, tmp_path: Path) -> None:
    vna("verify")
    left = tmp_path / "data/blobs/studies/aa/1.2.3/1.2.3.4/1.2.3.4.5.dead.dcm"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half an object")
    assert "`vna verify --sweep` removes them" in vna("verify").err
    assert vna("verify", "--sweep").out == "1 leftovers removed\n"
    assert not left.exists()
