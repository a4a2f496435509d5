"""Empty indexes for registries, on both databases: copies of one that was made once."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from storage.index.engine import Database
from storage.index.migrate import upgrade

_NUMBERS = itertools.count(1)


def _upgraded(url: str) -> str:
    database = Database(url)
    upgrade(database)
    database.close()
    return url


@pytest.fixture(scope="session")
def sqlite_index(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    original = tmp_path_factory.mktemp("index") / "index.sqlite"
    _upgraded(f"sqlite:///{original}")

    def copy(folder: Path) -> str:
        shutil.copy(original, folder / "index.sqlite")
        return f"sqlite:///{folder}/index.sqlite"

    return copy


@pytest.fixture(scope="session")
def postgresql_index(request: pytest.FixtureRequest) -> Callable[[Path], str]:
    original = make_url(_upgraded(request.getfixturevalue("postgres_server").new_database()))

    def copy(_folder: Path) -> str:
        name = f"registry_{next(_NUMBERS)}"
        with psycopg.connect(
            host=original.host, port=original.port, user=original.username, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {original.database}")
        return original.set(database=name).render_as_string(hide_password=False)

    return copy


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    made = Database(request.getfixturevalue(f"{request.param}_index")(tmp_path))
    yield made
    made.close()
