"""What one node is told of who may come in, another goes by at once, or within the seconds that it says."""

from __future__ import annotations

import pytest

from tests.archives import Open
from tests.peers.processes import wait_for
from vna.model.access import SYSTEM
from vna.model.errors import NotAuthorized
from vna.model.sources import Source


def test_a_login_that_one_node_changes_is_another_on_all_at_once(open_archive: Open) -> None:
    one, two = open_archive(), open_archive()
    one.accounts.add_user(SYSTEM, "reader", "a first password")
    for _ in range(2):  # the second time it is remembered
        assert two.accounts.authenticate_basic("reader", "a first password", "10.0.0.7").name == "reader"
    one.accounts.add_user(SYSTEM, "reader", "a second password")
    with pytest.raises(NotAuthorized):
        two.accounts.authenticate_basic("reader", "a first password", "10.0.0.7")
    assert two.accounts.authenticate_basic("reader", "a second password", "10.0.0.7").name == "reader"


def test_a_source_that_one_node_learns_or_forgets_is_so_on_all_soon(open_archive: Open) -> None:
    one, two = open_archive(security={"mode": "enforced"}), open_archive(security={"mode": "enforced"})
    assert not two.sources.admits("10.0.0.7")
    one.sources.add(SYSTEM, Source(name="HIS", application="HIS", facility="34001", addresses=("10.0.0.7",)))
    wait_for(lambda: two.sources.admits("10.0.0.7"), what="the source", timeout=5)
    one.sources.remove(SYSTEM, "HIS")
    wait_for(lambda: not two.sources.admits("10.0.0.7"), what="its end", timeout=5)
