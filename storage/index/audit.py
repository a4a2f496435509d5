"""Rows of the audit trail: written once, read in order, searched by who, whose and when."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa

from storage.index.audit_schema import audit_records
from storage.index.prepared import Prepared
from storage.index.schema import patients, studies

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A record as it is written; `id` and `mac` come when it is."""

    kind: str
    what: str
    at: str
    outcome: int
    actor_kind: str
    actor: str
    actor_role: str
    person: str
    actor_facility: str
    address: str
    purpose: str
    study_instance_uid: str
    patient: str
    issuer: str
    facility: str
    reason: str
    detail: str
    event_id: int
    key_id: str
    id: int = 0
    mac: bytes = b""


@dataclass(frozen=True, slots=True)
class Whose:
    """Of whom a study is, and of which facility; empty where nothing is known of it."""

    patient: str = ""
    issuer: str = ""
    facility: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched; empty matches all. `since` and `until` are texts of `time_text`, `until` is excluded."""

    patient: str = ""
    issuer: str = ""
    study_instance_uid: str = ""
    actor: str = ""
    kinds: tuple[str, ...] = ()
    facility: str = ""
    since: str = ""
    until: str = ""


_INSERT = Prepared(sa.insert(audit_records).values({c.name: sa.bindparam(c.name) for c in audit_records.c}).inline())
_WHOSE = Prepared(
    sa.select(patients.c.patient_id, patients.c.issuer, studies.c.facility)
    .join_from(studies, patients, studies.c.patient_fk == patients.c.id)
    .where(studies.c.study_instance_uid == sa.bindparam("study"))
)
_WHOSE_IT_WAS = Prepared(
    sa.select(audit_records.c.patient, audit_records.c.issuer, audit_records.c.facility)
    .where(audit_records.c.study_instance_uid == sa.bindparam("study"), audit_records.c.patient != "")
    .order_by(audit_records.c.id.desc())
    .limit(1)
)


def add(connection: sa.Connection, rows: Sequence[AuditRow], mac: Callable[[AuditRow], bytes]) -> list[int]:
    """Write rows under new ids, each with the MAC that `mac` makes of it once it has one."""
    ids = _new_ids(connection, len(rows))
    for row, id_ in zip(rows, ids, strict=True):
        numbered = replace(row, id=id_)
        _INSERT.run(connection, **asdict(replace(numbered, mac=mac(numbered))))
    return ids


def _new_ids(connection: sa.Connection, count: int) -> list[int]:
    """Ids that no row had: the MAC is over the id too, so that a copy of a row is no row."""
    if connection.dialect.name == "postgresql":
        found = connection.exec_driver_sql(
            "SELECT nextval(pg_get_serial_sequence('audit_records', 'id')) FROM generate_series(1, %s)", (count,)
        )
        return [int(one) for (one,) in found]
    last = connection.exec_driver_sql(
        "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit_records'), 0), "
        "coalesce((SELECT max(id) FROM audit_records), 0))"
    ).scalar_one()
    return list(range(last + 1, last + 1 + count))


def whose(connection: sa.Connection, study_instance_uid: str) -> Whose:
    """As the index has it, else as the trail had it last: a study that was deleted is still somebody's."""
    found = _WHOSE.run(connection, study=study_instance_uid).fetchone()
    if found is None:
        found = _WHOSE_IT_WAS.run(connection, study=study_instance_uid).fetchone()
    return Whose(*found) if found is not None else Whose()


def after(connection: sa.Connection, id_: int, limit: int) -> list[AuditRow]:
    """Rows in the order of their ids, from one on."""
    chosen = sa.select(audit_records).where(audit_records.c.id > id_).order_by(audit_records.c.id).limit(limit)
    return [_row(row) for row in connection.execute(chosen)]


def by_ids(connection: sa.Connection, ids: Iterable[int]) -> Iterator[AuditRow]:
    """Those of some ids that are there, in the order of their ids."""
    wanted = sorted(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        some = audit_records.c.id.in_(wanted[start : start + _AT_ONCE])
        for row in connection.execute(sa.select(audit_records).where(some).order_by(audit_records.c.id)):
            yield _row(row)


def search(connection: sa.Connection, wanted: Wanted, *, before: int = 0, limit: int = 100) -> list[AuditRow]:
    """The newest rows that match, newest first; `before` goes on from an id."""
    chosen = sa.select(audit_records).where(*_conditions(wanted))
    if before:
        chosen = chosen.where(audit_records.c.id < before)
    return [_row(row) for row in connection.execute(chosen.order_by(audit_records.c.id.desc()).limit(limit))]


def _conditions(wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    for name in ("patient", "issuer", "study_instance_uid", "actor", "facility"):
        value = getattr(wanted, name)
        if value:
            yield audit_records.c[name] == value
            if name in {"patient", "study_instance_uid"}:
                yield audit_records.c[name] != sa.literal_column("''")  # so that the partial index is one for it
    if wanted.kinds:
        yield audit_records.c.kind.in_(wanted.kinds)
    if wanted.since:
        yield audit_records.c.at >= wanted.since
    if wanted.until:
        yield audit_records.c.at < wanted.until


def _row(row: sa.Row[Any]) -> AuditRow:
    return AuditRow(**{**row._mapping, "mac": bytes(row.mac)})
