"""Schema changes, forwards only, each readable alone; the same run on SQLite and PostgreSQL."""
