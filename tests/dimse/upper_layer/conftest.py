"""A listening server around each test that asks for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from dimse.upper_layer.inprocess import listening
from dimse.upper_layer.profile import Profile
from dimse.upper_layer.server import Server
from tests.dimse.upper_layer.harness import MemoryStore, RawPeer, eventually, profile, raw_peer, receiver_threads


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """`serve(profile)` starts a server and returns its port; no thread of it is left afterwards."""
    with ExitStack() as servers:

        def start(wanted: Profile, **options: Any) -> int:
            return servers.enter_context(listening(Server(wanted), grace_seconds=0.1, **options))

        yield start
    eventually(lambda: not receiver_threads())


@pytest.fixture
def port(serve: Callable[..., int], store: MemoryStore) -> int:
    """A server that stores in `store`."""
    return serve(profile(store))


@pytest.fixture
def peer(port: int) -> Iterator[RawPeer]:
    """A connection to it, not yet associated."""
    with raw_peer(port) as connected:
        yield connected
