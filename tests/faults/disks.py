"""Small file systems that can be filled, and emptied again."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

_BALLAST = "ballast"


@dataclass(frozen=True, slots=True)
class SmallDisk:
    folder: Path

    def fill(self) -> None:
        """Until not one more byte fits."""
        with (self.folder / _BALLAST).open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def make_room(self) -> None:
        (self.folder / _BALLAST).unlink(missing_ok=True)

    @property
    def free(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_bsize


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """A file system in memory on this folder, which is made; the test is skipped without root."""
    folder.mkdir(parents=True, exist_ok=True)
    argv: list[str | Path] = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "vna-test", folder]
    if subprocess.run(argv, capture_output=True, check=False).returncode:
        pytest.skip("a small file system needs root")
    try:
        yield SmallDisk(folder)
    finally:
        _unmount(folder)


def _unmount(folder: Path) -> None:
    for _ in range(50):
        if subprocess.run(["umount", folder], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError("the small file system is still in use")
