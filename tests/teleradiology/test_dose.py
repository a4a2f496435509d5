"""Radiation dose reports: their values as they can be read by hand, with units, from whatever device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from tests.archives import Open, put, rows
from tests.objects import ct, part10
from tests.teleradiology.dose_reports import (
    ENHANCED_SR,
    coded,
    container,
    moment,
    number,
    report,
    written,
)
from tests.teleradiology.standing_rows import match
from tests.teleradiology.standing_rows import report as reported
from tests.worklist.ordering import order
from vna.app import Application
from vna.model.access import SYSTEM
from vna.model.orders import OrderKey
from vna.teleradiology import dose_reading
from vna.teleradiology.dose_reading import DoseReport, Measured

SAMPLE = Path("/work/shared/data/dicom/dose-sr/made__made_rdsr_ct.dcm")
KEY, STUDY = OrderKey("500059", "A1"), "1.2.3.4"


def read(ds: Dataset) -> DoseReport:
    return dose_reading.read(ds.to_json_dict())


CT = (
    container("113811", number("113812", "2", "{events}"), number("113813", "412.5", "mGy.cm")),
    container(
        "113819",
        written("125203", "HEAD ROUTINE"),
        coded("123014", "69536005", "Head"),
        moment("113809", "20261130101112.5"),
        container("113829", number("113830", "52.25", "mGy", coded("113835", "113690", "IEC Head"))),
    ),
    container("113819", container("113829", number("113830", "7.5", "mGy"), number("113838", "0.3", "Gy.cm"))),
)


def test_a_ct_report_says_ctdi_and_dlp_in_all_and_of_each_scan() -> None:
    said = read(report(*CT))

    assert said.totals == [
        Measured("TotalNumberOfIrradiationEvents", 2, "1"),
        Measured("CTDoseLengthProductTotal", 412.5, "mGy.cm"),
    ]
    first, second = said.events
    assert (first.protocol, first.target, first.started_at) == ("HEAD ROUTINE", "Head", "20261130101112")
    assert first.values == [Measured("MeanCTDIvol", 52.25, "mGy", "IEC Head")]
    assert second.values == [Measured("MeanCTDIvol", 7.5, "mGy"), Measured("DLP", 300, "mGy.cm")]
    assert (said.modality, said.started_at) == ("CT", "20261130101112")
    assert said.device == "XR1, Example Imaging, Example X, S100"


def test_a_mammography_report_says_the_glandular_dose_of_each_breast() -> None:
    side = coded("272741003", "80248007", "Left breast")
    said = read(
        report(
            container("113702", number("111637", "2.75", "mGy", side)),
            container("113706", number("111631", "0.0125", "dGy"), number("111636", "6.1", "mGy")),
        )
    )

    assert said.modality == "MG"
    assert said.totals == [Measured("AccumulatedAverageGlandularDose", 2.75, "mGy", "Left breast")]
    assert said.events[0].values == [
        Measured("AverageGlandularDose", 1.25, "mGy"),
        Measured("EntranceExposureAtRP", 6.1, "mGy"),
    ]


def test_a_projection_report_says_area_product_and_fluoroscopy_time_by_plane() -> None:
    plane = coded("113764", "113620", "Plane A")
    said = read(
        report(
            container(
                "113702",
                plane,
                number("113722", "0.00125", "Gy.m2"),
                number("113725", "0.25", "Gy"),
                number("113730", "2.5", "min"),
            ),
            container("113706", number("122130", "3.5", "dGy.cm2")),
        )
    )

    assert said.totals == [
        Measured("DoseAreaProductTotal", 0.00125, "Gy.m2", "Plane A"),
        Measured("DoseRPTotal", 250, "mGy", "Plane A"),
        Measured("TotalFluoroTime", 150, "s", "Plane A"),
    ]
    assert said.events[0].values == [Measured("DoseAreaProduct", 3.5e-5, "Gy.m2")]


@pytest.mark.parametrize(
    "item",
    [
        number("CTDI", "5", "mGy", meaning="Mean CTDIvol", scheme="99VENDOR"),
        number("113830", "5", "mGy", scheme="99SDM"),
        number("113830", "5", " MGY "),
        number("113830", "5000", "µGy"),
    ],
)
def test_what_a_vendor_codes_otherwise_is_understood(item: Dataset) -> None:
    assert read(report(item)).totals == [Measured("MeanCTDIvol", 5, "mGy")]


def test_a_unit_that_is_not_known_stays_as_it_is() -> None:
    assert read(report(number("113838", "5", "furlong"))).totals == [Measured("DLP", 5, "furlong")]


@pytest.mark.parametrize(
    ("amount", "values"), [("", []), ("unknown", []), ("NaN", []), ("inf", []), (" 7,5 ", [7.5]), (None, [])]
)
def test_what_is_no_number_is_no_value_and_a_comma_is_a_point(amount: str | None, values: list[float]) -> None:
    ds = report(number("113838", "1", "mGy.cm")).to_json_dict()
    ds["0040A730"]["Value"][0]["0040A300"]["Value"][0]["0040A30A"] = {"vr": "DS", "Value": [amount]}
    assert [one.value for one in dose_reading.read(ds).totals] == values


TAGS = st.sampled_from(
    ["0040A730", "0040A043", "0040A300", "0040A30A", "004008EA", "00080100", "0040A504", "0040DB00", "0040A160"]
)
VALUES = st.sampled_from([None, "", "113830", "113819", "113701", "7", "x", 7, 0.5, {"Alphabetic": "A"}])


def _items(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    element = st.one_of(st.just({"vr": "LO"}), st.fixed_dictionaries({"Value": st.lists(inner, max_size=2)}))
    return st.dictionaries(TAGS, element, max_size=3)


@given(_items(st.recursive(VALUES, _items, max_leaves=12)))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_document_is_too_strange_to_be_read(elements: dict[str, Any]) -> None:
    dose_reading.is_dose_report(elements)
    dose_reading.read(elements).as_plain()


def test_a_tree_that_is_very_deep_is_read() -> None:
    item = number("113838", "5", "mGy.cm").to_json_dict()
    for _ in range(5000):
        item = {"0040A730": {"vr": "SQ", "Value": [item]}}
    assert dose_reading.read(item).totals == [Measured("DLP", 5, "mGy.cm")]


# ---- through the archive


def handle(archive: Application) -> None:
    archive.dispatcher().drain()
    archive.workers().drain()


def test_the_sample_is_read_as_it_can_be_by_hand(open_archive: Open) -> None:
    if not SAMPLE.exists():
        pytest.skip("the shared sample is not here")
    archive = open_archive()
    put(archive, SAMPLE.read_bytes())
    place = order(modality="CT")
    archive.national.orders.place(SYSTEM, place)
    match(archive, KEY, "1.2.826.0.1.3680043.8.498.67302559161324584756889350051868107981")
    handle(archive)

    (dose,) = archive.national.tracking.status(SYSTEM, [KEY])[0].doses
    assert (dose.modality, dose.device) == ("CT", "CT01_OC0, GE MEDICAL SYSTEMS, RHAPSODE")
    assert dose.body["template"] == "10011"
    assert dose.body["totals"] == [
        {"name": "TotalNumberOfIrradiationEvents", "value": 1.0, "unit": "1", "of": ""},
        {"name": "CTDoseLengthProductTotal", "value": 412.5, "unit": "mGy.cm", "of": ""},
    ]


def test_an_order_for_ct_waits_for_its_dose_report_and_again_when_that_goes(open_archive: Open) -> None:
    archive = open_archive()
    archive.national.orders.place(SYSTEM, order())
    put(archive, part10(ct(StudyInstanceUID=STUDY)))
    match(archive, KEY, STUDY)
    reported(archive, KEY)
    handle(archive)
    tracked = archive.national.tracking

    assert tracked.status(SYSTEM, [KEY])[0].known.standing.status == "waiting for dose report"
    ds = report(*CT, study=STUDY)
    put(archive, part10(ds))
    handle(archive)
    assert tracked.status(SYSTEM, [KEY])[0].known.standing.status == "complete"

    list(archive.reindex.run(SYSTEM))
    assert rows(archive, "select count(*) from doses") == [(0,)]
    match(archive, KEY, STUDY)
    handle(archive)
    found = archive.national.tracking.status(SYSTEM, [KEY])[0]
    assert found.doses[0].body["totals"][1]["value"] == 412.5
    assert "no-dose" not in found.known.standing.reasons

    archive.deletion.delete(SYSTEM, STUDY, ds.SeriesInstanceUID, ds.SOPInstanceUID, reason="a test")
    handle(archive)
    assert "no-dose" in archive.national.tracking.status(SYSTEM, [KEY])[0].known.standing.reasons


def test_a_dose_report_in_an_enhanced_sr_counts_and_another_document_does_not(open_archive: Open) -> None:
    archive = open_archive()
    dose = report(*CT, sop_class=ENHANCED_SR)
    other = report(number("113838", "5", "mGy.cm"), title="126000", sop_class=ENHANCED_SR)
    for ds in (dose, other):
        put(archive, part10(ds))
    handle(archive)

    assert rows(archive, "select sop_instance_uid from doses") == [(dose.SOPInstanceUID,)]
