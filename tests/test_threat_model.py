"""What docs/threat-model.md names as shown is shown: every test in it exists."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "threat-model.md"


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`([a-z0-9_/]+\.py)(?:::(test_\w+))?`", PAGE.read_text())
    assert len(named) > 100
    unknown = [
        (file, test)
        for file, test in named
        if not (TESTS / file).is_file() or (test and f"def {test}(" not in (TESTS / file).read_text())
    ]
    assert not unknown
