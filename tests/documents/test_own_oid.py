"""The archive's own OID: one, whoever asks first, also after a reindex."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from tests.archives import Open, put, rows
from tests.objects import ct, part10
from vna.documents import own_oid
from vna.documents.own_oid import OwnOid
from vna.model.access import SYSTEM
from vna.model.events import Event, EventKind
from vna.model.identifiers import is_uid


def test_it_is_made_once_however_many_ask_for_it_first(open_archive: Open) -> None:
    database = open_archive().database

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: OwnOid(database)(), range(16)))

    (oid,) = made
    assert is_uid(oid)
    assert OwnOid(database)() == oid


def test_one_that_is_configured_goes_before_it(open_archive: Open) -> None:
    database = open_archive().database

    assert OwnOid(database, "1.2.3")() == "1.2.3"
    assert OwnOid(database)() != "1.2.3"


def test_the_journal_brings_it_back_into_an_empty_index(open_archive: Open) -> None:
    archive = open_archive()
    put(archive, part10(ct()))
    oid = OwnOid(archive.database)()
    archive.dispatcher().drain()
    with archive.database.transaction() as connection:
        connection.exec_driver_sql("delete from facts")
    assert OwnOid(archive.database)() != oid, "an archive that began anew has another one"

    list(archive.reindex.run(SYSTEM))

    assert OwnOid(archive.database)() == oid
    assert rows(archive, "select count(*) from events where kind = 'archive.named'") == [(1,)]


def test_a_later_name_is_not_taken(open_archive: Open) -> None:
    database = open_archive().database
    oid = OwnOid(database)()
    later = Event(1, EventKind.ARCHIVE_NAMED, datetime(2999, 1, 1, tzinfo=UTC), "", "", "vna", {"oid": "1.2.3"})

    with database.transaction() as connection:
        own_oid.replay(connection, later)

    assert OwnOid(database)() == oid
