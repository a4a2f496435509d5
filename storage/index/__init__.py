"""The index: rows in SQLite or PostgreSQL, one module per noun."""
