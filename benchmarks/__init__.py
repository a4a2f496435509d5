"""Measurements against real peers, in turn, in one run: `make bench`."""
