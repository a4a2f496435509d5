"""Code rows: versions of lists, and what one in force says of a code."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.national_schema import code_versions, codes
from storage.index.prepared import Prepared
from vna.model.codes import Code, CodeVersion

_IN_FORCE = (
    sa.select(code_versions.c.id)
    .where(code_versions.c.list == sa.bindparam("list"), code_versions.c.loaded_at != sa.literal_column("''"))
    .order_by(code_versions.c.loaded_at.desc(), code_versions.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_READ = sa.select(codes.c.code, codes.c.text, codes.c.body)
_FIND = Prepared(_READ.where(codes.c.version_fk == _IN_FORCE, codes.c.code == sa.bindparam("code")))
_FIND_ALIAS = Prepared(
    _READ.where(codes.c.version_fk == _IN_FORCE, codes.c.alias == sa.bindparam("alias")).order_by(codes.c.id).limit(1)
)


def find(connection: sa.Connection, list_name: str, code: str) -> Code | None:
    """A code of the version in force."""
    return _code(_FIND.run(connection, list=list_name, code=code).fetchone())


def find_by_alias(connection: sa.Connection, list_name: str, alias: str) -> Code | None:
    """A code of the version in force, by its other code."""
    return _code(_FIND_ALIAS.run(connection, list=list_name, alias=alias).fetchone())


def find_by_value(connection: sa.Connection, list_name: str, name: str, value: str) -> Code | None:
    """The first code of the version in force that has a value in one of its other columns: all of them are looked
    at."""
    said = orjson.dumps({name: value}).decode().strip("{}")
    holds = codes.c.body.contains(said, autoescape=True)
    wanted = _READ.where(codes.c.version_fk == _IN_FORCE, holds).order_by(codes.c.id)
    rows = connection.execute(wanted, {"list": list_name})
    return next((one for one in map(_made, rows) if one.value(name) == value), None)


def listed(connection: sa.Connection, list_name: str, after: str, limit: int) -> list[Code]:
    """Codes of the version in force in their order, those that come after one."""
    wanted = _READ.where(codes.c.version_fk == _IN_FORCE, codes.c.code > after).order_by(codes.c.code).limit(limit)
    return [_made(row) for row in connection.execute(wanted, {"list": list_name})]


def versions(connection: sa.Connection) -> list[CodeVersion]:
    """Every version that was loaded whole: by list, the one in force first."""
    rows = connection.execute(
        sa.select(code_versions)
        .where(code_versions.c.loaded_at != "")
        .order_by(code_versions.c.list, code_versions.c.loaded_at.desc(), code_versions.c.id.desc())
    ).all()
    newest: dict[str, int] = {}
    for row in rows:
        newest.setdefault(row.list, row.id)
    return [
        CodeVersion(row.list, row.version, row.codes, row.loaded_by, row.loaded_at, newest[row.list] == row.id)
        for row in rows
    ]


def digest_of(connection: sa.Connection, list_name: str, version: str) -> bytes | None:
    """The digest of a version that was loaded whole."""
    wanted = _version(list_name, version).where(code_versions.c.loaded_at != "")
    found = connection.execute(wanted).one_or_none()
    return None if found is None else bytes(found.digest)


def in_force(connection: sa.Connection, list_name: str) -> tuple[str, bytes] | None:
    """The version in force, and its digest."""
    wanted = sa.select(code_versions.c.version, code_versions.c.digest).where(code_versions.c.id == _IN_FORCE)
    found = connection.execute(wanted, {"list": list_name}).one_or_none()
    return None if found is None else (found.version, bytes(found.digest))


def begin(connection: sa.Connection, list_name: str, version: str) -> None:
    """A version that is not in force yet; what was left of an attempt that ended half-way goes."""
    found = connection.execute(_version(list_name, version)).one_or_none()
    if found is None:
        _key(connection, list_name, version)
    elif not found.loaded_at:
        connection.execute(sa.delete(codes).where(codes.c.version_fk == found.id))


def add(connection: sa.Connection, list_name: str, version: str, some: Sequence[Code], alias: str) -> None:
    """Codes of a version that was begun; `alias` is the column of their other code."""
    key = _key(connection, list_name, version)
    rows = [
        {
            "version_fk": key,
            "code": one.code,
            "alias": one.value(alias) if alias else "",
            "text": one.text,
            "body": orjson.dumps(dict(one.values)).decode(),
        }
        for one in some
    ]
    connection.execute(_INSERT[connection.dialect.name], rows)


def finish(
    connection: sa.Connection, list_name: str, version: str, *, digest: bytes, count: int, by: str, at: str
) -> None:
    """The version is whole, and in force from now on."""
    connection.execute(
        sa.update(code_versions)
        .where(code_versions.c.list == list_name, code_versions.c.version == version)
        .values(digest=digest, codes=count, loaded_by=by[:128], loaded_at=at)
    )


def _key(connection: sa.Connection, list_name: str, version: str) -> int:
    """The row of a version, made when it is new."""
    found = connection.execute(_version(list_name, version)).one_or_none()
    if found is None:
        row = {"list": list_name, "version": version, "digest": b""}
        made = sa.insert(code_versions).values(**row).returning(code_versions.c.id)
        return int(connection.execute(made).scalar_one())
    return int(found.id)


def _version(list_name: str, version: str) -> sa.Select[Any]:
    return sa.select(code_versions).where(code_versions.c.list == list_name, code_versions.c.version == version)


def _insert_for(module: Any) -> sa.Insert:
    statement: sa.Insert = module.insert(codes).on_conflict_do_nothing(index_elements=["version_fk", "code"])
    return statement


_INSERT: Mapping[str, sa.Insert] = {"sqlite": _insert_for(sqlite), "postgresql": _insert_for(postgresql)}


def _code(row: Sequence[Any] | None) -> Code | None:
    return None if row is None else _made(row)


def _made(row: Sequence[Any]) -> Code:
    code, text, body = row
    return Code(code, text, orjson.loads(body or "{}"))
