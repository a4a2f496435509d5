"""The pages of docs/conformance that a script writes: the statements, and the result on our own server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from conformance.reports.text import WORDS, summary
from conformance.statement import dicom, ihe
from conformance.statement.document import markdown
from conformance.statement.registered import registered
from conformance.suite.run import Report
from tests.archives import lay_index
from vna.app import build, prepare
from vna.settings import Settings
from vna.version import version

FOLDER = Path(__file__).parents[2] / "docs" / "conformance"

UNCHECKED = frozenset({
    "ITI-38", "ITI-39", "ITI-57", "ITI-61", "ITI-62", "ITI-86", "ITI-92", "ORU^R01", "RAD-75",
    "changefeed", "count", "delete", "pixeldata", "web commitment",
})  # fmt: skip
"""Services that are stated and whose checks are not written yet: one that has a check may not stay here."""


def statements() -> Iterator[tuple[Path, str]]:
    """The statements of an archive with the default settings."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder) / "data")
        lay_index(settings.data_dir)
        prepare(settings)
        archive = build(settings)
        found = registered(archive)
        yield FOLDER / "dicom.md", markdown(dicom.statement(archive, found, version()))
        yield FOLDER / "ihe.md", markdown(ihe.statement(found, version()))
        archive.close()


def result(report: Report) -> str:
    """The suite's result as a page."""
    rows = [
        f"| `{one.check.id}` | {one.check.clause} | {one.check.title} | {WORDS[one.outcome]} | {one.reason} |"
        for one in report.results
    ]
    head = f"""# The suite's result on our own server

vna {version()}: {summary(report)}.
Written by `scripts/conformance-pages`, against the doors of an archive on SQLite and a folder.

| check | clause | what holds | result | why |
|---|---|---|---|---|"""
    return "\n".join([head, *rows]) + "\n"
