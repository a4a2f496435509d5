"""Storage commitment as use cases, on both pairs of stores: steps, waiting, forgetting, and whose results count."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from pydicom import Dataset
from pydicom.uid import generate_uid

from storage.blobs.several import SeveralBlobs
from tests.archives import Backend, Open, put, rows
from tests.objects import ct, part10
from vna.app import Application
from vna.archive import committing
from vna.archive.claims import Damage
from vna.archive.commitment import WEB
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.commitments import Referenced, State
from vna.model.errors import NotFound


def asked(archive: Application, *instances: Dataset) -> str:
    transaction = generate_uid()
    wanted = [Referenced(one.SOPClassUID, one.SOPInstanceUID) for one in instances]
    archive.keeping.commitments.request(SYSTEM, transaction, wanted, door=WEB)
    return transaction


def held(archive: Application, count: int) -> list[Dataset]:
    made = [ct() for _ in range(count)]
    for one in made:
        put(archive, part10(one))
    return made


def results(archive: Application, transaction: str) -> list[int]:
    return [one.result for one in archive.keeping.commitments.shown(SYSTEM, transaction)[0].outcomes]


def blob(archive: Application, ds: Dataset) -> str:
    ((name,),) = rows(archive, f"select blob from instances where sop_instance_uid = '{ds.SOPInstanceUID}'")
    return str(name)


def test_each_step_is_kept_and_another_process_goes_on_where_one_stopped(
    open_archive: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "_STEP", 2)
    first = open_archive()
    instances = held(first, 5)
    damaged, missing = blob(first, instances[1]), blob(first, instances[3])
    content = first.blobs.read(damaged)
    first.blobs.delete(damaged)
    first.blobs.put(damaged, [content[:-1] + bytes([content[-1] ^ 1])])
    first.blobs.delete(missing)
    transaction = asked(first, *instances)

    assert first.workers().once()
    assert results(first, transaction) == [0, 0x0110, -1, -1, -1]
    second = open_archive()
    second.workers().drain()

    assert results(second, transaction) == [0, 0x0110, 0, 0x0112, 0]
    assert second.keeping.commitments.state(SYSTEM, transaction) is State.CHECKED


def test_a_store_that_does_not_answer_is_waited_for_and_not_for_ever(
    open_archive: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = open_archive()
    transaction = asked(archive, *held(archive, 1))
    monkeypatch.setattr(committing, "damage_of", lambda *_: Damage.UNREADABLE)

    archive.workers().drain()
    assert results(archive, transaction) == [-1]
    with archive.database.transaction() as connection:
        connection.execute(sa.text("update commitments set requested_at = '2020-01-01T00:00:00.000000+00:00'"))
        connection.execute(sa.text("update jobs set run_after = ''"))
    archive.workers().drain()

    assert results(archive, transaction) == [0x0110]


@pytest.mark.parametrize("backend", ["sqlite+folder"], indirect=True)
def test_what_another_store_has_whole_is_put_right_and_committed(backend: Backend, open_archive: Open) -> None:
    archive = open_archive(
        storage={
            "min_free": 0,
            "stores": [{"name": "second", "url": (backend.folder / "second").as_uri()}],
            "placement": [{"store": "primary", "replicas": "second"}],
        }
    )
    (ds,) = held(archive, 1)
    archive.keeping.placement.place("")
    assert isinstance(archive.blobs, SeveralBlobs)
    name, primary = blob(archive, ds), archive.blobs.stores["primary"]
    content = primary.read(name)
    primary.delete(name)
    primary.put(name, [content[:-1] + bytes([content[-1] ^ 1])])
    transaction = asked(archive, ds)

    archive.workers().drain()

    assert results(archive, transaction) == [0]
    assert primary.read(name) == content


def test_what_is_old_is_forgotten(open_archive: Open) -> None:
    archive = open_archive()
    old, new = asked(archive, *held(archive, 1)), asked(archive, *held(archive, 1))
    archive.workers().drain()
    with archive.database.transaction() as connection:
        connection.execute(
            sa.text(
                "update commitments set requested_at = '2020-01-01T00:00:00.000000+00:00' where transaction_uid = :u"
            ),
            {"u": old},
        )
    forgetting = archive.keeping.committing.forgetting
    assert forgetting("") == ""
    assert forgetting("") is None

    assert rows(archive, "select transaction_uid from commitments") == [(new,)]
    assert rows(archive, "select count(*) from commitment_references") == [(1,)]


def test_a_result_counts_only_when_it_comes_from_whom_we_asked(open_archive: Open) -> None:
    archive = open_archive()
    requests, transaction, (ds,) = archive.keeping.commitments, generate_uid(), held(archive, 1)
    requests.sent(SYSTEM, transaction, [Referenced(ds.SOPClassUID, ds.SOPInstanceUID)], partner="PACS")
    known = frozenset({Action.ECHO})

    with pytest.raises(NotFound):
        requests.answered(Actor(ActorKind.AE, "OTHER", known), transaction, {ds.SOPInstanceUID: 0}, 0x0110)
    requests.answered(Actor(ActorKind.AE, "PACS", known), transaction, {}, 0x0110)
    requests.answered(Actor(ActorKind.AE, "PACS", known), transaction, {ds.SOPInstanceUID: 0}, 0x0110)

    assert results(archive, transaction) == [0x0110]  # what it did not name is not kept, and the first word stands
