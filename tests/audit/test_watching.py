"""What is changed directly in PostgreSQL, rows and schema, by whomever, is in the trail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from storage.index import audit
from storage.index.engine import Database
from tests.archives import new_index, put
from tests.objects import ct, part10
from tests.peers.postgres import PostgresServer
from vna.app import Application, build, prepare
from vna.audit.watching import WATCH
from vna.model.audit import AuditKind
from vna.settings import Settings


@pytest.fixture
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Application]:
    settings = Settings(data_dir=tmp_path, database={"url": new_index(request)}, storage={"min_free": 0})  # type: ignore[arg-type]
    prepare(settings)
    made = build(settings)
    made.guarding.works()[WATCH]("")
    yield made
    made.close()


def seen(archive: Application) -> list[tuple[str, str, str, str]]:
    archive.guarding.works()[WATCH]("")
    with archive.database.read() as connection:
        rows = audit.search(connection, audit.Wanted(kinds=(AuditKind.DATABASE,)), limit=1000)
    found = [(row.what, row.actor, row.detail, row.at) for row in rows]
    return found[::-1]


def psql(postgres_server: PostgresServer, archive: Application, *statements: str, user: str = "postgres") -> None:
    name = archive.database.url.database
    address = f"host=127.0.0.1 port={postgres_server.port} user={user} dbname={name} application_name=psql"
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_nothing_that_the_archive_does_is_taken_for_a_change_of_somebody_else(archive: Application) -> None:
    put(archive, part10(ct(PatientID="P1")))
    archive.catch_up()
    assert seen(archive) == []


def test_rows_that_somebody_changes_are_recorded_with_what_they_were(
    archive: Application, postgres_server: PostgresServer
) -> None:
    put(archive, part10(ct(PatientID="P1")))
    psql(
        postgres_server,
        archive,
        "UPDATE patients SET patient_id = 'P9' WHERE patient_id = 'P1'",
        "INSERT INTO facts (name, value) VALUES ('a', 'b')",
        "DELETE FROM facts WHERE name = 'a'",
        "TRUNCATE search_tags CASCADE",
    )
    found = seen(archive)
    assert [what for what, *_ in found][:6] == ["update row", "update", "insert row", "insert", "delete row", "delete"]
    assert found[6][0] == "truncate"
    assert {actor for _, actor, *_ in found} == {"database:postgres"}
    assert '\\"changed\\": {\\"patient_id\\": \\"P9\\"' in found[0][2]
    assert "UPDATE patients SET" in found[1][2]
    assert '"application":"psql"' in found[1][2]


def test_changes_of_the_schema_are_recorded(archive: Application, postgres_server: PostgresServer) -> None:
    psql(
        postgres_server,
        archive,
        "CREATE TABLE mine (id int)",
        "ALTER TABLE patients ADD COLUMN extra text",
        "DROP TABLE mine",
    )
    assert [what for what, *_ in seen(archive)] == ["create table", "alter table", "drop table"]


def test_triggers_that_are_taken_away_are_told_of_and_come_back(
    archive: Application, postgres_server: PostgresServer
) -> None:
    psql(
        postgres_server,
        archive,
        "ALTER TABLE patients DISABLE TRIGGER ALL",
        "DROP EVENT TRIGGER vna_watch_ddl",
        "UPDATE patients SET patient_id = 'P9'",
    )
    found = seen(archive)
    assert [what for what, *_ in found] == ["alter table", "watch.removed"]
    assert '"tables":["patients"]' in found[1][2]
    assert "vna_watch_ddl" in found[1][2]
    psql(postgres_server, archive, "UPDATE facts SET value = 'x'", "ALTER TABLE patients ADD COLUMN more text")
    assert [what for what, *_ in seen(archive)][-1] == "alter table"


def test_whoever_shows_the_wrong_secret_or_the_name_of_the_archive_is_recorded(
    archive: Application, request: pytest.FixtureRequest
) -> None:
    other = Database(archive.settings.database_url, session="00" * 32)
    with other.transaction() as connection:
        connection.exec_driver_sql("SET application_name = 'vna'")
        connection.exec_driver_sql("INSERT INTO facts (name, value) VALUES ('a', 'b')")
    other.close()
    assert [what for what, *_ in seen(archive)] == ["insert row", "insert"]


def test_a_user_with_rights_on_one_table_alone_is_recorded_too(
    archive: Application, postgres_server: PostgresServer
) -> None:
    psql(
        postgres_server,
        archive,
        "DROP ROLE IF EXISTS clerk",
        "CREATE ROLE clerk LOGIN",
        "GRANT INSERT ON facts TO clerk",
    )
    psql(postgres_server, archive, "INSERT INTO facts (name, value) VALUES ('a', 'b')", user="clerk")
    psql(postgres_server, archive, "REVOKE ALL ON facts FROM clerk", "DROP ROLE clerk")
    assert ("insert", "database:clerk") in [(what, actor) for what, actor, *_ in seen(archive)]


def test_of_many_rows_a_thousand_and_the_statement_are_recorded(
    archive: Application, postgres_server: PostgresServer
) -> None:
    psql(
        postgres_server,
        archive,
        "INSERT INTO facts (name, value) SELECT 'n' || i, '' FROM generate_series(1, 1200) i",
    )
    archive.guarding.works()[WATCH]("")
    with archive.database.read() as connection:
        rows = audit.after(connection, 0, 2000)
    assert [row.what for row in rows].count("insert row") == 1000
    assert rows[-1].what == "insert"
