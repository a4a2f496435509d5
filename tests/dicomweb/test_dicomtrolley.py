"""dicomtrolley as a client of `vna serve`: it finds by QIDO-RS and fetches by WADO-RS and WADO-URI."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
import requests
from dicomtrolley.core import DICOMObjectLevels, Downloader, Query, QueryLevels, StudyReference
from dicomtrolley.qido_rs import HierarchicalQuery, QidoRS, RelationalQuery
from dicomtrolley.trolley import Trolley
from dicomtrolley.wado_rs import WadoRS, WadoRSMetaData
from dicomtrolley.wado_uri import WadoURI
from pydicom.dataset import Dataset

from tests.archives import Backend, LiveArchive, start_archive
from tests.dicomweb.builders import ROOT, STOW_TYPE, ct, part10, stow_body

STUDY, OTHER = f"{ROOT}.90", f"{ROOT}.91"


def held_datasets() -> list[Dataset]:
    """Two series of one study, and a study of another patient."""
    wide: dict[str, Any] = {"rows": 64, "columns": 64, "StudyInstanceUID": STUDY, "PatientName": "Gündüz^Ayşe"}
    datasets = [
        ct(SeriesInstanceUID=f"{STUDY}.{series}", SeriesNumber=series, InstanceNumber=number, **wide)
        for series in (1, 2)
        for number in (1, 2, 3)
    ]
    return [*datasets, ct(StudyInstanceUID=OTHER, SeriesInstanceUID=f"{OTHER}.1", PatientID="P9", StudyDate="20200101")]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    archive = start_archive(Backend("sqlite+folder", tmp_path_factory.mktemp("live")))
    yield archive
    archive.stop()


@pytest.fixture(scope="module")
def held(live: LiveArchive) -> dict[str, Dataset]:
    datasets = held_datasets()
    body = stow_body(*map(part10, datasets))
    assert httpx.post(f"{live.dicomweb}/studies", content=body, headers={"Content-Type": STOW_TYPE}).status_code == 200
    return {ds.SOPInstanceUID: ds for ds in datasets}


@pytest.fixture(scope="module")
def searcher(live: LiveArchive, held: dict[str, Dataset]) -> QidoRS:
    return QidoRS(requests.Session(), live.dicomweb)


def instances_of(study: Any) -> set[str]:
    return {instance.uid for series in study.series for instance in series.instances}


def test_it_finds_studies_by_name_date_and_identifier(searcher: QidoRS) -> None:
    for query in (
        Query(PatientName="gündüz*"),
        Query(PatientID="P1"),
        Query(min_study_date=datetime(2026, 1, 1), max_study_date=datetime(2026, 12, 31)),
        HierarchicalQuery(StudyInstanceUID=STUDY, include_fields=["NumberOfStudyRelatedInstances"]),
    ):
        (found,) = searcher.find_studies(query)
        assert (found.uid, str(found.data.PatientName)) == (STUDY, "Gündüz^Ayşe"), query
    assert {study.uid for study in searcher.find_studies(Query())} == {STUDY, OTHER}
    assert searcher.find_studies(Query(PatientID="nobody")) == []
    assert len(searcher.find_studies(HierarchicalQuery(limit=1))) == 1


def test_it_walks_down_to_series_and_instances(searcher: QidoRS, held: dict[str, Dataset]) -> None:
    series = HierarchicalQuery(StudyInstanceUID=STUDY, query_level=QueryLevels.SERIES)
    (found,) = searcher.find_studies(series)
    assert {one.uid for one in found.series} == {f"{STUDY}.1", f"{STUDY}.2"}
    expected = {uid for uid, ds in held.items() if ds.StudyInstanceUID == STUDY}
    (found,) = searcher.find_studies(RelationalQuery(StudyInstanceUID=STUDY, query_level=QueryLevels.INSTANCE))
    assert instances_of(found) == expected
    everything = searcher.find_studies(RelationalQuery(query_level=QueryLevels.INSTANCE))
    assert set().union(*map(instances_of, everything)) == set(held)


@pytest.mark.parametrize("kind", ["WADO-RS", "WADO-RS, a whole study", "WADO-URI", "WADO-URI, several at once"])
def test_it_fetches_what_it_found(
    live: LiveArchive, searcher: QidoRS, held: dict[str, Dataset], tmp_path: Path, kind: str
) -> None:
    session = requests.Session()
    downloaders: dict[str, Downloader] = {
        "WADO-RS": WadoRS(session, live.dicomweb),
        "WADO-RS, a whole study": WadoRS(session, live.dicomweb, request_per_series=False),
        "WADO-URI": WadoURI(session, f"{live.http}/wado"),
        "WADO-URI, several at once": WadoURI(session, f"{live.http}/wado", use_async=True),
    }
    trolley = Trolley(downloaders[kind], searcher)
    wanted: Any = trolley.find_studies(Query(PatientID="P1"))
    if "several" in kind:
        wanted = trolley.obtain_references(wanted, max_level=DICOMObjectLevels.INSTANCE)
    trolley.download(wanted, tmp_path)
    fetched = [pydicom.dcmread(path) for path in tmp_path.rglob("*") if path.is_file()]
    assert {ds.SOPInstanceUID for ds in fetched} == {uid for uid, ds in held.items() if ds.StudyInstanceUID == STUDY}
    for ds in fetched:
        assert ds == held[ds.SOPInstanceUID]


def test_it_reads_metadata_without_pixels(live: LiveArchive, held: dict[str, Dataset]) -> None:
    found = list(WadoRSMetaData(requests.Session(), live.dicomweb).datasets([StudyReference(study_uid=OTHER)]))
    assert [(ds.SOPInstanceUID, ds.PatientID) for ds in found] == [
        (uid, "P9") for uid, ds in held.items() if ds.StudyInstanceUID == OTHER
    ]
