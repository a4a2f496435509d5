"""What standards ask and whether it is met: the tables of `conformance/claims`, one for each part of a standard."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

_CLAIMS = files("conformance") / "claims"
_HEAD = """{met} requirements are met, proven by the tests named; {left} are not offered, each for a reason.
`scripts/claims-page` makes this page of `conformance/claims`."""
_COLUMNS = ("| clause | requirement | proof, or why it is not offered |", "|---|---|---|")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence of what is asked; it is met unless `not_offered` says why not."""

    clause: str
    says: str
    not_offered: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The requirements of one part of a standard; `headings` are titles by the clause that they begin with."""

    standard: str
    edition: str
    title: str
    headings: Mapping[str, str]
    requirements: tuple[Requirement, ...]

    def name(self, requirement: Requirement) -> str:
        """As the mark `claim` of a test says it: `PS3.18-8.2`."""
        return f"{self.standard}-{requirement.clause}"


def tables() -> Iterator[Table]:
    """Every table there is, by name of its file."""
    for file in sorted(_CLAIMS.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".toml"):
            yield _table(tomllib.loads(file.read_text(encoding="utf-8")))


def _table(read: Mapping[str, Any]) -> Table:
    found = (_requirement(clause, said) for clause, said in read["requirements"].items())
    return Table(read["standard"], read["edition"], read["title"], read["headings"], tuple(found))


def _requirement(clause: str, said: str | Mapping[str, str]) -> Requirement:
    return Requirement(clause, said) if isinstance(said, str) else Requirement(clause, **said)


def page(table: Table, proofs: Mapping[str, list[str]]) -> str:
    """The table for reading, in Markdown; `proofs` are the tests that carry each requirement's name."""
    left = sum(bool(one.not_offered) for one in table.requirements)
    head = _HEAD.format(met=len(table.requirements) - left, left=left)
    lines = [f"# {table.standard} {table.edition}: {table.title}", "", head]
    for clause, title in table.headings.items():
        below = [one for one in table.requirements if _heading(table, one) == clause]
        rows = [_row(one, proofs.get(table.name(one), [])) for one in below]
        lines += ["", f"## {clause} {title}", "", *_COLUMNS, *rows]
    return "\n".join(lines) + "\n"


def _heading(table: Table, requirement: Requirement) -> str:
    """The clause of the nearest heading."""
    clause = requirement.clause.partition("/")[0]
    while clause not in table.headings:
        clause = clause.rpartition(".")[0]
    return clause


def _row(requirement: Requirement, proofs: list[str]) -> str:
    proven = "<br>".join(f"`{proof}`" for proof in proofs)
    said = f"not offered: {requirement.not_offered}" if requirement.not_offered else proven
    return f"| {requirement.clause.replace('/', ' ')} | {requirement.says} | {said} |"
