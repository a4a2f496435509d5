"""Patient identifiers and their domains."""
