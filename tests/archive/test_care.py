"""Verify in runs that go on where they were, repair, and sweeping while the archive runs, on both pairs of stores."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from storage.blobs.replacing import replace
from storage.index import regular
from tests.archives import Open, put, rows
from tests.objects import ct, part10
from vna.app import Application
from vna.archive.care import Checked, Damage
from vna.archive.sweeping import SWEEP, Sweeping
from vna.archive.verifying import VERIFY
from vna.model.access import SYSTEM
from vna.model.events import EventKind
from vna.model.instances import Accepted


def damage(archive: Application, accepted: Accepted) -> str:
    """Other bytes of the same length under the name of an object's blob."""
    uid = accepted.sop_instance_uid
    ((name,),) = rows(archive, f"select blob from instances where sop_instance_uid = '{uid}'")
    held = archive.blobs.read(str(name))
    archive.blobs.delete(str(name))
    archive.blobs.put(str(name), [held[:-1] + bytes([held[-1] ^ 1])])
    return str(name)


def lost(archive: Application) -> list[Checked]:
    return [one for one in archive.care.verify(SYSTEM) if one.lost]


def test_a_run_that_was_cut_goes_on_where_it_was_and_counts_everything_once(open_archive: Open) -> None:
    archive = open_archive()
    accepted = [put(archive, part10(ct())) for _ in range(5)]
    bad = damage(archive, accepted[0])
    verifying = archive.keeping.care.verifying
    begun = verifying.everything(SYSTEM)
    first = [next(begun) for _ in range(2)]
    begun.close()  # type: ignore[attr-defined]

    run = verifying.standing(SYSTEM)
    assert run is not None
    assert (run.sound, run.damaged) == (1, 1)
    rest = list(verifying.everything(SYSTEM, run))

    assert len({one.blob for one in [*first, *rest]}) == len(first) + len(rest) == 5
    assert verifying.standing(SYSTEM) is None
    assert [one.blob for one in verifying.damaged(SYSTEM)] == [bad]
    with archive.database.read() as connection:
        last = regular.last(connection, VERIFY)
    assert last is not None
    assert last.outcome == "4 sound, 1 damaged"
    assert archive.status.care().damaged == 1


def test_the_regular_job_verifies_everything_and_puts_right_what_it_can(open_archive: Open) -> None:
    archive = open_archive()
    data = part10(ct())
    accepted = put(archive, data)
    archive.deletion.delete(SYSTEM, accepted.study_instance_uid)
    damage(archive, put(archive, data))  # the deleted one has the same content
    damage(archive, put(archive, part10(ct())))

    assert archive.keeping.care.verifying("") is None

    assert [one.damage for one in lost(archive)] == [Damage.DIGEST]
    assert archive.status.care().damaged == 1
    ((detail,),) = rows(archive, f"select detail from events where kind = '{EventKind.INSTANCE_REPAIRED.value}'")
    assert '"from":"another version"' in str(detail)


def test_a_study_alone_is_verified_and_repaired_from_a_backup_folder(open_archive: Open, tmp_path: Path) -> None:
    archive = open_archive()
    data = part10(ct())
    accepted = put(archive, data)
    damage(archive, put(archive, part10(ct())))
    name = damage(archive, accepted)
    (tmp_path / "backup" / name).parent.mkdir(parents=True)
    (tmp_path / "backup" / name).write_bytes(data)
    care = archive.keeping.care

    (found,) = care.verifying.study(SYSTEM, accepted.study_instance_uid)
    assert care.repairing.repair(SYSTEM, found) == ""
    assert care.repairing.repair(SYSTEM, found, tmp_path / "backup") == "a backup"

    assert [one.damage for one in care.verifying.study(SYSTEM, accepted.study_instance_uid)] == [None]
    assert len(lost(archive)) == 1


def test_other_bytes_never_take_the_place_of_damaged_ones(open_archive: Open) -> None:
    archive = open_archive()
    accepted = put(archive, part10(ct()))
    name = damage(archive, accepted)
    before = archive.blobs.read(name)
    (found,) = lost(archive)
    with pytest.raises(Exception, match="damaged too"):
        replace(archive.blobs, name, [b"else"], found.size, found.sha256)
    assert archive.blobs.read(name) == before


def test_what_nothing_names_goes_a_day_after_it_was_first_seen(open_archive: Open) -> None:
    archive = open_archive()
    put(archive, part10(ct()))
    archive.catch_up()
    archive.blobs.put("studies/00/1.2/1.3/1.4.left.dcm", [b"left"])
    soon = Sweeping(archive.database, archive.blobs, archive.policy)
    late = Sweeping(archive.database, archive.blobs, archive.policy, grace=-timedelta(minutes=1))

    assert (soon.sweep(SYSTEM).removed, soon.sweep(SYSTEM).young) == (0, 1)
    assert late.sweep(SYSTEM, dry_run=True).removed == 1
    assert len(list(archive.care.verify(SYSTEM))) == 2
    swept = late.sweep(SYSTEM)

    assert (swept.removed, swept.bytes, swept.young) == (1, 4, 0)
    assert [one.damage for one in archive.care.verify(SYSTEM)] == [None]
    assert rows(archive, "select * from orphans") == []
    with archive.database.read() as connection:
        assert regular.last(connection, SWEEP) is not None


def test_what_only_the_journal_names_is_never_swept(open_archive: Open) -> None:
    archive = open_archive()
    put(archive, part10(ct()))
    archive.catch_up()
    with archive.database.transaction() as connection:
        connection.exec_driver_sql("delete from instances")
    late = Sweeping(archive.database, archive.blobs, archive.policy, grace=-timedelta(minutes=1))
    for _ in range(2):
        assert (late.sweep(SYSTEM).removed, late.sweep(SYSTEM).young) == (0, 0)
    assert [one.damage for one in archive.care.verify(SYSTEM)] == [Damage.NOT_INDEXED]


def test_what_is_purged_is_gone_for_good_and_no_loss(open_archive: Open) -> None:
    archive = open_archive()
    data = part10(ct())
    study = put(archive, data).study_instance_uid
    kept = put(archive, part10(ct()))
    archive.deletion.delete(SYSTEM, study)
    purging = archive.keeping.care.purging
    assert purging.purge(SYSTEM, timedelta(days=1)).instances == 0
    assert purging.purge(SYSTEM, timedelta(0), dry_run=True).instances == 1
    ((name,),) = rows(archive, "select blob from deleted")

    done = purging.purge(SYSTEM, timedelta(0))
    assert (done.instances, done.bytes) == (1, len(data))
    archive.catch_up()

    assert str(name) not in set(archive.blobs.names("studies"))
    assert [one.damage for one in archive.care.verify(SYSTEM)] == [None]
    assert rows(archive, "select blob, erased from purged") == [(name, 1)]
    assert [one.step.value for one in archive.reindex.run(SYSTEM)].count("indexed") == 1
    assert rows(archive, "select sop_instance_uid from instances") == [(kept.sop_instance_uid,)]
    assert [one.damage for one in archive.care.verify(SYSTEM)] == [None]
    again = put(archive, data)  # what comes again is new
    assert again.study_instance_uid == study


def test_bytes_that_were_purged_and_are_there_yet_are_not_taken_in_again(open_archive: Open) -> None:
    archive = open_archive()
    study = put(archive, part10(ct())).study_instance_uid
    archive.deletion.delete(SYSTEM, study)
    archive.keeping.care.purging.purge(SYSTEM, timedelta(0))
    archive.dispatcher().drain()  # the journal tells of it, and the process ends

    list(archive.reindex.run(SYSTEM))

    assert rows(archive, "select count(*) from instances") == rows(archive, "select count(*) from deleted") == [(0,)]
    archive.catch_up()
    assert list(archive.blobs.names("studies")) == []


def test_what_is_on_hold_is_not_purged_whoever_deleted_it_before(open_archive: Open) -> None:
    archive = open_archive()
    studies = [put(archive, part10(ct(PatientID=f"P{n}"))).study_instance_uid for n in range(3)]
    for study in studies:
        archive.deletion.delete(SYSTEM, study)
    archive.keeping.holds.add(SYSTEM, studies[0], reason="court order")
    archive.keeping.holds.add(SYSTEM, patient_id="P1", reason="a complaint")

    done = archive.keeping.care.purging.purge(SYSTEM, timedelta(0))

    assert (done.instances, done.held) == (1, 2)
    assert {row[0] for row in rows(archive, "select study_instance_uid from deleted")} == set(studies[:2])


def test_bytes_that_are_purged_wait_for_the_journal_and_nobody_is_warned(
    open_archive: Open, caplog: pytest.LogCaptureFixture
) -> None:
    archive = open_archive()
    study = put(archive, part10(ct())).study_instance_uid
    archive.catch_up()
    archive.deletion.delete(SYSTEM, study)
    archive.keeping.care.purging.purge(SYSTEM, timedelta(0))

    archive.workers().drain()

    assert len(list(archive.blobs.names("studies"))) == 1
    assert [one.message for one in caplog.records if one.levelno >= logging.WARNING] == []
    archive.dispatcher().drain()
    with archive.database.transaction() as connection:
        connection.exec_driver_sql("update jobs set run_after = ''")
    archive.workers().drain()
    assert list(archive.blobs.names("studies")) == []
