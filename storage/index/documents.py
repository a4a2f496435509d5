"""Objects of the document registry: rows that queries are answered from, each with its body and what a door made of
it."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import orjson
import sqlalchemy as sa

from storage.index import document_queries, identities
from storage.index.document_queries import Depth, Row, contents, listed
from storage.index.identities import Identity
from storage.index.schema import document_associations, document_objects, patient_identifiers
from vna.model import document_json
from vna.model.documents import (
    KINDS,
    Association,
    AssociationKind,
    DocumentQuery,
    Kind,
    Registered,
    Status,
    coded,
    moment,
)
from vna.model.errors import Conflict
from vna.model.identifiers import PatientIdentifier

_CHUNK = 500
_CODE = (
    "class_code",
    "type_code",
    "format_code",
    "healthcare_facility_type_code",
    "practice_setting_code",
    "content_type_code",
)
_CODES = ("confidentiality_codes", "event_codes", "codes")
_TIMES = ("creation_time", "service_start_time", "service_stop_time", "submission_time", "last_update_time")
_OUTSIDE = frozenset({"patient_id"})

objects, links = document_objects, document_associations


@dataclass(frozen=True, slots=True)
class Found:
    """An object; `patient_id` names the patient that it is of now. With Depth.RENDITION there is a rendition, or the
    object where none holds."""

    kind: Kind
    entry_uuid: str
    patient: int
    patient_id: str
    object: Registered | None = None
    rendition: bytes | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """An association, with as much of it as was asked for."""

    entry_uuid: str
    association: AssociationKind
    source: str
    target: str
    object: Association | None = None
    rendition: bytes | None = None


def add(connection: sa.Connection, rows: Iterable[tuple[Registered, int, bytes | None]]) -> None:
    """Objects with the keys of their patients and what a door made of them. Conflict when an entryUUID or the uniqueId
    of a submission set is there already."""
    _insert(connection, objects, [_row(thing, rendition) | {"patient_fk": key} for thing, key, rendition in rows])


def add_associations(connection: sa.Connection, rows: Iterable[tuple[Association, bytes | None]]) -> None:
    """The same for associations."""
    _insert(connection, links, [_link_row(thing, rendition) for thing, rendition in rows])


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    try:
        for several in _batches(rows, _CHUNK):
            connection.execute(sa.insert(table), several)
    except sa.exc.IntegrityError as exc:
        raise Conflict("an object with this identifier was registered meanwhile") from exc


def change(connection: sa.Connection, thing: Registered, rendition: bytes | None) -> None:
    """Put the object as it is now in the place of what is held under its entryUUID; its patient stays."""
    row = _row(thing, rendition)
    connection.execute(sa.update(objects).where(objects.c.entry_uuid == thing.entry_uuid).values(**row))


def change_association(connection: sa.Connection, thing: Association, rendition: bytes | None) -> None:
    """The same for an association."""
    row = _link_row(thing, rendition)
    connection.execute(sa.update(links).where(links.c.entry_uuid == thing.entry_uuid).values(**row))


def remove(connection: sa.Connection, entry_uuids: Iterable[str]) -> None:
    """Forget objects and associations."""
    for several in _batches(entry_uuids, _CHUNK):
        for table in (objects, links):
            connection.execute(sa.delete(table).where(table.c.entry_uuid.in_(several)))


def known(connection: sa.Connection, entry_uuids: Iterable[str]) -> set[str]:
    """Those of the entryUUIDs that something is held under."""
    return {
        uuid
        for several in _batches(entry_uuids, _CHUNK)
        for table in (objects, links)
        for uuid in connection.execute(sa.select(table.c.entry_uuid).where(table.c.entry_uuid.in_(several))).scalars()
    }


def find(connection: sa.Connection, query: DocumentQuery, identifier: PatientIdentifier, depth: Depth) -> list[Found]:
    """What the query asks for of a patient and those merged into it, oldest first, one more than its limit at the
    most; nothing of one that is not known, or was merged into another."""
    rows = document_queries.rows_of_patient(connection, query, identifier, depth)
    return [_found(query.kind, row, Identity(row[1], identifier, None)) for row in rows]


def held(connection: sa.Connection, query: DocumentQuery, depth: Depth) -> list[Found]:
    """What is held under the query's entryUUIDs or uniqueIds, whoever's it is."""
    by, values = ("entry_uuid", query.entry_uuids) if query.entry_uuids else ("unique_id", query.unique_ids)
    rows = [
        row
        for several in _batches(dict.fromkeys(values), _CHUNK)
        for row in document_queries.rows(connection, query, by, several, depth)
    ]
    stands = identities.survivors(connection, {row[1] for row in rows})
    return [_found(query.kind, row, stands[row[1]]) for row in rows]


def unique_ids_of_format(connection: sa.Connection, format_code: str) -> list[str]:
    """The uniqueIds of all documents whose formatCode has this code, whatever its scheme."""
    wanted = sa.select(objects.c.unique_id).where(
        objects.c.kind == Kind.DOCUMENT.value, objects.c.format_code.like(f"{format_code}^^%")
    )
    return list(connection.execute(wanted).scalars())


def versions(connection: sa.Connection, logical_id: str) -> list[Found]:
    """Every version of a document or a folder, the last one first."""
    statement = sa.select(objects).where(objects.c.logical_id == logical_id).order_by(objects.c.version.desc())
    rows = connection.execute(statement).all()
    stands = identities.survivors(connection, {row.patient_fk for row in rows})
    return [
        _found(Kind(row.kind), (row.entry_uuid, row.patient_fk, None, row.body), stands[row.patient_fk]) for row in rows
    ]


def patients_of(connection: sa.Connection, unique_ids: Iterable[str]) -> dict[str, PatientIdentifier]:
    """Whose documents these are, by uniqueId, as they were registered; those that are not registered here are left
    out."""
    columns = (objects.c.unique_id, patient_identifiers.c.value, patient_identifiers.c.authority)
    chosen = sa.select(*columns).join_from(
        objects, patient_identifiers, objects.c.patient_fk == patient_identifiers.c.id
    )
    return {
        unique_id: PatientIdentifier(value, authority)
        for some in _batches(unique_ids, _CHUNK)
        for unique_id, value, authority in connection.execute(chosen.where(objects.c.unique_id.in_(some)))
    }


def uses(connection: sa.Connection, unique_ids: Iterable[str]) -> list[Found]:
    """Objects of any kind with one of these uniqueIds."""
    return [
        found
        for kind in (Kind.DOCUMENT, Kind.SUBMISSION_SET, Kind.FOLDER)
        for found in held(connection, DocumentQuery(kind, unique_ids=tuple(unique_ids)), Depth.OBJECT)
    ]


def _found(kind: Kind, row: Row, identity: Identity) -> Found:
    entry_uuid, _, rendition, body = row
    patient_id = str(identity.identifier)
    thing: Any = None
    if body is not None:
        thing = document_json.read(orjson.loads(zlib.decompress(body)), patient_id=patient_id)
    whole = zlib.decompress(rendition) if rendition is not None else None
    return Found(kind, entry_uuid, identity.key, patient_id, thing, whole)


def associations(
    connection: sa.Connection,
    entry_uuids: Iterable[str],
    depth: Depth,
    *,
    ends: tuple[str, ...] = ("source", "target"),
    kinds: Iterable[AssociationKind] = AssociationKind,
    statuses: Iterable[Status] = (Status.APPROVED,),
    limit: int | None = None,
) -> list[Link]:
    """Associations of some kinds that have one of these at one of the `ends`, or are these (`entry_uuid`); no more are
    looked for when there are more than the limit."""
    found: dict[int, Link] = {}
    columns = [links.c[name] for name in ("id", "entry_uuid", "association", "source", "target")]
    statement = sa.select(*columns, *contents(links, depth)).where(links.c.status.in_(tuple(statuses)))
    if (wanted := tuple(kinds)) != tuple(AssociationKind):
        statement = statement.where(links.c.association.in_(wanted))
    if limit is not None:
        statement = statement.limit(limit + 1)
    for several, end in product(_batches(dict.fromkeys(entry_uuids), _CHUNK), ends):
        if limit is None or len(found) <= limit:
            rows = connection.execute(statement.where(links.c[end].in_(several))).mappings()
            found.update((row["id"], _link(row)) for row in rows)
    return [found[key] for key in sorted(found)]


def _link(row: sa.RowMapping) -> Link:
    body, rendition = row.get("body"), row.get("rendition")
    thing: Any = document_json.read(orjson.loads(zlib.decompress(body))) if body is not None else None
    return Link(
        row["entry_uuid"],
        AssociationKind(row["association"]),
        row["source"],
        row["target"],
        thing,
        zlib.decompress(rendition) if rendition is not None else None,
    )


def unrendered(connection: sa.Connection, patient: int) -> None:
    """The patient is called otherwise from now on: what doors made of the objects no longer holds."""
    connection.execute(sa.update(objects).where(objects.c.patient_fk == patient).values(rendition=None))


def _row(thing: Registered, rendition: bytes | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "kind": KINDS[type(thing)].value,
        "entry_uuid": thing.entry_uuid,
        "logical_id": thing.logical_id or thing.entry_uuid,
        "version": thing.version,
        "status": thing.status.value,
        "unique_id": thing.unique_id,
        "on_demand": "yes" if getattr(thing, "on_demand", False) else "",
        "source_id": getattr(thing, "source_id", ""),
        "author_person": _listed(person for author in getattr(thing, "authors", ()) for person in author.person),
        "reference_ids": _listed(getattr(thing, "reference_ids", ())),
    }
    for name in _CODE:
        code = getattr(thing, name, None)
        row[name] = coded(code.code, code.scheme) if code else ""
    for name in _CODES:
        row[name] = _listed(coded(code.code, code.scheme) for code in getattr(thing, name, ()))
    for name in _TIMES:
        time = getattr(thing, name, "")
        row[name] = moment(time) if time else ""
    return row | _kept(thing, rendition)


def _link_row(thing: Association, rendition: bytes | None) -> dict[str, Any]:
    return {
        "entry_uuid": thing.entry_uuid,
        "association": thing.association.value,
        "source": thing.source,
        "target": thing.target,
        "status": thing.status.value,
    } | _kept(thing, rendition)


def _kept(thing: Registered | Association, rendition: bytes | None) -> dict[str, bytes | None]:
    body = orjson.dumps(document_json.plain(thing, without=_OUTSIDE))
    return {"body": zlib.compress(body), "rendition": None if rendition is None else zlib.compress(rendition)}


def _listed(values: Iterable[str]) -> str:
    return listed(dict.fromkeys(values))


def _batches(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(values)
    while several := list(islice(iterator, size)):
        yield several
