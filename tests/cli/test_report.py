"""`vna report`: filed, approved, listed and shown."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Vna
from tests.teleradiology.reporting import FINDINGS

BY = "10000000382:ÖRNEK^IŞIL"


def test_a_report_is_filed_approved_and_added_to(vna: Vna, tmp_path: Path) -> None:
    (tmp_path / "findings.html").write_text(f"<p>{FINDINGS.text}</p><script>x</script>", "utf-8")
    order = ("500059", "A1")
    text = ("--findings", "@findings.html", "--conclusion", "<b>Normal.</b>", "--html")
    assert vna("report", "file", *order, *text).out == "version 1 (draft)\n"
    done = vna("report", "approve", *order, "1", "--by", BY, "--at", "20261130101500")
    assert done.out == "version 1 (approved)\n"
    more = ("--conclusion", "Kontrol.", "--approved", "--by", BY)
    assert vna("report", "file", *order, *more).out == "version 2 (approved, an addendum to 1)\n"

    listed = json.loads(vna("report", "list", *order, "--format", "json").out)
    assert [(one["version"], one["state"], one["addendum_to"], one["by"]) for one in listed] == [
        ("1", "approved", "", "ÖRNEK^IŞIL"),
        ("2", "approved", "1", "ÖRNEK^IŞIL"),
    ]
    shown = vna("report", "show", *order, "--number", "1").out
    assert f"\nFindings\n{FINDINGS.text}\n\nConclusion\nNormal.\n" in shown
    assert "Version 2: radiology, approved, addendum to 1\n" in vna("report", "show", *order).out


def test_what_cannot_be_filed_is_said_in_one_line(vna: Vna) -> None:
    for args, words in (
        (("file", "500059", "A1", "--findings", "@nowhere.txt"), "vna: nowhere.txt cannot be read as text in UTF-8"),
        (("file", "500059", "A1", "--approved"), "vna: the report does not say who approved it"),
        (("file", "500059", "A1", "--approved", "--by", BY), "vna: the report says nothing"),
        (("approve", "500059", "A1", "1", "--by", BY), "vna: the order has no version 1 of its report"),
        (("show", "500059", "A1"), "vna: there is no such report"),
    ):
        done = vna("report", *args)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert done.err.startswith(words), done.err
