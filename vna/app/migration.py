"""Schema changes, as a command runs them."""

from storage.index import migrate as schema
from storage.index.engine import Database
from vna.settings import Settings


def migrate(settings: Settings) -> tuple[str, str]:
    """Bring the schema up to date; the revisions before and after."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url, pool_size=1)
    try:
        return schema.upgrade(database)
    finally:
        database.close()
