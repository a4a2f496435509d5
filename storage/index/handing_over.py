"""What is handed over of the index: the rows of some studies or all, never accounts, tokens or passwords."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from storage.index import dump
from storage.index.engine import Database
from storage.index.schema import instances, series, studies
from vna.model.events import EventKind

_ROWS = 1000
_KEPT_BACK: Final = frozenset(
    {"users", "tokens", "links", "link_visits", "sources", "facts", "jobs", "leases", "nodes", "regular", "permits"}
    | {"permit_studies", "facility_details", "login_failures", "login_sessions"}
)
"""Accounts, secrets, who may see what here, and the work of this archive."""
_SECRET_EVENTS: Final = (
    EventKind.ACCOUNT_CHANGED,
    EventKind.LINK_CHANGED,
    EventKind.LINK_OPENED,
    EventKind.SOURCE_CHANGED,
    EventKind.PEER_CHANGED,
    EventKind.PERMIT_CHANGED,
    EventKind.FACILITY_CHANGED,
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which studies: those named, those of a facility, those of some dates (YYYYMMDD, both included); all that is given
    holds. Nothing given is everything."""

    study_uids: tuple[str, ...] = ()
    facility: str = ""
    from_date: str = ""
    to_date: str = ""

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Scope()


def chosen(connection: sa.Connection, scope: Scope) -> Iterator[str]:
    """Study Instance UIDs, patient by patient."""
    statement = sa.select(studies.c.study_instance_uid).where(_of_scope(scope))
    statement = statement.order_by(studies.c.patient_fk, studies.c.study_date, studies.c.id)
    with connection.execute(statement.execution_options(stream_results=True, yield_per=_ROWS)) as rows:
        yield from rows.scalars()


def amount(connection: sa.Connection, scope: Scope) -> int:
    """How many instances these studies have."""
    total = sa.select(sa.func.coalesce(sa.func.sum(studies.c.number_of_instances), 0)).where(_of_scope(scope))
    return int(connection.execute(total).scalar_one())


def _of_scope(scope: Scope) -> sa.ColumnElement[bool]:
    conditions: list[sa.ColumnElement[bool]] = [sa.true()]
    if scope.study_uids:
        conditions.append(studies.c.study_instance_uid.in_(scope.study_uids))
    if scope.facility:
        conditions.append(studies.c.facility == scope.facility)
    if scope.from_date:
        conditions.append(studies.c.study_date >= scope.from_date)
    if scope.to_date:
        conditions.append(sa.and_(studies.c.study_date != "", studies.c.study_date <= scope.to_date))
    return sa.and_(*conditions)


def write(database: Database, scope: Scope, folder: Path) -> dict[str, int]:
    """Write them in the database's own format; how many rows each table has there."""
    folder.mkdir(parents=True, exist_ok=True)
    return _sqlite(database, scope, folder / "index.sqlite") if database.is_sqlite else _lines(database, scope, folder)


def _lines(database: Database, scope: Scope, folder: Path) -> dict[str, int]:
    """A file of JSON lines for each table, and the statements that make the tables, of one snapshot."""
    found: dict[str, int] = {}
    with database.read() as connection:
        statements = []
        for table in dump.tables(connection):
            where = _rows(table, scope)
            if where is None:
                continue
            name = str(table.name)
            statements.append(f"{CreateTable(table).compile(dialect=connection.dialect)};".strip())
            found[name] = dump.write(connection, table, folder / f"{name}.jsonl.gz", where)
    (folder / "schema.sql").write_text("\n\n".join(statements) + "\n", encoding="utf-8")
    return found


def _sqlite(database: Database, scope: Scope, path: Path) -> dict[str, int]:
    """A consistent copy of the file, from which everything else is removed."""
    path.unlink(missing_ok=True)
    source, copy = sqlite3.connect(str(database.url.database)), sqlite3.connect(path)
    try:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    finally:
        source.close()
        copy.close()
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        if not scope.is_everything:
            _without_grams(connection)
        for table in dump.tables(connection):
            where = _rows(table, scope)
            if where is None:
                connection.execute(sa.delete(table))
            elif where is not _ALL:
                connection.execute(sa.delete(table).where(sa.func.coalesce(where, sa.false()) == sa.false()))
        found = {name: count for name, count in dump.counted(connection).items() if count or name not in _KEPT_BACK}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM")  # what was removed is in the file no more
    engine.dispose()
    return found


def _without_grams(connection: sa.Connection) -> None:
    """The index of trigrams has the names of everybody."""
    listed = connection.exec_driver_sql(
        "SELECT type, name, sql FROM sqlite_master WHERE name LIKE '%\\_grams%' ESCAPE '\\'"
    )
    rows = listed.fetchall()
    for name in [row.name for row in rows if row.type == "trigger"]:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    for name in [row.name for row in rows if str(row.sql).startswith("CREATE VIRTUAL")]:
        connection.exec_driver_sql(f"DROP TABLE {name}")


_ALL = sa.true()


def _rows(table: sa.Table, scope: Scope) -> sa.ColumnElement[bool] | None:
    """Which rows of a table go along; None for none of them."""
    name, columns = str(table.name), table.columns
    if name in _KEPT_BACK:
        return None
    mine = _ALL if scope.is_everything else _mine(name, columns, scope)
    if name == "events" and mine is not None:
        return sa.and_(mine, columns["kind"].not_in([kind.value for kind in _SECRET_EVENTS]))
    return mine


def _mine(
    name: str, columns: "sa.sql.base.ReadOnlyColumnCollection[str, sa.Column[object]]", scope: Scope
) -> sa.ColumnElement[bool] | None:
    of_scope = _of_scope(scope)
    keys = sa.select(studies.c.id).where(of_scope)
    series_keys = sa.select(series.c.id).where(series.c.study_fk.in_(keys))
    held = instances.c.series_fk.in_(series_keys)
    chains = {
        "study_fk": keys,
        "series_fk": series_keys,
        "instance_fk": sa.select(instances.c.id).where(held),
        "patient_fk": sa.select(studies.c.patient_fk).where(of_scope),
        "study_instance_uid": sa.select(studies.c.study_instance_uid).where(of_scope),
        "sop_instance_uid": sa.select(instances.c.sop_instance_uid).where(held),
    }
    own = {
        "studies": keys,
        "patients": chains["patient_fk"],
        "coercions": sa.select(instances.c.coercion_fk).where(held, instances.c.coercion_fk.is_not(None)),
    }
    if name in own:
        return columns["id"].in_(own[name])
    for column, selected in chains.items():
        if column in columns:
            return columns[column].in_(selected)
    if scope.facility and "facility" in columns and not (scope.from_date or scope.to_date or scope.study_uids):
        return columns["facility"] == scope.facility
    return None
