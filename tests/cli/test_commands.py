"""Every command: help with an example, exit codes, errors in one line of plain words."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Vna
from vna.cli import session

COMMANDS = (
    "serve", "import", "send", "verify", "reindex", "backup", "restore", "delete", "prefetch", "fetch", "migrate",
    "migrate-from", "settings", "demo",
    "ae add", "ae list", "ae remove",
    "source add", "source list", "source test", "source remove",
    "manifest list", "manifest show", "manifest read", "manifest pull",
    "user add", "user list", "user change", "user unlock", "user logout", "user remove",
    "token add", "token list", "token remove",
    "link add", "link list", "link remove",
    "consent add", "consent list", "consent revoke", "grant add", "grant list", "grant revoke",
    "case add", "case list", "case revoke", "facility add", "facility list", "facility remove",
    "tags add", "tags list", "tags remove",
    "codes load", "codes list", "codes show", "codes demo",
    "report list", "report show", "report file", "report approve",
    "match list", "match add", "match release", "quarantine list", "quarantine release",
    "deleted list", "deleted restore", "deleted purge",
    "hold add", "hold list", "hold release", "retention list",
    "hl7 send", "hl7 sample", "hl7 listen",
    "jobs list", "jobs retry", "jobs drop", "schedule list", "schedule run", "node list", "node forget", "node drain",
    "audit search", "audit export", "audit verify",
    "store list", "store move",
    "commitment list", "commitment show", "forward list", "forward study", "forward retry",
    "rejection list", "rejection revoke", "rejection apply",
    "correct set", "correct list", "correct revoke", "study move",
    "patient merge", "patient unmerge", "patient link", "patient unlink", "patient show",
    "export write", "export verify", "export minutes",
    "conformance run", "conformance statement",
    "xds publish", "xds query", "xds retrieve",
)  # fmt: skip


@pytest.mark.parametrize(
    "command",
    [
        "",
        "ae",
        "source",
        "manifest",
        "user",
        "token",
        "link",
        "tags",
        "codes",
        "report",
        "match",
        "quarantine",
        "deleted",
        "hold",
        "retention",
        "schedule",
        "hl7",
        "jobs",
        "node",
        "audit",
        "store",
        "rejection",
        "correct",
        "study",
        "patient",
        "export",
        "forward",
        "conformance",
        "xds",
        *COMMANDS,
    ],
)
def test_every_command_has_help_with_an_example(vna: Vna, command: str) -> None:
    done = vna(*command.split(), "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: vna {command}".rstrip())
    assert "\n  Example" in done.out
    assert f"vna {command}".rstrip() in done.out.partition("\n  Example")[2]


def test_the_help_lists_every_command(vna: Vna) -> None:
    listed = vna("--help").out.partition("Commands:")[2]
    assert {line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line.strip()} >= {
        command.split()[0] for command in COMMANDS
    }


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("import",), "Missing argument 'PATH...'; see vna import --help"),
        (("gibberish",), "No such command 'gibberish'; see vna --help"),
        (("verify", "--quick"), "No such option: --quick; see vna verify --help"),
        (("send", "x"), "Missing option '--to'; see vna send --help"),
        (("ae", "add", "X", "--port", "ten"), "Invalid value for '--port'"),
        (("send", ".", "--to", "PACS"), "Invalid value for '--to': PACS is no destination: write AET@HOST:PORT"),
        (("send", ".", "--to", "PACS@127.0.0.1:99999"), "Invalid value for '--to': PACS@127.0.0.1:99999 is no"),
    ],
)
def test_a_command_written_wrongly_ends_with_2_and_one_line(vna: Vna, args: tuple[str, ...], words: str) -> None:
    done = vna(*args)
    assert done.code == 2
    assert done.err.startswith(f"vna: {words}")
    assert done.err.count("\n") == 1
    assert done.out == ""


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("import", "/nowhere/at/all"), "/nowhere/at/all is no file and no folder"),
        (("ae", "add", "X" * 17), "an AE title is 1 to 16 printable ASCII characters"),
        (("ae", "add", "X", "--port", "104"), "a C-MOVE destination needs both --host and --port"),
        (("ae", "add", "X", "--rights", "store,fly"), "fly is no right: use store, query, retrieve"),
        (("ae", "add", "X", "--rights", "store,admin"), "admin is no right: use store, query, retrieve"),
        (("ae", "add", "X", "--rights", ""), "the rights of an AE title are one or more of store, query, retrieve"),
        (("ae", "remove", "X"), "no AE title X is known"),
        (("ae", "add", "X", "--coerce", "nowhere.toml"), "nowhere.toml cannot be read: No such file or directory"),
        (("user", "remove", "x"), "no user x"),
        (("user", "change", "x", "--role", "king"), "no user x"),
        (("user", "change", "x", "--addresses", "10.0.0"), "10.0.0 is no address and no network"),
        (("token", "add", "x"), "no user x"),
        (("token", "add", "x", "--expires", "soon"), "soon is no time span: write 30d, 12h, 45m or never"),
        (("send", ".", "--to", "PACS@127.0.0.1:1"), "no connection to PACS@127.0.0.1:1: Connection refused"),
        (("--config", "nowhere.toml", "settings"), "nowhere.toml cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_done_ends_with_1_and_one_line(vna: Vna, args: tuple[str, ...], words: str) -> None:
    done = vna(*args)
    assert done.code == 1
    assert done.err.startswith(f"vna: {words}")
    assert done.err.count("\n") == 1


def test_a_wrong_setting_ends_every_command_with_one_line(vna: Vna, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VNA_HTTP__HOST", "0.0.0.0")
    for command in ("serve", "verify", "settings"):
        done = vna(command)
        assert done.code == 1
        assert "set VNA_SECURITY__MODE=enforced" in done.err
        assert done.err.count("\n") == 1


@pytest.mark.parametrize("door", ["HTTP", "DIMSE"])
def test_a_port_that_is_taken_is_said_in_one_line(door: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = {"VNA_DATA_DIR": str(tmp_path), "VNA_HTTP__PORT": "0", f"VNA_{door}__PORT": str(port)}
        done = _python_m("serve", **settings)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"vna: cannot listen on 127.0.0.1:{port}: Address already in use; "
        f"VNA_{door}__HOST and VNA_{door}__PORT choose another place\n"
    )


@pytest.mark.parametrize(("variable", "value"), [("VNA_DATABASE__URL", "mysql://x"), ("VNA_STORAGE__URL", "ftp://x")])
@pytest.mark.parametrize("command", ["settings", "verify", "ae list"])
def test_a_store_of_another_kind_ends_every_command_with_one_line(
    vna: Vna, monkeypatch: pytest.MonkeyPatch, command: str, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    done = vna(*command.split())
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"vna: {variable}: ")
    assert done.err.count("\n") == 1


def test_an_index_that_does_not_answer_ends_with_one_line(vna: Vna, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VNA_DATABASE__URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    done = vna("verify")
    assert (done.code, done.err) == (1, "vna: the index does not answer\n")


def test_a_fault_of_ours_is_one_line_without_a_traceback(vna: Vna, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: session.Session) -> None:
        raise KeyError("Gizli^Hasta")

    monkeypatch.setattr(session.Session, "loaded", broken)
    done = vna("settings")
    assert done.code == 1
    assert done.err == "vna: an error inside vna (KeyError); VNA_LOG__LEVEL=debug shows where\n"


def test_the_version_is_said(vna: Vna) -> None:
    done = vna("--version")
    assert done.code == 0
    assert done.out.startswith("vna ")


def _python_m(*args: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vna.cli", *args],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **settings},
    )


def test_python_m_runs_the_same_commands() -> None:
    done = _python_m("gibberish")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "vna: No such command 'gibberish'; see vna --help\n"
