"""Tests, by package; `peers` starts the real servers and clients they talk to."""
