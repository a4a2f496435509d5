"""Query parameters of a search, read into the model's Query."""

from __future__ import annotations

import pytest

from dicomweb.address import Target
from dicomweb.query_parameters import Parameters, parse, read_pairs
from vna.model.errors import BadRequest
from vna.model.query import Key, Level


def read(text: str, **target: str) -> Parameters:
    return parse(read_pairs(text.encode()), Target(**target))


@pytest.mark.claim("PS3.18-8.3.4.1", "PS3.18-8.3.4.1/uid-list")
@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("PatientName=*x*", Key(("00100010",), "PN", ("*x*",))),
        ("PatientName=%2A", Key(("00100010",), "PN", ("*",))),
        ("00100020=P%2C1", Key(("00100020",), "LO", ("P,1",))),
        ("0010000d=", Key(("0010000D",), "UN", ())),
        ("ModalitiesInStudy=CT%2CMR", Key(("00080061",), "CS", ("CT", "MR"))),
        ("ModalitiesInStudy=CT\\MR", Key(("00080061",), "CS", ("CT", "MR"))),
        ("StudyInstanceUID=1.2,1.3&StudyInstanceUID=1.4", Key(("0020000D",), "UI", ("1.2", "1.3", "1.4"))),
        ("StudyDate=20240101-20241231", Key(("00080020",), "DA", ("20240101-20241231",))),
        ("AccessionNumber=", Key(("00080050",), "SH", ())),
        (
            "RequestAttributesSequence.ScheduledProcedureStepID=1",
            Key(("00400275", "00400009"), "SH", ("1",)),
        ),
        ("00400275.00400009=1", Key(("00400275", "00400009"), "SH", ("1",))),
        ("00400275.ScheduledProcedureStepID=1", Key(("00400275", "00400009"), "SH", ("1",))),
    ],
)
def test_attributes_are_named_by_keyword_tag_or_path(text: str, key: Key) -> None:
    found = read(text)
    assert list(found.keys.values()) == [key]
    assert found.ignored == []
    assert key.path[0] in (found.query(Level.SERIES).returns or ())


@pytest.mark.claim("PS3.18-8.3.4.6")
def test_lists_of_any_value_need_multiplevaluematching() -> None:
    assert read("PatientID=A,B").keys[("00100020",)].values == ("A,B",)
    assert read("PatientID=A,B&multiplevaluematching=true").keys[("00100020",)].values == ("A", "B")


@pytest.mark.claim("PS3.18-8.3.4.3")
@pytest.mark.parametrize(
    "text",
    [
        "includefield=00081030,00080060",
        "includefield=StudyDescription&includefield=Modality",
        "includefield=StudyDescription%2C00080060",
    ],
)
def test_includefield_may_be_repeated_or_a_list(text: str) -> None:
    assert read(text).fields == {"00081030", "00080060"}


@pytest.mark.claim("PS3.18-8.3.4.3/all")
def test_includefield_all_asks_for_everything() -> None:
    assert read("includefield=all").query(Level.STUDY).returns is None


def test_paging_and_switches_are_read() -> None:
    query = read("limit=101&offset=20&fuzzymatching=TRUE&emptyvaluematching=true").query(Level.STUDY)
    assert (query.limit, query.offset, query.fuzzy, query.empty_value_matching) == (101, 20, True, True)
    plain = read("").query(Level.STUDY)
    assert (plain.limit, plain.offset, plain.fuzzy, plain.empty_value_matching) == (None, 0, False, False)
    assert read("limit=999999999999999999").query(Level.STUDY).limit == 2**31 - 1


@pytest.mark.parametrize(
    "name",
    ["limit=x", "limit=-1", "limit=", "offset=1.5", "offset=" + "9" * 19, "fuzzymatching=yes", "emptyvaluematching=1"],
)
def test_a_malformed_parameter_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadRequest, match=name.split("=", maxsplit=1)[0]):
        read(name)


@pytest.mark.parametrize("text", ["StudyInstanceUID=1.x", "SeriesInstanceUID=1.2,", "SOPInstanceUID=" + "1" * 65])
def test_a_malformed_uid_is_refused_by_name(text: str) -> None:
    if text.endswith(","):
        assert read(text).keys[("0020000E",)].values == ("1.2",)
        return
    with pytest.raises(BadRequest, match=text.split("=", maxsplit=1)[0]):
        read(text)


@pytest.mark.claim("PS3.18-8.3.1/once")
@pytest.mark.parametrize(
    "text",
    [
        "limit=1&limit=1",
        "offset=1&offset=2",
        "fuzzymatching=true&fuzzymatching=false",
        "emptyvaluematching=true&PatientID=A&emptyvaluematching=true",
        "multiplevaluematching=true&multiplevaluematching=true",
    ],
)
def test_a_parameter_that_has_one_value_is_refused_when_it_is_given_twice(text: str) -> None:
    with pytest.raises(BadRequest, match=f"{text.partition('=')[0]} is given more than once"):
        read(text)


@pytest.mark.parametrize(
    "text",
    ["PatientID=%00", "PatientName=A%00*", "StudyDate=%0020240101", "StudyDescription=A%0D%0AB", "Modality=%1F",
     "Rows=%0A", "ImageComments=%00", "00400275.00400009=%00"],
)  # fmt: skip
def test_a_control_character_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadRequest, match=f"{text.partition('=')[0]} has a control character"):
        read(text)
    assert read("ImageComments=one%0Atwo").keys[("00204000",)].values == ("one\ntwo",)


@pytest.mark.claim("PS3.18-8.3.1")
@pytest.mark.parametrize(
    ("query", "words"),
    [
        (b"PatientName=%FF%FE", "PatientName is not in UTF-8"),
        (b"limit=1&PatientName=A%C5", "PatientName is not in UTF-8"),
        (b"PatientName=\xfc", "PatientName is not in UTF-8"),
        (b"includefield=%ff", "includefield is not in UTF-8"),
        (b"limit=%ff", "limit is not in UTF-8"),
        (b"%ff=1", "the name of a parameter is not in UTF-8"),
    ],
)
def test_what_is_not_utf_8_is_refused_by_name(query: bytes, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        read_pairs(query)


@pytest.mark.claim("PS3.18-8.3.1")
def test_escapes_and_spaces_are_read() -> None:
    found = read_pairs("PatientName=Ay%C5%9Fe+Y%26%3D%2B&x=&y&=z&PatientID=Ş".encode())
    assert found == [("PatientName", "Ayşe Y&=+"), ("x", ""), ("y", ""), ("", "z"), ("PatientID", "Ş")]


@pytest.mark.claim("PS3.18-8.3.4.1/once")
def test_a_text_attribute_twice_is_refused() -> None:
    with pytest.raises(BadRequest, match="PatientID is given more than once"):
        read("PatientID=A&PatientID=B")


@pytest.mark.claim("PS3.18-8.3.2")
@pytest.mark.parametrize(
    "text", ["NoSuchAttribute=1", "foo=1", "PatientName.Foo=1", "0010001=1", "includefield=Nonsense", "=x"]
)
def test_what_is_no_attribute_is_ignored_and_said(text: str) -> None:
    found = read(text)
    assert not found.keys
    assert not found.fields
    assert "was ignored" in found.ignored[0]


def test_accept_and_charset_are_not_attributes() -> None:
    assert read("accept=application/json&charset=utf-8").ignored == []


def test_the_address_narrows_the_search() -> None:
    found = read("Modality=CT", study="1.2", series="1.3")
    assert found.keys[("0020000D",)] == Key(("0020000D",), "UI", ("1.2",))
    assert found.keys[("0020000E",)] == Key(("0020000E",), "UI", ("1.3",))
    assert read("StudyInstanceUID=1.1,1.2", study="1.2").keys[("0020000D",)].values == ("1.2",)
    assert read("StudyInstanceUID=", study="1.2").keys[("0020000D",)].values == ("1.2",)
    with pytest.raises(BadRequest, match="contradicts"):
        read("StudyInstanceUID=1.9", study="1.2")


def test_attributes_of_the_tables_are_asked_for() -> None:
    returns = read("").query(Level.IMAGE).returns or frozenset()
    assert {"00280010", "00280011", "00280100", "00280008", "00080201"} <= returns
