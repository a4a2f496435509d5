"""Coercion rules: what may be changed, and into which values."""

from __future__ import annotations

import pytest

from vna.model.access import Coercion
from vna.model.coercion import coercion_of, coercion_text, require_allowed
from vna.model.errors import BadRequest

IDENTIFYING = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
PIXELS = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelSpacing",
    "RescaleSlope",
    "PixelData",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "ExtendedOffsetTable",
)
OTHERS = (
    "SpecificCharacterSet",
    "MIMETypeOfEncapsulatedDocument",
    "EncapsulatedDocument",
    "TransferSyntaxUID",
    "SourceApplicationEntityTitle",
    "CommandField",
    "MoveDestination",
    "FileSetID",
    "DataSetTrailingPadding",
    "RequestAttributesSequence",
    "PerFrameFunctionalGroupsSequence",
    "WaveformData",
    "WaveformSampleInterpretation",
)


def _refusal(coercion: Coercion) -> str:
    with pytest.raises(BadRequest) as caught:
        require_allowed(coercion)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("keyword", [*IDENTIFYING, *PIXELS, *OTHERS])
def test_what_identifies_an_object_or_says_how_it_is_read_stays_as_it_came(keyword: str) -> None:
    for rules in (
        Coercion(set=((keyword, "1"),)),
        Coercion(remove=(keyword,)),
        Coercion(map=((keyword, (("1", "2"),)),)),
    ):
        assert _refusal(rules).startswith(f"{keyword} cannot be coerced: it")


@pytest.mark.parametrize("keyword", ["OperatorName", "", "00100010", "00091001"])
def test_a_rule_is_on_an_attribute_by_its_keyword(keyword: str) -> None:
    assert _refusal(Coercion(remove=(keyword,))) == f"not the keyword of a DICOM attribute: {keyword}"


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("StudyDate", "yesterday", "a value of VR DA is a date, YYYYMMDD"),
        ("StudyDate", "20250230", "a value of VR DA is a date, YYYYMMDD"),
        ("StudyDate", "2025.01.02", "a value of VR DA is a date, YYYYMMDD"),
        ("StudyTime", "10:11", "a value of VR TM is a time, HHMMSS.FFFFFF"),
        ("StudyTime", "2460", "a value of VR TM is a time, HHMMSS.FFFFFF"),
        ("AcquisitionDateTime", "20251301", "a value of VR DT is a date and time"),
        ("PatientName", "X\\Y", "its value multiplicity is 1, and 2 values are given"),
        ("PatientName", "A=B=C=D", "a value of VR PN is a person name"),
        ("PatientName", "A^B^C^D^E^F", "a value of VR PN is a person name"),
        ("PatientName", "X" * 65, "a value of VR PN is a person name"),
        ("ImageType", "DERIVED", "its value multiplicity is 2-n, and 1 values are given"),
        ("ShutterShape", "A\\B\\C\\D", "its value multiplicity is 1-3, and 4 values are given"),
        ("VerticesOfThePolygonalShutter", "1\\2\\3", "its value multiplicity is 2-2n, and 3 values are given"),
        ("Modality", "CT-EMERGENCY", "a value of VR CS is at most 16 of capitals"),
        ("Modality", "ct", "a value of VR CS is at most 16 of capitals"),
        ("PatientAge", "45", "a value of VR AS is an age"),
        ("StationAETitle", "   ", "a value of VR AE is 1 to 16 printable"),
        ("AccessionNumber", "X" * 17, "a value of VR SH is at most 16 characters"),
        ("InstitutionName", "a\nb", "a value of VR LO is at most 64 characters"),
        ("InstitutionName", "X" * 65, "a value of VR LO is at most 64 characters"),
        ("InstitutionAddress", "X" * 1025, "a value of VR ST is at most 1024 characters"),
        ("PatientWeight", "heavy", "a value of VR DS is a number"),
        ("PatientWeight", "nan", "a value of VR DS is a number"),
        ("PatientWeight", "1" * 17, "a value of VR DS is a number"),
        ("SeriesNumber", "1.5", "a value of VR IS is a whole number"),
        ("RetrieveURL", "http://x/ y", "a value of VR UR is a URI"),
        ("OtherPatientNames", "\\".join(["X" * 60] * 1200), "a value is at most 65534 bytes long"),
    ],
)
def test_a_value_that_its_attribute_cannot_have_is_refused(keyword: str, value: str, reason: str) -> None:
    for rules in (Coercion(set=((keyword, value),)), Coercion(map=((keyword, (("OLD", value),)),))):
        said = _refusal(rules)
        assert said.startswith(f"{keyword} cannot have the value of its coercion rule: {reason}")
        assert len(said) < 200


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("InstitutionName", "Şişli Etfal Hastanesi"),
        ("InstitutionName", ""),
        ("PatientName", "Yilmaz^Ayşe^^Dr=山田^太郎"),
        ("OperatorsName", "A^B\\C^D"),
        ("ImageType", "DERIVED\\\\AXIAL"),
        ("VerticesOfThePolygonalShutter", "1\\2\\3\\4"),
        ("ImageComments", "a\\b\r\nc"),
        ("StudyDate", "20240229"),
        ("StudyTime", "101112.5"),
        ("AcquisitionDateTime", "20250102101112.123456+0300"),
        ("PatientWeight", "-7.25e1"),
        ("SeriesNumber", "-12"),
        ("PatientAge", "045Y"),
        ("StationAETitle", "CT 1"),
        ("IssuerOfPatientID", "34001"),
        ("RetrieveURL", "https://x/y?z=%20"),
        ("TimezoneOffsetFromUTC", "+0300"),
    ],
)
def test_a_value_that_its_attribute_can_have_is_allowed(keyword: str, value: str) -> None:
    require_allowed(Coercion(set=((keyword, value),)))
    require_allowed(Coercion(map=((keyword, (("whatever came", value),)),)))
    require_allowed(Coercion(remove=(keyword,)))


def test_rules_are_the_same_after_they_were_text() -> None:
    rules = Coercion(set=(("InstitutionName", "X"),), remove=("PatientComments",), map=(("Modality", (("CT", "PT"),)),))
    assert coercion_of(coercion_text(rules)) == rules
    assert coercion_text(Coercion()) == coercion_text(None) == ""
