"""Which documents somebody may know of who does not reach all."""

from collections.abc import Iterable

import sqlalchemy as sa

from storage.index import reached
from storage.index.grams import Dialect
from storage.index.matches import batches
from storage.index.schema import document_objects as objects
from storage.index.schema import patient_identifiers as identifiers
from storage.index.schema import publications
from vna.model.identifiers import FACILITY
from vna.model.reach import Reach


def hidden(connection: sa.Connection, entry_uuids: Iterable[str], reach: Reach) -> set[str]:
    """Those of these objects that are not within reach: neither of a patient whose national number is, nor our
    manifest of a study that is. A submission set or folder is of its patient alone."""
    found: set[str] = set()
    for some in batches(entry_uuids):
        found.update(
            connection.execute(sa.select(objects.c.entry_uuid).where(objects.c.entry_uuid.in_(some))).scalars()
        )
        found -= _within(connection, objects.c.entry_uuid.in_(some), reach)
    return found


def within(connection: sa.Connection, unique_ids: Iterable[str], reach: Reach) -> set[str]:
    """Those of these documents, by uniqueId, that are within reach."""
    found: set[str] = set()
    for some in batches(unique_ids):
        shown = _within(connection, objects.c.unique_id.in_(some), reach)
        named = sa.select(objects.c.unique_id).where(objects.c.entry_uuid.in_(shown))
        found.update(connection.execute(named).scalars())
    return found


def _within(connection: sa.Connection, those: sa.ColumnElement[bool], reach: Reach) -> set[str]:
    sqlite = connection.dialect.name == "sqlite"
    named = sa.select(objects.c.entry_uuid).where(those)
    shown: set[str] = set()
    if reach.numbers:
        of_patient = named.join(identifiers, identifiers.c.id == objects.c.patient_fk).where(
            reached.among(identifiers.c.value, reach.numbers, sqlite=sqlite),
            identifiers.c.authority.not_like(f"{FACILITY}%"),
        )
        shown.update(connection.execute(of_patient).scalars())
    manifests = named.join(publications, publications.c.entry_uuid == objects.c.entry_uuid).where(
        publications.c.study_instance_uid.in_(reached.uids(reach, Dialect(sqlite)))
    )
    shown.update(connection.execute(manifests).scalars())
    return shown
