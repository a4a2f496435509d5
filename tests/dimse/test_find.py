"""C-FIND, asked by pynetdicom and dcmtk, of a stock pynetdicom acceptor and of our own upper layer."""

# ruff: noqa: RUF001 (names in many scripts)

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydicom import Dataset, config, dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from dimse.extended import answer_extended, answer_find
from dimse.find import find_handler, find_service
from dimse.models import FIND_CLASSES
from dimse.upper_layer.inprocess import listening
from dimse.upper_layer.negotiation import ContextTable, SupportedContext
from dimse.upper_layer.profile import Profile
from dimse.upper_layer.server import Server
from tests.archive.held import AE_TITLE, Archive, sqlite_archive
from tests.archive.oracle import Asked, Held, entity_of
from tests.archive.population import population
from tests.archive.questions import question
from tests.peers.dcmtk import Dcmtk
from vna.archive.search import Search
from vna.model.access import Action, Actor, ActorKind
from vna.model.query import Query, SearchPage
from vna.security.policy import EnforcedPolicy, LocalPolicy

PATIENT_ROOT, STUDY_ROOT, PATIENT_STUDY_ONLY = FIND_CLASSES
IMPLICIT, EXPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
SYNTAXES = (IMPLICIT, EXPLICIT, BIG, DEFLATED)
RELATIONAL = b"\x01"
EVERYTHING = b"\x01\x01\x01\x00\x00\x01\x01"
SEED = 20231120
HELD = Held(population(SEED))
PEER = Actor(ActorKind.AE, "SCU", frozenset({Action.QUERY}))


@dataclass(frozen=True, slots=True)
class Answer:
    """All responses to one request."""

    identifiers: list[Dataset]
    pending: set[int]
    status: int
    comment: str = ""

    def values(self, keyword: str) -> list[str]:
        return [str(ds.get(keyword, "")) for ds in self.identifiers]


Serve = Callable[..., int]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    filled = sqlite_archive(tmp_path_factory.mktemp("find"))
    filled.put(HELD.datasets)
    yield filled
    filled.close()


@pytest.fixture(scope="module", params=["pynetdicom", "ours"])
def serve(request: pytest.FixtureRequest, archive: Archive) -> Iterator[Serve]:
    """`serve(search)` gives the port of an acceptor of either kind; without arguments the one all tests share."""
    start = _stock if request.param == "pynetdicom" else _ours
    with ExitStack() as running:
        shared = running.enter_context(start(archive.search, PEER))

        def serving(search: Search | None = None, actor: Actor = PEER) -> int:
            return running.enter_context(start(search, actor)) if search else shared

        yield serving


@contextmanager
def _stock(search: Search, actor: Actor) -> Iterator[int]:
    ae = AE(AE_TITLE)
    for uid in FIND_CLASSES:
        ae.add_supported_context(uid, list(SYNTAXES))
    handlers: list[Any] = [
        (evt.EVT_C_FIND, find_handler(search, AE_TITLE, lambda _assoc: actor)),
        (evt.EVT_SOP_EXTENDED, _answer_all),
    ]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    assert server.socket is not None
    yield server.socket.getsockname()[1]
    server.shutdown()


def _answer_all(event: Any) -> dict[Any, bytes]:
    answers = {uid: answer_extended(str(uid), asked or b"") for uid, asked in event.app_info.items()}
    return {uid: answer for uid, answer in answers.items() if answer is not None}


@contextmanager
def _ours(search: Search, actor: Actor) -> Iterator[int]:
    def admit(assoc: Any) -> None:
        assoc.actor = actor

    profile = Profile(
        AE_TITLE,
        ContextTable(SupportedContext(uid, frozenset(SYNTAXES)) for uid in FIND_CLASSES),
        services=dict.fromkeys(FIND_CLASSES, find_service(search, AE_TITLE)),
        admit=admit,
        extended=dict.fromkeys(FIND_CLASSES, answer_find),
    )
    with listening(Server(profile), grace_seconds=0.2) as port:
        yield port


@contextmanager
def associated(port: int, model: str, negotiate: bytes = b"", syntax: str = EXPLICIT) -> Iterator[Any]:
    ae = AE("SCU")
    ae.add_requested_context(model, syntax)
    items = []
    if negotiate:
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid = model
        item.service_class_application_information = negotiate
        items.append(item)
    assoc = ae.associate("127.0.0.1", port, ext_neg=items)  # type: ignore[arg-type]
    assert assoc.is_established
    yield assoc
    assoc.release()


def ask(port: int, model: str, identifier: Dataset, negotiate: bytes = b"", syntax: str = EXPLICIT) -> Answer:
    with associated(port, model, negotiate, syntax) as assoc:
        return answer_to(assoc, model, identifier)


def answer_to(assoc: Any, model: str, identifier: Dataset) -> Answer:
    responses = list(assoc.send_c_find(identifier, model))
    while assoc._is_paused and assoc.is_established:  # else its own reactor might take the next answer before we do
        time.sleep(0.001)
    final, _ = responses[-1]
    assert "Status" in final, "no answer"
    return Answer(
        [ds for _, ds in responses[:-1]],
        {status.Status for status, _ in responses[:-1]},
        final.Status,
        final.get("ErrorComment", ""),
    )


def identifier(level: str, **elements: Any) -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def asked_of(level: str, asked: Sequence[Asked]) -> Dataset:
    """A relational identifier with these keys and the unique key of the level."""
    ds = identifier(level)
    ds.SpecificCharacterSet = "ISO_IR 192"
    for key in asked:
        _put(ds, key.path.split("."), key)
    for keyword in ("PatientID", "IssuerOfPatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        if keyword not in ds:
            setattr(ds, keyword, "")
    return ds


def _put(ds: Dataset, path: list[str], key: Asked) -> None:
    tag = tag_for_keyword(path[0])
    assert tag is not None
    if len(path) > 1:
        if path[0] not in ds:
            ds[tag] = DataElement(tag, "SQ", Items([Dataset()]))
        _put(ds[tag].value[0], path[1:], key)
    else:
        value: Any = [int(one) for one in key.values] if key.vr == "US" else "\\".join(key.values)
        ds[tag] = DataElement(tag, key.vr, value, validation_mode=config.IGNORE)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_answers_have_exactly_the_attributes_that_were_asked(serve: Serve, syntax: str) -> None:
    asked = identifier("STUDY", PatientID="P002", PatientName="", StudyInstanceUID="", StationName="", StudyID="")
    del asked.StationName
    asked.NameOfPhysiciansReadingStudy = ""
    answer = ask(serve(), STUDY_ROOT, asked, syntax=syntax)
    expected = {ds.StudyInstanceUID for ds in HELD.datasets if ds.PatientID == "P002"}
    assert set(answer.values("StudyInstanceUID")) == expected
    assert (answer.status, answer.pending) == (0x0000, {0xFF00})
    for ds in answer.identifiers:
        given = {element.keyword for element in ds} - {"SpecificCharacterSet"}
        assert given == {element.keyword for element in asked} | {"RetrieveAETitle"}
        assert ds.RetrieveAETitle == AE_TITLE
        assert ds.QueryRetrieveLevel == "STUDY"
        assert not ds.NameOfPhysiciansReadingStudy


@pytest.mark.claim("PS3.18-10.6.2")
def test_answers_equal_an_independent_evaluation(serve: Serve) -> None:
    random = Random(SEED)
    hits = 0
    with associated(serve(), PATIENT_ROOT, EVERYTHING) as assoc:
        for number in range(40):
            level, asked, modes = question(random, HELD)
            modes = type(modes)(fuzzy=True, combined=True, empty=True)
            asked = [key for key in asked if _can_be_sent(key)]
            answer = answer_to(assoc, PATIENT_ROOT, asked_of(level, asked))
            expected = {entity.split("study:")[0] for entity in HELD.answers(level, asked, modes)}
            found = {_entity(ds, level) for ds in answer.identifiers}
            assert answer.status == 0x0000, (number, answer)
            assert found == expected, (number, level, asked)
            hits += bool(asked and expected)
    assert hits > 10


def _can_be_sent(key: Asked) -> bool:
    """pydicom writes no wild cards as numbers; several values are for lists of UIDs."""
    if key.vr in ("IS", "DS", "US"):
        return key.values[0].lstrip("-").replace(".", "").isdigit()
    return len(key.values) == 1 or key.vr == "UI"


def _entity(ds: Dataset, level: str) -> str:
    return "" if level == "PATIENT" and not ds.PatientID else entity_of(ds, level)


@pytest.mark.parametrize(
    ("model", "level", "given", "missing"),
    [
        (PATIENT_ROOT, "STUDY", {}, "PatientID"),
        (PATIENT_ROOT, "SERIES", {"PatientID": "P1"}, "StudyInstanceUID"),
        (PATIENT_ROOT, "IMAGE", {"PatientID": "P1", "StudyInstanceUID": "1.2"}, "SeriesInstanceUID"),
        (PATIENT_ROOT, "STUDY", {"PatientID": "P*"}, "PatientID"),
        (STUDY_ROOT, "SERIES", {}, "StudyInstanceUID"),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": ["1.2", "1.3"]}, "StudyInstanceUID"),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": "*"}, "StudyInstanceUID"),
        (STUDY_ROOT, "IMAGE", {"StudyInstanceUID": "1.2"}, "SeriesInstanceUID"),
        (PATIENT_STUDY_ONLY, "STUDY", {}, "PatientID"),
    ],
)
def test_a_hierarchical_query_needs_the_unique_keys_above(
    serve: Serve, model: str, level: str, given: dict[str, Any], missing: str
) -> None:
    answer = ask(serve(), model, identifier(level, **given))
    assert answer.status == 0xA900
    assert missing in answer.comment
    assert not answer.identifiers


def test_relational_queries_need_them_only_until_negotiated(serve: Serve) -> None:
    asked = identifier("IMAGE", PatientID="P002", SOPInstanceUID="")
    port = serve()
    assert ask(port, STUDY_ROOT, asked).status == 0xA900
    assert ask(port, STUDY_ROOT, asked, b"\x00").status == 0xA900
    answer = ask(port, STUDY_ROOT, asked, RELATIONAL)
    assert set(answer.values("SOPInstanceUID")) == {
        str(ds.SOPInstanceUID) for ds in HELD.datasets if ds.PatientID == "P002"
    }


@pytest.mark.parametrize(
    ("model", "level"),
    [
        (STUDY_ROOT, "PATIENT"),
        (PATIENT_STUDY_ONLY, "SERIES"),
        (PATIENT_ROOT, ""),
        (PATIENT_ROOT, "FRAME"),
        (PATIENT_ROOT, None),
    ],
)
def test_a_level_that_is_none_of_the_model_is_refused(serve: Serve, model: str, level: str | None) -> None:
    asked = identifier(level or "", PatientID="")
    if level is None:
        del asked.QueryRetrieveLevel
    answer = ask(serve(), model, asked)
    assert answer.status == 0xA900
    assert "QueryRetrieveLevel" in answer.comment


@pytest.mark.parametrize("level", ["PATIENT", "STUDY"])
def test_patient_study_only_answers_at_its_levels(serve: Serve, level: str) -> None:
    answer = ask(serve(), PATIENT_STUDY_ONLY, identifier(level, PatientID="P002", NumberOfPatientRelatedInstances=""))
    number = sum(ds.PatientID == "P002" for ds in HELD.datasets)
    assert set(answer.values("NumberOfPatientRelatedInstances")) == {str(number)}


def test_hierarchical_queries_walk_down_to_the_instances(serve: Serve) -> None:
    port = serve()
    found = set()
    for study in ask(port, PATIENT_ROOT, identifier("STUDY", PatientID="P005", StudyInstanceUID="")).identifiers:
        uids: dict[str, Any] = {"PatientID": "P005", "StudyInstanceUID": study.StudyInstanceUID}
        for series in ask(port, PATIENT_ROOT, identifier("SERIES", **uids, SeriesInstanceUID="")).identifiers:
            uids["SeriesInstanceUID"] = series.SeriesInstanceUID
            found |= set(
                ask(port, PATIENT_ROOT, identifier("IMAGE", **uids, SOPInstanceUID="")).values("SOPInstanceUID")
            )
    assert found == {str(ds.SOPInstanceUID) for ds in HELD.datasets if ds.PatientID == "P005"}


def test_keys_that_are_not_supported_are_told_with_every_answer(serve: Serve) -> None:
    answer = ask(serve(), STUDY_ROOT, identifier("STUDY", PatientID="P002", Modality="", StorageMediaFileSetID="X"))
    assert answer.pending == {0xFF01}
    assert answer.status == 0x0000
    assert set(answer.values("Modality")) == {""}


def test_the_limit_of_answers_is_named(serve: Serve, archive: Archive) -> None:
    answer = ask(serve(archive.searching(max_matches=3)), STUDY_ROOT, identifier("STUDY", StudyInstanceUID=""))
    assert len(answer.identifiers) == 3
    assert answer.status == 0xA700
    assert "limit of 3 matches" in answer.comment


class Repeating(Search):
    """Gives every match many times: a cancel has something to end."""

    def find(self, actor: Actor, query: Query) -> SearchPage:
        page = super().find(actor, query)
        return replace(page, matches=page.matches * 300)


@pytest.fixture
def endless(archive: Archive) -> Search:
    return Repeating(archive.database, LocalPolicy(), AE_TITLE)


def test_a_cancelled_query_ends_early(serve: Serve, endless: Search) -> None:
    with associated(serve(endless), STUDY_ROOT) as assoc:
        statuses: list[int] = []
        for status, _ in assoc.send_c_find(identifier("STUDY", StudyInstanceUID=""), STUDY_ROOT, msg_id=7):
            if not statuses:
                assoc.send_c_cancel(7, query_model=STUDY_ROOT)
            statuses.append(status.Status)
        assert statuses[-1] == 0xFE00
        assert len(statuses) < 300 * len({ds.StudyInstanceUID for ds in HELD.datasets})
        assert answer_to(assoc, STUDY_ROOT, identifier("STUDY", StudyInstanceUID="1.9")).status == 0x0000


def test_a_peer_without_the_right_is_refused(serve: Serve, archive: Archive) -> None:
    search = Search(archive.database, EnforcedPolicy(), AE_TITLE)
    answer = ask(serve(search, Actor(ActorKind.AE, "SCU")), STUDY_ROOT, identifier("STUDY", StudyInstanceUID=""))
    assert (answer.status, answer.identifiers) == (0x0124, [])
    assert answer.comment


def test_fuzzy_names_only_when_negotiated(serve: Serve) -> None:
    port = serve()
    asked = identifier("PATIENT", PatientName="ilk isik")
    assert ask(port, PATIENT_ROOT, asked).identifiers == []
    asked.PatientID = ""
    names = ask(port, PATIENT_ROOT, asked, b"\x00\x00\x01").values("PatientID")
    assert set(names) == {ds.PatientID for ds in HELD.datasets if ds.PatientName in ("IŞIK^İLKNUR", "ışık^ilker^^Dr")}
    assert names


def test_what_was_agreed_on_is_what_is_supported() -> None:
    assert answer_extended(STUDY_ROOT, b"\x01\x01\x01\x01\x01\x01\x01\x01") == b"\x01\x01\x01\x00\x00\x01\x01"
    assert answer_extended(STUDY_ROOT, b"\x01") == b"\x01"
    assert answer_extended(STUDY_ROOT, b"\x00\x01\x00") == b"\x00\x01\x00"
    assert answer_extended("1.2.840.10008.5.1.4.1.2.2.2", b"\x01") is None
    assert answer_extended(STUDY_ROOT, b"") is None


@pytest.mark.parametrize("charset", ["ISO_IR 148", "ISO_IR 192", "ISO_IR 100"])
def test_turkish_names_are_asked_and_answered_in_the_peers_character_set(serve: Serve, charset: str) -> None:
    asked = identifier("PATIENT", PatientID="")
    asked.SpecificCharacterSet = charset
    asked.PatientName = "ışık^ilknur" if charset != "ISO_IR 100" else "ISIK^ILKNUR"
    answer = ask(serve(), PATIENT_ROOT, asked)
    assert set(answer.values("PatientName")) == {"IŞIK^İLKNUR"}
    used = {ds.SpecificCharacterSet for ds in answer.identifiers}
    assert used == {charset if charset != "ISO_IR 100" else "ISO_IR 192"}


def test_answers_to_a_peer_that_names_no_character_set_are_in_unicode_where_needed(serve: Serve) -> None:
    port = serve()
    answer = ask(port, PATIENT_ROOT, identifier("PATIENT", PatientName="CAGLAYAN*"))
    assert set(answer.values("PatientName")) == {"ÇAĞLAYAN^ÖZGÜR"}
    assert {ds.SpecificCharacterSet for ds in answer.identifiers} == {"ISO_IR 192"}
    plain = ask(port, PATIENT_ROOT, identifier("PATIENT", PatientName="YILMAZER*"))
    assert plain.identifiers
    assert all("SpecificCharacterSet" not in ds for ds in plain.identifiers)


@pytest.mark.parametrize("charset", [["", "ISO 2022 IR 87"], "ISO_IR 192", "GB18030"])
def test_japanese_names_are_found_by_any_group_and_come_back_whole(serve: Serve, charset: Any) -> None:
    asked = identifier("PATIENT", PatientID="")
    asked.SpecificCharacterSet = charset
    asked.PatientName = "山田^太郎"
    answer = ask(serve(), PATIENT_ROOT, asked)
    assert set(answer.values("PatientName")) == {"Yamada^Tarou=山田^太郎=やまだ^たろう"}


def test_sequences_come_back_as_the_matching_items_with_what_was_asked(serve: Serve) -> None:
    item = Dataset()
    item.CodeValue = "T-D3000"
    item.CodeMeaning = ""
    asked = identifier("STUDY", StudyInstanceUID="", ProcedureCodeSequence=[item])
    answer = ask(serve(), STUDY_ROOT, asked)
    assert answer.identifiers
    for ds in answer.identifiers:
        assert [one.CodeValue for one in ds.ProcedureCodeSequence] == ["T-D3000"] * len(ds.ProcedureCodeSequence)
        assert all({e.keyword for e in one} == {"CodeValue", "CodeMeaning"} for one in ds.ProcedureCodeSequence)
        held = next(one for one in HELD.datasets if one.StudyInstanceUID == ds.StudyInstanceUID)
        count = sum(one.CodeValue == "T-D3000" for one in held.ProcedureCodeSequence)
        assert len(ds.ProcedureCodeSequence) == count


@pytest.mark.parametrize("items", [[], [Dataset()]])
def test_a_sequence_asked_without_keys_comes_back_whole(serve: Serve, items: list[Dataset]) -> None:
    held = next(ds for ds in HELD.datasets if len(ds.get("ProcedureCodeSequence") or ()) == 2)
    asked = identifier("STUDY", StudyInstanceUID=held.StudyInstanceUID, ProcedureCodeSequence=items)
    (ds,) = ask(serve(), STUDY_ROOT, asked).identifiers
    assert ds.ProcedureCodeSequence == held.ProcedureCodeSequence


WANTED = {"ImageType", "SliceThickness", "PixelSpacing", "Rows", "AcquisitionDateTime"}


def test_attributes_of_the_header_come_back_as_they_are_held(serve: Serve) -> None:
    held = next(ds for ds in HELD.datasets if set(ds.dir()) >= WANTED)
    asked = identifier(
        "IMAGE", SOPInstanceUID=held.SOPInstanceUID, ImageType="", SliceThickness=None, PixelSpacing=None
    )
    asked.Rows = None
    asked.AcquisitionDateTime = ""
    (ds,) = ask(serve(), STUDY_ROOT, asked, RELATIONAL).identifiers
    for keyword in WANTED:
        assert ds[keyword].value == held[keyword].value


def test_private_elements_are_matched_and_given(serve: Serve, tmp_path: Path) -> None:
    ds = deepcopy(HELD.datasets[0])
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID("1.2.9.9")
    ds.private_block(0x0009, "ACME", create=True).add_new(1, "LO", "GIZMO")
    own = sqlite_archive(tmp_path)
    own.put([ds])
    asked = identifier("IMAGE", SOPInstanceUID="")
    asked.private_block(0x0009, "ACME", create=True).add_new(1, "LO", "GIZ*")
    port = serve(own.search)
    (found,) = ask(port, STUDY_ROOT, asked, RELATIONAL).identifiers
    assert found[0x0009, 0x1001].value == "GIZMO"
    asked[0x0009, 0x1001].value = "OTHER"
    assert ask(port, STUDY_ROOT, asked, RELATIONAL).identifiers == []
    own.close()


@pytest.mark.parametrize("value", ["yesterday", "20231", "2023*"])
def test_a_value_that_is_no_date_is_refused_by_name(serve: Serve, value: str) -> None:
    asked = identifier("STUDY", StudyInstanceUID="")
    asked[0x00080020] = DataElement(0x00080020, "DA", value, validation_mode=config.IGNORE)
    answer = ask(serve(), STUDY_ROOT, asked)
    assert answer.status == 0xA900
    assert "StudyDate" in answer.comment


LEVEL = b"\x08\x00\x52\x00CS\x06\x00STUDY "


@pytest.mark.parametrize(
    "raw",
    [
        b"\x08\x00\x52\x00CS",
        b"\xff" * 64,
        LEVEL + b"\x08\x00\x20\x00DA\xff\xff20230101",
        LEVEL + b"\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 1500,
        LEVEL + b"\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 20,
    ],
    ids=["cut", "noise", "lying length", "endless nesting", "deep nesting"],
)
def test_an_identifier_that_cannot_be_read_is_refused_and_the_association_lives_on(serve: Serve, raw: bytes) -> None:
    with associated(serve(), STUDY_ROOT) as assoc:
        assert _status_of_raw(assoc, raw) == 0xA900
        assert answer_to(assoc, STUDY_ROOT, identifier("STUDY", PatientID="P002")).status == 0x0000


def _status_of_raw(assoc: Any, raw: bytes) -> int:
    """The status of the first response to these bytes as an identifier."""
    request = C_FIND()
    request.MessageID, request.AffectedSOPClassUID, request.Priority = 3, UID(STUDY_ROOT), 2
    request.Identifier = BytesIO(raw)
    assoc._reactor_checkpoint.clear()  # as its own send_c_find does, so that the response is ours to take
    while not assoc._is_paused:
        time.sleep(0.01)
    assoc.dimse.send_msg(request, 1)
    _, response = assoc.dimse.get_msg(block=True)
    assoc._reactor_checkpoint.set()
    assert isinstance(response, C_FIND)
    assert response.Status is not None
    return response.Status


def test_no_patient_is_named_in_the_log(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="dimse")
    caplog.set_level("DEBUG", logger="vna")
    ask(serve(), PATIENT_ROOT, identifier("PATIENT", PatientName="CAGLAYAN*", PatientID="P005"))
    ask(serve(), PATIENT_ROOT, identifier("STUDY", PatientName="CAGLAYAN*"))
    said = [str(vars(record)) for record in caplog.records if record.name.startswith(("dimse", "vna"))]
    assert said
    assert not any("AGLAYAN" in text or "P005" in text for text in said)


def _latin_5(text: str) -> str:
    """An argument of these bytes."""
    return text.encode("iso8859_9").decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("charset", "name"),
    [("ISO_IR 148", _latin_5("ışık^ilknur")), ("ISO_IR 192", "ışık^ilknur"), ("ISO_IR 148", _latin_5("IŞI?^?LK?UR"))],
)
def test_findscu_finds_turkish_names(serve: Serve, dcmtk: Dcmtk, tmp_path: Path, charset: str, name: str) -> None:
    keys = (f"0008,0005={charset}", "0008,0052=PATIENT", f"0010,0010={name}", "0010,0020")
    said = dcmtk("findscu", "-v", "-P", "-X", "-od", tmp_path, "-aec", AE_TITLE, "127.0.0.1", serve(), *_with_k(keys))
    assert said.returncode == 0, said.stdout
    files = sorted(tmp_path.glob("rsp*.dcm"))
    assert {str(dcmread(file).PatientName) for file in files} == {"IŞIK^İLKNUR"}
    assert {dcmread(file).SpecificCharacterSet for file in files} == {charset}


def _with_k(keys: Sequence[str]) -> list[str]:
    return [part for key in keys for part in ("-k", key)]


DAYS = ("20230101", "20230102", "20230103")


@pytest.mark.parametrize(
    ("level", "keys", "expected"),
    [
        ("STUDY", ("StudyDate=20230101-20230103", "StudyInstanceUID"), lambda ds: ds.get("StudyDate") in DAYS),
        (
            "STUDY",
            ("ModalitiesInStudy=CT", "StudyInstanceUID"),
            lambda ds: "CT" in HELD.values(ds, "ModalitiesInStudy"),
        ),
        ("STUDY", ("ProcedureCodeSequence[0].CodeValue=X1", "StudyInstanceUID"), lambda ds: _has_code(ds, "X1")),
        ("STUDY", ("AccessionNumber=A?", "StudyInstanceUID"), lambda ds: ds.get("AccessionNumber") in ("A1", "A2")),
    ],
    ids=["range", "modalities", "sequence", "wildcard"],
)
def test_findscu_finds_what_is_held(
    serve: Serve, dcmtk: Dcmtk, tmp_path: Path, level: str, keys: Sequence[str], expected: Callable[[Dataset], bool]
) -> None:
    asked = (f"QueryRetrieveLevel={level}", *keys)
    said = dcmtk("findscu", "-S", "-X", "-od", tmp_path, "-aec", AE_TITLE, "127.0.0.1", serve(), *_with_k(asked))
    assert said.returncode == 0, said.stdout
    found = {str(dcmread(file).StudyInstanceUID) for file in tmp_path.glob("rsp*.dcm")}
    assert found == {str(ds.StudyInstanceUID) for ds in HELD.datasets if expected(ds)}
    assert found


def _has_code(ds: Dataset, code: str) -> bool:
    return any(item.CodeValue == code for item in ds.get("ProcedureCodeSequence") or ())


def test_findscu_cancels(serve: Serve, endless: Search, dcmtk: Dcmtk) -> None:
    asked = _with_k(("QueryRetrieveLevel=STUDY", "StudyInstanceUID"))
    said = dcmtk("findscu", "-v", "-S", "--cancel", "2", "-aec", AE_TITLE, "127.0.0.1", serve(endless), *asked)
    assert said.returncode == 0, said.stdout
    assert "MatchingTerminatedDueToCancelRequest" in said.stdout, said.stdout[-500:]
