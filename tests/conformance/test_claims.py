"""What is claimed is proven: every requirement that is met has a test, every mark of a test is of a requirement."""

from __future__ import annotations

import pytest

from conformance.requirements import Table, tables
from tests.conformance.marks import pages, proofs

TABLES = {table.standard: table for table in tables()}


@pytest.fixture(scope="module")
def marked() -> dict[str, list[str]]:
    return proofs()


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_requirement_that_is_met_is_proven_by_a_test(table: Table, marked: dict[str, list[str]]) -> None:
    without = [one.clause for one in table.requirements if not one.not_offered and not marked.get(table.name(one))]
    assert without == []


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_what_is_not_offered_has_a_reason_and_no_test(table: Table, marked: dict[str, list[str]]) -> None:
    assert [one.clause for one in table.requirements if one.not_offered and table.name(one) in marked] == []
    assert [one.clause for one in table.requirements if not one.says.endswith(".")] == []


def test_every_mark_is_of_a_requirement_where_its_standard_has_a_table(marked: dict[str, list[str]]) -> None:
    known = {table.name(one) for table in TABLES.values() for one in table.requirements}
    assert {name for name in marked if name.partition("-")[0] in TABLES} <= known


def test_the_pages_say_what_the_tables_and_the_tests_say() -> None:
    for path, text in pages():
        assert path.read_text(encoding="utf-8") == text, "run .venv/bin/python scripts/claims-page"
