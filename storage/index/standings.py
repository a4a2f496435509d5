"""What is known of many orders at once, and how they stand: few statements for a batch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from storage.index import orders as order_rows
from storage.index.national_schema import doses, notifications, order_matches, orders, reports
from storage.index.schema import instances, series, studies
from vna.model.orders import KnownOrder, OrderKey, Standing
from vna.model.reports import ReportState

_MOST_KEYS = 500


@dataclass(frozen=True, slots=True)
class MatchedStudy:
    """Images that belong to an order; `is_held` says whether anything of the study is known by now."""

    study_instance_uid: str
    is_held: bool = False
    sop_classes: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    performed_at: str = ""
    has_dose: bool = False


@dataclass(frozen=True, slots=True)
class ReportOf:
    """An approved report of an order."""

    number: int
    radiologist: str
    approved_at: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """An order with everything that says how it stands."""

    known: KnownOrder
    studies: tuple[MatchedStudy, ...] = ()
    reports: tuple[ReportOf, ...] = ()
    notification: str = ""


def gather(connection: sa.Connection, keys: Sequence[OrderKey]) -> list[Gathered]:
    """The orders of these keys that are known, in the order of the keys."""
    found: list[Gathered] = []
    for start in range(0, len(keys), _MOST_KEYS):
        found += _gather(connection, keys[start : start + _MOST_KEYS])
    return found


def _gather(connection: sa.Connection, keys: Sequence[OrderKey]) -> list[Gathered]:
    known = {one.order.key: one for one in order_rows.listed(connection, order_rows.select(_in(orders, keys)))}
    if not known:
        return []
    there = list(known)
    matched, reported, told = _studies(connection, there), _reports(connection, there), _told(connection, there)
    return [
        Gathered(known[key], tuple(matched.get(key, ())), tuple(reported.get(key, ())), told.get(key, ""))
        for key in keys
        if key in known
    ]


def _in(table: sa.FromClause, keys: Sequence[OrderKey]) -> sa.ColumnElement[bool]:
    pairs = [(key.facility, key.accession_number) for key in keys]
    return sa.tuple_(table.c.facility, table.c.accession_number).in_(pairs)


def _studies(connection: sa.Connection, keys: Sequence[OrderKey]) -> dict[OrderKey, list[MatchedStudy]]:
    match = order_matches
    dose = sa.exists().where(doses.c.study_instance_uid == match.c.study_instance_uid)
    columns = (studies.c.sop_classes, studies.c.modalities, studies.c.study_date, studies.c.study_time)
    rows = connection.execute(
        sa.select(match.c.facility, match.c.accession_number, match.c.study_instance_uid, *columns, dose)
        .outerjoin(studies, studies.c.study_instance_uid == match.c.study_instance_uid)
        .where(_in(match, keys), match.c.released == 0)
        .order_by(match.c.id)
    )
    found: dict[OrderKey, list[MatchedStudy]] = {}
    for facility, accession, uid, classes, modalities, day, time, has_dose in rows:
        one = MatchedStudy(
            uid, classes is not None, _list(classes), _list(modalities), _moment(day or "", time or ""), bool(has_dose)
        )
        found.setdefault(OrderKey(facility, accession), []).append(one)
    return found


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(part for part in (text or "").split("\\") if part)


def _moment(day: str, time: str) -> str:
    """Study Date and Time as one local time; empty where there is no date."""
    if len(day) != 8 or not day.isdigit():
        return ""
    digits = time.partition(".")[0]
    return day + (digits if digits.isdigit() else "")[:6].ljust(6, "0")


def _reports(connection: sa.Connection, keys: Sequence[OrderKey]) -> dict[OrderKey, list[ReportOf]]:
    columns = (reports.c.number, reports.c.radiologist, reports.c.approved_at)
    rows = connection.execute(
        sa.select(reports.c.facility, reports.c.accession_number, *columns)
        .where(_in(reports, keys), reports.c.state == ReportState.APPROVED.value)
        .order_by(reports.c.number)
    )
    found: dict[OrderKey, list[ReportOf]] = {}
    for facility, accession, *said in rows:
        found.setdefault(OrderKey(facility, accession), []).append(ReportOf(*said))
    return found


def _told(connection: sa.Connection, keys: Sequence[OrderKey]) -> dict[OrderKey, str]:
    told = notifications
    rows = connection.execute(sa.select(told.c.facility, told.c.accession_number, told.c.state).where(_in(told, keys)))
    return {OrderKey(facility, accession): state for facility, accession, state in rows}


def last_image(connection: sa.Connection, uids: Sequence[str]) -> str:
    """When the last instance of these studies was received, as a `time_text`; empty where none is known."""
    newest = sa.select(sa.func.max(studies.c.last_received_at)).where(studies.c.study_instance_uid.in_(uids))
    return connection.execute(newest).scalar() or ""


_WRITE = (
    sa.update(orders)
    .where(orders.c.facility == sa.bindparam("of"), orders.c.accession_number == sa.bindparam("number"))
    .values(
        matched=sa.bindparam("is_matched"),
        has_images=sa.bindparam("images"),
        has_report=sa.bindparam("report"),
        status=sa.bindparam("stands"),
        reasons=sa.bindparam("why"),
        performed_at=sa.bindparam("performed"),
    )
)


def write(connection: sa.Connection, standings: Mapping[OrderKey, Standing]) -> None:
    """Note how orders stand: in the order in which whoever locks several orders takes them."""
    rows = [_values(key, standings[key]) for key in sorted(standings, key=str)]
    if rows:
        connection.execute(_WRITE, rows)


def _values(key: OrderKey, standing: Standing) -> dict[str, Any]:
    return {
        "of": key.facility,
        "number": key.accession_number,
        "is_matched": int(standing.matched),
        "images": int(standing.has_images),
        "report": int(standing.has_report),
        "stands": standing.status,
        "why": orjson.dumps(standing.reasons).decode(),
        "performed": standing.performed_at,
    }


def alone(connection: sa.Connection) -> None:
    """Until the transaction ends nobody else finds out how orders stand: what one writes, another had not read."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


_LOCK = 0x766E61  # a number that only this is locked by


def of_studies(connection: sa.Connection, study_instance_uids: Iterable[str]) -> set[OrderKey]:
    """The orders that any of these studies belongs to."""
    found: set[OrderKey] = set()
    wanted = sorted(set(study_instance_uids))
    columns = (order_matches.c.facility, order_matches.c.accession_number)
    for start in range(0, len(wanted), _MOST_KEYS):
        some = wanted[start : start + _MOST_KEYS]
        rows = connection.execute(sa.select(*columns).where(order_matches.c.study_instance_uid.in_(some)))
        found.update(OrderKey(*row) for row in rows)
    return found


def page(connection: sa.Connection, after: int, limit: int) -> list[tuple[int, OrderKey]]:
    """Orders by their rows' numbers, those after one."""
    columns = (orders.c.id, orders.c.facility, orders.c.accession_number)
    rows = connection.execute(sa.select(*columns).where(orders.c.id > after).order_by(orders.c.id).limit(limit))
    return [(number, OrderKey(facility, accession)) for number, facility, accession in rows]


def devices(connection: sa.Connection, study_instance_uids: Sequence[str]) -> frozenset[str]:
    """Names of the devices that made studies: Station Name of their series, AE titles that sent them."""
    wanted = sa.select(series.c.id, series.c.attributes).join(studies, studies.c.id == series.c.study_fk)
    rows = connection.execute(wanted.where(studies.c.study_instance_uid.in_(study_instance_uids)).limit(_MOST_KEYS))
    names, keys = set[str](), []
    for key, attributes in rows:
        keys.append(key)
        said = orjson.loads(attributes) if attributes else {}
        names.update(str(value) for value in said.get("00081010", {}).get("Value", ()) if value)
    senders = sa.select(instances.c.source_ae).where(instances.c.series_fk.in_(keys)).distinct().limit(_MOST_KEYS)
    names.update(name for name in connection.execute(senders).scalars() if name)
    return frozenset(names)
