"""`vna codes`: loaded, listed, shown."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Vna


def test_lists_are_loaded_listed_and_shown(vna: Vna, tmp_path: Path) -> None:
    (tmp_path / "sut.csv").write_bytes("SUTKODU;ADI\n804000;BT ğüş\n804101;MR\n".encode("cp1254"))
    assert vna("codes", "load", "sut", "sut.csv", "--version", "7").out == "sut: version 7 with 2 codes is in force\n"

    listed = {row["list"]: row for row in json.loads(vna("codes", "list", "--format", "json").out)}
    assert (listed["sut"]["version"], listed["sut"]["codes"], listed["sut"]["in force"]) == ("7", "2", "yes")
    assert listed["loinc"]["version"] == ""
    assert json.loads(vna("codes", "show", "sut", "--format", "json").out) == [
        {"code": "804000", "text": "BT ğüş", "more": ""},
        {"code": "804101", "text": "MR", "more": ""},
    ]
    assert "MR" not in vna("codes", "show", "sut", "804000").out


def test_the_demonstration_set_is_loaded_once(vna: Vna) -> None:
    assert vna("codes", "demo").out == vna("codes", "demo").out
    assert "Örnek Devlet Hastanesi" in vna("codes", "show", "facilities", "500059").out


def test_what_cannot_be_loaded_is_said_in_one_line(vna: Vna, tmp_path: Path) -> None:
    (tmp_path / "sut.csv").write_text("SUTKODU;ADI\n;x\n")
    for args, words in (
        (("load", "sut", "sut.csv"), "vna: sut.csv, line 2: there is no code"),
        (("load", "sut", "nowhere.csv"), "vna: nowhere.csv cannot be read: No such file or directory"),
        (("load", "suts", "sut.csv"), "vna: there is no list suts: use sut, loinc, "),
        (("show", "sut", "1"), "vna: the list sut has no code 1"),
        (("show", "suts"), "vna: there is no list suts"),
    ):
        done = vna("codes", *args)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert done.err.startswith(words)
