"""`make bench`: stores per second, the archive and its peers in turn; medians of ratios with their spread.

make bench ARGS="--rounds 5 --count 400"
make bench ARGS="search --count 200000" measures searches instead (benchmarks/search.py)
make bench ARGS="retrieve" measures frames, metadata, downloads beside nginx and Orthanc (benchmarks/retrieve.py)
make bench ARGS="on-demand" measures reading what another archive keeps (benchmarks/on_demand.py)
make bench ARGS="rad69" measures RAD-69 beside WADO-RS (benchmarks/rad69.py)
make bench ARGS="documents --count 200000" measures stored queries (benchmarks/documents.py)
make bench ARGS="lookups" measures look-ups by accession number (benchmarks/lookups.py)
make bench ARGS="orders" measures orders by HL7 (benchmarks/orders.py)
make bench ARGS="verify" measures verify beside sha256sum (benchmarks/verify.py)
make bench ARGS="migrate" measures taking over from Orthanc (benchmarks/migrate.py)
make bench ARGS="sizing" measures what an instance costs (benchmarks/sizing.py)
make bench ARGS="move" measures C-MOVE and C-GET of a study beside Orthanc (benchmarks/move.py)
make bench ARGS="spool" measures bursts acknowledged from the spool (benchmarks/spool.py)
make bench ARGS="audit" measures what the audit trail costs, and its search (benchmarks/audit.py)
make bench ARGS="grown" measures storing and searching in a large archive (benchmarks/grown.py)
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

from benchmarks import (
    audit,
    documents,
    grown,
    lookups,
    migrate,
    move,
    on_demand,
    orders,
    rad69,
    retrieve,
    search,
    sizing,
    spool,
    verify,
)
from benchmarks.contestants import (
    NO_DELAY,
    Peer,
    folder,
    orthanc,
    orthanc_on_postgresql,
    postgresql,
    storescp,
    vna,
    vna_on_postgresql,
)
from benchmarks.objects import ct_images, small_objects
from benchmarks.sending import send
from benchmarks.spread import spread

Contestant = Callable[[], AbstractContextManager[Peer]]

_NAGLE = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}


def measure(contestants: Sequence[Contestant], groups: list[list[Path]], env: dict[str, str], rounds: int) -> None:
    """Each contestant starts empty each time; they take turns."""
    rates: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        order = [*contestants[number % len(contestants) :], *contestants[: number % len(contestants)]]
        for contestant in order:
            with contestant() as peer:
                rates[peer.name].append(send(peer, groups, env))
    for name, values in rates.items():
        print(f"    {name:20s} {spread(values)} per second")
    mine = next(iter(rates))
    for name, values in rates.items():
        if name != mine:
            ratios = [ours / theirs for ours, theirs in zip(rates[mine], values, strict=True)]
            print(f"    {mine} / {name:14s} {spread(ratios, '{:.2f}')}", flush=True)


def main() -> None:
    others = {
        "audit": audit.main,
        "search": search.main,
        "spool": spool.main,
        "documents": documents.main,
        "lookups": lookups.main,
        "orders": orders.main,
        "rad69": rad69.main,
        "retrieve": retrieve.main,
        "migrate": migrate.main,
        "move": move.main,
        "grown": grown.main,
        "on-demand": on_demand.main,
        "sizing": sizing.main,
        "verify": verify.main,
    }
    if sys.argv[1:2] and sys.argv[1] in others:
        others[sys.argv[1]](sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=400, help="CT images (default 400)")
    parser.add_argument("--small", type=int, default=200, help="8 KB objects (default 200)")
    parser.add_argument("--quick", action="store_true", help="without PostgreSQL and storescp")
    options = parser.parse_args()
    peers: list[Contestant] = [vna, orthanc]
    if not options.quick:
        peers += [storescp, vna_on_postgresql]
    print(f"{os.cpu_count()} cores, {options.rounds} rounds in turn; median (lowest to highest)")
    with ExitStack() as running:
        path = running.enter_context(folder())
        images = ct_images(path, options.count)
        small = small_objects(path, options.small)
        everything = [file for group in images for file in group]
        print(f"C-STORE, {options.count} CT images of 512 KB, one association, TCP_NODELAY=1")
        measure(peers, [everything], NO_DELAY, options.rounds)
        print(f"C-STORE, {options.count} CT images of 512 KB, four associations, TCP_NODELAY=1")
        measure(peers, images, NO_DELAY, options.rounds)
        if not options.quick:
            server = running.enter_context(postgresql())
            print(f"C-STORE, {options.count} CT images of 512 KB, four associations, indexes on one PostgreSQL server")
            pair = [partial(vna_on_postgresql, server), partial(orthanc_on_postgresql, server)]
            measure(pair, images, NO_DELAY, options.rounds)
        print(f"C-STORE, {options.small} objects of 8 KB, one association, unmodified client (Nagle on)")
        measure([vna, orthanc], [small], _NAGLE, options.rounds)


main()
