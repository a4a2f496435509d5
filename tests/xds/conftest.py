"""Empty indexes for registries, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.index.engine import Database
from tests.archives import open_index


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    made = open_index(request, tmp_path)
    yield made
    made.close()
