"""A restore test: what a backup gives back, counted, compared and read, and said in words to sign."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from storage.backups import Kept, Manifest
from vna.archive.names import STUDIES
from vna.archive.retrieve import Retrieval
from vna.archive.search import Search
from vna.model.access import SYSTEM
from vna.model.errors import VnaError
from vna.model.instances import Selection
from vna.model.query import Level, Query

_MOST_TOLD = 200


class Reading(Protocol):
    """The use cases of the archive that was restored."""

    @property
    def search(self) -> Search:
        """Finds."""

    @property
    def retrieval(self) -> Retrieval:
        """Reads."""


@dataclass(slots=True)
class Tested:
    """What came of a test; `differences` are sentences, the first of `difference_count`; `noted` objects were bad, and
    the next backup copies them anew."""

    manifest: Manifest
    place: str
    began_at: datetime
    ended_at: datetime
    rows: dict[str, int]
    compared: int = 0
    compared_bytes: int = 0
    studies_read: int = 0
    instances_read: int = 0
    noted: int = 0
    difference_count: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Nothing differs."""
        return not self.difference_count

    def differ(self, sentence: str) -> None:
        """Something is not as it was."""
        self.difference_count += 1
        if len(self.differences) < _MOST_TOLD:
            self.differences.append(sentence)


def compare_rows(tested: Tested) -> None:
    """Rows of each table against the manifest."""
    for table in sorted(tested.manifest.rows.keys() | tested.rows.keys()):
        due, found = tested.manifest.rows.get(table, 0), tested.rows.get(table, 0)
        if due != found:
            tested.differ(f"{table} has {found} rows, and {due} in the manifest")


def some_studies(archive: Reading, most: int) -> list[str]:
    """Studies to be read, by their UIDs; those that are kept elsewhere have nothing to be read."""
    found = archive.search.find(SYSTEM, Query(Level.STUDY, limit=200)).matches
    uids = [match.study_instance_uid for match in found]
    return random.sample(uids, min(most, len(uids)))


def sampling(studies: list[str], share: float) -> Callable[[Kept], bool]:
    """Objects of these studies, and a share of the others by chance."""
    wanted = set(studies)

    def is_wanted(kept: Kept) -> bool:
        parts = kept.name.split("/")
        if parts[0] == STUDIES and len(parts) > 2 and parts[2] in wanted:
            return True
        return random.random() < share

    return is_wanted


def read_studies(archive: Reading, studies: list[str], lacking: set[str], tested: Tested) -> None:
    """Read whole studies as whoever retrieves them does."""
    for uid in studies:
        for problem in _read(archive, uid, lacking, tested):
            tested.differ(f"study {uid}: {problem}")
        tested.studies_read += 1


def _read(archive: Reading, uid: str, lacking: set[str], tested: Tested) -> Iterator[str]:
    for instance in archive.retrieval.instances(SYSTEM, Selection(study_uids=(uid,))):
        if not instance.blob or instance.blob in lacking:
            continue
        try:
            archive.retrieval.part10(SYSTEM, instance).read()
            tested.instances_read += 1
        except VnaError as exc:
            yield str(exc)
