"""`make bench ARGS="search"`: what searches take over ten thousand studies and over a million, and how often the first.

make bench ARGS="search --count 200000 --database postgresql"
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from benchmarks.studies import fill
from storage.index.engine import Database
from storage.index.schema import patients, studies
from tests.peers.postgres import PostgresServer
from vna.archive.search import Search
from vna.model.access import SYSTEM
from vna.model.dictionary import path_of, vr_of
from vna.model.query import Key, Level, Query
from vna.security.policy import LocalPolicy

SMALL = 10_000
KNOWN = 7_777
"""A study that is in both, and the same there."""

KINDS: dict[str, tuple[Level, str]] = {
    "study list": (Level.STUDY, ""),
    "study UID": (Level.STUDY, "StudyInstanceUID={uid}"),
    "patient ID": (Level.STUDY, "PatientID={id}"),
    "patient ID, inside": (Level.STUDY, "PatientID=*{id_piece}*"),
    "accession number": (Level.STUDY, "AccessionNumber={accession}"),
    "accession number, end": (Level.STUDY, "AccessionNumber=*{accession_end}"),
    "name and birth date": (Level.STUDY, "PatientName={name}&PatientBirthDate={birth}"),
    "name, any order": (Level.STUDY, "PatientName={given} {family}&PatientID={id}&fuzzy"),
    "no such name": (Level.STUDY, "PatientName=*qqwx*"),
    "one day, one modality": (Level.STUDY, "StudyDate={date}&ModalitiesInStudy={modality}"),
    "series of a study": (Level.SERIES, "AccessionNumber={accession}"),
    "instances of a patient": (Level.IMAGE, "PatientID={id}"),
    "broad: family name": (Level.STUDY, "PatientName=yilmaz*"),
    "broad: any name": (Level.STUDY, "PatientName=*a*"),
    "broad: description": (Level.STUDY, "StudyDescription=*oraks*"),
    "broad: modality": (Level.STUDY, "ModalitiesInStudy=MR"),
    "broad: year and sex": (Level.STUDY, "StudyDate=20200101-20201231&PatientSex=M"),
}


def main(words: list[str]) -> None:
    """Fill, ask in turn, print."""
    parser = argparse.ArgumentParser(prog='make bench ARGS="search ..."', description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="studies of the large one (default a million)")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(words)
    for name in ("sqlite", "postgresql"):
        if options.database in (name, "both"):
            folder = tempfile.TemporaryDirectory(prefix="vna-bench-", ignore_cleanup_errors=True)
            with folder as path, _urls(name, Path(path)) as urls:
                _compare(name, urls, options.count, options.rounds)


@contextmanager
def _urls(name: str, folder: Path) -> Iterator[tuple[str, str]]:
    if name == "sqlite":
        yield f"sqlite:///{folder}/small.sqlite", f"sqlite:///{folder}/large.sqlite"
        return
    server = PostgresServer(folder)
    server.start()
    yield server.new_database(), server.new_database()
    server.stop()


def _compare(name: str, urls: tuple[str, str], count: int, rounds: int) -> None:
    databases = [Database(url) for url in urls]
    for database, studies_in_it in zip(databases, (SMALL, count), strict=True):
        started = time.perf_counter()
        fill(database, studies_in_it)
        print(f"{name}: {studies_in_it} studies in {time.perf_counter() - started:.0f} s", flush=True)
    known = _known(databases[0])
    searches = [Search(database, LocalPolicy(), "VNA") for database in databases]
    print(f"    {'':28s}{SMALL:>10d}{count:>10d}  ratio  matches")
    for kind, (level, text) in KINDS.items():
        query = _query(level, text.format_map(known))
        taken: list[list[float]] = [[], []]
        matches = []
        for round_ in range(rounds + 2):
            for search, times in zip(searches, taken, strict=True):
                started = time.perf_counter()
                page = search.find(SYSTEM, query)
                if round_ >= 2:  # the first ones find the caches cold
                    times.append(time.perf_counter() - started)
                matches.append(len(page.matches))
        small, large = (statistics.median(times) * 1000 for times in taken)
        print(
            f"    {kind:28s}{small:7.2f} ms{large:7.2f} ms {large / small:6.2f}  {matches[-2]}, {matches[-1]}",
            flush=True,
        )
    for database in databases:
        database.close()


def _known(database: Database) -> dict[str, str]:
    joined = sa.select(patients, studies).join(studies, studies.c.patient_fk == patients.c.id)
    with database.read() as connection:
        row = connection.execute(joined.where(studies.c.id == KNOWN)).one()._mapping
    family, given = row["patient_name"].split("^")
    return {
        "uid": row["study_instance_uid"],
        "id": row["patient_id"],
        "id_piece": row["patient_id"][2:10],
        "accession": row["accession_number"],
        "accession_end": row["accession_number"][-6:],
        "name": row["patient_name"],
        "family": family,
        "given": given,
        "birth": row["birth_date"],
        "date": row["study_date"],
        "modality": row["modalities"].strip("\\"),
    }


def _query(level: Level, text: str) -> Query:
    pairs = [pair.split("=", 1) for pair in text.split("&") if "=" in pair]
    keys = tuple(Key(path := path_of(name), vr_of(path[-1]), (value,)) for name, value in pairs)
    return Query(level, keys, limit=100, fuzzy=text.endswith("&fuzzy"))
