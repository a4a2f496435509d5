"""The audit trail at a repository: in order, once, and nothing is lost while it is away."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from lxml import etree

from storage.blobs.filesystem import FilesystemBlobs
from storage.index import audit_queue
from storage.index.audit_schema import audit_records
from storage.index.engine import Database
from tests.archives import Open, open_index, put
from tests.audit.repositories import BOM, DOCTOR, US, over_tls
from tests.hl7.certificates import Pair
from tests.objects import ct, part10
from tests.peers.rsyslog import Rsyslog
from vna.audit import key as keys
from vna.audit.chain import Chain
from vna.audit.delivery import Delivery
from vna.audit.seals import Sealing
from vna.audit.syslog import LONGEST_DATAGRAM, Repository, UdpRepository
from vna.audit.trail import AuditTrail
from vna.model.audit import AuditKind, AuditRecord
from vna.model.errors import Unavailable


class Queue:
    """A trail with its chain, and what sends it."""

    def __init__(self, database: Database, folder: Path) -> None:
        keys.make(folder / "audit.key")
        key = keys.read(folder / "audit.key")
        self.database = database
        self.trail = AuditTrail(database, key)
        self.chain = Chain(
            database, key, Sealing(database, FilesystemBlobs(folder / "blobs"), key, None, timedelta(days=1))
        )

    def write(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            detail = {"number": number, "words": "Ayşe İçten\n" * 3}
            self.trail.record(AuditRecord(AuditKind.QUERY, "C-FIND", DOCTOR, datetime.now(UTC), detail=detail))
        self.chain.once()

    def waiting(self) -> int:
        with self.database.read() as connection:
            return audit_queue.waiting(connection).rows

    def deliver(self, repository: Repository) -> None:
        Delivery(self.database, repository, US)("")


@pytest.fixture(params=["sqlite", "postgresql"])
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Queue]:
    database = open_index(request, tmp_path)
    yield Queue(database, tmp_path)
    database.close()


def numbers(lines: Sequence[str]) -> list[int]:
    """Which records arrived, in their order."""
    return [number_of(line.split(BOM, 1)[1]) for line in lines]


def number_of(xml: str) -> int:
    root = etree.fromstring(xml.encode())
    (value,) = [one.get("value", "") for one in root.iter("ParticipantObjectDetail") if one.get("type") == "number"]
    return int(b64decode(value))


def test_records_arrive_over_mutual_tls_in_their_order(queue: Queue, server: Rsyslog, pairs: dict[str, Pair]) -> None:
    queue.write(range(1200))
    queue.deliver(over_tls(server.port, pairs))
    assert queue.waiting() == 0
    lines = server.wait_for_lines(1200)
    assert numbers(lines) == list(range(1200))
    assert lines[0].split(BOM)[0].rstrip() == "85 1 vna.example.org vna 4711 IHE+RFC-3881"


@pytest.mark.parametrize("queue", ["sqlite"], indirect=True)
def test_nothing_is_lost_and_the_order_kept_while_the_repository_is_away(
    queue: Queue, server: Rsyslog, pairs: dict[str, Pair]
) -> None:
    repository = over_tls(server.port, pairs)
    queue.write(range(10))
    queue.deliver(repository)
    server.stop()
    queue.write(range(10, 700))
    for _ in range(3):
        with pytest.raises(Unavailable, match="does not take messages"):
            queue.deliver(repository)
    assert queue.waiting() == 690
    queue.write(range(700, 710))
    server.start()
    queue.deliver(repository)
    assert queue.waiting() == 0
    assert numbers(server.wait_for_lines(710)) == list(range(710))


@pytest.mark.parametrize("queue", ["sqlite"], indirect=True)
def test_what_a_repository_that_does_not_know_us_is_sent_was_not_sent(
    queue: Queue, server: Rsyslog, pairs: dict[str, Pair]
) -> None:
    queue.write(range(3))
    with pytest.raises(Unavailable):
        queue.deliver(over_tls(server.port, pairs, "stranger"))
    assert queue.waiting() == 3
    assert server.lines() == []


@pytest.mark.parametrize("queue", ["sqlite"], indirect=True)
def test_records_arrive_over_udp_and_one_that_is_too_long_without_its_details(queue: Queue, server: Rsyslog) -> None:
    long = {"number": 1, "keys": "ü" * 29_000}
    queue.trail.record(AuditRecord(AuditKind.QUERY, "C-FIND", DOCTOR, datetime.now(UTC), detail=long))
    queue.write([2])
    queue.deliver(UdpRepository("127.0.0.1", server.port))
    first, second = server.wait_for_lines(2)
    assert numbers([second]) == [2]
    assert "left_out" in first
    assert len(first.encode()) < LONGEST_DATAGRAM
    server.stop()
    queue.write([3])
    with pytest.raises(Unavailable, match="refused"):
        queue.deliver(UdpRepository("127.0.0.1", server.port))
    assert queue.waiting() == 1


@pytest.mark.parametrize("queue", ["sqlite"], indirect=True)
def test_a_record_that_nobody_can_read_holds_up_no_other(queue: Queue, server: Rsyslog, pairs: dict[str, Pair]) -> None:
    queue.write([1, 2])
    with queue.database.transaction() as connection:
        connection.execute(sa.update(audit_records).where(audit_records.c.id == 1).values(kind="forged"))
    queue.deliver(over_tls(server.port, pairs))
    first, second = server.wait_for_lines(2)
    assert "audit.unreadable" in first
    assert numbers([second]) == [2]


def test_the_archive_sends_what_happens_by_its_own_jobs(
    open_archive: Open, server: Rsyslog, pairs: dict[str, Pair]
) -> None:
    ours = pairs["vna"]
    syslog = {
        "url": f"tls://127.0.0.1:{server.port}",
        "ca": str(pairs["repository"].certificate),
        "certificate": str(ours.certificate),
        "key": str(ours.key),
        "source_id": "vna.ankara",
    }
    archive = open_archive(audit={"syslog": syslog})
    put(archive, part10(ct(PatientID="P1")))
    archive.dispatcher().drain()
    assert archive.guarding.gauges()["vna_audit_unsent"][1] == {(): 1.0}
    archive.keeping.regularly().once()
    archive.workers().drain()
    (line,) = server.wait_for_lines(1)
    root = etree.fromstring(line.split(BOM, 1)[1].encode())
    assert [one.get("csd-code") for one in root.iter("EventID", "EventTypeCode")] == ["110104", "instance.stored"]
    assert [one.get("AuditSourceID") for one in root.iter("AuditSourceIdentification")] == ["vna.ankara"]
    assert archive.guarding.gauges()["vna_audit_unsent"][1] == {(): 0.0}
