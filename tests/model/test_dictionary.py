"""Attributes are found by keyword and by tag, inside sequences too."""

# ruff: noqa: RUF001 (letters that look alike are what this is about)

import pytest

from vna.model import dictionary
from vna.model.errors import BadRequest


@pytest.mark.parametrize("name", ["PatientName", "00100010", "0010,0010", "(0010,0010)"])
def test_an_attribute_has_one_tag_however_it_is_written(name: str) -> None:
    assert dictionary.tag_of(name) == "00100010"


@pytest.mark.parametrize("name", ["patientname", "", "0010001", "00100010 ", "PatientName.x", "٠٠١٠٠٠١٠"])
def test_what_is_no_attribute_has_no_tag(name: str) -> None:
    assert dictionary.tag_of(name) is None


def test_dotted_paths_go_into_sequences() -> None:
    assert dictionary.path_of("RequestAttributesSequence.0040,0008.CodeValue") == ("00400275", "00400008", "00080100")
    assert dictionary.path_of("00091001.00091002") == ("00091001", "00091002")


@pytest.mark.parametrize(
    "name", ["NoSuchKeyword", "PatientName.CodeValue", "RequestAttributesSequence.", ".".join(["00400275"] * 17)]
)
def test_a_path_that_cannot_be_is_a_bad_request(name: str) -> None:
    with pytest.raises(BadRequest):
        dictionary.path_of(name)


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        ("00100010", "PN"),
        ("00201206", "IS"),
        ("00280106", "US"),
        ("7FE00010", "OB"),
        ("60020010", "US"),
        ("00090010", "LO"),
        ("00091001", "UN"),
        ("00080000", "UL"),
        ("00081234", "UN"),
    ],
)
def test_value_representation(tag: str, vr: str) -> None:
    assert dictionary.vr_of(tag) == vr


def test_private_elements_of_known_creators_have_their_vr() -> None:
    assert dictionary.vr_of("00191008", "SIEMENS MR HEADER") == "CS"


def test_multiplicity_is_the_dictionarys() -> None:
    assert dictionary.vm_of("00080008") == "2-n"
    assert dictionary.vm_of("00100020") == "1"
    assert dictionary.vm_of("00091001") == "1-n"
