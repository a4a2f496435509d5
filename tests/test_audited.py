"""`make audit`: what counts as audited, by reports of pip-audit that were made up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.audited import complaints, pins

ROOT = Path(__file__).parents[1]
LOCKED = {("alpha", "1.0"), ("beta-b", "2.0")}


def _sound(name: str, version: str) -> dict[str, object]:
    return {"name": name, "version": version, "vulns": []}


def _skipped(name: str) -> dict[str, object]:
    return {"name": name, "skip_reason": "could not be audited"}


def _report(*dependencies: object) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_packages_that_were_all_looked_up_and_have_nothing_are_no_complaint() -> None:
    assert complaints(LOCKED, _report(_sound("alpha", "1.0"), _sound("Beta_B", "2.0"))) == []


def test_a_vulnerability_is_told_with_its_names_and_where_it_is_mended() -> None:
    found = {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"], "fix_versions": ["1.1", "2.0"]}
    bad = {"name": "alpha", "version": "1.0", "vulns": [found, {"id": "GHSA-x", "fix_versions": []}]}
    assert complaints(LOCKED, _report(bad, _sound("beta-b", "2.0"))) == [
        "alpha 1.0: PYSEC-2026-1, CVE-2026-1, mended in 1.1, 2.0",
        "alpha 1.0: GHSA-x, not mended yet",
    ]


@pytest.mark.parametrize(
    ("dependencies", "sentence"),
    [
        ([_sound("alpha", "1.0"), _skipped("beta-b")], "beta-b 2.0 was not audited: could not be audited"),
        ([_sound("alpha", "1.0")], "beta-b 2.0 was not audited: pip-audit's report does not have it"),
        (
            [_sound("alpha", "1.0"), _sound("beta-b", "2.1")],
            "beta-b 2.0 was not audited: pip-audit's report does not have it",
        ),
        (
            [_sound("alpha", "1.0"), _sound("beta-b", "2.0"), _skipped("gamma")],
            "gamma was not audited: could not be audited",
        ),
    ],
    ids=["skipped", "left out", "another version", "skipped besides"],
)
def test_a_package_that_was_not_looked_up_is_a_complaint(dependencies: list[object], sentence: str) -> None:
    assert complaints(LOCKED, _report(*dependencies)) == [sentence]


def test_nothing_looked_up_is_no_good_end() -> None:
    offline = _report(_skipped("alpha"), _skipped("beta-b"))
    assert complaints(LOCKED, offline) == ["nothing was audited: could not be audited"]
    assert complaints(LOCKED, _report()) == ["nothing was audited: the report is empty"]
    assert complaints(set(), _report()) == ["nothing was audited: the report is empty"]


@pytest.mark.parametrize("report", ["", "No known vulnerabilities found", "[]", "{}", '{"dependencies": [{}]}', "null"])
def test_a_report_that_cannot_be_read_is_a_complaint(report: str) -> None:
    assert complaints(LOCKED, report) == ["pip-audit's report cannot be read: nothing was audited"]


def test_packages_of_other_systems_and_with_extras_are_looked_up_too() -> None:
    lock = "a==1 \\\n    --hash=sha256:0\n    # via\n    #   b\nPy_C[x,y]==2.0 ; sys_platform == 'win32' \\\n"
    assert pins(lock) == {("a", "1"), ("py-c", "2.0")}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-audit.lock"])
def test_every_package_of_a_lock_file_is_seen(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(pins(text)) == len(entries) > 20
