"""`vna match` and `vna quarantine`: what is unmatched and why; by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.archives import put
from tests.cli.conftest import Vna
from tests.teleradiology.imaging import FACILITY, image, profile
from tests.worklist.ordering import order
from vna.app import build, migrate, prepare
from vna.model.access import SYSTEM
from vna.model.instances import Door
from vna.settings import load


@pytest.fixture
def filled(vna: Vna, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vna:
    """One order, a study without a number, and one of another number in quarantine."""
    monkeypatch.setenv("VNA_NATIONAL__PROFILE", profile(tmp_path, '[images]\nunmatched = "quarantine"\n'))
    settings = load().settings
    migrate(settings)
    prepare(settings)
    archive = build(settings)
    archive.national.orders.place(SYSTEM, order())
    put(archive, image("1.1", AccessionNumber=""), door=Door.IMPORT)
    put(archive, image("1.2", AccessionNumber="A2"), door=Door.STOW)
    archive.dispatcher().drain()
    archive.close()
    return vna


def test_lists_matches_and_releases(filled: Vna) -> None:
    listed = json.loads(filled("match", "list", FACILITY, "--format", "json").out)
    assert [(row["accession"], row["code"]) for row in listed] == [("A1", "no-study")]
    listed = json.loads(filled("match", "list", FACILITY, "--studies", "--format", "json").out)
    assert [(row["study"], row["code"], row["quarantine"]) for row in listed] == [
        ("1.1", "no-accession", "no"),
        ("1.2", "no-order", "yes"),
    ]

    assert (
        filled("match", "add", FACILITY, "A1", "1.1", "--reason", "x").out == f"1.1 is of the order A1 of {FACILITY}\n"
    )
    assert json.loads(filled("match", "list", FACILITY, "--format", "json").out) == []
    assert filled("match", "release", FACILITY, "A1", "1.1", "--reason", "y").code == 0
    (row,) = json.loads(filled("match", "list", FACILITY, "--accession", "A1", "--format", "json").out)
    assert (row["study"], row["rule"], row["released"], row["reason"]) == ("1.1", "by hand", "yes", "y")


def test_lets_a_study_out_of_quarantine(filled: Vna) -> None:
    (row,) = json.loads(filled("quarantine", "list", "--format", "json").out)
    assert (row["study"], row["facility"], row["instances"]) == ("1.2", FACILITY, "1")
    assert row["reason"] == "No order with this accession number came"
    assert filled("quarantine", "release", "1.2", "--reason", "x").out == "1.2 leaves quarantine\n"
    assert json.loads(filled("quarantine", "list", "--format", "json").out) == []
    assert json.loads(filled("deleted", "list", "--format", "json").out) == []


def test_what_cannot_be_done_is_said_in_one_line(filled: Vna) -> None:
    for args, words in (
        (("match", "add", FACILITY, "A1", "1.1"), "vna: a reason is needed, of at most 500 characters"),
        (("match", "add", FACILITY, "A9", "1.1", "--reason", "x"), "vna: no such order is known at this facility"),
        (
            ("match", "release", FACILITY, "A1", "1.1", "--reason", "x"),
            "vna: this study is not matched with this order",
        ),
        (("match", "list", FACILITY, "--from", "today"), "vna: a time is written as YYYYMMDDHHMMSS"),
        (("quarantine", "release", "1.1", "--reason", "x"), "vna: no such study is in quarantine"),
    ):
        done = filled(*args)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert done.err.startswith(words)
