"""The documents say what is: settings, commands, options, metrics, addresses; and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.test_commands import COMMANDS
from vna.cli import run
from vna.metrics import Metrics
from vna.settings import load, table
from vna.web.routes import OPEN_PATHS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


@pytest.fixture(scope="module")
def settings_rows() -> dict[str, tuple[str, str]]:
    """What docs/settings.md says: default and meaning by name."""
    text = (DOCS / "settings.md").read_text()
    return {
        name: (default, words)
        for name, default, words in re.findall(r"^\| `(VNA_\w+)` \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    }


def test_every_setting_is_documented_with_its_default_and_meaning(settings_rows: dict[str, tuple[str, str]]) -> None:
    rows = {row.variable: row for row in table(load())}
    assert settings_rows.keys() == rows.keys()
    for name, (default, words) in settings_rows.items():
        assert words == rows[name].description, name
        if rows[name].default:
            assert default == f"`{rows[name].default}`", name
        else:
            assert not default.startswith("`"), name


def test_every_setting_that_is_written_about_exists() -> None:
    known = {row.variable for row in table(load())} | {"VNA_CONFIG"}
    for page in PAGES:
        if page.name in ("PLAN.md", "architecture.md"):
            continue
        named = set(re.findall(r"\bVNA_[A-Z0-9]+(?:__[A-Z0-9_]+|_DIR)?\b(?!_*<)", page.read_text()))
        named = {name for name in named if not name.endswith("_")}
        assert named <= known | {"REQUIRE_TEST_PEERS"}, page.name


def _sections() -> dict[str, str]:
    text = (DOCS / "commands.md").read_text()
    parts = re.split(r"^## vna (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_is_documented_and_no_other() -> None:
    assert list(_sections()) == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_documented_and_no_other(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command.split(), "--help"]) == 0
    described = capsys.readouterr().out.partition("Options:")[2].partition("Example")[0]
    options = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", described, re.MULTILINE)) - {"--help"}
    section = _sections()[command]
    assert set(re.findall(r"^\* .*", section, re.MULTILINE)) == set(re.findall(r"^\* `--.*", section, re.MULTILINE))
    named = {
        name for line in re.findall(r"^\* `--.*", section, re.MULTILINE) for name in re.findall(r"`(--[\w-]+)", line)
    }
    assert named == options


@pytest.mark.parametrize("command", COMMANDS)
def test_the_documented_examples_are_of_the_command(command: str) -> None:
    (block,) = re.findall(r"```\n(.*?)```", _sections()[command], re.DOTALL)
    assert block.strip()
    assert all(f"vna {command}" in line for line in block.strip().splitlines())


def test_every_metric_is_documented_with_its_labels_and_no_other() -> None:
    text = (DOCS / "operations.md").read_text()
    documented = {
        name: (kind, frozenset(filter(None, labels.split(", "))))
        for name, kind, labels in re.findall(r"^\| `(vna_\w+)` \| (\w+) \| (.*?) ?\| .+ \|$", text, re.MULTILINE)
    }
    kept = {
        family.name + ("_total" if family.type == "counter" else ""): (family.type, frozenset(instrument._labelnames))
        for instrument in vars(Metrics()).values()
        if hasattr(instrument, "_labelnames")
        for family in instrument.describe()
    }
    of_the_moment = {
        "vna_ready": ("gauge", frozenset[str]()),
        "vna_spool_objects": ("gauge", frozenset[str]()),
        "vna_spool_bytes": ("gauge", frozenset[str]()),
        "vna_spool_oldest_seconds": ("gauge", frozenset[str]()),
        "vna_free_bytes": ("gauge", frozenset[str]()),
        "vna_backup_age_seconds": ("gauge", frozenset[str]()),
        "vna_restore_test_age_seconds": ("gauge", frozenset[str]()),
        "vna_backup_overdue": ("gauge", frozenset[str]()),
        "vna_verify_damaged": ("gauge", frozenset[str]()),
        "vna_verify_last_seconds": ("gauge", frozenset[str]()),
        "vna_jobs": ("gauge", frozenset({"kind", "state"})),
        "vna_certificate_days": ("gauge", frozenset({"owner", "use"})),
        "vna_audit_unsent": ("gauge", frozenset[str]()),
        "vna_audit_unsent_oldest_seconds": ("gauge", frozenset[str]()),
    }
    assert documented == kept | of_the_moment


def test_every_address_for_machines_is_documented() -> None:
    text = (DOCS / "operations.md").read_text()
    assert {path for path in OPEN_PATHS if f"`{path}`" in text} == OPEN_PATHS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_something(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
