"""Empty indexes for registries, on both databases: copies of one that was made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.index.engine import Database
from tests.archives import lay_index, new_index


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        lay_index(tmp_path)
        url = f"sqlite:///{tmp_path}/index.sqlite"
    else:
        url = new_index(request)
    made = Database(url)
    yield made
    made.close()
