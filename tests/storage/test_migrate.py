"""Migrations while nodes work: what a node accepts, locks that are not waited for, indexes made beside writers."""

from __future__ import annotations

import ast
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.index import migrate
from storage.index.engine import Database
from storage.index.migrate import current, minimum, newest, require_usable, upgrade
from tests.archives import open_index
from vna.model.errors import Unavailable

VERSIONS = Path(migrate.__file__).parent / "migrations" / "versions"
HEAD = newest()


@pytest.fixture
def postgresql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    request.param = "postgresql"
    opened = open_index(request, tmp_path)
    yield opened
    opened.close()


def future(folder: Path, body: str, *, says: str = "", before: str = HEAD, revision: str = "9001") -> None:
    """Migrations of a version to come, made of ours and one more; from now on this process is of that version."""
    if not folder.exists():
        shutil.copytree(VERSIONS.parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    text = (
        '"""To come."""\nimport sqlalchemy as sa\nfrom alembic import op\n'
        "from storage.index.migrations.online import create_index\n"
        f'revision = "{revision}"\ndown_revision = "{before}"\n{says}\n\ndef upgrade() -> None:\n    {body}\n'
    )
    (folder / "versions" / f"m{revision}_to_come.py").write_text(text)


EXPANDS = 'op.add_column("nodes", sa.Column("rack", sa.Text(), server_default="", nullable=False))'


def test_a_node_accepts_a_newer_schema_that_says_it_may(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert minimum(database) == "0017"
    with monkeypatch.context() as newer:
        newer.setattr(migrate, "FOLDER", tmp_path / "newer")
        future(tmp_path / "newer", EXPANDS, says=f'minimum = "{HEAD}"')
        assert upgrade(database) == (HEAD, "9001")
    assert current(database) == "9001"
    require_usable(database)
    assert upgrade(database) == ("9001", "9001")


def test_a_node_refuses_a_newer_schema_that_does_not_in_one_line(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(migrate, "FOLDER", tmp_path / "newer")
        future(tmp_path / "newer", EXPANDS)
        future(tmp_path / "newest", "pass")
        shutil.copy(tmp_path / "newer/versions/m9001_to_come.py", tmp_path / "newest/versions")
        newer.setattr(migrate, "FOLDER", tmp_path / "newest")
        future(tmp_path / "newest", "pass", says='minimum = "0017"', before="9001", revision="9002")
        assert upgrade(database) == (HEAD, "9002")
        assert minimum(database) == "9001", "what one migration breaks, a later one does not mend"
    for refusing in (require_usable, upgrade):
        with pytest.raises(
            Unavailable, match=f"schema is 9002 and takes nodes made for 9001 or later.*{HEAD}: install"
        ):
            refusing(database)


def test_a_node_refuses_an_older_schema(postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    future(tmp_path / "newer", EXPANDS, says=f'minimum = "{HEAD}"')
    monkeypatch.setattr(migrate, "FOLDER", tmp_path / "newer")
    with pytest.raises(Unavailable, match="run `vna migrate` first"):
        require_usable(postgresql)
    assert migrate.asked(postgresql) == HEAD


def test_a_migration_does_not_hold_up_those_who_wait_behind_it(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    future(tmp_path / "newer", EXPANDS, says=f'minimum = "{HEAD}"')
    monkeypatch.setattr(migrate, "FOLDER", tmp_path / "newer")
    monkeypatch.setattr(migrate, "_LOCK_WAIT", "SET lock_timeout = '100ms'")
    migrating = threading.Thread(target=upgrade, args=(postgresql,))
    with postgresql.transaction() as long:
        long.execute(sa.text("SELECT * FROM nodes"))
        migrating.start()
        for _ in range(5):
            with postgresql.transaction() as other:
                other.execute(sa.text("SET LOCAL lock_timeout = '1s'"))
                other.execute(sa.text("INSERT INTO nodes (name) VALUES (gen_random_uuid()::text)"))
    migrating.join(30)
    assert current(postgresql) == "9001"


def test_an_index_is_made_while_rows_are_written_and_anew_after_a_cut(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgresql.transaction() as connection:
        connection.execute(sa.text("CREATE INDEX nodes_by_url ON nodes (name)"))
        connection.execute(
            sa.text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('nodes_by_url')")
        )
    future(tmp_path / "newer", 'create_index("nodes_by_url", "nodes", ["url"])', says='minimum = "0017"')
    monkeypatch.setattr(migrate, "FOLDER", tmp_path / "newer")
    migrating = threading.Thread(target=upgrade, args=(postgresql,))
    with postgresql.transaction() as long:
        long.execute(sa.text("INSERT INTO nodes (name) VALUES ('long')"))
        migrating.start()
        with postgresql.transaction() as other:
            other.execute(sa.text("SET LOCAL lock_timeout = '2s'"))
            other.execute(sa.text("INSERT INTO nodes (name) VALUES ('other')"))
    migrating.join(30)
    with postgresql.read() as connection:
        made = connection.execute(sa.text("SELECT indexdef FROM pg_indexes WHERE indexname = 'nodes_by_url'")).scalar()
    assert str(made).endswith("(url)")
    assert current(postgresql) == "9001"


_EXPANDING = {"create_table", "create_index", "add_column", "execute", "get_bind", "get_context"}


@pytest.mark.parametrize("path", sorted(VERSIONS.glob("m*.py")), ids=lambda path: path.stem)
def test_a_migration_that_older_nodes_are_to_bear_only_adds(path: Path) -> None:
    module = ast.parse(path.read_text())
    names = {
        target.id
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if "minimum" not in names:
        return
    functions = [node.func for node in ast.walk(module) if isinstance(node, ast.Call)]
    used = {
        function.attr
        for function in functions
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "op"
    }
    assert used <= _EXPANDING, f"{path.name} takes away or changes what nodes before it use"
