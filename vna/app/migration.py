"""Schema changes, as a command runs them."""

from storage.index import migrate as schema
from storage.index import nodes
from storage.index.engine import Database
from vna.app.guarding import session
from vna.archive.nodes import is_alive
from vna.model.errors import Conflict
from vna.settings import Settings

_NODES_SINCE = "0010"
"""The revision from which on nodes say that they are there."""


def migrate(settings: Settings) -> tuple[str, str]:
    """Bring the schema up to date; the revisions before and after. Conflict names nodes that run and cannot bear it."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    memory, shown = settings.data_dir / "primary", session(settings)
    database = Database(settings.database_url, pool_size=2, memory=memory, session=shown)
    try:
        _require_no_older_nodes(database)
        return schema.upgrade(database)
    finally:
        database.close()


def _require_no_older_nodes(database: Database) -> None:
    found = schema.current(database)
    if database.is_sqlite or not _NODES_SINCE <= found < schema.newest():
        return
    least = schema.asked(database)
    with database.read() as connection:
        older = [node.name for node in nodes.known(connection) if is_alive(node) and node.schema_revision < least]
    if older:
        raise Conflict(f"stop these nodes first, whose version cannot work with the new schema: {', '.join(older)}")
