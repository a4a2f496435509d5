"""In which stores a blob lies, where there are several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from storage.index.engine import Database
from storage.index.lookup import KEPT
from storage.index.schema import instances, series, studies
from storage.index.stores_schema import blob_places

PRIMARY = "primary"
"""The store in which everything lies of which nothing else is told."""


class Places:
    """Asked by a blob store of several stores at every read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, name: str) -> tuple[str, ...]:
        """Names of stores, the first to be read first; empty when nothing is told of it."""
        with self._database.glance() as connection:
            return of(connection, name)

    def found(self, name: str, store: str, size: int) -> None:
        """It was found there, and nothing was told of it."""
        with self._database.transaction() as connection:
            if not of(connection, name):
                put(connection, name, (store,), size)

    def forget(self, name: str) -> None:
        """It is gone."""
        with self._database.transaction() as connection:
            connection.execute(sa.delete(blob_places).where(blob_places.c.blob == name))


def of(connection: sa.Connection, name: str) -> tuple[str, ...]:
    """Names of the stores that hold a blob; empty when nothing is told of it."""
    rows = sa.select(blob_places.c.store).where(blob_places.c.blob == name).order_by(blob_places.c.position)
    return tuple(connection.execute(rows).scalars())


def put(connection: sa.Connection, name: str, stores: Sequence[str], size: int) -> None:
    """A blob lies in these stores, and in no other."""
    connection.execute(sa.delete(blob_places).where(blob_places.c.blob == name))
    if tuple(stores) != (PRIMARY,):
        rows = [{"blob": name, "store": store, "position": n, "size": size} for n, store in enumerate(stores)]
        connection.execute(sa.insert(blob_places), rows)


@dataclass(frozen=True, slots=True)
class Rule:
    """Instances that belong into these stores; `before` is a time or a date, empty for any."""

    modality: tuple[str, ...]
    facility: tuple[str, ...]
    received_before: str
    study_before: str
    stores: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A blob of an instance, with what rules ask of it; `stores` are those that hold it."""

    key: int
    blob: str
    size: int
    sha256: bytes
    sop_instance_uid: str
    modality: str
    facility: str
    received_at: str
    study_date: str
    stores: tuple[str, ...] = ()


_COLUMNS = (
    instances.c.id,
    instances.c.blob,
    instances.c.size,
    instances.c.sha256,
    instances.c.sop_instance_uid,
    series.c.modality,
    instances.c.facility,
    instances.c.received_at,
    studies.c.study_date,
)
_JOINED = instances.join(series, series.c.id == instances.c.series_fk).join(studies, studies.c.id == series.c.study_fk)


def fits(rule: Rule, one: Placed) -> bool:
    """Whether a rule says where it belongs."""
    return (
        (not rule.modality or one.modality in rule.modality)
        and (not rule.facility or one.facility in rule.facility)
        and (not rule.received_before or one.received_at < rule.received_before)
        and (not rule.study_before or "" < one.study_date < rule.study_before)
    )


def misplaced(connection: sa.Connection, rule: Rule, *, after: int, limit: int) -> list[Placed]:
    """Instances that a rule may concern and that lack in a store of it, from a key on."""
    asked = [_lacks(rule.stores)]
    if rule.modality:
        asked.append(series.c.modality.in_(rule.modality))
    if rule.facility:
        asked.append(instances.c.facility.in_(rule.facility))
    if rule.received_before:
        asked.append(instances.c.received_at < rule.received_before)
    if rule.study_before:
        asked += [studies.c.study_date < rule.study_before, studies.c.study_date != ""]
    return _found(connection, *asked, after=after, limit=limit)


def of_study(connection: sa.Connection, study: str, facility: str, *, after: int, limit: int) -> list[Placed]:
    """Instances of a study, or of a facility, from a key on."""
    return _found(connection, *_asked(study, facility), after=after, limit=limit)


def count_of(connection: sa.Connection, study: str, facility: str) -> int:
    """How many instances that are."""
    rows = sa.select(sa.func.count()).select_from(_JOINED).where(instances.c.blob != "", *_asked(study, facility))
    return int(connection.execute(rows).scalar_one())


def _asked(study: str, facility: str) -> list[sa.ColumnElement[bool]]:
    asked: list[sa.ColumnElement[bool]] = []
    if study:
        asked.append(studies.c.study_instance_uid == study)
    if facility:
        asked.append(instances.c.facility == facility)
    return asked


def _found(connection: sa.Connection, *asked: sa.ColumnElement[bool], after: int, limit: int) -> list[Placed]:
    rows = (
        sa.select(*_COLUMNS)
        .select_from(_JOINED)
        .where(instances.c.id > after, instances.c.blob != "", *asked)
        .order_by(instances.c.id)
        .limit(limit)
    )
    found = [Placed(*row) for row in connection.execute(rows)]
    held = _held(connection, [one.blob for one in found])
    return [replace(one, stores=held.get(one.blob, (PRIMARY,))) for one in found]


def _held(connection: sa.Connection, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    rows = sa.select(blob_places.c.blob, blob_places.c.store).where(blob_places.c.blob.in_(names))
    held: dict[str, tuple[str, ...]] = {}
    for blob, store in connection.execute(rows.order_by(blob_places.c.position)):
        held[blob] = (*held.get(blob, ()), store)
    return held


def _lacks(stores: Sequence[str]) -> sa.ColumnElement[bool]:
    places = sa.exists().where(blob_places.c.blob == instances.c.blob)
    lacking = []
    for store in stores:
        there = places.where(blob_places.c.store == store)
        lacking.append(sa.and_(places, ~there) if store == PRIMARY else ~there)
    return sa.or_(*lacking)


def counts(connection: sa.Connection) -> dict[str, tuple[int, int]]:
    """Objects and bytes by store, as far as the index knows."""
    rows = sa.select(blob_places.c.store, sa.func.count(), sa.func.sum(blob_places.c.size)).group_by(
        blob_places.c.store
    )
    told = {store: (int(number), int(size or 0)) for store, number, size in connection.execute(rows)}
    number, size = told.get(PRIMARY, (0, 0))
    for table in KEPT:
        untold = ~sa.exists().where(blob_places.c.blob == table.c.blob)
        rest = sa.select(sa.func.count(), sa.func.sum(table.c.size)).where(table.c.blob != "", untold)
        more, bytes_ = connection.execute(rest).one()
        number, size = number + int(more), size + int(bytes_ or 0)
    return told | {PRIMARY: (number, size)}
