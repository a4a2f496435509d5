"""Searches that ask archives elsewhere too: one list, each thing once, and what is missing of it said."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.routing.elsewhere import (
    Centre,
    as_json,
    centre,
    finds,
    identifier,
    key,
    make_empty,
    study,
    uids,
    values,
)
from tests.routing.servers import answer, serving
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.errors import BadRequest, NotAuthorized, Unavailable
from vna.model.query import Key, Level, Order, Query
from vna.routing.asking import Asking, Bounds

STUDIES = Query(Level.STUDY, (key("PatientID", "P1"),))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_empty(tmp_path_factory.mktemp("empty"))


@pytest.fixture
def here(empty: Path, tmp_path: Path) -> Iterator[Centre]:
    with centre(empty, tmp_path, across={"timeout": 1.5, "max_matches": 300}) as made:
        yield made


def test_what_is_held_here_is_told_as_it_is_here_and_what_is_missing_of_it_is_filled(here: Centre) -> None:
    here.hold("1.2.1", StudyDescription="Ours", AccessionNumber="")
    there = study(
        "1.2.1",
        StudyDescription="Theirs",
        AccessionNumber="A7",
        NumberOfStudyRelatedInstances=40,
        ModalitiesInStudy=["MR", "CT"],
    )
    with here.asking(there, study("1.2.2")):
        page = here.find(Query(Level.STUDY, STUDIES.keys, frozenset({"00081030", "00080054", "00080056"})))
    held, other = page.matches
    assert (held.study_instance_uid, other.study_instance_uid) == ("1.2.1", "1.2.2")
    assert values(held, "StudyDescription") == ["Ours"]
    assert values(held, "AccessionNumber") == ["A7"]
    assert values(held, "NumberOfStudyRelatedInstances") == [40]
    assert values(held, "ModalitiesInStudy") == ["CT", "MR"]
    assert values(held, "RetrieveAETitle") == ["VNA", "CITY_AE"]
    assert values(held, "InstanceAvailability") == ["NEARLINE"], "not all of it is at hand"
    assert values(other, "RetrieveAETitle") == ["CITY_AE"]
    assert values(other, "InstanceAvailability") == ["NEARLINE"]
    assert page.lacking == ()


def test_attributes_of_another_patient_fill_nothing(here: Centre) -> None:
    here.hold("1.2.1", PatientBirthDate="")
    with here.asking(study("1.2.1", PatientID="P2", PatientBirthDate="19700101")):
        (held,) = here.find(Query(Level.STUDY)).matches
    assert values(held, "PatientID") == ["P1"]
    assert values(held, "PatientBirthDate") == []


def test_what_two_archives_have_is_one_answer_that_names_both(here: Centre) -> None:
    with (
        here.asking(study("1.2.1", StudyDescription="A"), name="CITY"),
        here.asking(study("1.2.1", NumberOfStudyRelatedInstances=9), name="TOWN"),
    ):
        (match,) = here.find(STUDIES).matches
        assert values(match, "RetrieveAETitle") == ["CITY_AE", "TOWN_AE"]
        assert values(match, "NumberOfStudyRelatedInstances") == [9]
        assert here.find(STUDIES, "TOWN").matches[0].own["00080054"]["Value"] == ["TOWN_AE"]


def test_an_address_comes_from_whichever_archive_has_one_and_never_from_the_answer(here: Centre) -> None:
    lying = {**study("1.2.1"), "00081190": {"vr": "UR", "Value": ["http://evil.example/"]}}
    one = identifier(StudyInstanceUID="1.2.1", StudyDate="20260102")
    with finds(lambda _: iter([(0xFF00, one), (0xFF00, one)])) as entity, here.asking(lying, name="TOWN") as town:
        here.knows("CITY", ae_title="CITY", host="127.0.0.1", port=entity.port)
        (match,) = here.find(STUDIES).matches
    assert values(match, "RetrieveURL") == [f"{town.url}/rs/studies/1.2.1"]
    assert values(match, "RetrieveAETitle") == ["CITY", "TOWN_AE"]


@pytest.mark.parametrize("order", [(), (Order("00080020"),), (Order("00080050", descending=True), Order("00080020"))])
def test_pages_together_are_the_whole_list_each_once_and_in_order(here: Centre, order: tuple[Order, ...]) -> None:
    held, known = range(1, 25, 2), range(3, 25, 3)
    for number in held:
        here.hold(f"1.2.{number}", StudyDate=f"202601{number:02}", AccessionNumber=f"A{number % 4}")
    others = [
        study(f"1.2.{number}", StudyDate=f"202601{number:02}", AccessionNumber=f"A{number % 4}") for number in known
    ]
    sorting: dict[int, Callable[[int], Any]] = {
        0: lambda number: -number,
        1: lambda number: number,
        2: lambda number: (-(number % 4), number),
    }
    expected = [f"1.2.{number}" for number in sorted({*held, *known}, key=sorting[len(order)])]
    with here.asking(*others):
        assert uids(here.find(Query(Level.STUDY, STUDIES.keys, order=order))) == expected
        for size in (1, 4, 7):
            pages = [
                here.find(Query(Level.STUDY, STUDIES.keys, limit=size, offset=offset, order=order))
                for offset in range(0, len(expected) + size, size)
            ]
            assert [uid for page in pages for uid in uids(page)] == expected
            assert not any(page.capped for page in pages)


def test_a_study_that_is_held_under_another_date_than_elsewhere_comes_once_and_where_it_is_here(here: Centre) -> None:
    for number in range(1, 7):
        here.hold(f"1.2.{number}", StudyDate=f"2026010{number}")
    with here.asking(study("1.2.1", StudyDate="20260301"), study("1.2.9", StudyDate="20260301")):
        pages = [here.find(Query(Level.STUDY, STUDIES.keys, limit=2, offset=offset)) for offset in (0, 2, 4, 6)]
    assert [uids(page) for page in pages] == [
        ["1.2.9", "1.2.6"],
        ["1.2.5", "1.2.4"],
        ["1.2.3", "1.2.2"],
        ["1.2.1"],
    ]


def test_what_an_archive_did_not_match_is_matched_here(here: Centre) -> None:
    others = [
        study("1.2.1", PatientID="P2"),
        study("1.2.2"),
        study("1.2.3", StudyDate="20250101"),
        {tag: one for tag, one in study("1.2.4").items() if tag != "00080020"},
    ]
    keys = (*STUDIES.keys, key("StudyDate", "20260101-"), key("PatientName", "DENEME^AYSE"))
    with here.asking(*others):
        page = here.find(Query(Level.STUDY, keys))
    assert uids(page) == ["1.2.2"]
    assert [str(lack) for lack in page.lacking] == ["CITY: 3 of its answers are no matches of what was asked"]


def test_a_held_study_matches_by_what_is_known_of_it_together(here: Centre) -> None:
    here.hold("1.2.1")
    here.hold("1.2.2", PatientID="P2", PatientName="Duzeltildi^Can")
    here.hold("1.2.3", PatientID="P3", PatientName="Baska^Biri")
    with here.asking(study("1.2.1", ModalitiesInStudy=["CT", "MR"]), study("1.2.2")):
        both = here.find(Query(Level.STUDY, (*STUDIES.keys, key("ModalitiesInStudy", "MR"))))
        renamed = here.find(Query(Level.STUDY, (key("PatientName", "Deneme*"),)))
    assert uids(both) == ["1.2.1"]
    assert uids(renamed) == ["1.2.1"], "the name of 1.2.2 was corrected here"


def test_keys_that_not_every_archive_understands_are_matched_here_alone(here: Centre) -> None:
    with here.asking(
        study("1.2.1", ModalitiesInStudy=["MR"]), study("1.2.2"), study("1.2.3", AccessionNumber="A")
    ) as asked:
        some = here.find(Query(Level.STUDY, (key("ModalitiesInStudy", "MR", "US"),)))
        none = here.find(Query(Level.STUDY, (key("AccessionNumber", '""'),), empty_value_matching=True))
    assert uids(some) == ["1.2.1"]
    assert sorted(uids(none)) == ["1.2.1", "1.2.2"]
    assert not any(b"00080061=" in head or b"00080050=" in head for head in asked.asked)


def test_what_was_asked_for_more_than_is_wanted_is_nobodys_fault(here: Centre) -> None:
    others = [
        study("1.2.1", PatientName="Şahin^Can"),
        study("1.2.2", PatientName="Mahin^Can"),
        study("1.2.3", PatientName="Deneme^Can"),
        {tag: one for tag, one in study("1.2.4").items() if tag != "00080061"},
    ]
    with here.asking(*others) as asked:
        named = here.find(Query(Level.STUDY, (key("PatientName", "şahin*"),)))
        listed = here.find(Query(Level.STUDY, (key("ModalitiesInStudy", "MR", "US"),)))
    assert uids(named) == ["1.2.1"]
    assert b"00100010=*ahin*" in asked.asked[0]
    assert [lack.reason for lack in named.lacking] == ["2 of its answers are no matches of what was asked"]
    assert uids(listed) == []
    assert [lack.reason for lack in listed.lacking] == ["1 of its answers are no matches of what was asked"]


def test_patients_are_one_by_identifier_and_issuer_and_without_an_issuer_by_birth_date_too(here: Centre) -> None:
    here.hold("1.2.1", PatientBirthDate="19700101")
    here.hold("1.2.2", PatientID="P2", IssuerOfPatientID="H1")
    others = [
        identifier(QueryRetrieveLevel="PATIENT", PatientBirthDate="19700101", PatientName="Deneme^Ayse"),
        identifier(QueryRetrieveLevel="PATIENT", PatientBirthDate="19800202", PatientName="Baska^Biri"),
        identifier(QueryRetrieveLevel="PATIENT", PatientID="P2", IssuerOfPatientID="H1", PatientName="X"),
        identifier(QueryRetrieveLevel="PATIENT", PatientID="P2", IssuerOfPatientID="H2", PatientName="Y"),
    ]
    with finds(lambda _: iter([(0xFF00, one) for one in others])) as entity:
        here.knows("CITY", ae_title="CITY", host="127.0.0.1", port=entity.port, qido_rs="http://127.0.0.1:9/rs")
        page = here.find(Query(Level.PATIENT))
    found = {
        (values(one, "PatientID")[0], *values(one, "IssuerOfPatientID"), *values(one, "PatientBirthDate"))
        for one in page.matches
    }
    assert found == {("P1", "19700101"), ("P1", "19800202"), ("P2", "H1"), ("P2", "H2")}
    assert len(page.matches) == 4


def stalls(*first: Any) -> Any:
    """Gives these, and then nothing for a while."""

    def handle(event: Any) -> Iterator[Any]:
        for one in first:
            yield 0xFF00, one
        end = time.monotonic() + 20
        while time.monotonic() < end and event.assoc.is_established and not event.is_cancelled:
            time.sleep(0.02)
        yield 0xFF00, identifier(StudyInstanceUID="1.2.9")

    return handle


def test_who_stalls_is_not_waited_for_and_what_came_is_kept(here: Centre) -> None:
    here.hold("1.2.1")
    first = identifier(StudyInstanceUID="1.2.5", StudyDate="20260101", PatientName="Deneme^Ayse")
    with finds(stalls(first)) as entity:
        here.knows("CITY", ae_title="CITY", host="127.0.0.1", port=entity.port)
        begun = time.monotonic()
        page = here.find(STUDIES)
        assert time.monotonic() - begun < 2.5
        assert uids(page) == ["1.2.1", "1.2.5"]
        assert [str(lack) for lack in page.lacking] == ["CITY: it does not answer in time"]
        end = time.monotonic() + 5
        while not (entity.cancelled or entity.aborted) and time.monotonic() < end:
            time.sleep(0.05)
        assert entity.cancelled or entity.aborted, "the search there is ended"


def test_nobody_waits_when_nobody_wants_it_any_more(here: Centre) -> None:
    wanted = threading.Event()
    wanted.set()
    with finds(stalls()) as entity:
        here.knows("CITY", ae_title="CITY", host="127.0.0.1", port=entity.port)
        threading.Timer(0.3, wanted.clear).start()
        begun = time.monotonic()
        here.application.across.find(SYSTEM, STUDIES, wanted=wanted.is_set)
        assert time.monotonic() - begun < 1.2
        end = time.monotonic() + 5
        while not (entity.cancelled or entity.aborted) and time.monotonic() < end:
            time.sleep(0.05)
        assert entity.cancelled or entity.aborted


def test_a_web_service_that_trickles_is_let_go(here: Centre) -> None:
    done = threading.Event()

    def trickles(sock: Any, _: bytes) -> None:
        try:
            sock.sendall(answer("200 OK", b"[", Content_Type="application/dicom+json", Content_Length="90000"))
            while True:
                sock.sendall(b" ")
                time.sleep(0.05)
        finally:
            done.set()

    with serving(trickles) as server:
        here.knows("CITY", qido_rs=f"{server.url}/rs")
        begun = time.monotonic()
        page = here.find(STUDIES)
        assert time.monotonic() - begun < 2.5
        assert [str(lack) for lack in page.lacking] == ["CITY: it does not answer in time"]
        assert done.wait(3), "the connection is closed"


def test_endless_matches_end_at_the_bound(here: Centre) -> None:
    def endless(_: Any) -> Iterator[Any]:
        for number in range(100_000):
            yield 0xFF00, identifier(StudyInstanceUID=f"1.2.{number}", StudyDate="20260101")

    with finds(endless) as entity:
        here.knows("CITY", ae_title="CITY", host="127.0.0.1", port=entity.port)
        page = here.find(STUDIES)
    assert 0 < len(page.matches) <= 300
    (lack,) = page.lacking
    assert lack.reason in ("it has more than 300 matches", "it does not answer in time")


def test_matches_that_are_too_large_together_are_not_kept(here: Centre) -> None:
    asking = Asking(Bounds(seconds=5, kept_bytes=5000))
    with here.asking(*(study(f"1.2.{number}", StudyDescription="x" * 900) for number in range(20))):
        (source,) = here.application.sources.archives()
        query = Query(Level.STUDY, returns=frozenset({"00081030"}))
        asked = asking.begin(query, [(source, here.application.remotes.doors(source).searching)], lambda: True)
        (heard,) = asked.wait()
    assert 0 < len(heard.matches) < 5
    assert heard.reason == "its matches are larger than may be kept"


LIES: list[tuple[str, bytes, str]] = [
    ("HTML", answer("200 OK", b"<html>login</html>", Content_Type="text/html"), "answers with text/html where"),
    ("no list", answer("200 OK", b'{"error": 1}', Content_Type="application/dicom+json"), "no list of matches"),
    ("an error", answer("500 Oops"), "answers with HTTP status 500"),
    ("no login", answer("401 Who"), "it does not take our login"),
    ("elsewhere", answer("302 Found", Location="http://127.0.0.2:9/rs"), "which is not known as its own"),
]


@pytest.mark.parametrize(("content", "words"), [lie[1:] for lie in LIES], ids=[lie[0] for lie in LIES])
def test_what_is_no_answer_leaves_our_own_and_is_said(here: Centre, content: bytes, words: str) -> None:
    here.hold("1.2.1")
    with serving(lambda sock, _: sock.sendall(content)) as server:
        here.knows("CITY", qido_rs=f"{server.url}/rs")
        page = here.find(STUDIES)
    assert uids(page) == ["1.2.1"]
    (lack,) = page.lacking
    assert lack.source == "CITY"
    assert words in lack.reason
    assert not lack.reason.startswith("CITY")


MALFORMED: list[dict[str, Any]] = [
    {"00100020": {"vr": "LO", "Value": ["P1"]}},
    {**study("1.2.3"), "0020000D": {"vr": "UI", "Value": ["no uid"]}},
    {**study("1.2.4"), "00100020": {"vr": "LO", "Value": [{"a": 1}]}},
    {**study("1.2.5"), "00100020": {"vr": "SQ", "Value": [{}]}},
    {**study("1.2.6"), "0020000D": {"vr": "UI", "Value": ["1.2.6", "1.2.7"]}},
]


def test_malformed_answers_are_left_out_and_counted(here: Centre) -> None:
    with here.asking(study("1.2.1"), *MALFORMED):
        page = here.find(STUDIES)
    assert uids(page) == ["1.2.1"]
    assert sorted(str(lack) for lack in page.lacking) == [
        "CITY: 4 of its answers are no matches of what was asked",
        "CITY: answers with 1 matches that have no UID",
    ]


STRANGE = [
    {"vr": "DA", "Value": 5},
    {"vr": "PN", "Value": [{"Alphabetic": ["x"]}]},
    {"vr": "LO", "Value": [None, {"x": {}}, "a\ud800\x00b"]},
    {"vr": "SQ", "Value": [{"00100020": "x", "x": 1, "00080100": {"vr": "SH", "Value": ["C"]}}, 7]},
    {"vr": "OW", "InlineBinary": "AAAA"},
    {"vr": 5},
    {"vr": "US", "Value": ["nan", "x", 1e300, True]},
    {"vr": "LO", "BulkDataURI": "http://elsewhere/"},
]
DEEP: dict[str, Any] = {"vr": "SQ", "Value": []}
for _ in range(150):
    DEEP = {"vr": "SQ", "Value": [{"00081032": DEEP}]}


@pytest.mark.parametrize("strange", [*STRANGE, DEEP], ids=range(len(STRANGE) + 1))
@pytest.mark.parametrize("tag", ["00081030", "00080020", "00100010", "00081032", "00201206", "00091010"])
def test_strange_values_harm_nobody(here: Centre, tag: str, strange: dict[str, Any]) -> None:
    from dicomweb.native_xml import native_xml
    from dimse.answers import Answers
    from dimse.identifiers import Asked, Request

    one = {**study("1.2.1"), tag: strange}
    with here.asking(body=json.dumps([one]).encode()):
        query = Query(Level.STUDY, returns=frozenset({tag}))
        page = here.find(query)
    for match in page.matches:
        orjson.dumps(dict(match.elements))
        list(native_xml(dict(match.elements)))
        Answers(Request(query, (Asked(tag, "LO"),), ()), "VNA").dataset(match)
    assert len(page.matches) + len(page.lacking) == 1


def test_answers_of_another_level_are_no_matches(here: Centre) -> None:
    others = [
        identifier(QueryRetrieveLevel="SERIES", StudyInstanceUID="1.2.7", SeriesInstanceUID="1.2.7.1"),
        identifier(StudyInstanceUID="1.2.8"),
    ]
    with finds(lambda _: iter([(0xFF00, one) for one in others])) as entity:
        here.knows("CITY", ae_title="CITY", host="127.0.0.1", port=entity.port)
        page = here.find(STUDIES)
    assert uids(page) == ["1.2.8"]
    assert len(page.lacking) == 1


@pytest.mark.parametrize(
    ("charset", "raw"),
    [
        ("ISO_IR 148", "Şahin^İnci".encode("iso8859_9")),
        ("ISO_IR 192", "Şahin^İnci".encode()),
        ("", "Şahin^İnci".encode()),
    ],
)
def test_turkish_names_are_read_as_they_are_written_there(here: Centre, charset: str, raw: bytes) -> None:
    from pydicom import Dataset
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import BaseTag

    def handle(_: Any) -> Iterator[Any]:
        ds = identifier(StudyInstanceUID="1.2.8")
        if charset:
            ds.SpecificCharacterSet = charset
        tag = BaseTag(0x00100010)
        padded = raw + b" " * (len(raw) % 2)
        ds[tag] = RawDataElement(tag, "PN", len(padded), padded, 0, True, True)
        assert isinstance(ds, Dataset)
        yield 0xFF00, ds

    here.hold("1.2.1", PatientName="ŞAHİN^INCI")
    with finds(handle) as entity:
        here.knows("CITY", ae_title="CITY", host="127.0.0.1", port=entity.port)
        page = here.find(Query(Level.STUDY, (key("PatientName", "şahin^i*"),)))
    assert sorted(uids(page)) == ["1.2.1", "1.2.8"]
    assert page.lacking == ()
    found = {match.study_instance_uid: values(match, "PatientName") for match in page.matches}
    assert found["1.2.8"] == [{"Alphabetic": "Şahin^İnci"}]


def test_series_and_instances_are_merged_by_their_numbers_within_a_study(here: Centre) -> None:
    for number in (1, 3):
        here.hold("1.2.1", SeriesInstanceUID=f"1.2.1.{number}", SeriesNumber=number)
    others = [
        as_json(StudyInstanceUID="1.2.1", SeriesInstanceUID=f"1.2.1.{number}", SeriesNumber=number, Modality="CT")
        for number in (2, 3, 4)
    ]
    with here.asking(*others):
        page = here.find(Query(Level.SERIES, (key("StudyInstanceUID", "1.2.1"),)))
        everywhere = here.find(Query(Level.SERIES))
    assert [match.series_instance_uid for match in page.matches] == [f"1.2.1.{number}" for number in (1, 2, 3, 4)]
    assert values(page.matches[2], "RetrieveAETitle") == ["VNA", "CITY_AE"]
    assert "0020000D" in page.matches[1].above
    assert sorted(match.series_instance_uid for match in everywhere.matches) == [f"1.2.1.{n}" for n in (1, 2, 3, 4)]


def test_the_next_door_is_tried_when_one_does_not_work(here: Centre) -> None:
    one = identifier(StudyInstanceUID="1.2.8")
    with (
        finds(lambda _: iter([(0xFF00, one)])) as entity,
        serving(lambda sock, _: sock.sendall(answer("500 Oops"))) as web,
    ):
        here.knows("CITY", ae_title="CITY", host="127.0.0.1", port=entity.port, qido_rs=web.url)
        page = here.find(STUDIES)
    assert uids(page) == ["1.2.8"]
    assert page.lacking == ()


def test_who_may_query_here_may_not_ask_others_without_the_right_to(here: Centre) -> None:
    from vna.routing.across import Across
    from vna.security.policy import EnforcedPolicy

    application = here.application
    across = Across(EnforcedPolicy(), application.search, application.sources, application.remotes.doors)
    with here.asking(study("1.2.8")) as server:
        for rights in ({Action.QUERY}, {Action.QUERY_ACROSS}):
            with pytest.raises(NotAuthorized):
                across.find(Actor(ActorKind.USER, "ayşe", frozenset(rights)), STUDIES)
        link = Actor(ActorKind.LINK, "link", frozenset(Action), study_instance_uid="1.2.8")
        with pytest.raises(NotAuthorized, match="of this archive"):
            across.find(link, STUDIES)
        assert server.asked == []
        both = Actor(ActorKind.USER, "ayşe", frozenset({Action.QUERY, Action.QUERY_ACROSS}))
        assert uids(across.find(both, STUDIES)) == ["1.2.8"]


def test_a_name_that_is_not_known_and_a_key_that_cannot_be_are_refused_before_anybody_is_asked(here: Centre) -> None:
    with here.asking(study("1.2.8")) as server:
        with pytest.raises(BadRequest, match="no archive 'TOWN' is known"):
            here.find(STUDIES, "CITY", "TOWN")
        with pytest.raises(BadRequest, match="StudyDate"):
            here.find(Query(Level.STUDY, (Key(("00080020",), "DA", ("rubbish",)),)))
        assert server.asked == []


def test_whoever_asks_is_not_asked_in_turn(here: Centre) -> None:
    with finds(lambda _: iter([(0xFF00, identifier(StudyInstanceUID="1.2.8"))])) as entity:
        here.knows("CITY", ae_title="CITY", host="127.0.0.1", port=entity.port)
        actor = Actor(ActorKind.AE, "CITY", frozenset({Action.QUERY, Action.QUERY_ACROSS}))
        assert uids(here.application.across.find(actor, STUDIES)) == []
        assert entity.asked == []


def test_an_archive_that_hangs_uses_up_its_own_lines_alone(empty: Path, tmp_path: Path) -> None:
    with (
        centre(empty, tmp_path, across={"timeout": 0.2}) as here,
        serving(lambda sock, _: time.sleep(4)) as server,
        here.asking(study("1.2.8"), name="TOWN"),
    ):
        here.knows(
            "CITY", ae_title="CITY", host="127.0.0.1", port=server.port, connections=64
        )  # accepts no association
        reasons = [str(here.find(STUDIES).lacking[0]) for _ in range(10)]
        assert reasons[0] == "CITY: it does not answer in time"
        assert reasons[-1] == "CITY: it has not answered earlier searches yet"
        assert uids(here.find(STUDIES)) == ["1.2.8"]


def test_no_more_searches_are_answered_at_once_than_may_be(empty: Path, tmp_path: Path) -> None:
    with (
        centre(empty, tmp_path, across={"timeout": 1, "max_requests": 2}) as here,
        serving(lambda sock, _: time.sleep(3)) as server,
    ):
        here.knows("CITY", qido_rs=f"{server.url}/rs")
        ends: list[str] = []

        def ask() -> None:
            try:
                here.find(STUDIES)
                ends.append("answered")
            except Unavailable as error:
                ends.append(str(error))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    busy = "as many searches of other archives are under way as may be at once"
    assert sorted(ends) == ["answered", "answered", busy, busy]
