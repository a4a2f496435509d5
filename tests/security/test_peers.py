"""Known application entities, as another process of the same archive sees them."""

from __future__ import annotations

import time

from tests.archives import Open
from vna.model.access import SYSTEM, Action, Peer


def test_a_title_that_another_process_added_is_known_at_once(open_archive: Open) -> None:
    serving, commanding = open_archive(), open_archive()
    assert serving.peers.get("NEW") is None
    commanding.peers.add(SYSTEM, Peer("NEW", "127.0.0.1", 104, "", frozenset({Action.STORE})))
    time.sleep(0.15)
    assert serving.peers.get("NEW") is not None
