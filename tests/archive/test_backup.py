"""Backups while the archive works, and archives made of them: on both pairs of stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from storage import journal
from storage.backups import Kept, Manifest, Pace, Place, unlimited
from storage.blobs.base import BlobStore
from storage.index import dump, migrate
from storage.index.engine import Connection, Database
from storage.index.lookup import StoredBlob
from tests.archive.test_reindex import answers, blob_of, fill, overwrite
from tests.archives import Backend, Open, make_backend, put, ready, rows
from tests.objects import ct, part10
from vna.app import Application, build
from vna.app.backups import place_at
from vna.app.blobs import ready_blobs
from vna.app.restoring import restore, try_out
from vna.app.wiring import prepare
from vna.archive import restore_testing
from vna.archive.backup import Making
from vna.archive.backup_owner import is_foreign
from vna.archive.restore import newest
from vna.model.access import SYSTEM
from vna.model.errors import BadRequest, Conflict, Damaged, NotFound

Elsewhere = Callable[..., Backend]


@pytest.fixture
def place(tmp_path: Path, backend: Backend) -> Place:
    return place_at(backend.settings(), str(tmp_path / "backup"), new=True)


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Elsewhere:
    """Empty places of both kinds, one after the other."""
    made: list[Backend] = []

    def make(name: str = "sqlite+folder") -> Backend:
        made.append(make_backend(name, request, tmp_path / f"elsewhere-{len(made)}"))
        return made[-1]

    return make


@pytest.fixture
def archive_of_one(tmp_path: Path) -> Iterator[Application]:
    """The cheap pair, with an instance."""
    settings = Backend("sqlite+folder", tmp_path / "one").settings()
    ready(settings)
    archive = build(settings)
    put(archive, part10(ct()))
    yield archive
    archive.close()


@pytest.fixture
def cheap_place(tmp_path: Path) -> Place:
    return place_at(Backend("sqlite+folder", tmp_path).settings(), str(tmp_path / "cheap"), new=True)


def back_up(archive: Application, place: Place, keep: int = 0) -> Manifest:
    return archive.keeping.backup.run(SYSTEM, place, keep=keep, tell=lambda _: None)


def restored(backend: Backend, place: Place, stamp: str = "") -> tuple[Application, list[str]]:
    """An archive made of a backup, and what was damaged."""
    settings = backend.settings(storage={"duplicates": "replace"})
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    manifest = newest(place, stamp)
    problems = [one.name for one in restore(settings, place, manifest, ready_blobs(settings)) if one.problem]
    return build(settings), problems


@pytest.mark.parametrize("target", ["sqlite+folder", "postgresql+seaweedfs"])
def test_an_archive_made_of_a_backup_gives_the_same_answers_on_either_pair(
    open_archive: Open, place: Place, elsewhere: Elsewhere, target: str
) -> None:
    archive = open_archive(storage={"duplicates": "replace"})
    fill(archive)
    archive.accounts.add_user(SYSTEM, "ayse", "correct horse battery staple")
    archive.dispatcher().drain()
    before = answers(archive)

    made = back_up(archive, place)
    again, problems = restored(elsewhere(target), place)

    try:
        assert problems == []
        assert answers(again) == before
        assert made.rows["users"] == 1
        assert made.lacking_count == 0
        assert {one.damage for one in again.care.verify(SYSTEM)} == {None}
        put(again, part10(ct()))  # and it goes on: keys and event ids do not collide
        again.dispatcher().drain()
        assert {one.damage for one in again.care.verify(SYSTEM)} == {None}
    finally:
        again.close()


def test_a_place_that_holds_anything_is_refused_in_words(open_archive: Open, place: Place, backend: Backend) -> None:
    archive = open_archive()
    put(archive, part10(ct()))
    back_up(archive, place)

    with pytest.raises(Conflict, match="holds"):
        restored(backend, place)


def test_a_second_backup_copies_only_what_is_new_and_old_ones_go_with_what_only_they_had(
    open_archive: Open, place: Place, elsewhere: Elsewhere
) -> None:
    archive = open_archive()
    first = put(archive, part10(ct(PatientID="FIRST")))
    one = back_up(archive, place)
    gone = blob_of(archive, first.sop_instance_uid)
    put(archive, part10(ct(PatientID="SECOND")))
    two = back_up(archive, place)
    with archive.database.transaction() as connection:  # as a purge does
        connection.exec_driver_sql("update instances set blob = '', size = 0")
    three = back_up(archive, place, keep=2)

    assert (one.copied, two.copied, three.copied) == (1, 1, 0)
    assert place.stamps() == [two.stamp, three.stamp]
    assert f"blobs/{gone}" in place.store.names("blobs"), "the second names it"
    back_up(archive, place, keep=1)
    assert list(place.store.names("blobs/studies")) == []


def test_what_is_removed_for_good_meanwhile_is_named_by_no_row_of_the_backup(
    open_archive: Open, place: Place, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = open_archive()
    put(archive, part10(ct()))
    late: list[str] = []
    copy = Place.copy

    def removed_first(self: Place, source: BlobStore, kept: Kept, pace: Pace = unlimited) -> None:
        if kept.name in late:
            with archive.database.transaction() as connection:
                connection.exec_driver_sql(f"update instances set blob = '' where blob = '{kept.name}'")
            archive.blobs.delete(kept.name)
        elif kept.name.startswith("studies/") and not late:  # the first page was read: only the difference has it
            late.append(blob_of(archive, put(archive, part10(ct())).sop_instance_uid))
        copy(self, source, kept, pace)

    monkeypatch.setattr(Place, "copy", removed_first)
    made = back_up(archive, place)
    monkeypatch.undo()

    again, problems = restored(elsewhere(), place)
    assert problems == []
    assert made.lacking_count == 0
    assert [one.damage for one in again.care.verify(SYSTEM)] == [None]
    again.close()


def test_the_journal_of_a_backup_tells_of_nothing_that_its_rows_do_not_know(
    open_archive: Open, place: Place, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = open_archive()
    put(archive, part10(ct()))
    archive.dispatcher().drain()
    journaled = Making._journaled

    def later(self: Making, last: int) -> Iterator[Kept]:
        put(archive, part10(ct()))
        archive.dispatcher().drain()
        return journaled(self, last)

    monkeypatch.setattr(Making, "_journaled", later)
    back_up(archive, place)

    again, _ = restored(elsewhere(), place)
    assert [one.damage for one in again.care.verify(SYSTEM)] == [None]
    assert len(list(journal.read(again.blobs))) == 1
    again.close()


def test_damage_of_the_archive_itself_is_told_and_is_no_damage_of_the_backup(
    open_archive: Open, place: Place, elsewhere: Elsewhere
) -> None:
    archive = open_archive()
    data = part10(ct())
    bad = blob_of(archive, put(archive, data).sop_instance_uid)
    put(archive, part10(ct()))
    overwrite(archive, bad, data[:-1] + b"\xa5")

    made = back_up(archive, place)

    assert made.lacking == (bad,)
    again, problems = restored(elsewhere(), place)
    assert problems == [bad]
    again.close()


def test_one_flipped_byte_and_a_missing_object_are_found(
    open_archive: Open, place: Place, elsewhere: Elsewhere
) -> None:
    archive = open_archive()
    flipped, missing, sound = (blob_of(archive, put(archive, part10(ct())).sop_instance_uid) for _ in range(3))
    back_up(archive, place)
    raw = bytearray(place.store.read(f"blobs/{flipped}"))
    raw[-1] ^= 1
    place.store.delete(f"blobs/{flipped}")
    place.store.put(f"blobs/{flipped}", [bytes(raw)])
    place.store.delete(f"blobs/{missing}")

    again, problems = restored(elsewhere(), place)

    assert sorted(problems) == sorted([flipped, missing])
    assert again.blobs.size(sound)
    again.close()


@pytest.mark.parametrize("change", ["cut", "flipped", "missing", "manifest"])
def test_a_damaged_index_is_refused_before_anything_is_written(
    archive_of_one: Application, cheap_place: Place, elsewhere: Elsewhere, change: str
) -> None:
    made = back_up(archive_of_one, cheap_place)
    name = f"backups/{made.stamp}/tables/studies.jsonl.gz"
    if change == "manifest":
        name = f"backups/{made.stamp}/manifest.json"
    raw = cheap_place.store.read(name)
    changed = {"cut": raw[:-5], "flipped": raw[:30] + bytes([raw[30] ^ 1]) + raw[31:], "missing": b""}
    cheap_place.store.delete(name)
    if change != "missing":
        cheap_place.store.put(name, [changed.get(change, raw.replace(b'"studies": 1', b'"studies": 2'))])
    target = elsewhere()

    with pytest.raises(Damaged):
        restored(target, cheap_place)

    blobs = ready_blobs(target.settings())
    assert not any(list(blobs.names(folder)) for folder in ("studies", "journal"))
    assert not (target.folder / "data" / "index.sqlite").exists()


def test_a_restore_that_was_cut_goes_on_and_another_backup_is_refused_there(
    archive_of_one: Application, cheap_place: Place, elsewhere: Elsewhere
) -> None:
    first = back_up(archive_of_one, cheap_place)
    back_up(archive_of_one, cheap_place)
    target = elsewhere()
    settings = target.settings()
    begun = restore(settings, cheap_place, newest(cheap_place), ready_blobs(settings))
    next(iter(begun))
    del begun

    with pytest.raises(Conflict, match="empty place"):
        restored(target, cheap_place, first.stamp)
    again, problems = restored(target, cheap_place)

    assert problems == []
    assert rows(again, "select count(*) from instances") == [(1,)]
    assert list(again.blobs.names("restoring")) == []
    again.close()


def test_a_backup_of_an_older_schema_is_brought_up_to_date_and_one_of_a_newer_is_refused(
    archive_of_one: Application, cheap_place: Place, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = back_up(archive_of_one, cheap_place)
    old = Database(f"sqlite:///{elsewhere().folder}/old.sqlite")
    migrate.upgrade(old, "0009")
    with old.read() as connection:
        known = tuple(f"/{table.name}.jsonl.gz" for table in dump.tables(connection))
    old.close()
    older = {name: file for name, file in made.files.items() if name.endswith((*known, "/objects.jsonl.gz"))}
    cheap_place.write_manifest(replace(made, schema_revision="0009", files=older))
    again, _ = restored(elsewhere(), cheap_place)
    assert migrate.current(again.database) == migrate.newest()
    assert rows(again, "select count(*) from instances") == [(1,)]
    again.close()

    cheap_place.write_manifest(replace(made, schema_revision="9999"))
    with pytest.raises(Conflict, match="newer version"):
        restored(elsewhere(), cheap_place)


def test_two_backups_at_once_to_one_place_are_refused(archive_of_one: Application, cheap_place: Place) -> None:
    with (
        archive_of_one.keeping.backup.alone(SYSTEM, cheap_place),
        pytest.raises(Conflict, match="another backup"),
    ):
        back_up(archive_of_one, cheap_place)


def test_a_folder_without_a_backup_is_said_so(tmp_path: Path, cheap_place: Place) -> None:
    with pytest.raises(NotFound, match="no complete backup"):
        newest(cheap_place)
    with pytest.raises(NotFound, match="no folder"):
        place_at(Backend("sqlite+folder", tmp_path).settings(), str(tmp_path / "nowhere"))


def test_while_rows_are_written_the_log_of_sqlite_is_written_back(
    archive_of_one: Application, cheap_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = dump.blobs

    def stored_meanwhile(connection: Connection) -> Iterator[StoredBlob]:
        yield from named(connection)
        put(archive_of_one, part10(ct()))
        with archive_of_one.database.engine.connect() as other:
            written.append(other.exec_driver_sql("pragma wal_checkpoint(passive)").one())

    written: list[tuple[int, int, int]] = []
    monkeypatch.setattr(dump, "blobs", stored_meanwhile)
    made = back_up(archive_of_one, cheap_place)

    ((busy, frames, back),) = written
    assert (busy, back) == (0, frames)
    assert frames
    assert made.rows["instances"] == 1
    assert [path.name for path in cheap_place.store.spool_folder.iterdir()] == []


def test_a_place_of_another_archive_is_refused_until_it_is_taken_over(
    archive_of_one: Application, cheap_place: Place, elsewhere: Elsewhere
) -> None:
    first = back_up(archive_of_one, cheap_place)
    clone, _ = restored(elsewhere(), cheap_place)

    with pytest.raises(Conflict, match=r"another archive.*--take-over"):
        back_up(clone, cheap_place, keep=1)
    assert cheap_place.stamps() == [first.stamp]
    assert is_foreign(clone.database, first)
    assert not is_foreign(archive_of_one.database, first)

    taken = clone.keeping.backup.run(SYSTEM, cheap_place, take_over=True, tell=lambda _: None)

    assert (taken.copied, taken.archive) == (0, cheap_place.owner())
    with pytest.raises(Conflict, match="another archive"):
        back_up(archive_of_one, cheap_place)
    clone.close()


def test_an_archive_whose_restore_was_cut_does_not_start_and_a_bad_object_of_it_is_given_anew(
    archive_of_one: Application, cheap_place: Place, elsewhere: Elsewhere
) -> None:
    blob = blob_of(archive_of_one, put(archive_of_one, part10(ct())).sop_instance_uid)
    whole = archive_of_one.blobs.read(blob)
    made = back_up(archive_of_one, cheap_place)
    target = elsewhere()
    settings = target.settings()
    begun = restore(settings, cheap_place, made, ready_blobs(settings))
    assert len([next(begun) for _ in range(made.objects)]) == made.objects
    del begun

    with pytest.raises(Conflict, match=f"go on with `vna restore DIR --backup {made.stamp}`"):
        prepare(settings)

    blobs = ready_blobs(settings)
    blobs.delete(blob)
    blobs.put(blob, [whole[:-1] + b"\xa5"])
    again, problems = restored(target, cheap_place)
    assert (problems, again.blobs.read(blob)) == ([], whole)
    again.close()
    prepare(settings)


def test_what_a_restore_test_finds_bad_is_copied_anew_by_the_next_backup(
    archive_of_one: Application, cheap_place: Place, tmp_path: Path
) -> None:
    blob = blob_of(archive_of_one, put(archive_of_one, part10(ct())).sop_instance_uid)
    made = back_up(archive_of_one, cheap_place)
    whole = cheap_place.store.read(f"blobs/{blob}")
    cheap_place.store.delete(f"blobs/{blob}")
    cheap_place.store.put(f"blobs/{blob}", [whole[:-1] + b"\xa5"])
    assert back_up(archive_of_one, cheap_place).copied == 0, "names and sizes are what a backup goes by"

    first = [*try_out(archive_of_one.settings, cheap_place, made, tmp_path)][-1]
    assert isinstance(first, restore_testing.Tested)
    assert (first.passed, first.noted) == (False, 1)
    mended = back_up(archive_of_one, cheap_place)
    second = [*try_out(archive_of_one.settings, cheap_place, mended, tmp_path)][-1]

    assert isinstance(second, restore_testing.Tested)
    assert (mended.copied, second.passed, list(cheap_place.noted_bad())) == (1, True, [])


@pytest.mark.parametrize("inside", ["data/blobs", "data/blobs/backup", "data"])
def test_a_backup_among_the_archives_own_objects_is_refused(tmp_path: Path, inside: str) -> None:
    settings = Backend("sqlite+folder", tmp_path).settings()

    with pytest.raises(BadRequest, match="own objects"):
        place_at(settings, str(settings.data_dir.parent / inside), new=True)


def test_a_backup_into_the_archives_own_bucket_is_refused_and_a_name_that_is_none_said_so(tmp_path: Path) -> None:
    own = "s3://pictures?endpoint=http://127.0.0.1:8333"
    settings = Backend("sqlite+folder", tmp_path).settings()
    storage = settings.storage.model_copy(update={"url": own})
    settings = settings.model_copy(update={"storage": storage})

    with pytest.raises(BadRequest, match="own objects"):
        place_at(settings, own.replace("8333", "8333/"), new=True)
    with pytest.raises(BadRequest, match="my!bucket is no name of a bucket"):
        place_at(settings, "s3://my!bucket?endpoint=http://127.0.0.1:8333", new=True)
