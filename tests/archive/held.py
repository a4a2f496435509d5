"""An archive to search in, filled through its one way in."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.filewriter import dcmwrite

from storage.blobs.filesystem import FilesystemBlobs
from storage.index.engine import Database
from storage.index.migrate import upgrade
from vna.archive.search import Search
from vna.archive.store import Store, StoreRules
from vna.model.access import SYSTEM
from vna.model.instances import Arrival, Door
from vna.security.policy import LocalPolicy

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
AE_TITLE = "ARCHIVE"


class Archive:
    """A database and a folder, with the store and the search over them."""

    def __init__(self, url: str, folder: Path) -> None:
        self.database = Database(url)
        upgrade(self.database)
        self.store = Store(self.database, FilesystemBlobs(folder), LocalPolicy(), lambda _ae: None, StoreRules())
        self.search = self.searching()

    def searching(self, **bounds: Any) -> Search:
        return Search(self.database, LocalPolicy(), AE_TITLE, **bounds)

    def put(self, datasets: Iterable[Dataset]) -> None:
        arrival = Arrival(Door.IMPORT, calling_ae="MODALITY")
        for ds in datasets:
            incoming = self.store.open(SYSTEM, arrival)
            incoming.write(encoded(ds))
            self.store.accept(incoming, SYSTEM, arrival)

    def close(self) -> None:
        self.database.close()


def encoded(ds: Dataset) -> bytes:
    """A Part 10 file of the data set as it is."""
    buffer = BytesIO()
    dcmwrite(buffer, ds, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return buffer.getvalue()


def sqlite_archive(folder: Path) -> Archive:
    return Archive(f"sqlite:///{folder}/index.sqlite", folder / "blobs")
