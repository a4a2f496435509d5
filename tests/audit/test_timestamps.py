"""Seals carry time stamps of a real authority (openssl ts), checked when they come and when all is verified."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.index import audit_chain
from tests.archives import Open
from tests.peers.timestamps import TimeStamps
from vna.app.wiring import Application
from vna.audit.chain import CHAIN
from vna.audit.timestamps import HttpAuthority
from vna.model.access import SYSTEM
from vna.model.audit import AuditKind, AuditRecord
from vna.model.errors import Damaged, Unavailable


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimeStamps]:
    running = TimeStamps(tmp_path_factory.mktemp("authority"))
    yield running
    running.close()


def test_a_stamp_says_when_and_is_over_one_digest_alone(authority: TimeStamps) -> None:
    asked = HttpAuthority(authority.url, authority.certificates)
    token = asked.stamp(b"1" * 32)
    assert abs(asked.check(token, b"1" * 32).at - datetime.now(UTC)) < timedelta(seconds=10)
    with pytest.raises(Damaged):
        asked.check(token, b"2" * 32)
    with pytest.raises(Damaged):
        asked.check(token[:-40] + bytes(40), b"1" * 32)
    with pytest.raises(Damaged):
        asked.check(b"nonsense", b"1" * 32)


def test_another_authority_is_not_trusted(authority: TimeStamps, tmp_path: Path) -> None:
    token = HttpAuthority(authority.url, authority.certificates).stamp(b"1" * 32)
    (tmp_path / "other").mkdir()
    other = TimeStamps(tmp_path / "other")
    other.close()
    with pytest.raises(Damaged):
        HttpAuthority(authority.url, other.certificates).check(token, b"1" * 32)
    with pytest.raises(Unavailable, match="no time stamp"):
        HttpAuthority(authority.url, other.certificates).stamp(b"1" * 32)
    with pytest.raises(Unavailable, match="does not answer"):
        HttpAuthority(other.url, other.certificates).stamp(b"1" * 32)


def _record(archive: Application) -> None:
    archive.guarding.trail.record(AuditRecord(AuditKind.QUERY, "C-FIND", SYSTEM, datetime.now(UTC)))
    archive.guarding.works()[CHAIN]("")


def test_seals_are_stamped_and_go_on_without_a_stamp_while_the_authority_is_away(
    open_archive: Open, authority: TimeStamps
) -> None:
    archive = open_archive(
        audit={"timestamp_url": authority.url, "timestamp_ca": str(authority.certificates), "seal_seconds": 0}
    )
    _record(archive)
    authority.is_silent = True
    _record(archive)
    authority.is_silent = False
    _record(archive)
    with archive.database.read() as connection:
        stamped = [seal.token is not None for seal in audit_chain.seals(connection, 0, 9)]
    assert stamped == [True, False, True]
    found = archive.guarding.verification.run(SYSTEM, lambda _done, _total: None)
    assert found.is_whole, found.findings
    assert (found.seals, found.stamps) == (3, 2)
    assert found.last_stamp
