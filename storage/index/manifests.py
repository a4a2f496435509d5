"""Manifests of archives elsewhere that came, and what each says of where instances are."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson
import sqlalchemy as sa

from storage.index.packing import pack, unpack
from storage.index.schema import instances, manifest_series, series, studies
from storage.index.schema import manifests as table
from vna.model.manifests import Download, ListedSeries, Manifest, State

_BATCH = 500
_COLUMNS = [table.c[name] for name in Manifest.__slots__ if name not in ("series", "problems")]


@dataclass(frozen=True, slots=True)
class Place:
    """What one current manifest says of where a series is; `facility` is whose the manifest is."""

    manifest: str
    facility: str
    retrieve_location_uid: str
    retrieve_ae_title: str


def put(connection: sa.Connection, manifest: Manifest) -> None:
    """Note a manifest, in the place of what was known of it; what became of it stays."""
    held = connection.execute(
        sa.select(table.c.id).where(table.c.sop_instance_uid == manifest.sop_instance_uid)
    ).scalar()
    values = {name: value for name, value in asdict(replace(manifest, series=())).items() if name != "series"}
    values |= {"problems": orjson.dumps(manifest.problems).decode(), "state": manifest.state.value}
    values["download"] = manifest.download.value
    if held is None:
        inserted = connection.execute(sa.insert(table).values(**values).returning(table.c.id))
        held = inserted.scalar_one()
    else:
        stays = {"download", "reason", "download_at", "received_at"}
        changed = {name: value for name, value in values.items() if name not in stays}
        connection.execute(sa.update(table).where(table.c.id == held).values(**changed))
        connection.execute(sa.delete(manifest_series).where(manifest_series.c.manifest_fk == held))
    if manifest.series:
        connection.execute(sa.insert(manifest_series), [_series_row(held, one) for one in manifest.series])


def _series_row(key: int, one: ListedSeries) -> dict[str, Any]:
    return {
        "manifest_fk": key,
        "study_instance_uid": one.study_instance_uid,
        "series_instance_uid": one.series_instance_uid,
        "retrieve_location_uid": one.retrieve_location_uid,
        "retrieve_ae_title": one.retrieve_ae_title,
        "named": len(one.instances),
        "instances": pack(orjson.dumps(one.instances)),
    }


def find(connection: sa.Connection, sop_instance_uid: str) -> Manifest | None:
    """One manifest, with all that it names."""
    row = connection.execute(
        sa.select(table.c.id, table.c.problems, *_COLUMNS).where(table.c.sop_instance_uid == sop_instance_uid)
    ).one_or_none()
    if row is None:
        return None
    named = connection.execute(
        sa.select(manifest_series).where(manifest_series.c.manifest_fk == row.id).order_by(manifest_series.c.id)
    )
    return replace(_manifest(row), series=tuple(_listed(one) for one in named))


def of_study(connection: sa.Connection, study: str) -> list[Manifest]:
    """The manifests that are of a study or name series of it, oldest first, without what they name."""
    naming = sa.select(manifest_series.c.manifest_fk).where(manifest_series.c.study_instance_uid == study)
    wanted = sa.or_(table.c.study_instance_uid == study, table.c.id.in_(naming))
    return _some(connection, wanted, limit=_BATCH)


def listed(
    connection: sa.Connection, *, after: int = 0, limit: int, state: str = "", facility: str = "", download: str = ""
) -> list[tuple[int, Manifest]]:
    """Manifests from a key on, without what they name, each with its key."""
    statement = sa.select(table.c.id, table.c.problems, *_COLUMNS).where(table.c.id > after)
    for column, value in ((table.c.state, state), (table.c.facility, facility), (table.c.download, download)):
        if value:
            statement = statement.where(column == value)
    rows = connection.execute(statement.order_by(table.c.id).limit(limit))
    return [(row.id, _manifest(row)) for row in rows]


def known(connection: sa.Connection, uids: Iterable[str]) -> set[str]:
    """Which of these are manifests that came."""
    found: set[str] = set()
    for batch in _batches(list(uids)):
        wanted = sa.select(table.c.sop_instance_uid).where(table.c.sop_instance_uid.in_(batch))
        found.update(connection.execute(wanted).scalars())
    return found


def of_entries(connection: sa.Connection, entry_uuids: Iterable[str]) -> set[str]:
    """The manifests that were registered under these entryUUIDs."""
    found: set[str] = set()
    for batch in _batches(list(entry_uuids)):
        wanted = sa.select(table.c.sop_instance_uid).where(table.c.entry_uuid.in_(batch), table.c.entry_uuid != "")
        found.update(connection.execute(wanted).scalars())
    return found


def key_objects(connection: sa.Connection, uids: Iterable[str], sop_class_uid: str, without_door: str) -> set[str]:
    """Which of these instances are of a class, and came by another door than one."""
    found: set[str] = set()
    for batch in _batches(list(uids)):
        wanted = sa.select(instances.c.sop_instance_uid).where(
            instances.c.sop_instance_uid.in_(batch),
            instances.c.sop_class_uid == sop_class_uid,
            instances.c.blob != "",
            instances.c.door != without_door,
        )
        found.update(connection.execute(wanted).scalars())
    return found


def every_key_object(connection: sa.Connection, sop_class_uid: str, without_door: str) -> list[str]:
    """All of them: what a reindex has to look at."""
    wanted = sa.select(instances.c.sop_instance_uid).where(
        instances.c.sop_class_uid == sop_class_uid, instances.c.blob != "", instances.c.door != without_door
    )
    return list(connection.execute(wanted).scalars())


def set_state(connection: sa.Connection, sop_instance_uid: str, state: State) -> None:
    """What became of a manifest."""
    connection.execute(sa.update(table).where(table.c.sop_instance_uid == sop_instance_uid).values(state=state.value))


def set_checked(connection: sa.Connection, sop_instance_uid: str, missing: int, problems: Sequence[str]) -> None:
    """What came out of asking the archives that it names."""
    values = {"missing": missing, "problems": orjson.dumps(problems).decode()}
    connection.execute(sa.update(table).where(table.c.sop_instance_uid == sop_instance_uid).values(**values))


def set_download(connection: sa.Connection, sop_instance_uid: str, download: Download, reason: str, at: str) -> None:
    """Whether what a manifest names was fetched, and why not."""
    values = {"download": download.value, "reason": reason[:500], "download_at": at}
    connection.execute(sa.update(table).where(table.c.sop_instance_uid == sop_instance_uid).values(**values))


def download_of(connection: sa.Connection, sop_instance_uid: str) -> Download:
    """Whether what a manifest names was fetched so far."""
    wanted = sa.select(table.c.download).where(table.c.sop_instance_uid == sop_instance_uid)
    return Download(connection.execute(wanted).scalar_one_or_none() or "")


def places(connection: sa.Connection, study: str, series_uid: str) -> list[Place]:
    """Where current manifests say that a series is, the newest first."""
    rows = connection.execute(
        sa.select(
            table.c.sop_instance_uid,
            table.c.facility,
            manifest_series.c.retrieve_location_uid,
            manifest_series.c.retrieve_ae_title,
        )
        .join(table, table.c.id == manifest_series.c.manifest_fk)
        .where(
            manifest_series.c.study_instance_uid == study,
            manifest_series.c.series_instance_uid == series_uid,
            table.c.state == State.CURRENT.value,
        )
        .order_by(table.c.id.desc())
    )
    return [Place(*row) for row in rows]


def named_elsewhere(connection: sa.Connection, study: str, without: str) -> set[str]:
    """The instances of a study that current manifests name, one of them left out."""
    rows = connection.execute(
        sa.select(manifest_series.c.instances)
        .join(table, table.c.id == manifest_series.c.manifest_fk)
        .where(
            manifest_series.c.study_instance_uid == study,
            table.c.state == State.CURRENT.value,
            table.c.sop_instance_uid != without,
        )
    ).scalars()
    return {uid for packed in rows for _, uid in orjson.loads(unpack(bytes(packed)))}


def classes(connection: sa.Connection, study: str, series_uid: str) -> dict[str, str]:
    """SOP Class UID by SOP Instance UID, of what current manifests name in a series."""
    rows = connection.execute(
        sa.select(manifest_series.c.instances)
        .join(table, table.c.id == manifest_series.c.manifest_fk)
        .where(
            manifest_series.c.study_instance_uid == study,
            manifest_series.c.series_instance_uid == series_uid,
            table.c.state == State.CURRENT.value,
        )
        .order_by(table.c.id)
    ).scalars()
    return {uid: sop_class for packed in rows for sop_class, uid in orjson.loads(unpack(bytes(packed)))}


def series_after(connection: sa.Connection, after: int, limit: int) -> list[tuple[int, ListedSeries]]:
    """Series that current manifests name, from a key on, each with its key."""
    rows = connection.execute(
        sa.select(manifest_series)
        .join(table, table.c.id == manifest_series.c.manifest_fk)
        .where(manifest_series.c.id > after, table.c.state == State.CURRENT.value)
        .order_by(manifest_series.c.id)
        .limit(limit)
    )
    return [(row.id, _listed(row)) for row in rows]


def is_named(connection: sa.Connection, study: str, series_uid: str, without_door: str) -> bool:
    """Whether current manifests that came by another door than one name something of a study, or of a series of it."""
    wanted = [
        manifest_series.c.study_instance_uid == study,
        table.c.state == State.CURRENT.value,
        table.c.door != without_door,
    ]
    if series_uid:
        wanted.append(manifest_series.c.series_instance_uid == series_uid)
    found = sa.select(table.c.id).join(manifest_series, table.c.id == manifest_series.c.manifest_fk).where(*wanted)
    return connection.execute(found.limit(1)).first() is not None


def is_whole(connection: sa.Connection, sop_instance_uid: str) -> bool:
    """Whether nothing that a manifest names is elsewhere any more, what nobody has aside."""
    left = (
        sa.select(instances.c.id)
        .join(series, series.c.id == instances.c.series_fk)
        .join(studies, studies.c.id == series.c.study_fk)
        .join(
            manifest_series,
            sa.and_(
                manifest_series.c.study_instance_uid == studies.c.study_instance_uid,
                manifest_series.c.series_instance_uid == series.c.series_instance_uid,
            ),
        )
        .join(table, table.c.id == manifest_series.c.manifest_fk)
        .where(table.c.sop_instance_uid == sop_instance_uid, instances.c.blob == "", instances.c.size >= 0)
    )
    return connection.execute(left.limit(1)).first() is None


def _some(connection: sa.Connection, *wanted: sa.ColumnElement[bool], limit: int) -> list[Manifest]:
    statement = sa.select(table.c.id, table.c.problems, *_COLUMNS).where(*wanted).order_by(table.c.id).limit(limit)
    return [_manifest(row) for row in connection.execute(statement)]


def _manifest(row: sa.Row[Any]) -> Manifest:
    values = {column.name: getattr(row, column.name) for column in _COLUMNS}
    values["state"], values["download"] = State(values["state"]), Download(values["download"])
    return Manifest(**values, problems=tuple(orjson.loads(row.problems or "[]")))


def _listed(row: sa.Row[Any]) -> ListedSeries:
    return ListedSeries(
        row.study_instance_uid,
        row.series_instance_uid,
        row.retrieve_location_uid,
        row.retrieve_ae_title,
        tuple((sop_class, uid) for sop_class, uid in orjson.loads(unpack(bytes(row.instances)))),
    )


def _batches(items: Sequence[str]) -> Iterable[Sequence[str]]:
    return (items[at : at + _BATCH] for at in range(0, len(items), _BATCH))
