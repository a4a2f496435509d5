"""Several stores: what lies where, moves that lose nothing, copies that stand in for each other."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.blobs.several import SeveralBlobs
from tests.archives import Backend, Open, put, rows
from tests.objects import ct, part10
from tests.peers.juicefs import JuiceFS
from tests.peers.processes import free_port
from vna.app.wiring import Application
from vna.archive.placement import TAKE_AWAY
from vna.archive.replicas import REPAIR
from vna.model.access import SYSTEM
from vna.model.errors import Damaged, NotFound, Unavailable
from vna.model.instances import Selection
from vna.settings import Settings


def folder(backend: Backend, name: str) -> dict[str, str]:
    return {"name": name, "url": (backend.folder / name).as_uri()}


def several(archive: Application) -> SeveralBlobs:
    assert isinstance(archive.blobs, SeveralBlobs)
    return archive.blobs


def keep(archive: Application, **attributes: object) -> tuple[str, bytes, str]:
    """Study, bytes and blob of a new instance."""
    data = part10(ct(**attributes))
    kept = put(archive, data)
    ((blob,),) = rows(archive, f"select blob from instances where sop_instance_uid = '{kept.sop_instance_uid}'")
    return kept.study_instance_uid, data, str(blob)


def read(archive: Application, study: str) -> bytes:
    (instance,) = archive.retrieval.instances(SYSTEM, Selection(study_uids=(study,)))
    return archive.retrieval.part10(SYSTEM, instance).read()


def place(archive: Application) -> None:
    payload: str | None = ""
    while payload is not None:
        payload = archive.keeping.placement.place(payload)


def lies_in(archive: Application, blob: str) -> list[str]:
    found = []
    for name, store in several(archive).stores.items():
        try:
            store.size(blob)
        except NotFound:
            continue
        except Unavailable:
            continue
        found.append(name)
    return found


def take_away(archive: Application) -> None:
    """What is due after the grace, now."""
    for (payload,) in rows(archive, f"select payload from jobs where kind = '{TAKE_AWAY}'"):
        archive.keeping.placement.take_away(str(payload))


def spoil(backend: Backend, store: str, blob: str) -> None:
    path = backend.folder / store / blob
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_rules_move_what_they_fit_and_every_copy_is_read_back_first(backend: Backend, open_archive: Open) -> None:
    archive = open_archive(
        storage={
            "min_free": 0,
            "stores": [folder(backend, "archive"), folder(backend, "second")],
            "placement": [
                {"modality": "MR", "store": "primary", "replicas": "second"},
                {"modality": "CT", "store": "archive", "replicas": ["second"]},
                {"store": "second"},
            ],
        }
    )
    mr, ct_, us = (keep(archive, Modality=modality) for modality in ("MR", "CT", "US"))
    place(archive)
    assert lies_in(archive, mr[2]) == ["primary", "second"]
    assert lies_in(archive, ct_[2]) == ["primary", "archive", "second"]  # until readers are done with it
    take_away(archive)
    take_away(archive)
    assert [lies_in(archive, one[2]) for one in (mr, ct_, us)] == [
        ["primary", "second"],
        ["archive", "second"],
        ["second"],
    ]
    for study, data, _ in (mr, ct_, us):
        assert read(archive, study) == data
    assert sorted(archive.blobs.names("studies")) == sorted(one[2] for one in (mr, ct_, us))
    states = {one.name: (one.problem, one.objects) for one in archive.keeping.stores.all(SYSTEM)}
    assert states == {"primary": ("", 1), "archive": ("", 1), "second": ("", 3)}
    before = rows(archive, "select outcome from regular")
    place(archive)
    assert before == [("3 moved, 0 not",)]
    assert rows(archive, "select outcome from regular") == [("0 moved, 0 not",)]


def test_rules_with_an_age_leave_what_is_younger(backend: Backend, open_archive: Open) -> None:
    rule = {"age_days": 30, "store": "archive"}
    archive = open_archive(
        storage={
            "min_free": 0,
            "stores": [folder(backend, "archive")],
            "placement": [rule | {"since": "study", "modality": "CT"}, rule | {"modality": "MR"}],
        }
    )
    now = datetime.now(UTC)
    old = keep(archive, Modality="CT", StudyDate=f"{now - timedelta(days=40):%Y%m%d}")
    young = keep(archive, Modality="CT", StudyDate=f"{now - timedelta(days=20):%Y%m%d}")
    undated = keep(archive, Modality="CT", StudyDate="")
    received = keep(archive, Modality="MR", StudyDate="20010101")
    place(archive)
    take_away(archive)
    assert lies_in(archive, old[2]) == ["archive"]
    for one in (young, undated, received):
        assert lies_in(archive, one[2]) == ["primary"]


def test_a_rebuilt_index_finds_what_lies_elsewhere(backend: Backend, open_archive: Open) -> None:
    archive = open_archive(
        storage={
            "min_free": 0,
            "stores": [folder(backend, "archive"), folder(backend, "second")],
            "placement": [{"store": "archive", "replicas": "second"}],
        }
    )
    study, data, blob = keep(archive)
    archive.catch_up()
    place(archive)
    take_away(archive)
    rebuilt = list(archive.reindex.run(SYSTEM))
    assert rebuilt
    assert read(archive, study) == data
    assert [one.damage for one in archive.care.verify(SYSTEM)] == [None]
    written = (backend.folder / "second" / blob).stat().st_mtime_ns
    place(archive)
    assert lies_in(archive, blob) == ["archive", "second"]
    assert several(archive).places(blob) == ("archive", "second")
    assert (backend.folder / "second" / blob).stat().st_mtime_ns == written


def test_a_bad_copy_is_passed_over_and_made_good(backend: Backend, open_archive: Open) -> None:
    archive = open_archive(
        storage={
            "min_free": 0,
            "stores": [folder(backend, "archive"), folder(backend, "second")],
            "placement": [{"store": "archive", "replicas": "second"}],
        }
    )
    study, data, blob = keep(archive)
    place(archive)
    take_away(archive)
    spoil(backend, "archive", blob)
    assert read(archive, study) == data
    ((payload,),) = rows(archive, f"select payload from jobs where kind = '{REPAIR}'")
    archive.keeping.replicas(str(payload))
    assert (backend.folder / "archive" / blob).read_bytes() == data
    asked = json.loads(str(payload))
    known = asked["blob"], asked["size"], bytes.fromhex(asked["sha256"])
    assert archive.keeping.replicas.repair(SYSTEM, *known) is False
    (backend.folder / "second" / blob).unlink()
    assert archive.keeping.replicas.damaged(SYSTEM, *known) == ("second",)
    assert archive.keeping.replicas.repair(SYSTEM, *known) is True
    spoil(backend, "archive", blob)
    spoil(backend, "second", blob)
    assert archive.keeping.replicas.repair(SYSTEM, *known) is False
    with pytest.raises(Damaged):
        read(archive, study)


@pytest.mark.parametrize("backend", ["sqlite+folder"], indirect=True)
def test_a_store_that_is_down_holds_up_nothing_that_lies_elsewhere(
    backend: Backend, open_archive: Open, juicefs: JuiceFS
) -> None:
    keys = {"access_key": juicefs.access_key, "secret_key": juicefs.secret_key}
    sections = {
        "min_free": 0,
        "timeout": 0.4,
        "stores": [
            {"name": "down", "url": f"s3://vna?endpoint=http://127.0.0.1:{free_port()}", **keys},
            {"name": "up", "url": juicefs.storage_url(f"{backend.name[:6]}-up"), **keys},
        ],
        "placement": [{"modality": "CT", "store": "down"}, {"modality": "MR", "store": "up", "replicas": "primary"}],
    }
    archive = open_archive(storage=sections)
    lies_down, moves = keep(archive, Modality="CT"), keep(archive, Modality="MR")
    place(archive)
    assert several(archive).places(lies_down[2]) == ("primary",)
    assert several(archive).places(moves[2]) == ("up", "primary")
    for study, data, _ in (lies_down, moves):
        assert read(archive, study) == data
    several(archive).stores["primary"].delete(moves[2])
    assert read(archive, moves[0]) == moves[1]
    several(archive).delete(moves[2])
    assert lies_in(archive, moves[2]) == []
    with pytest.raises(Unavailable):  # the store that is down may have it
        archive.blobs.read(moves[2])
    assert [one.problem == "" for one in archive.keeping.stores.all(SYSTEM)] == [True, False, True]


def test_an_operator_moves_a_study_and_back(backend: Backend, open_archive: Open) -> None:
    archive = open_archive(storage={"min_free": 0, "stores": [folder(backend, "archive")]})
    study, data, blob = keep(archive)
    other = keep(archive)
    stores = archive.keeping.stores
    with pytest.raises(NotFound):
        stores.move(SYSTEM, "nowhere", study=study)
    for target in ("archive", "primary"):
        job, number = stores.move(SYSTEM, target, study=study)
        assert number == 1
        archive.catch_up()
        assert stores.moving(SYSTEM, job).over
        take_away(archive)
        assert lies_in(archive, blob) == [target]
        assert read(archive, study) == data
    assert lies_in(archive, other[2]) == ["primary"]
    assert rows(archive, "select count(*) from blob_places") == [(0,)]


@pytest.mark.parametrize("backend", ["sqlite+folder"], indirect=True)
def test_what_was_deleted_while_it_was_copied_is_not_told_of(
    backend: Backend, open_archive: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = open_archive(storage={"min_free": 0, "stores": [folder(backend, "archive")]})
    study, _, blob = keep(archive)
    archive.keeping.stores.move(SYSTEM, "archive", study=study)
    store = several(archive).stores["archive"]
    size = store.size

    def size_and_delete(name: str) -> int:
        archive.deletion.delete(SYSTEM, study)
        monkeypatch.setattr(store, "size", size)
        return size(name)

    monkeypatch.setattr(store, "size", size_and_delete)
    archive.catch_up()
    assert several(archive).places(blob) == ("primary",)
    assert rows(archive, "select count(*) from blob_places") == [(0,)]


@pytest.mark.parametrize(
    ("storage", "words"),
    [
        ({"placement": [{"store": "archive"}]}, "no store is called archive"),
        ({"stores": [{"name": "primary", "url": "file:///a"}]}, "a store has a name"),
        ({"stores": [{"name": "a", "url": "ftp://a"}]}, "a blob store is at"),
        ({"stores": [{"name": "a", "url": "file:///a"}] * 2}, "the same name"),
        ({"placement": [{"store": "primary", "replicas": "primary"}]}, "a store twice"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(tmp_path: Path, storage: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Settings(data_dir=tmp_path, storage=storage)  # type: ignore[arg-type]
