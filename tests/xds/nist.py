"""The test plans of NIST's XDS toolkit, as far as they are there: steps with their messages and stated outcomes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from tests.xds.registries import SHARED

FIXTURES = SHARED / "fixtures"
TESTS = FIXTURES / "nist" / "tests"

NOT_USED = {"11897/no_matching_classcode"}
"""Contradicts the framework: a code that matches nothing is an empty answer (shared README)."""


@dataclass(slots=True)
class Step:
    """One step: where its plan is, its transaction, and where its message is."""

    section: str
    name: str
    element: etree._Element
    transaction: etree._Element
    reports: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return str(self.transaction.tag)

    @property
    def expected(self) -> str:
        return self.element.findtext("ExpectedStatus", "Success").strip()

    @property
    def expected_code(self) -> str:
        return (
            self.element.findtext("ExpectedErrorCode") or self.element.findtext("ExpectedErrorMessage") or ""
        ).strip()

    @property
    def message(self) -> Path:
        name = self.transaction.findtext("MetadataFile", "").strip()
        translated = FIXTURES / "nist-v3" / "tests" / self.section / name
        return translated if translated.is_file() else TESTS / self.section / name


def steps(section: str) -> Iterator[Step]:
    """The steps of one plan that send a message, or begin anew with another patient."""
    root = etree.parse(TESTS / section / "testplan.xml").getroot()
    for element in root.iterchildren("TestStep"):
        for transaction in element:
            if transaction.tag == "NewPatientId" or transaction.find("MetadataFile") is not None:
                yield Step(section, element.get("id", ""), element, transaction)


def sections() -> list[str]:
    """Every plan of the index, each once."""
    lines = (FIXTURES / "index.jsonl").read_text().splitlines()
    paths = [Path(json.loads(line)["path"]) for line in lines]
    folders = [path.parent.relative_to("nist/tests") for path in paths if path.is_relative_to("nist/tests")]
    return [str(folder) for folder in dict.fromkeys(folders)]
