"""Removing documents with what a registry says of them, so that a crash in between leaves neither for ever.

Metadata go first (ITI TF-2 3.62), so that nobody finds what is not there; documents by a durable job (Remove Metadata
and Documents 3.86).
"""

from collections.abc import Sequence
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from typing import Protocol

import orjson

from storage.index import jobs
from storage.index.engine import Database
from storage.index.events import time_text
from vna.documents.problems import Refused
from vna.documents.repository import WantedDocument
from vna.documents.withdrawal import Leaving, Metadata
from vna.model.errors import Unavailable

REMOVE = "remove"
"""The kind of job that removes documents of which a registry knows nothing any more."""

_UNCERTAIN = timedelta(minutes=10)
"""How long a registry is waited for: nobody hears of it when the process is killed meanwhile."""


class Destination(Protocol):
    """A repository with its registry. Everything raises Refused, or Unavailable when nobody knows."""

    @property
    def metadata(self) -> Metadata:
        """The registry."""

    def discard(self, documents: Sequence[WantedDocument]) -> None:
        """Remove documents; what is not there is gone already."""


class Removing:
    """Removes from one repository and its registry."""

    def __init__(self, database: Database, destination: Destination) -> None:
        self._database = database
        self._destination = destination

    def remove(self, study_instance_uid: str, gone: Leaving) -> None:
        """Have the registry forget; the documents go when it has. Refused when it does not, Unavailable when nobody
        knows."""
        if not gone.entry_uuids:
            return
        payload = orjson.dumps([astuple(document) for document in gone.documents]).decode()
        later = time_text(datetime.now(UTC) + _UNCERTAIN)
        with self._database.transaction() as connection:
            job_id = jobs.add(connection, REMOVE, order_key=study_instance_uid, payload=payload, run_after=later)
        try:
            self._destination.metadata.remove(gone.entry_uuids)
        except Refused:
            with self._database.transaction() as connection:
                jobs.drop(connection, job_id)
            raise
        with self._database.transaction() as connection:
            jobs.again(connection, job_id)

    def __call__(self, payload: str) -> None:
        """Do the job. Unavailable while a registry still lists one of the documents."""
        documents = [WantedDocument(*one) for one in orjson.loads(payload)]
        listed = self._destination.metadata.documents(unique_ids=[one.unique_id for one in documents])
        if listed:
            raise Unavailable("the registry still lists documents that were to be removed")
        self._destination.discard(documents)
