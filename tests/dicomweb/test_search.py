"""QIDO-RS: six addresses, the attributes of the tables, paging, and answers that viewers can live with."""

from __future__ import annotations

from typing import Any

import pydicom
import pytest
from lxml import etree
from pydicom.dataset import Dataset

from dicomweb.native_xml import NAMESPACE
from dicomweb.service import StudiesService
from tests.dicomweb.builders import ROOT, SERIES, STUDY, ct
from tests.dicomweb.client import Web, parts_of
from tests.dicomweb.conftest import Stow
from vna.app.wiring import Application
from vna.archive.search import Search
from vna.model.access import SYSTEM

BASE = "http://127.0.0.1:8080/dicom-web"
OTHER = f"{ROOT}.2"

Answer = list[dict[str, Any]]

# PS3.18 Tables 10.6.3-3 to 10.6.3-5, written down apart from the code: what is required, and what is to be there
# when it is known, as it is of the CT series below.
STUDY_TABLE = {"00080020", "00080030", "00080050", "00080056", "00080061", "00080090", "00081190", "00100010"} | {
    *("00100020", "00100030", "00100040", "0020000D", "00200010", "00201206", "00201208")
}
SERIES_TABLE = {"00080060", "00081190", "0020000E", "00200011", "00201209"}
SERIES_KNOWN = {"0008103E", "00400244", "00400245", "00400275"}
INSTANCE_TABLE = {"00080016", "00080018", "00080056", "00081190", "00200013"}
INSTANCE_KNOWN = {"00280008", "00280010", "00280011", "00280100"}


@pytest.fixture
def held(stow: Stow) -> list[Dataset]:
    """Two studies: one of two series (CT with two instances, MR with one), one of one instance."""
    item = Dataset()
    item.ScheduledProcedureStepID = "SPS1"
    series: dict[str, Any] = {
        "SeriesDescription": "Lung",
        "PerformedProcedureStepStartDate": "20240301",
        "PerformedProcedureStepStartTime": "101500",
        "RequestAttributesSequence": [item],
    }
    other: dict[str, Any] = {"StudyInstanceUID": OTHER, "SeriesInstanceUID": f"{OTHER}.1", "StudyDate": "20250607"}
    datasets = [
        ct(InstanceNumber=2, frames=2, StudyDescription="Thorax", **series),
        ct(InstanceNumber=1, frames=2, **series),
        ct(SeriesInstanceUID=f"{ROOT}.1.2", SeriesNumber=2, Modality="MR"),
        ct(PatientID="P2", PatientName="Öztürk^Ali", **other),
    ]
    assert stow(*datasets).status_code == 200
    return datasets


def find(web: Web, path: str) -> Answer:
    response = web.get(path)
    assert response.status_code in (200, 204), response.text
    found: Answer = response.json() if response.content else []
    return found


def values(found: Answer, tag: str) -> list[Any]:
    return [one[tag].get("Value", [None])[0] for one in found]


@pytest.mark.claim("PS3.18-10.6.1.1", "PS3.18-10.6.3.1/200")
@pytest.mark.parametrize(
    ("path", "tag", "expected"),
    [
        ("studies", "0020000D", {STUDY, OTHER}),
        (f"studies/{STUDY}/series", "0020000E", {SERIES, f"{ROOT}.1.2"}),
        ("series", "0020000E", {SERIES, f"{ROOT}.1.2", f"{OTHER}.1"}),
        (f"studies/{STUDY}/instances", "00080018", {0, 1, 2}),
        (f"studies/{STUDY}/series/{SERIES}/instances", "00080018", {0, 1}),
        ("instances", "00080018", {0, 1, 2, 3}),
    ],
)
def test_each_address_gives_its_level(web: Web, held: list[Dataset], path: str, tag: str, expected: set[Any]) -> None:
    wanted = {held[one].SOPInstanceUID if isinstance(one, int) else one for one in expected}
    found = values(find(web, path), tag)
    assert set(found) == wanted
    assert len(found) == len(wanted)


@pytest.mark.claim("PS3.18-10.6.3.3.1", "PS3.18-10.6.3.3.2", "PS3.18-10.6.3.3.3")
@pytest.mark.parametrize(
    ("path", "table"),
    [
        ("studies", STUDY_TABLE),
        (f"studies/{STUDY}/series", SERIES_TABLE),
        (f"studies/{STUDY}/series?Modality=CT", SERIES_TABLE | SERIES_KNOWN),
        ("series", STUDY_TABLE | SERIES_TABLE),
        (f"studies/{STUDY}/series/{SERIES}/instances", INSTANCE_TABLE | INSTANCE_KNOWN),
        ("instances", STUDY_TABLE | SERIES_TABLE | INSTANCE_TABLE),
    ],
)
def test_every_attribute_of_the_tables_is_there(web: Web, held: list[Dataset], path: str, table: set[str]) -> None:
    found = find(web, path)
    assert found
    for one in found:
        assert table <= set(one)
        assert list(one) == sorted(one)


@pytest.mark.claim("PS3.18-10.6.3.3.1", "PS3.18-10.6.3.3.3")
def test_a_required_attribute_that_is_not_known_is_there_without_a_value(web: Web, stow: Stow) -> None:
    assert stow(ct(StudyID="", InstanceNumber=None)).status_code == 200
    (one,) = find(web, "instances")
    assert one["00100040"] == {"vr": "CS"}
    assert one["00200010"] == {"vr": "SH"}
    assert one["00200013"] == {"vr": "IS"}


@pytest.mark.claim("PS3.18-10.6.3.3.2", "PS3.18-10.6.3.3/matched")
def test_attributes_of_upper_levels_are_left_out_where_the_address_names_them(web: Web, held: list[Dataset]) -> None:
    (first, _) = find(web, f"studies/{STUDY}/series")
    assert "00100010" not in first
    assert first["0020000D"]["Value"] == [STUDY]
    (first, _) = find(web, f"studies/{STUDY}/series?includefield=PatientName")
    assert first["00100010"]["Value"] == [{"Alphabetic": str(held[0].PatientName)}]
    (first, _) = find(web, f"studies/{STUDY}/series?PatientID=P1")
    assert first["00100020"]["Value"] == ["P1"]


@pytest.mark.claim("PS3.18-10.6.3.3.1", "PS3.18-10.6.3.3.2", "PS3.18-10.6.3.3.3")
def test_retrieve_url_is_the_address_of_what_matched(web: Web, held: list[Dataset]) -> None:
    assert f"{BASE}/studies/{STUDY}" in values(find(web, "studies"), "00081190")
    assert f"{BASE}/studies/{STUDY}/series/{SERIES}" in values(find(web, "series"), "00081190")
    for url in values(find(web, "instances"), "00081190"):
        assert web.get(url, headers={"Accept": "application/dicom"}).status_code == 200


@pytest.mark.claim("PS3.18-10.6.3.3.1")
def test_counts_and_modalities_are_those_of_the_study(web: Web, held: list[Dataset]) -> None:
    (one,) = find(web, f"studies?StudyInstanceUID={STUDY}")
    assert one["00201206"]["Value"] == [2]
    assert one["00201208"]["Value"] == [3]
    assert sorted(one["00080061"]["Value"]) == ["CT", "MR"]


@pytest.mark.claim("PS3.18-10.6.3.3.1")
@pytest.mark.parametrize("query", ["", "?includefield=ModalitiesInStudy", "?ModalitiesInStudy="])
def test_modalities_of_a_study_that_has_none_are_one_empty_value(web: Web, stow: Stow, query: str) -> None:
    assert stow(ct(Modality="")).status_code == 200
    (one,) = find(web, f"studies{query}")
    assert one["00080061"] == {"vr": "CS", "Value": [None]}  # OHIF wants a Value
    assert pydicom.Dataset.from_json(one).ModalitiesInStudy in ("", None)
    answer = web.get(f"studies{query}", headers={"Accept": "multipart/related; type=application/dicom+xml"})
    ((_, body),) = parts_of(answer)
    assert b'tag="00080061" vr="CS" keyword="ModalitiesInStudy"/>' in body


@pytest.mark.claim(
    "PS3.18-8.3.4.1.1/single",
    "PS3.18-8.3.4.1.1/wildcard",
    "PS3.18-8.3.4.1.1/range",
    "PS3.18-8.3.4.2",
    "PS3.18-8.3.4.5",
    "PS3.18-8.3.4.6",
    "PS3.18-8.3.4.1/uid-list",
)
@pytest.mark.parametrize(
    ("query", "studies"),
    [
        ("PatientID=P2", [OTHER]),
        ("00100020=*2*", [OTHER]),
        ("PatientID=?2", [OTHER]),
        ("PatientID=P%3F", [OTHER, STUDY]),
        ("PatientID=?", []),
        ("StudyDate=20250101-", [OTHER, STUDY]),
        ("PatientName=*%C3%96ZT%C3%9CRK*", [OTHER]),
        ("PatientName=%2Aali%2A", [OTHER]),
        ("StudyDate=20250101-20251231", [OTHER]),
        ("StudyDate=-19991231", []),
        ("ModalitiesInStudy=MR%2CUS", [STUDY]),
        ("ModalitiesInStudy=CT%2CMR", [OTHER, STUDY]),
        (f"StudyInstanceUID={STUDY},{OTHER}", [OTHER, STUDY]),
        ("StudyDescription=Thorax", [STUDY]),
        ("AccessionNumber=A1&PatientID=P1", [STUDY]),
        ("AccessionNumber=*&includefield=00081030%2C00080060%2C00080090%2C00100030&fuzzymatching=true", [OTHER, STUDY]),
        ("ModalitiesInStudy=CT%2CMR&multiplevaluematching=true", [STUDY]),
        ("fuzzymatching=true&PatientName=ali+oztur", [OTHER]),
        ("fuzzymatching=true&PatientName=%C3%B6zt%C3%BCrk%20ali", [OTHER]),
        ("fuzzymatching=true&PatientName=oztourk+ali", []),
        ("fuzzymatching=true&PatientName=%D0%90%D0%BB%D0%B8", [OTHER]),
        ("emptyvaluematching=true&StudyDescription=%22%22", [OTHER]),
        ("StudyDate=20250101-20251231&StudyTime=000000-235959", [OTHER]),
        ("PatientID=nobody", []),
    ],
)  # fmt: skip
def test_matching_is_that_of_the_archive(web: Web, held: list[Dataset], query: str, studies: list[str]) -> None:
    assert set(values(find(web, f"studies?{query}"), "0020000D")) == set(studies)


@pytest.mark.claim("PS3.18-8.3.4.1.1/sequence")
def test_a_sequence_is_matched_by_path(web: Web, held: list[Dataset]) -> None:
    found = find(web, "instances?RequestAttributesSequence.ScheduledProcedureStepID=SPS1")
    assert held[0].SOPInstanceUID in values(found, "00080018")
    assert find(web, "instances?RequestAttributesSequence.ScheduledProcedureStepID=SPS2") == []


@pytest.mark.claim("PS3.18-8.3.4.4")
def test_pages_join_to_the_whole(web: Web, stow: Stow) -> None:
    datasets = [ct(InstanceNumber=number) for number in range(1, 12)]
    assert stow(*datasets).status_code == 200
    whole = values(find(web, "instances"), "00080018")
    pages = [values(find(web, f"instances?limit=4&offset={offset}"), "00080018") for offset in (0, 4, 8, 12)]
    assert [len(page) for page in pages] == [4, 4, 3, 0]
    assert [one for page in pages for one in page] == whole


@pytest.mark.claim("PS3.18-8.5/204", "PS3.18-10.6.3.1/204")
def test_nothing_found_is_204(web: Web, held: list[Dataset]) -> None:
    for query in ("PatientID=nobody", "limit=0", "offset=5"):
        response = web.get(f"studies?{query}")
        assert (response.status_code, response.content) == (204, b"")


@pytest.mark.claim("PS3.18-10.6.4")
def test_answers_come_as_xml_in_parts(web: Web, held: list[Dataset]) -> None:
    response = web.get("studies", headers={"Accept": 'multipart/related; type="application/dicom+xml"'})
    parts = parts_of(response)
    found = {
        etree.fromstring(body).findtext(f"{{{NAMESPACE}}}DicomAttribute[@tag='0020000D']/{{{NAMESPACE}}}Value")
        for _, body in parts
    }
    assert found == {STUDY, OTHER}


@pytest.mark.claim("PS3.18-8.3.2", "PS3.18-8.3.4.3/unsupported", "PS3.18-10.6.3.2")
def test_what_was_ignored_is_said_in_a_warning(web: Web, held: list[Dataset]) -> None:
    response = web.get("studies?Foo=1&SOPInstanceUID=1.2&includefield=Rows")
    assert response.status_code == 200
    warning = response.headers["warning"]
    assert warning.startswith(f"299 {BASE}: ")
    assert "Foo" in warning
    assert "SOPInstanceUID" in warning
    assert "Rows" in warning
    assert "warning" not in web.get("studies?PatientID=P1&includefield=StudyDescription").headers
    assert "warning" not in web.get("instances").headers


@pytest.mark.claim("PS3.18-8.3.4.4.1", "PS3.18-10.6.3.2")
def test_an_answer_that_the_archive_cut_says_so(
    web: Web, held: list[Dataset], service: StudiesService, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Search(service.search._database, service.search._policy, "VNA", max_matches=1)
    monkeypatch.setattr(service.search, "find", small.find)
    response = web.get("studies")
    assert len(response.json()) == 1
    assert "additional results" in response.headers["warning"]
    assert "warning" not in web.get("studies?limit=1").headers


@pytest.mark.claim("PS3.18-8.3.4.1.1/malformed", "PS3.18-8.3.4.4/malformed", "PS3.18-10.6.3.1/400")
@pytest.mark.parametrize(
    ("query", "named"),
    [("limit=x", "limit"), ("orderby=Foo", "orderby"), ("orderby=-SeriesNumber", "SeriesNumber"),
     ("totalcount=1", "totalcount"), ("StudyInstanceUID=x", "StudyInstanceUID"), ("StudyDate=yesterday", "StudyDate"),
     ("fuzzymatching=perhaps", "fuzzymatching"), ("StudyTime=25", "StudyTime"),
     ("PatientName=%FF%FE", "PatientName"), ("limit=1&limit=2", "limit")],
)  # fmt: skip
def test_a_malformed_value_is_400_and_names_the_parameter(
    web: Web, held: list[Dataset], query: str, named: str
) -> None:
    response = web.get(f"studies?{query}")
    assert response.status_code == 400
    assert named in response.json()["message"]


@pytest.mark.parametrize(
    ("order", "studies"),
    [("StudyDate", [OTHER, STUDY]), ("-StudyDate", [STUDY, OTHER]), ("-PatientName,StudyDate", [OTHER, STUDY]),
     ("-00100020", [OTHER, STUDY]), ("-NumberOfStudyRelatedInstances", [STUDY, OTHER])],
)  # fmt: skip
def test_answers_come_in_the_order_that_is_asked(web: Web, held: list[Dataset], order: str, studies: list[str]) -> None:
    assert values(find(web, f"studies?orderby={order}"), "0020000D") == studies
    pages = [values(find(web, f"studies?orderby={order}&limit=1&offset={offset}"), "0020000D") for offset in (0, 1)]
    assert pages == [[one] for one in studies]


def test_instances_are_ordered_by_what_their_patient_says(web: Web, held: list[Dataset]) -> None:
    found = values(find(web, "instances?orderby=-PatientID,-InstanceNumber&limit=3"), "00080018")
    assert found[0] == held[3].SOPInstanceUID
    assert found[1] == held[0].SOPInstanceUID


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("studies/count", 2),
        ("studies/count?PatientID=P2", 1),
        ("studies/count?PatientID=nobody", 0),
        ("studies/count?limit=1&offset=1", 2),
        ("series/count", 3),
        ("series/count?RequestAttributesSequence.ScheduledProcedureStepID=SPS1", 1),
        ("instances/count?Modality=CT", 3),
        (f"studies/{STUDY}/series/count", 2),
        (f"studies/{STUDY}/instances/count", 3),
        (f"studies/{STUDY}/series/{SERIES}/instances/count", 2),
    ],
)
def test_matches_are_counted(web: Web, held: list[Dataset], path: str, count: int) -> None:
    response = web.get(path)
    assert (response.status_code, response.json()) == (200, {"count": count})
    assert "warning" not in response.headers


def test_the_number_of_all_matches_comes_with_a_page_when_it_is_asked(web: Web, held: list[Dataset]) -> None:
    response = web.get("instances?limit=1&totalcount=true")
    assert (len(response.json()), response.headers["x-total-count"]) == (1, "4")
    assert "x-total-count" not in web.get("instances?limit=1").headers
    assert web.get("studies?PatientID=nobody&totalcount=true").headers["x-total-count"] == "0"


def test_a_count_that_was_cut_is_not_given_for_the_whole(
    web: Web, held: list[Dataset], service: StudiesService, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Search(service.search._database, service.search._policy, "VNA", max_scanned=1)
    monkeypatch.setattr(service.search, "count", small.count)
    response = web.get("instances/count?SliceThickness=77")
    assert "may be more" in response.headers["warning"]
    response = web.get("instances?SliceThickness=77&totalcount=true")
    assert "x-total-count" not in response.headers
    assert "totalcount" in response.headers["warning"]


def test_an_accession_number_is_that_of_its_issuer(web: Web, stow: Stow) -> None:
    for number, issuer in enumerate(("EAST", "WEST")):
        item = Dataset()
        item.LocalNamespaceEntityID = issuer
        study = f"{ROOT}.7.{number}"
        one = ct(
            StudyInstanceUID=study,
            SeriesInstanceUID=f"{study}.1",
            AccessionNumber="77",
            IssuerOfAccessionNumberSequence=[item],
        )
        assert stow(one).status_code == 200
    query = "studies?AccessionNumber=77&IssuerOfAccessionNumberSequence.LocalNamespaceEntityID=WEST"
    assert values(find(web, query), "0020000D") == [f"{ROOT}.7.1"]
    assert len(find(web, "studies?AccessionNumber=77")) == 2


@pytest.mark.claim("PS3.18-8.3.4.1/private", "PS3.18-8.3.4.3", "PS3.18-8.3.4.3/private")
def test_private_and_nested_attributes_are_included(web: Web, stow: Stow) -> None:
    item = Dataset()
    item.ScheduledProcedureStepID = "S1"
    one = ct(RequestAttributesSequence=[item])
    one.private_block(0x0009, "MAKER", create=True).add_new(1, "LO", "private")
    assert stow(one).status_code == 200
    fields = "includefield=00090010,00091001&includefield=RequestAttributesSequence.ScheduledProcedureStepID"
    (found,) = find(web, f"studies/{STUDY}/series/{SERIES}/instances?{fields}")
    assert found["00091001"]["Value"] == ["private"]
    assert found["00400275"]["Value"][0]["00400009"]["Value"] == ["S1"]
    (found,) = find(web, "instances?00091001=priv*")
    assert found["00091001"]["Value"] == ["private"]


def test_a_field_may_be_included_a_thousand_times(web: Web, held: list[Dataset]) -> None:
    fields = "&".join(["includefield=StudyDescription,all,00081030"] * 1000)
    assert len(find(web, f"studies?{fields}")) == 2


def test_a_search_tag_is_matched_and_given(web: Web, archive: Application, stow: Stow) -> None:
    archive.tags.add(SYSTEM, "DetectorID")
    assert stow(ct(DetectorID="DETECTOR-7")).status_code == 200
    response = web.get("studies?DetectorID=*TOR-7")
    assert "DetectorID" in response.headers["warning"]
    archive.catch_up()
    (one,) = find(web, "studies?DetectorID=*TOR-7")
    assert one["0018700A"]["Value"] == ["DETECTOR-7"]
    assert find(web, "studies?DetectorID=*TOR-8") == []
    (one,) = find(web, "studies?includefield=DetectorID")
    assert one["0018700A"]["Value"] == ["DETECTOR-7"]


def test_unacceptable_is_406(web: Web, held: list[Dataset]) -> None:
    assert web.get("studies", headers={"Accept": "image/png"}).status_code == 406


def test_a_key_that_contradicts_the_address_is_refused(web: Web, stow: Stow) -> None:
    first, second = ct(), ct(StudyInstanceUID=f"{ROOT}.77", SeriesInstanceUID=f"{ROOT}.77.1")
    assert stow(first, second).status_code == 200
    assert web.get(f"studies/{first.StudyInstanceUID}/series?StudyInstanceUID={ROOT}.77").status_code == 400
