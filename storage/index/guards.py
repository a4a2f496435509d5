"""Triggers on PostgreSQL that record what is changed in the database by anybody but a node (rows and schema).

A node's sessions show a secret when they begin (`vna.session`); the database knows digests of such secrets and nothing
else. Whoever is not told apart so has its statements recorded in `database_changes`, by statement and, up to a
thousand a transaction, by row. On SQLite there are no users: there the MACs of the trail have to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from storage.index.audit_schema import audit_keys, database_changes
from storage.index.upserts import insert_new

SESSION = "vna.session"
"""The parameter of a session that a node sets."""
_PREFIX = "vna_watch"
_MOST_ROWS = 1000
_LONGEST = 2000

_IS_NODE = """
CREATE OR REPLACE FUNCTION vna_watch_is_node() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sha256(convert_to(coalesce(current_setting('vna.session', true), ''), 'UTF8')) IN (
        SELECT session_digest FROM {schema}.audit_keys)
$$"""

_NOTE = """
CREATE OR REPLACE FUNCTION vna_watch_note(operation text, object text, detail text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
    INSERT INTO {schema}.database_changes
        (at, operation, object, database_user, address, application, statement, detail)
    VALUES (
        to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00',
        operation, object, session_user, coalesce(host(inet_client_addr()), ''),
        left(current_setting('application_name', true), 200), left(coalesce(current_query(), ''), {longest}),
        left(detail, {longest}))
$$"""

_STATEMENT = """
CREATE OR REPLACE FUNCTION vna_watch_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.vna_watch_note(lower(TG_OP), TG_TABLE_NAME, '');
    RETURN NULL;
END $$"""

_ROW = """
CREATE OR REPLACE FUNCTION vna_watch_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    seen int := coalesce(nullif(current_setting('vna.rows', true), ''), '0')::int + 1;
    before jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{{}}' ELSE to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{{}}' ELSE to_jsonb(NEW) END;
BEGIN
    PERFORM set_config('vna.rows', seen::text, true);
    IF seen <= {most} THEN
        PERFORM {schema}.vna_watch_note(lower(TG_OP) || ' row', TG_TABLE_NAME, CASE TG_OP
            WHEN 'UPDATE' THEN jsonb_build_object('before', before, 'changed', (
                SELECT coalesce(jsonb_object_agg(key, value), '{{}}') FROM jsonb_each(after)
                WHERE value IS DISTINCT FROM before -> key))
            WHEN 'DELETE' THEN jsonb_build_object('before', before)
            ELSE jsonb_build_object('after', after) END::text);
    END IF;
    RETURN NULL;
END $$"""

_SCHEMA = """
CREATE OR REPLACE FUNCTION vna_watch_schema() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    IF {schema}.vna_watch_is_node() THEN
        RETURN;
    END IF;
    IF TG_EVENT = 'sql_drop' THEN
        FOR one IN SELECT object_identity FROM pg_event_trigger_dropped_objects() WHERE original LOOP
            PERFORM {schema}.vna_watch_note(lower(TG_TAG), one.object_identity, '');
        END LOOP;
    ELSE
        FOR one IN SELECT object_identity FROM pg_event_trigger_ddl_commands() LOOP
            PERFORM {schema}.vna_watch_note(lower(TG_TAG), coalesce(one.object_identity, ''), '');
        END LOOP;
    END IF;
END $$"""

_EVENT_TRIGGERS = {"vna_watch_ddl": "ddl_command_end", "vna_watch_drop": "sql_drop"}
_UNTOUCHED = frozenset({"database_changes"})
"""Tables without row triggers of their own kind: a statement on it is recorded, and what records is not."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was changed by no node."""

    id: int
    at: str
    operation: str
    object: str
    database_user: str
    address: str
    application: str
    statement: str
    detail: str


def know_key(connection: sa.Connection, key_id: str, session_digest: bytes, at: str) -> None:
    """Sessions that show this secret are those of nodes from now on."""
    insert_new(connection, audit_keys, {"key_id": key_id, "session_digest": session_digest, "first_at": at})


def known_keys(connection: sa.Connection) -> dict[str, bytes]:
    """Digests of what nodes' sessions show, by key."""
    return {row.key_id: bytes(row.session_digest) for row in connection.execute(sa.select(audit_keys))}


def lacking(connection: sa.Connection) -> list[str]:
    """Tables of which a trigger is not there, is switched off, or lets somebody else pass."""
    keys = _keys(connection)
    sound: dict[str, set[str]] = {}
    for row in connection.exec_driver_sql(
        "SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid) AS made FROM pg_trigger t "
        "JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = current_schema() AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') "
        "AND t.tgname LIKE 'vna_watch%%'"
    ):
        if all(key in row.made for key in keys) and row.made.count("::bytea") == len(keys):
            sound.setdefault(row.relname, set()).add(row.tgname)
    return [table for table in _tables(connection) if not set(_names(table)) <= sound.get(table, set())]


def lacking_events(connection: sa.Connection) -> list[str]:
    """Event triggers that are not there, or switched off."""
    found = connection.exec_driver_sql("SELECT evtname FROM pg_event_trigger WHERE evtenabled IN ('O', 'A')")
    return sorted(set(_EVENT_TRIGGERS) - {row.evtname for row in found})


def install_functions(connection: sa.Connection) -> None:
    """What the triggers call."""
    schema = _schema(connection)
    for text in (_IS_NODE, _NOTE, _STATEMENT, _ROW, _SCHEMA):
        connection.exec_driver_sql(_filled(text, schema))


def install(connection: sa.Connection, table: str) -> None:
    """The triggers of a table, whatever it has now. Waits two seconds for whoever writes to it."""
    schema, keys = _schema(connection), _keys(connection)
    connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
    for name, rest in _triggers(table, schema, keys):
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON {schema}.{_quoted(table)}")
        connection.exec_driver_sql(f"CREATE TRIGGER {name} {rest}")


def install_events(connection: sa.Connection) -> None:
    """Triggers on changes of the schema: PostgreSQL lets a superuser alone make them."""
    schema = _schema(connection)
    for name, event in _EVENT_TRIGGERS.items():
        connection.exec_driver_sql(f"DROP EVENT TRIGGER IF EXISTS {name}")
        connection.exec_driver_sql(
            f"CREATE EVENT TRIGGER {name} ON {event} EXECUTE FUNCTION {schema}.vna_watch_schema()"
        )


def may_watch_schema(connection: sa.Connection) -> bool:
    """Whether we may make event triggers."""
    return bool(connection.exec_driver_sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").scalar())


def changes(connection: sa.Connection, limit: int) -> list[Change]:
    """The oldest that are not in the trail."""
    chosen = sa.select(database_changes).order_by(database_changes.c.id).limit(limit)
    return [Change(**row._mapping) for row in connection.execute(chosen)]


def forget(connection: sa.Connection, ids: Sequence[int]) -> None:
    """They are in the trail now."""
    connection.execute(sa.delete(database_changes).where(database_changes.c.id.in_(ids)))


def _names(table: str) -> list[str]:
    return [name for name, _ in _triggers(table, "x", [])]


def _keys(connection: sa.Connection) -> list[str]:
    return sorted(digest.hex() for digest in known_keys(connection).values())


def _triggers(table: str, schema: str, keys: Sequence[str]) -> list[tuple[str, str]]:
    """A condition with the digests in it costs a microsecond, one that looks them up fifteen."""
    where = f"ON {schema}.{_quoted(table)}"
    shown = "sha256(convert_to(coalesce(current_setting('vna.session', true), ''), 'UTF8'))"
    digests = ", ".join(f"'\\x{key}'::bytea" for key in keys)
    when = f"WHEN ({shown} <> ALL (ARRAY[{digests}]::bytea[]))"
    made = [(f"{_PREFIX}_truncate", f"AFTER TRUNCATE {where} {when} EXECUTE FUNCTION {schema}.vna_watch_statement()")]
    if table in _UNTOUCHED:
        made.append(
            (
                f"{_PREFIX}_statement",
                f"AFTER UPDATE OR DELETE {where} {when} EXECUTE FUNCTION {schema}.vna_watch_statement()",
            )
        )
        return made
    each = "INSERT OR UPDATE OR DELETE"
    return [
        *made,
        (f"{_PREFIX}_statement", f"AFTER {each} {where} {when} EXECUTE FUNCTION {schema}.vna_watch_statement()"),
        (f"{_PREFIX}_row", f"AFTER {each} {where} FOR EACH ROW {when} EXECUTE FUNCTION {schema}.vna_watch_row()"),
    ]


def _tables(connection: sa.Connection) -> list[str]:
    found = connection.exec_driver_sql(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = current_schema() AND c.relkind = 'r' ORDER BY relname"
    )
    return [str(name) for (name,) in found]


def _schema(connection: sa.Connection) -> str:
    return _quoted(str(connection.exec_driver_sql("SELECT current_schema()").scalar()))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _filled(text: str, schema: str) -> str:
    filled = text.format(schema=schema, most=_MOST_ROWS, longest=_LONGEST)
    return filled.replace("%", "%%")
