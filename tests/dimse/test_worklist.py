"""Modality Worklist and performed procedure steps over the archive's own door, asked by dcmtk and pynetdicom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pynetdicom import AE
from pynetdicom.dimse_primitives import N_SET
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from dimse.models import MODALITY_WORKLIST, PERFORMED_STEP, PERFORMED_STEP_RETRIEVE
from dimse.upper_layer.inprocess import listening
from tests.archives import Backend
from tests.peers.dcmtk import Dcmtk
from tests.worklist.ordering import WHENEVER, order
from tests.worklist.steps import begun, ended
from vna.app import Application, build, migrate, prepare
from vna.app.doors import dimse_server
from vna.model.access import SYSTEM, Peer
from vna.model.orders import OrderKey, OrderState
from vna.model.query import Level, Query

IMPLICIT, EXPLICIT, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
BIG = "1.2.840.10008.1.2.2"
STEP = "ScheduledProcedureStepSequence[0]"
RETURNED = ("PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber", f"{STEP}.ScheduledStationAETitle")
FIRST = "1.2.826.0.1.3680043.10.1561.1"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    settings = Backend("sqlite+folder", tmp_path_factory.mktemp("worklist")).settings(national=WHENEVER)
    migrate(settings)
    prepare(settings)
    application = build(settings)
    for title, facility in (("CT1", "500059"), ("MR1", "500059"), ("CTFAR", "600001")):
        application.peers.add(SYSTEM, Peer(title, facility=facility))
    yield application
    application.close()


@pytest.fixture(scope="module")
def port(archive: Application) -> Iterator[int]:
    with listening(dimse_server(archive), grace_seconds=0.2) as number:
        yield number


@pytest.fixture(autouse=True)
def ordered(archive: Application) -> Iterator[None]:
    """Orders of each test are its own: what is left is cancelled."""
    yield
    for match in archive.national.schedule.find(SYSTEM, Query(Level.PATIENT)).matches:
        key = OrderKey("500059", match.elements["00080050"]["Value"][0])
        archive.national.orders.cancel(SYSTEM, key)


def findscu(dcmtk: Dcmtk, port: int, folder: Path, *keys: str, calling: str = "CT1") -> list[Dataset]:
    out = folder / f"answers{len(list(folder.iterdir()))}"
    out.mkdir()
    asked = [word for key in (*RETURNED, *keys) for word in ("-k", key)]
    done = dcmtk("findscu", "-W", "-X", "-od", out, "-aet", calling, "127.0.0.1", port, *asked)
    assert done.returncode == 0, done.stdout
    return [dcmread(path, force=True) for path in sorted(out.iterdir())]


def test_an_order_is_in_the_worklist_as_it_is_until_it_is_cancelled(
    archive: Application, port: int, dcmtk: Dcmtk, tmp_path: Path
) -> None:
    orders = archive.national.orders
    orders.place(SYSTEM, order())

    (answer,) = findscu(
        dcmtk, port, tmp_path, f"{STEP}.Modality=CT", f"{STEP}.ScheduledProcedureStepStartDate=20261130"
    )
    assert answer.SpecificCharacterSet == "ISO_IR 192"
    assert str(answer.PatientName) == "ÖRNEK^AYŞE"
    assert answer.StudyInstanceUID == order().study_instance_uid
    assert answer.ScheduledProcedureStepSequence[0].ScheduledStationAETitle == "CT1"

    orders.change(SYSTEM, order(station_ae_title="MR1", modality="MR"))
    assert findscu(dcmtk, port, tmp_path) == []
    (changed,) = findscu(dcmtk, port, tmp_path, f"{STEP}.Modality", calling="MR1")
    assert changed.ScheduledProcedureStepSequence[0].Modality == "MR"
    assert findscu(dcmtk, port, tmp_path, calling="CTFAR") == []

    orders.cancel(SYSTEM, OrderKey("500059", "A1"))
    assert findscu(dcmtk, port, tmp_path, calling="MR1") == []


@contextmanager
def associated(port: int, *classes: str, syntax: str = EXPLICIT, calling: str = "CT1", fuzzy: bool = False) -> Any:
    ae = AE(calling)
    for uid in classes:
        ae.add_requested_context(uid, syntax)
    items = []
    if fuzzy:
        items.append(SOPClassExtendedNegotiation())
        items[0].sop_class_uid = MODALITY_WORKLIST
        items[0].service_class_application_information = b"\x01\x01\x01"
    assoc = ae.associate("127.0.0.1", port, ext_neg=items)  # type: ignore[arg-type]
    assert assoc.is_established
    assert len(assoc.accepted_contexts) == len(classes)
    yield assoc
    assoc.release()


def asked(port: int, identifier: Dataset, **options: Any) -> tuple[list[Dataset], list[int], Dataset]:
    with associated(port, MODALITY_WORKLIST, **options) as assoc:
        responses = list(assoc.send_c_find(identifier, MODALITY_WORKLIST))
    answers = [identifier for _, identifier in responses if identifier is not None]
    return answers, [int(status.Status) for status, _ in responses], responses[-1][0]


def named(name: str, charset: str = "ISO_IR 192") -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = charset.split("\\")
    ds.PatientName, ds.PatientID, ds.AccessionNumber = name, "", ""
    return ds


@pytest.mark.parametrize(
    ("charset", "answered", "syntax"),
    [
        ("ISO_IR 192", "ISO_IR 192", IMPLICIT),
        ("ISO_IR 148", "ISO_IR 148", EXPLICIT),
        ("\\ISO 2022 IR 148", ["", "ISO 2022 IR 148"], BIG),
        ("ISO_IR 100", "ISO_IR 192", DEFLATED),
    ],
)
def test_turkish_names_are_asked_for_and_answered_in_the_requests_character_set_where_it_has_the_letters(
    archive: Application, port: int, charset: str, answered: Any, syntax: str
) -> None:
    archive.national.orders.place(SYSTEM, order(f"T{syntax[-3:]}"))
    key = "ÖRNEK*" if charset == "ISO_IR 100" else "örnek^ayşe"
    (answer,), statuses, _ = asked(port, named(key, charset), syntax=syntax)

    assert statuses == [0xFF00, 0]
    assert answer.SpecificCharacterSet == answered
    assert str(answer.PatientName) == "ÖRNEK^AYŞE"


def test_a_sequence_that_is_asked_for_whole_comes_whole_and_unknown_keys_are_told(
    archive: Application, port: int
) -> None:
    archive.national.orders.place(SYSTEM, order("S1"))
    ds = Dataset()
    ds.AccessionNumber, ds.StudyDescription = "S1", "X"
    ds.ScheduledProcedureStepSequence = Sequence([])
    ds.RequestedProcedureCodeSequence = Sequence([Dataset()])

    (answer,), statuses, _ = asked(port, ds)

    assert statuses == [0xFF01, 0]
    assert "QueryRetrieveLevel" not in answer
    assert "RetrieveAETitle" not in answer
    (step,) = answer.ScheduledProcedureStepSequence
    assert (step.Modality, step.ScheduledProcedureStepStartTime) == ("CT", "100000")
    assert answer.RequestedProcedureCodeSequence[0].CodeValue == "804000"
    assert answer.StudyDescription == ""


def test_words_of_names_match_in_any_order_where_that_was_negotiated(archive: Application, port: int) -> None:
    archive.national.orders.place(SYSTEM, order("N1"))

    assert len(asked(port, named("ayşe örn"), fuzzy=True)[0]) == 1
    assert asked(port, named("ayşe örn"))[0] == []


def test_bad_identifiers_are_refused_and_the_next_request_is_served(archive: Application, port: int) -> None:
    archive.national.orders.place(SYSTEM, order("B1"))
    bad = Dataset()
    bad.ScheduledProcedureStepSequence = Sequence([Dataset()])
    bad.ScheduledProcedureStepSequence[0].add_new("ScheduledProcedureStepStartDate", "LO", "tomorrow")
    with associated(port, MODALITY_WORKLIST, syntax=IMPLICIT) as assoc:
        (refused,) = list(assoc.send_c_find(bad, MODALITY_WORKLIST))
        assert refused[0].Status == 0xA900
        assert "ScheduledProcedureStepStartDate" in refused[0].ErrorComment
        assert len(list(assoc.send_c_find(named(""), MODALITY_WORKLIST))) == 2


def state(archive: Application, number: str) -> OrderState:
    return archive.national.orders.get(SYSTEM, OrderKey("500059", number)).order.state


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
def test_an_order_follows_n_create_and_n_set(archive: Application, port: int, syntax: str) -> None:
    uid = f"{FIRST}.{syntax}"
    one = order(f"M{syntax[-3:]}"[:16])
    number = one.key.accession_number
    archive.national.orders.place(SYSTEM, one)
    with associated(port, PERFORMED_STEP, PERFORMED_STEP_RETRIEVE, syntax=syntax) as assoc:
        status, _ = assoc.send_n_create(begun(one), PERFORMED_STEP, uid)
        assert status.Status == 0
        assert state(archive, number) is OrderState.IN_PROGRESS

        status, _ = assoc.send_n_set(ended(), PERFORMED_STEP, uid)
        assert status.Status == 0
        assert state(archive, number) is OrderState.COMPLETED

        status, held = assoc.send_n_get([], PERFORMED_STEP_RETRIEVE, uid)
        assert status.Status == 0
        assert held.SpecificCharacterSet == "ISO_IR 192"
        assert str(held.PatientName) == "ÖRNEK^AYŞE"
        assert str(held.PerformedSeriesSequence[0].OperatorsName) == "TEKNİKER^ÇAĞRI"
        status, held = assoc.send_n_get([(0x0040, 0x0252)], PERFORMED_STEP_RETRIEVE, uid)
        assert [element.keyword for element in held] == ["PerformedProcedureStepStatus"]


def test_statuses_of_performed_steps_are_those_of_the_standard(archive: Application, port: int) -> None:
    uid = f"{FIRST}.9"
    late, missing, unsaid = begun(order("X1")), begun(order("X1")), begun(order("X1"))
    late.PerformedProcedureStepStatus = "COMPLETED"
    del missing.Modality
    unsaid.Modality = ""
    with associated(port, PERFORMED_STEP, PERFORMED_STEP_RETRIEVE) as assoc:

        def create(ds: Dataset, name: str | None = uid) -> int:
            return int(assoc.send_n_create(ds, PERFORMED_STEP, name)[0].Status)

        assert [create(ds) for ds in (late, missing, unsaid)] == [0x0106, 0x0120, 0x0121]
        assert create(begun(order("X1"))) == 0
        assert create(begun(order("X1"))) == 0x0111
        assert create(begun(order("X1")), None) == 0
        assert assoc.send_n_set(ended(), PERFORMED_STEP, "1.2.3")[0].Status == 0x0112
        assert assoc.send_n_get([], PERFORMED_STEP_RETRIEVE, "1.2.3")[0].Status == 0x0112
        assert assoc.send_n_set(ended("DONE"), PERFORMED_STEP, uid)[0].Status == 0x0106
        assert assoc.send_n_set(ended(), PERFORMED_STEP, uid)[0].Status == 0
        over = assoc.send_n_set(ended(), PERFORMED_STEP, uid)[0]
        assert (over.Status, over.ErrorID) == (0x0110, 0xA710)
        assert over.ErrorComment == "Performed Procedure Step Object may no longer be updated"


def test_a_modification_that_is_no_data_set_is_refused(archive: Application, port: int) -> None:
    message = N_SET()
    message.MessageID, message.RequestedSOPClassUID, message.RequestedSOPInstanceUID = 1, PERFORMED_STEP, "1.2.3"
    message.ModificationList = BytesIO(b"\x40\x00\x52\x02CS\xff\x7fCOMPLETED ")
    with associated(port, PERFORMED_STEP) as assoc:
        assoc._reactor_checkpoint.clear()
        while not assoc._is_paused:
            pass
        assoc.dimse.send_msg(message, 1)
        _, response = assoc.dimse.get_msg(block=True)
        assoc._reactor_checkpoint.set()
    assert response.Status == 0x0212
