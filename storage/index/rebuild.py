"""Emptying and refilling the index: what reindex needs beside the ordinary ways in."""

import orjson
import sqlalchemy as sa

from storage.index.care_schema import damages, holds, orphans, purged, verify_runs
from storage.index.commitment_schema import commitment_references, commitments
from storage.index.corrections_schema import corrections, patient_links, rejected, rejections
from storage.index.events import time_text
from storage.index.forwarding_schema import forwarded
from storage.index.national_schema import (
    doses,
    looks,
    named_accessions,
    notifications,
    order_matches,
    orders,
    other_patient_ids,
    patient_details,
    performed_steps,
    quarantine,
    reports,
)
from storage.index.roles_schema import facility_details, permit_studies, permits
from storage.index.schema import (
    coercions,
    conflicts,
    deleted,
    document_associations,
    document_objects,
    events,
    held_documents,
    instances,
    jobs,
    manifest_series,
    manifests,
    patient_identifiers,
    patients,
    publications,
    search_tags,
    series,
    studies,
    superseded,
    tag_values,
)
from storage.index.stores_schema import blob_places
from storage.index.tags import READY
from vna.model.events import Event

_EMPTIED = (
    *(tag_values, instances, series, studies, patients, superseded, deleted, conflicts, coercions, events, jobs),
    *(document_associations, document_objects, held_documents, patient_identifiers, publications),
    *(manifest_series, manifests),
    *(orders, performed_steps, order_matches, reports, notifications, doses, looks, patient_details),
    *(named_accessions, other_patient_ids, quarantine),
    *(verify_runs, damages, orphans, holds, purged),
    *(commitment_references, commitments),
    *(rejections, rejected, corrections, patient_links),
    blob_places,
    forwarded,
    *(permits, permit_studies, facility_details),
)


def empty(connection: sa.Connection) -> None:
    """Forget everything that the blob store can give back. Users, tokens and settings stay: nothing else knows them."""
    for table in _EMPTIED:
        connection.execute(sa.delete(table))
    connection.execute(sa.update(search_tags).values(state=READY))  # what comes back is noted as it comes


def keep_event(connection: sa.Connection, past: Event) -> None:
    """Put an event back as it was: under its own id, and handed out already."""
    connection.execute(
        sa.insert(events).values(
            id=past.event_id,
            kind=past.kind.value,
            at=time_text(past.at),
            study_instance_uid=past.study_instance_uid,
            sop_instance_uid=past.sop_instance_uid,
            actor=past.actor,
            detail=orjson.dumps(past.detail).decode(),
            pending=0,
            sequence=past.sequence or None,
        )
    )


def continue_after(connection: sa.Connection, event_id: int) -> None:
    """The next event gets a greater id than any that was journaled. SQLite sees to that by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.setval(sa.func.pg_get_serial_sequence("events", "id"), max(event_id, 1))))
