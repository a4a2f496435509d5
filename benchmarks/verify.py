"""`vna verify` beside sha256sum over the same files, warm: bytes a second of each, and the ratio of each pair.

make bench ARGS="verify --count 2000"
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from argparse import ArgumentParser
from pathlib import Path

from benchmarks.contestants import folder
from tests.archives import Backend, put, ready
from tests.objects import ct, part10
from vna.app import Application, build
from vna.model.access import SYSTEM

_ROUNDS = 9
_PIXELS = 512


def main(words: list[str]) -> None:
    """Store, then read in turn, print."""
    parser = ArgumentParser(prog='make bench ARGS="verify ..."', description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="CT images of 512 KB (default 1000)")
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    options = parser.parse_args(words)
    with folder() as path:
        settings = Backend("sqlite+folder", path).settings()
        ready(settings)
        archive = build(settings)
        pixels = os.urandom(_PIXELS * _PIXELS * 2)
        for _ in range(options.count):
            put(archive, part10(ct(Rows=_PIXELS, Columns=_PIXELS, PixelData=pixels)))
        files = sorted(Path(settings.data_dir, "blobs", "studies").rglob("*.dcm"))
        size = sum(file.stat().st_size for file in files)
        print(f"{os.cpu_count()} cores, {len(files)} files, {size / 1e6:.0f} MB, {options.rounds} rounds in turn")
        _compare(archive, files, size, options.rounds)
        archive.close()


def _compare(archive: Application, files: list[Path], size: int, rounds: int) -> None:
    names = b"\0".join(str(file).encode() for file in files)
    rates: dict[str, list[float]] = {"vna verify": [], "sha256sum": [], "sha256sum, two at once": []}
    for number in range(rounds + 1):
        for name, values in rates.items():
            started = time.perf_counter()
            if name == "vna verify":
                found = list(archive.keeping.care.verifying.everything(SYSTEM))
                assert len(found) == len(files)
                assert not any(one.damage for one in found)
            else:
                at_once = "2" if "two" in name else "1"
                command = ["xargs", "-0", "-n", "64", "-P", at_once, "sha256sum"]
                subprocess.run(command, input=names, stdout=subprocess.DEVNULL, check=True)
            if number:  # the first round warms
                values.append(size / 1e6 / (time.perf_counter() - started))
    ours = rates.pop("vna verify")
    print(f"    vna verify                {_spread(ours, '{:.0f}')} MB/s")
    for name, values in rates.items():
        ratios = [mine / theirs for mine, theirs in zip(ours, values, strict=True)]
        print(f"    {name:24s}  {_spread(values, '{:.0f}')} MB/s; vna / it {_spread(ratios, '{:.2f}')}")


def _spread(values: list[float], form: str) -> str:
    return f"{form.format(statistics.median(values))} ({form.format(min(values))} to {form.format(max(values))})"
