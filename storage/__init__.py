"""What the archive remembers: bytes in a blob store, rows in an index."""
