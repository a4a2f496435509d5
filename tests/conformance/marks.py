"""Which test proves which clause, read from the marks `claim` in the source of the tests."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from conformance.requirements import page, tables

ROOT = Path(__file__).parents[2]


def proofs() -> dict[str, list[str]]:
    """Tests by the name of the requirement that they carry."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for clause in _claimed(node):
                    found[clause].append(f"{path.relative_to(ROOT)}::{node.name}")
    return found


def _claimed(node: ast.FunctionDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.claim":
            for argument in decorator.args:
                yield ast.literal_eval(argument)


def pages() -> Iterator[tuple[Path, str]]:
    """The pages of docs/ that are made of the tables."""
    found = proofs()
    for table in tables():
        name = table.standard.lower().replace(".", "_")
        yield ROOT / "docs" / f"{name}.md", page(table, found)
