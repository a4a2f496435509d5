"""Bytes by name: a folder or an S3 object store behind one protocol."""
