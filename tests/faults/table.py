"""The result table of docs/reliability.md, from the lines that fault tests wrote (FAULT_RESULTS).

python -m tests.faults.table RESULTS docs/reliability.md
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"
_MOST_SEEN = 4


def table(outcomes: Sequence[dict[str, Any]]) -> str:
    """One row a fault and pair of stores; several runs of it are added up."""
    merged: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in outcomes:
        merged.setdefault((one["fault"], one["on"]), []).append(one)
    rows = [_row(several) for several in merged.values()]
    head = "| fault | how it is made | on | tried | acknowledged | lost | half-stored served | callers saw | recovery |"
    when = (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Linux {platform.release()}, {platform.python_version()}"
    )
    tried = sum(one["tried"] for one in outcomes)
    lost = sum(one["lost"] for one in outcomes)
    said = f"{when}: {tried} faults were tried, {lost} acknowledged instances were lost.\n\n"
    return said + "\n".join([head, "|" + "---|" * 9, *rows]) + "\n"


def _row(several: Sequence[dict[str, Any]]) -> str:
    saw: Counter[str] = Counter()
    for one in several:
        saw.update(one["saw"])
    seen = ", ".join(f"{what} ({count})" for what, count in saw.most_common(_MOST_SEEN)) or "nothing"
    times = [seconds for one in several for seconds in one["recovery"]]
    recovery = f"{statistics.median(times):.2f} s, at most {max(times):.2f} s" if times else ""
    first = several[0]
    sums = [str(sum(one[name] for one in several)) for name in ("tried", "acknowledged", "lost", "half_stored")]
    return "| " + " | ".join([first["fault"], first["made"], first["on"], *sums, seen, recovery]) + " |"


def main(results: Path, page: Path) -> None:
    outcomes = [json.loads(line) for line in results.read_text().splitlines()]
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(before + BEGIN + table(outcomes) + END + after)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
