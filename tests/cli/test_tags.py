"""`vna tags`: added, listed, removed."""

from __future__ import annotations

import json

from tests.cli.conftest import Vna


def test_tags_are_added_listed_and_removed(vna: Vna) -> None:
    assert vna("tags", "add", "BodyPartExamined").code == 0
    assert vna("tags", "add", "PerformedProtocolCodeSequence.CodeValue", "--level", "series").code == 0
    rows = json.loads(vna("tags", "list", "--format", "json").out)
    assert [(row["attribute"], row["level"], row["state"]) for row in rows] == [
        ("BodyPartExamined", "series", "ready"),
        ("PerformedProtocolCodeSequence.CodeValue", "series", "ready"),
    ]
    assert vna("tags", "remove", "00180015").code == 0
    again = vna("tags", "remove", "BodyPartExamined")
    assert again.code != 0
    assert "BodyPartExamined is no search tag" in again.err
