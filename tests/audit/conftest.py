"""An audit record repository, and certificates for it and us."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hl7.certificates import Pair, make
from tests.peers.processes import free_port
from tests.peers.rsyslog import Rsyslog, rsyslog


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    folder = tmp_path_factory.mktemp("certificates")
    return {name: make(folder, name) for name in ("vna", "repository", "stranger")}


@pytest.fixture
def server(tmp_path: Path, pairs: dict[str, Pair]) -> Iterator[Rsyslog]:
    ours = pairs["repository"]
    settings = {"ca": pairs["vna"].certificate, "certificate": ours.certificate, "key": ours.key}
    with rsyslog(tmp_path / "rsyslog", free_port(), **settings, peer="vna") as running:
        yield running
