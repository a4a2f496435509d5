"""Commands of a page, run as they are written, against a running archive."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.archives import LiveArchive
from tests.peers.processes import SYSTEM_PATH

ROOT = Path(__file__).parents[1]


def walked(live: LiveArchive, commands: str, addresses: Mapping[str, str], folder: Path, *, seconds: int) -> str:
    """One script that ends at the first command that fails; what it wrote. The archive is stopped. `addresses` are as
    the page has them, with what they are here."""
    for written, real in {**addresses, ".venv/bin/vna": shlex.join([sys.executable, "-m", "vna.cli"])}.items():
        assert written in commands
        commands = commands.replace(written, real)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("VNA_")}
    environment = {**plain, **live.environment, "PATH": SYSTEM_PATH, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            ["timeout", str(seconds), "sh", "-ec", commands],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    finally:
        live.stop()
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout
