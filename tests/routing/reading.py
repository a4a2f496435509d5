"""A process that reads from a source again and again, for tests of what processes share: `python reading.py ...`."""

import sys
import time
from pathlib import Path

from vna.app.remotes import Remotes
from vna.model.priority import Priority
from vna.model.sources import Bounds, RemoteArchive, Source, StudyPart

STUDY, CT = "1.2.826.1", "1.2.840.10008.5.1.4.1.1.2"


def main(root: str, shared: str, seconds: str, priority: str, bandwidth: str, connections: str) -> None:
    """Say `reading`, read for so long, and say how many bytes came."""
    archive = RemoteArchive(wado_rs=root, bandwidth=int(bandwidth), connections=int(connections))
    remotes = Remotes("CENTRE", Path(shared), lambda: None, Bounds(wait_seconds=30), Path(shared))
    ((_, fetching),) = remotes.doors(Source("CITY", "CITY", archive=archive)).fetching
    deadline, taken = time.monotonic() + float(seconds), 0
    while time.monotonic() < deadline:
        for one in fetching.fetch(StudyPart(STUDY, priority=Priority[priority])):
            for chunk in one.chunks:
                if not taken:
                    print("reading", flush=True)
                taken += len(chunk)
                if time.monotonic() > deadline:
                    break
            else:
                continue
            break
    print(taken, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
