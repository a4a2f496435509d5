"""What a use case decided to change, done in one transaction with the event that tells of it, and done again by a
reindex."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from storage.index import documents, events, identities
from storage.index.engine import Connection
from storage.index.events import time_text
from vna.identity.patients import order_key, restored
from vna.model import document_json
from vna.model.access import Actor
from vna.model.documents import Association, Registered, RegistryObject
from vna.model.events import Event, EventKind

Render = Callable[[RegistryObject], bytes]
"""What a door keeps beside an object, so that it need not be made at every answer; opaque to everybody else."""


@dataclass(slots=True)
class Changes:
    """Objects that are new, objects that are different, entryUUIDs that go."""

    added: list[RegistryObject] = field(default_factory=list)
    changed: dict[str, RegistryObject] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)

    def change(self, thing: RegistryObject) -> None:
        """Note an object as it will be."""
        self.changed[thing.entry_uuid] = thing


@dataclass(frozen=True, slots=True)
class Teller:
    """Who does it, when, and as what it is told of."""

    kind: EventKind
    actor: Actor
    at: datetime


def carry_out(
    connection: Connection, changes: Changes, patient: int, patient_id: str, render: Render, teller: Teller
) -> None:
    """Write the rows, then the event, which holds everything that a reindex needs."""
    _write(connection, changes, patient, render)
    detail: dict[str, Any] = {
        "patient": patient_id,
        "added": [document_json.plain(thing) for thing in changes.added],
        "changed": [document_json.plain(thing) for thing in changes.changed.values()],
        "removed": changes.removed,
    }
    events.append(
        connection,
        teller.kind,
        at=teller.at,
        actor=teller.actor.name,
        detail=detail,
        study_instance_uid=order_key(patient),
    )


def replaying(render: Render) -> Callable[[Connection, Event], None]:
    """What a reindex does with an event of the journal that told of changes."""

    def replay(connection: Connection, event: Event) -> None:
        detail = event.detail
        identifier = restored(detail["patient"])
        identities.add(connection, identifier, time_text(event.at))
        identity = identities.find(connection, identifier)
        assert identity is not None
        changes = Changes([document_json.read(values) for values in detail["added"]], removed=detail["removed"])
        for values in detail["changed"]:
            changes.change(document_json.read(values))
        # What is another patient's by now is rendered when it is asked for.
        _write(connection, changes, identity.key, render if identity.merged_into is None else _nothing)

    return replay


def _nothing(_thing: RegistryObject) -> None:
    return None


def _write(
    connection: Connection, changes: Changes, patient: int, render: Callable[[RegistryObject], bytes | None]
) -> None:
    added, links = _parted(changes.added)
    documents.add(connection, ((thing, patient, render(thing)) for thing in added))
    documents.add_associations(connection, ((thing, render(thing)) for thing in links))
    changed, relinked = _parted(changes.changed.values())
    for thing in changed:
        documents.change(connection, thing, render(thing))
    for link in relinked:
        documents.change_association(connection, link, render(link))
    documents.remove(connection, changes.removed)


def _parted(things: Iterable[RegistryObject]) -> tuple[list[Registered], list[Association]]:
    objects: list[Registered] = []
    links: list[Association] = []
    for thing in things:
        links.append(thing) if isinstance(thing, Association) else objects.append(thing)
    return objects, links
