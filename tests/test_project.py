"""The project's own files: lock files and the list of dependencies agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
COPYLEFT = {"pylibjpeg-libjpeg"}  # GPL-3.0


def _pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text()
    return dict(re.findall(r"^([a-z0-9.-]+)(?:\[.*\])?==(\S+)", text, re.MULTILINE))


def _documented() -> set[str]:
    text = (ROOT / "docs" / "dependencies.md").read_text()
    python_part = text.partition("## Debian packages")[0]
    return set(re.findall(r"^\| ([a-z0-9-]+) \| .+ \| .+ \|$", python_part, re.MULTILINE)) - {"package"}


def test_every_locked_package_is_documented_and_no_other() -> None:
    assert _documented() == _pins("requirements-dev.lock").keys()


def test_the_development_lock_holds_the_runtime_lock() -> None:
    assert _pins("requirements.lock").items() <= _pins("requirements-dev.lock").items()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes(lock: str) -> None:
    entries = re.findall(r"^[a-z0-9.-]+(?:\[.*\])?==.*(?:\n    .*)+", (ROOT / lock).read_text(), re.MULTILINE)
    assert len(entries) == len(_pins(lock))
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("lock", LOCKS)
def test_no_gpl_codec_is_locked(lock: str) -> None:
    assert not COPYLEFT & _pins(lock).keys()


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[\[=<>~]", requirement)[0] for requirement in project["dependencies"]}
    assert names <= _pins("requirements.lock").keys()
