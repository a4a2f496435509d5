"""The command line in this process, on an archive of its own."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.archives import lay_index
from vna import logs
from vna.cli import run


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str


Vna = Callable[..., Done]


@pytest.fixture
def vna(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Vna]:
    """`vna("import", path)` runs a command; no setting of whoever runs the tests is in force."""
    for name in [name for name in os.environ if name.startswith("VNA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VNA_DATA_DIR", str(tmp_path / "data"))
    lay_index(tmp_path / "data")
    monkeypatch.setenv("VNA_STORAGE__MIN_FREE", "0")
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    names = (*logs.OUR_LOGGERS, *logs.LIBRARY_LEVELS)
    before = [(logger, logger.level, logger.handlers[:]) for logger in (root, *map(logging.getLogger, names))]

    def command(*args: str | Path) -> Done:
        capsys.readouterr()
        code = run([str(arg) for arg in args])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    with warnings.catch_warnings():
        yield command
        logging.captureWarnings(capture=False)
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
