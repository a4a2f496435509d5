"""The one hardened XML parser, and the namespaces that the archive speaks."""
