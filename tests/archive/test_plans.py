"""What a search costs does not grow with the archive: no table is looked through, and no list is sorted as a whole."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from benchmarks.studies import fill
from storage.index.engine import Database
from storage.index.schema import search_tags, tag_values
from vna.archive.search import Search
from vna.model.access import SYSTEM
from vna.model.dictionary import path_of, vr_of
from vna.model.query import Key, Level, Order, Query
from vna.security.policy import LocalPolicy

COUNT = 10_000
TABLES = "patients|studies|series|instances|tag_values"
SCANNED = re.compile(
    rf"SCAN (?:{TABLES})\b(?! USING)|SCAN \w+_grams VIRTUAL TABLE INDEX 0:$|Seq Scan on (?:{TABLES})\b"
)
SORTED = re.compile(r"USE TEMP B-TREE FOR (?:LAST |RIGHT )?.*ORDER BY|^\s*(?:->)?\s*(?:Incremental )?Sort")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('plans')}/index.sqlite"
    else:
        url = request.getfixturevalue("postgres_server").new_database()
    made = Database(url)
    fill(made, COUNT)
    yield made
    made.close()


@contextmanager
def explained(database: Database) -> Iterator[list[str]]:
    """The plans of all that is asked meanwhile, a line each."""
    lines: list[str] = []
    word = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "

    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if "FROM" in statement:
            with closing(connection.connection.driver_connection.cursor()) as cursor:
                lines.extend(str(row[-1]) for row in cursor.execute(word + statement, parameters).fetchall())

    sa.event.listen(database.engine, "after_cursor_execute", explain)
    try:
        yield lines
    finally:
        sa.event.remove(database.engine, "after_cursor_execute", explain)


def query(text: str, level: Level, **options: Any) -> Query:
    pairs = [pair.split("=", 1) for pair in text.split("&") if pair]
    keys = tuple(Key(path := path_of(name), vr_of(path[-1]), (value,)) for name, value in pairs)
    return Query(level, keys, limit=100, **options)


NARROW = [
    "PatientID=*00007*",
    "PatientID=10000071271",
    "PatientName=*rabo*",
    "PatientName=rabo*",
    "PatientName=Ra?o*",
    "PatientName=*bo*^Mehmet",
    "PatientName=Yılmaz^Mehmet",
    "PatientBirthDate=19800101",
    "AccessionNumber=A000009*",
    "AccessionNumber=*00909*",
    "StudyID=S77?",
    "StudyID=S777",
    "StudyDescription=*omograf?",
    "ReferringPhysicianName=*urk^zey*",
    "ModalitiesInStudy=SEG",
    "StudyDate=20200105",
    "StudyDate=20200105-20200106&StudyTime=080000-090000",
    "StudyInstanceUID=1.2.826.0.1.3680043.10.1561.77",
    "PatientName=*ozt*&StudyDate=20200105&PatientSex=M",
]
BROAD = ["", "PatientName=*a*", "PatientSex=M", "StudyDescription=*", "StudyDate=20100101-", "ModalitiesInStudy=?T"]


@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES, Level.IMAGE])
@pytest.mark.parametrize("asked", NARROW + BROAD)
def test_no_search_looks_through_a_table(database: Database, asked: str, level: Level) -> None:
    search = Search(database, LocalPolicy(), "VNA")
    with explained(database) as plan:
        search.find(SYSTEM, query(asked, level))
        search.find(SYSTEM, query(asked, level, fuzzy=True))
    assert plan
    assert not [line for line in plan if SCANNED.search(line)], "\n".join(plan)


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("asked", BROAD)
def test_broad_searches_walk_along_the_list(database: Database, asked: str, level: Level) -> None:
    search = Search(database, LocalPolicy(), "VNA")
    if level is Level.PATIENT and "Stud" in asked:
        pytest.skip("patients are not searched by what their studies say")
    with explained(database) as plan:
        found = search.find(SYSTEM, query(asked, level))
    assert len(found.matches) == 100
    assert not [line for line in plan if SORTED.search(line) or SCANNED.search(line)], "\n".join(plan)


def test_studies_of_one_day_are_part_of_the_list(database: Database) -> None:
    search = Search(database, LocalPolicy(), "VNA")
    with explained(database) as plan:
        assert search.find(SYSTEM, query("StudyDate=20200105&PatientSex=M", Level.STUDY)).matches
    assert "ix_studies_date" in "\n".join(plan)
    assert not [line for line in plan if SORTED.search(line)], "\n".join(plan)


def test_an_order_of_ones_own_sorts_only_what_was_found(database: Database) -> None:
    search = Search(database, LocalPolicy(), "VNA")
    asked = query("PatientName=*rabo*", Level.STUDY, order=(Order("00100030", descending=True),))
    with explained(database) as plan:
        search.find(SYSTEM, asked)
    assert not [line for line in plan if SCANNED.search(line)], "\n".join(plan)


def test_search_tags_are_found_by_an_index(database: Database) -> None:
    at = {"path": "0018700A", "level": int(Level.STUDY), "state": "ready"}
    with database.transaction() as connection:
        key = connection.execute(sa.insert(search_tags).values(**at).returning(search_tags.c.id)).scalar_one()
        rows = [
            {"tag_fk": key, "row_fk": n, "value": f"\nDETECTOR-{n:05}\n", "element": '{"vr":"SH"}'}
            for n in range(1, COUNT)
        ]
        rows[76]["element"] = '{"vr":"SH","Value":["DETECTOR-00077"]}'
        connection.execute(sa.insert(tag_values), rows)
    search = Search(database, LocalPolicy(), "VNA")
    with explained(database) as plan:
        (found,) = search.find(SYSTEM, query("DetectorID=*TOR-00077", Level.STUDY)).matches
        search.find(SYSTEM, query("DetectorID=*TOR*", Level.STUDY))
    assert found.study_instance_uid.endswith(".77")
    assert not [line for line in plan if SCANNED.search(line)], "\n".join(plan)
