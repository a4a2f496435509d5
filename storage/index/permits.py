"""Permits: consents of patients, grants between facilities, cases of inspectors; and what facilities are."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

from storage.index.roles_schema import facility_details, permit_studies, permits
from storage.index.upserts import upsert


@dataclass(frozen=True, slots=True)
class PermitStudy:
    """What a case is about: a study, or an order by its key."""

    study_instance_uid: str = ""
    facility: str = ""
    accession_number: str = ""


@dataclass(frozen=True, slots=True)
class Permit:
    """Who (`reader`) may see what of whom (`subject`), from `since` until before `until`: times as `time_text`, an
    empty `until` never, an empty `revoked_at` not revoked."""

    name: str
    kind: str
    reader: str
    subject: str = field(repr=False)
    reason: str
    since: str
    until: str
    added_at: str
    added_by: str
    revoked_at: str = ""
    about: tuple[PermitStudy, ...] = ()


_COLUMNS = tuple(permits.c[name] for name in Permit.__slots__ if name != "about")


def put(connection: sa.Connection, permit: Permit) -> None:
    """Keep it, over one of the same name."""
    values = {column.name: getattr(permit, column.name) for column in _COLUMNS}
    upsert(connection, permits, values, key=["name"])
    connection.execute(sa.delete(permit_studies).where(permit_studies.c.permit == permit.name))
    if permit.about:
        rows = [{"permit": permit.name, **asdict(one)} for one in permit.about]
        connection.execute(sa.insert(permit_studies), rows)


def revoke(connection: sa.Connection, kind: str, name: str, at: str) -> Permit | None:
    """End one that was not revoked before; what it was, None when there is none."""
    is_it = (permits.c.name == name, permits.c.kind == kind, permits.c.revoked_at == "")
    if not connection.execute(sa.update(permits).where(*is_it).values(revoked_at=at)).rowcount:
        return None
    return _permit(connection.execute(sa.select(*_COLUMNS).where(permits.c.name == name)).one())


def listed(connection: sa.Connection, kind: str, *, after: str = "", limit: int) -> list[Permit]:
    """Some of a kind by name, from one on."""
    wanted = sa.select(*_COLUMNS).where(permits.c.kind == kind, permits.c.name > after)
    rows = connection.execute(wanted.order_by(permits.c.name).limit(limit)).all()
    about = _about(connection, [row[0] for row in rows])
    return [_permit(row, about.get(row[0], ())) for row in rows]


def subjects(connection: sa.Connection, kind: str, readers: Iterable[str], at: str, limit: int) -> list[str]:
    """Of whom a reader may see something at a moment, the newest permits first."""
    statement = sa.select(permits.c.subject).where(*_standing(kind, readers, at))
    return list(connection.execute(statement.order_by(permits.c.added_at.desc()).limit(limit)).scalars())


def cases(connection: sa.Connection, kind: str, readers: Iterable[str], at: str, limit: int) -> list[PermitStudy]:
    """What a reader's cases are about at a moment."""
    names = sa.select(permits.c.name).where(*_standing(kind, readers, at))
    columns = [permit_studies.c[name] for name in PermitStudy.__slots__]
    statement = sa.select(*columns).where(permit_studies.c.permit.in_(names)).limit(limit)
    return [PermitStudy(*row) for row in connection.execute(statement)]


def _permit(row: sa.Row[Any], about: Iterable[PermitStudy] = ()) -> Permit:
    return Permit(**row._mapping, about=tuple(about))


def _standing(kind: str, readers: Iterable[str], at: str) -> Sequence[sa.ColumnElement[bool]]:
    return (
        permits.c.kind == kind,
        permits.c.reader.in_(list(readers)),
        permits.c.revoked_at == "",
        permits.c.since <= at,
        sa.or_(permits.c.until == "", permits.c.until > at),
    )


def _about(connection: sa.Connection, names: Sequence[str]) -> dict[str, list[PermitStudy]]:
    columns = [permit_studies.c[name] for name in PermitStudy.__slots__]
    statement = sa.select(permit_studies.c.permit, *columns).where(permit_studies.c.permit.in_(names))
    found: dict[str, list[PermitStudy]] = {}
    for name, *row in connection.execute(statement.order_by(permit_studies.c.id)):
        found.setdefault(name, []).append(PermitStudy(*row))
    return found


@dataclass(frozen=True, slots=True)
class FacilityDetails:
    """Where a facility is and whose."""

    code: str
    province: str
    ownership: str
    changed_at: str


def put_facility(connection: sa.Connection, facility: FacilityDetails) -> None:
    """Keep it, over what was known of it."""
    upsert(connection, facility_details, asdict(facility), key=["code"])


def remove_facility(connection: sa.Connection, code: str) -> bool:
    """Forget it; False when it is not known."""
    return bool(connection.execute(sa.delete(facility_details).where(facility_details.c.code == code)).rowcount)


def facilities(connection: sa.Connection, *, after: str = "", limit: int) -> list[FacilityDetails]:
    """Some of them by code, from one on."""
    statement = sa.select(facility_details).where(facility_details.c.code > after)
    rows = connection.execute(statement.order_by(facility_details.c.code).limit(limit))
    return [FacilityDetails(*row) for row in rows]


def alike(connection: sa.Connection, code: str, ownership: str) -> list[str]:
    """Facilities of the same province and this ownership; none when the facility itself is not of it."""
    own, other = facility_details.alias(), facility_details
    statement = (
        sa.select(other.c.code)
        .select_from(own.join(other, other.c.province == own.c.province))
        .where(own.c.code == code, own.c.ownership == ownership, other.c.ownership == ownership, own.c.province != "")
    )
    return list(connection.execute(statement).scalars())
