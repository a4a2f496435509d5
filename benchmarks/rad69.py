"""`make bench ARGS="rad69"`: a study of 200 instances by RAD-69 and by WADO-RS in turn, and the ratio of both.

make bench ARGS="rad69 --rounds 10 --count 200"
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import httpx
from pydicom import Dataset
from pydicom.uid import generate_uid

from benchmarks.contestants import folder
from tests.archives import Backend, put, start_archive
from tests.objects import ct, part10
from tests.xds.imaging import EXPLICIT, OID, ask, request
from vna.app import build
from vna.soap import addressing, envelope
from vna.soap.versions import Version
from xds.rad69 import ACTION

_SIDE = 512


def main(words: list[str]) -> None:
    """Both over one connection each, read and thrown away by the same client."""
    parser = argparse.ArgumentParser(prog='make bench ARGS="rad69 ..."', description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=200, help="CT images of 512 KB (default 200)")
    options = parser.parse_args(words)
    with folder() as path:
        backend = Backend("sqlite+folder", path)
        archive = start_archive(backend, XDS__REPOSITORY_UNIQUE_ID=OID)
        try:
            datasets = _stored(backend, options.count)
            _compare(_ways(archive.http, archive.dicomweb, datasets), options.rounds)
        finally:
            archive.stop()


def _stored(backend: Backend, count: int) -> list[Dataset]:
    application = build(backend.settings())
    study, series = generate_uid(), generate_uid()
    pixels = {"Rows": _SIDE, "Columns": _SIDE, "PixelData": bytes(range(256)) * (2 * _SIDE * _SIDE // 256)}
    datasets = [ct(StudyInstanceUID=study, SeriesInstanceUID=series, **pixels) for _ in range(count)]
    for ds in datasets:
        put(application, part10(ds))
    application.close()
    return datasets


def _ways(http: str, dicomweb: str, datasets: list[Dataset]) -> dict[str, Callable[[httpx.Client], httpx.Request]]:
    url = f"{http}/xds/imaging-source"
    headers = addressing.request_headers(Version.SOAP12, ACTION, "urn:uuid:1", url)
    message = envelope.write(Version.SOAP12, request(map(ask, datasets), [EXPLICIT]), headers)
    accept = f'multipart/related; type="application/dicom"; transfer-syntax={EXPLICIT}'
    study = f"{dicomweb}/studies/{datasets[0].StudyInstanceUID}"
    return {
        "WADO-RS": lambda client: client.build_request("GET", study, headers={"Accept": accept}),
        "RAD-69": lambda client: client.build_request(
            "POST", url, content=message, headers={"Content-Type": "application/soap+xml"}
        ),
    }


def _compare(ways: dict[str, Callable[[httpx.Client], httpx.Request]], rounds: int) -> None:
    rates: dict[str, list[float]] = {name: [] for name in ways}
    with httpx.Client(timeout=60) as client:
        for number in range(rounds + 1):
            for name, asked in ways.items():
                rate = _rate(client, asked(client))
                if number:  # the first round warms up
                    rates[name].append(rate)
    for name, values in rates.items():
        print(f"    {name:10s} {statistics.median(values):6.0f} MB/s ({min(values):.0f} to {max(values):.0f})")
    ratios = [mine / theirs for mine, theirs in zip(rates["RAD-69"], rates["WADO-RS"], strict=True)]
    print(f"    RAD-69 / WADO-RS {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), wanted 0.5")


def _rate(client: httpx.Client, request: httpx.Request) -> float:
    begun = time.perf_counter()
    answer = client.send(request, stream=True)
    size = sum(len(chunk) for chunk in answer.iter_raw())
    answer.close()
    if answer.status_code != 200:
        raise SystemExit(f"{request.url} answers {answer.status_code}")
    return size / 1e6 / (time.perf_counter() - begun)
