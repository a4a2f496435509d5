"""Sending over several associations at once."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from benchmarks.contestants import Peer


def send(peer: Peer, groups: list[list[Path]], env: dict[str, str]) -> float:
    """Instances per second over as many associations as there are groups; every one has to be answered with success."""
    count = sum(len(group) for group in groups)
    started = time.perf_counter()
    clients = [
        subprocess.Popen(
            ["/usr/bin/storescu", "127.0.0.1", str(peer.port), *map(str, group)],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for group in groups
    ]
    for client in clients:
        said, _ = client.communicate(timeout=600)
        if client.returncode or b"E:" in said or b"W:" in said:
            raise SystemExit(f"{peer.name}: storescu failed: {said[-500:]!r}")
    return count / (time.perf_counter() - started)
