"""C-STORE into the archive: statuses and comments (PS3.4 Table B.2-1), and that nothing is left of what was refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from dimse.scu import Destination, StoreSCU, sender
from tests.dimse.clients import CT, EXPLICIT, MR
from tests.dimse.door import QUICK, Door
from tests.objects import ct, part10
from tests.peers.dcmtk import Dcmtk
from tests.pixels.objects import part10 as as_file
from tests.pixels.objects import transcoded_bytes
from vna.model.access import SYSTEM, Action
from vna.model.destination import Item, Sent
from vna.model.errors import Unavailable
from vna.model.instances import Selection


@dataclass
class Encoded:
    transfer_syntax_uid: str
    chunks: Iterator[bytes]


def data_of(ds: Dataset) -> bytes:
    """The data set without preamble and group 2."""
    content = part10(ds)
    group_length = int.from_bytes(content[140:144], "little")
    return content[144 + group_length :]


def store(door: Door, ds: Dataset, *, data: bytes | None = None, uid: str = "", sop_class: str = "") -> Sent:
    """One C-STORE; the command may say something else than the data set."""
    content = data_of(ds) if data is None else data
    pieces = [content[:100], content[100:]]
    item = Item(
        sop_class or ds.SOPClassUID,
        uid or ds.SOPInstanceUID,
        EXPLICIT,
        lambda _: Encoded(EXPLICIT, iter(pieces)),
    )
    scu = StoreSCU(Destination("127.0.0.1", door.port, "VNA"), sender("CT1", QUICK), fallback=False)
    (sent,) = scu.send([item])
    return sent


def held(door: Door) -> dict[str, bytes]:
    retrieval = door.application.retrieval
    instances = retrieval.instances(SYSTEM, Selection())
    return {one.sop_instance_uid: retrieval.dataset(SYSTEM, one, [EXPLICIT]).read() for one in instances}


def test_what_was_answered_with_success_is_held_byte_for_byte(door: Door) -> None:
    ds = ct()
    sent = store(door, ds)
    assert (sent.status, sent.reason) == (0x0000, "")
    assert held(door) == {ds.SOPInstanceUID: data_of(ds)}


def test_group_2_names_what_the_command_named(door: Door) -> None:
    ds = ct()
    store(door, ds)
    (instance,) = door.application.retrieval.instances(SYSTEM, Selection())
    assert (instance.source_ae, instance.transfer_syntax_uid) == ("CT1", EXPLICIT)
    assert instance.sop_class_uid == CT


def test_the_same_instance_again_is_a_success(door: Door) -> None:
    ds = ct()
    assert [store(door, ds).status for _ in range(2)] == [0, 0]
    assert len(held(door)) == 1


def test_other_content_under_the_same_uid_is_a_duplicate(door: Door) -> None:
    first, second = (
        ct(SOPInstanceUID="1.2.3", StudyInstanceUID="1.2"),
        ct(SOPInstanceUID="1.2.3", StudyInstanceUID="1.2"),
    )
    second.SeriesInstanceUID, second.PatientComments = first.SeriesInstanceUID, "other"
    assert store(door, first).status == 0
    sent = store(door, second)
    assert sent.status == 0x0111
    assert "other content" in sent.reason
    assert held(door) == {"1.2.3": data_of(first)}


def test_a_data_set_that_is_not_what_the_command_says_is_a_mismatch(door: Door) -> None:
    sent = store(door, ct(), uid="1.2.3.4.5")
    assert sent.status == 0xA900
    assert "SOPInstanceUID" in sent.reason
    sent = store(door, ct(), sop_class=MR)
    assert sent.status == 0xA900
    assert "SOPClassUID" in sent.reason
    assert not held(door)


@pytest.mark.parametrize("uid", ["", "1.2.x", "../../etc/passwd"])
def test_a_command_without_a_usable_uid_is_an_invalid_instance(door: Door, uid: str) -> None:
    ds = ct()
    item = Item(CT, uid, EXPLICIT, lambda _: Encoded(EXPLICIT, iter([data_of(ds)])))
    scu = StoreSCU(Destination("127.0.0.1", door.port, "VNA"), sender("CT1", QUICK), fallback=False)
    (sent,) = scu.send([item])
    assert sent.status == 0x0117
    assert not held(door)


@pytest.mark.parametrize("cut", [3, 200, 10_000])
def test_a_truncated_data_set_is_not_understood(door: Door, cut: int) -> None:
    ds = ct()
    sent = store(door, ds, data=data_of(ds)[:-cut] or b"\0" * 10)
    assert sent.status == 0xC000
    assert sent.reason
    assert not held(door)


def test_a_data_set_without_a_study_is_not_understood(door: Door) -> None:
    ds = ct()
    del ds.StudyInstanceUID
    sent = store(door, ds)
    assert sent.status == 0xC000
    assert "StudyInstanceUID" in sent.reason


def test_who_may_not_store_is_told_so(open_door: Callable[..., Door]) -> None:
    door = open_door(security={"mode": "enforced"})
    door.rights = frozenset({Action.QUERY})
    assert store(door, ct()).status == 0x0124
    assert not held(door)


def test_without_free_space_stores_are_refused_and_reads_go_on(open_door: Callable[..., Door]) -> None:
    door = open_door(storage={"min_free": 1 << 60})
    assert store(door, ct()).status == 0xA700
    assert not held(door)


def test_no_patient_is_named_in_a_comment(door: Door) -> None:
    ds = ct(StudyInstanceUID="Deneme^Ayse")
    sent = store(door, ds)
    assert sent.status == 0xC000
    assert "Deneme" not in sent.reason


def test_an_unexpected_error_is_a_processing_failure_logged_once(
    door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("Ayşe^Deneme")

    monkeypatch.setattr(type(door.application.store), "accept", fail)
    with caplog.at_level(logging.INFO):
        sent = store(door, ct())
    assert (sent.status, sent.reason) == (0x0110, "processing failure")
    assert len([record for record in caplog.records if record.exc_info]) == 1


def test_a_database_that_is_down_is_a_processing_failure_with_its_reason(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise Unavailable("the index does not answer")

    monkeypatch.setattr(type(door.application.store), "accept", fail)
    sent = store(door, ct())
    assert (sent.status, sent.reason) == (0x0110, "the index does not answer")


def test_an_association_goes_on_after_a_refusal(door: Door) -> None:
    good, bad = ct(), ct()
    contents = [(bad, b"\0" * 100), (good, data_of(good))]
    items = [
        Item(CT, ds.SOPInstanceUID, EXPLICIT, lambda _, data=data: Encoded(EXPLICIT, iter([data])))  # type: ignore[misc]
        for ds, data in contents
    ]
    scu = StoreSCU(Destination("127.0.0.1", door.port, "VNA"), sender("CT1", QUICK), fallback=False)
    assert [sent.status for sent in scu.send(items)] == [0xC000, 0x0000]
    assert set(held(door)) == {good.SOPInstanceUID}


@pytest.mark.parametrize(
    ("option", "syntax"),
    [
        ("-xi", "1.2.840.10008.1.2"),
        ("-xe", "1.2.840.10008.1.2.1"),
        ("-xd", "1.2.840.10008.1.2.1.99"),
        ("-xb", "1.2.840.10008.1.2.2"),
    ],
)
def test_dcmtk_stores_in_every_native_syntax(
    door: Door, dcmtk: Dcmtk, tmp_path: Path, option: str, syntax: str
) -> None:
    path = tmp_path / "one.dcm"
    stored = transcoded_bytes(part10(ct()), syntax)
    path.write_bytes(as_file(stored, syntax))
    ran = dcmtk("storescu", "-v", option, "-aec", "VNA", "127.0.0.1", door.port, path)
    assert ran.returncode == 0, ran.stdout
    (instance,) = door.application.retrieval.instances(SYSTEM, Selection())
    assert instance.transfer_syntax_uid == syntax
