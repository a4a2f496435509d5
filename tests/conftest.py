"""Fixtures for all tests: the real peers of `tests.peers`."""

pytest_plugins = [
    "tests.peers.dcmtk",
    "tests.peers.orthanc",
    "tests.peers.juicefs",
    "tests.peers.postgres",
    "tests.peers.samples",
    "tests.peers.seaweedfs",
    "tests.archives",
]
