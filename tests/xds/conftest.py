"""Empty indexes for registries, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.index.engine import Database
from storage.index.migrate import upgrade


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/index.sqlite"
    else:
        url = request.getfixturevalue("postgres_server").new_database()
    made = Database(url)
    upgrade(made)
    yield made
    made.close()
