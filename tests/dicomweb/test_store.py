"""STOW-RS: what comes in is stored part by part, and what is refused is refused with its reason."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from starlette.applications import Starlette

from dicomweb.routes import routes
from dicomweb.service import StudiesService
from tests import objects
from tests.dicomweb.builders import BOUNDARY, ROOT, STOW_TYPE, ct, part10, stow_body
from tests.dicomweb.client import Web
from tests.dicomweb.conftest import Stow
from vna.app.wiring import Application
from vna.archive.store import Store, StoreRules
from vna.model.access import Coercion
from vna.model.errors import Unavailable
from vna.security.http import HttpRules, local

BASE = "http://127.0.0.1:8080/dicom-web"


def held(web: Web) -> set[str]:
    answer = web.get("instances")
    return {one["00080018"]["Value"][0] for one in answer.json()} if answer.content else set()


def reasons(answer: dict[str, Any], tag: str = "00081198") -> list[int]:
    return [item["00081197"]["Value"][0] for item in answer[tag]["Value"]]


def spooled(archive: Application) -> list[Path]:
    return list(archive.blobs.spool_folder.iterdir())


@pytest.mark.claim("PS3.18-10.5.3.1/200", "PS3.18-10.5.3.3", "PS3.18-I.1", "PS3.18-10.5.4")
def test_all_stored_is_200_with_the_address_of_each(stow: Stow, web: Web) -> None:
    first, second = ct(), ct(InstanceNumber=2)
    response = stow(first, second)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/dicom+json"
    answer = response.json()
    study = f"{BASE}/studies/{first.StudyInstanceUID}"
    assert answer["00081190"] == {"vr": "UR", "Value": [study]}
    assert [item["00081155"]["Value"][0] for item in answer["00081199"]["Value"]] == [
        first.SOPInstanceUID,
        second.SOPInstanceUID,
    ]
    url = answer["00081199"]["Value"][0]["00081190"]["Value"][0]
    assert url == f"{study}/series/{first.SeriesInstanceUID}/instances/{first.SOPInstanceUID}"
    assert "00081198" not in answer
    assert web.get(url, headers={"Accept": "application/dicom"}).content == part10(first)


@pytest.mark.claim("PS3.18-10.5.1.4/single")
def test_one_instance_needs_no_multipart(web: Web) -> None:
    ds = ct()
    response = web.post("studies", content=part10(ds), headers={"Content-Type": "application/dicom"})
    assert response.status_code == 200
    assert held(web) == {ds.SOPInstanceUID}


@pytest.mark.claim("PS3.18-10.5.1.3", "PS3.18-8.7.1")
def test_type_and_quotes_may_be_left_out_of_the_content_type(web: Web) -> None:
    ds = ct()
    headers = {"Content-Type": f"multipart/related; boundary={BOUNDARY}", "Accept": "*/*"}
    assert web.post("studies", content=stow_body(part10(ds)), headers=headers).status_code == 200
    assert held(web) == {ds.SOPInstanceUID}


@pytest.mark.claim("PS3.18-10.5.4")
def test_the_answer_is_xml_for_those_who_ask_for_xml(stow: Stow) -> None:
    response = stow(ct(), Accept="application/dicom+xml")
    assert response.headers["content-type"] == "application/dicom+xml"
    assert b'keyword="ReferencedSOPSequence"' in response.content


@pytest.mark.claim("PS3.18-10.5.3.1/202", "PS3.18-10.5.3.2", "PS3.18-10.5.3.3", "PS3.18-I.1")
def test_some_stored_is_202_and_the_others_say_why(stow: Stow, web: Web) -> None:
    good, empty = ct(), ct(StudyInstanceUID="")
    response = stow(good, empty)
    assert response.status_code == 202
    answer = response.json()
    assert reasons(answer) == [0xC000]
    failed = answer["00081198"]["Value"][0]
    assert failed["00081155"]["Value"] == [empty.SOPInstanceUID]
    assert failed["00081150"]["Value"] == [empty.SOPClassUID]
    assert "StudyInstanceUID" in response.headers["warning"]
    assert held(web) == {good.SOPInstanceUID}


@pytest.mark.claim("PS3.18-10.5.3.3", "PS3.18-I.1")
def test_each_failure_is_told_in_words_beside_its_number(stow: Stow, web: Web) -> None:
    answer = stow(ct(), ct(StudyInstanceUID=""), ct(SOPInstanceUID="1.2.x")).json()
    (failed,) = answer["00081198"]["Value"]
    assert failed["00000902"] == {"vr": "LO", "Value": ["StudyInstanceUID is missing or empty"]}
    body = stow_body(b"this is not DICOM" * 100)
    refused = web.post("studies", content=body, headers={"Content-Type": STOW_TYPE})
    (other,) = refused.json()["0008119A"]["Value"]
    assert other["00000902"]["Value"] == ["the file is no DICOM file: no DICM prefix, no group 0008 first"]
    assert Dataset.from_json(refused.text).OtherFailuresSequence[0].ErrorComment.startswith("the file is no DICOM file")
    in_xml = stow(ct(StudyInstanceUID=""), Accept="application/dicom+xml").text
    assert 'tag="00000902" vr="LO" keyword="ErrorComment"><Value number="1">StudyInstanceUID is missing' in in_xml


@pytest.mark.claim("PS3.18-8.5/409", "PS3.18-10.5.3.1/409")
def test_none_stored_is_409(stow: Stow, web: Web) -> None:
    assert stow(ct(SeriesInstanceUID=""), ct(StudyInstanceUID="")).status_code == 409
    assert held(web) == set()


@pytest.mark.claim("PS3.18-10.5.1.1", "PS3.18-10.5.2/mismatch", "PS3.18-I.2.2")
def test_a_study_in_the_address_has_to_be_that_of_the_instances(stow: Stow, web: Web) -> None:
    good, other = ct(), ct(StudyInstanceUID=f"{ROOT}.2")
    response = stow(good, other, study=good.StudyInstanceUID)
    assert response.status_code == 202
    assert reasons(response.json()) == [0xA900]
    assert held(web) == {good.SOPInstanceUID}


@pytest.mark.claim("PS3.18-I.2.2")
def test_the_same_again_is_success_and_other_content_is_0111(stow: Stow, web: Web) -> None:
    ds = ct()
    assert stow(ds).status_code == 200
    assert stow(ds).status_code == 200
    ds.PatientComments = "changed"
    response = stow(ds)
    assert response.status_code == 409
    assert reasons(response.json()) == [0x0111]
    assert len(held(web)) == 1


@pytest.mark.claim("PS3.18-I.1", "PS3.18-I.2.2")
def test_bytes_that_are_no_instance_are_listed_without_a_name(web: Web) -> None:
    body = stow_body(b"this is not DICOM" * 100, b"")
    response = web.post("studies", content=body, headers={"Content-Type": STOW_TYPE})
    assert response.status_code == 409
    assert reasons(response.json(), "0008119A") == [0xC000, 0xC000]
    assert "00081198" not in response.json()


def test_a_part_of_another_type_is_refused_alone(web: Web) -> None:
    ds = ct()
    body = stow_body(b"{}", content_type="text/csv").removesuffix(b"--\r\n") + b"\r\n"
    body += stow_body(part10(ds)).removeprefix(f"--{BOUNDARY}\r\n".encode())
    response = web.post("studies", content=body, headers={"Content-Type": STOW_TYPE})
    assert response.status_code == 202
    assert reasons(response.json(), "0008119A") == [0xC000]
    assert held(web) == {ds.SOPInstanceUID}


@pytest.mark.claim("PS3.18-8.5/415", "PS3.18-10.5.1.3", "PS3.18-10.5.3.1/415")
@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/csv",
        "text/plain",
        'multipart/related; type="image/jpeg"; boundary=a',
        "multipart/form-data; boundary=a",
        "nonsense",
    ],
)
def test_an_unknown_content_type_is_415(web: Web, content_type: str) -> None:
    response = web.post("studies", content=b"x", headers={"Content-Type": content_type})
    assert response.status_code == 415
    assert "application/dicom" in response.json()["message"]


@pytest.mark.claim("PS3.18-8.5/415")
@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "nonsense"])
def test_a_body_in_a_coding_other_than_gzip_is_415_and_says_so(web: Web, coding: str) -> None:
    headers = {"Content-Type": "application/dicom", "Content-Encoding": coding}
    response = web.post("studies", content=b"x", headers=headers)
    assert response.status_code == 415
    assert response.json()["message"] == f"a body is taken as it is or in gzip, not in {coding}"
    assert response.headers["accept-encoding"] == "gzip"


def gzipped(content: bytes, content_type: str = STOW_TYPE) -> dict[str, Any]:
    return {"content": content, "headers": {"Content-Type": content_type, "Content-Encoding": "gzip"}}


def test_a_body_in_gzip_is_taken_as_if_it_were_not(web: Web) -> None:
    small, large, alone = ct(), ct(frames=12, rows=512, columns=512), ct()
    body = stow_body(part10(small), part10(large))
    half = len(body) // 2
    members = gzip.compress(body[:half]) + gzip.compress(body[half:])
    assert web.post("studies", **gzipped(members)).status_code == 200
    assert web.post("studies", **gzipped(gzip.compress(part10(alone)), "application/dicom")).status_code == 200
    for ds in (small, large, alone):
        url = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
        assert web.get(url, headers={"Accept": "application/dicom"}).content == part10(ds)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda _: b"not compressed", "not gzip"),
        (lambda _: b"", "boundary"),
        (lambda packed: packed[:-12], "ends within"),
        (lambda packed: packed[:50], "ends within"),
        (lambda packed: packed + b"more", "not gzip"),
        (lambda packed: packed[:-8] + bytes(8), "not gzip"),
    ],
)
def test_a_broken_gzip_body_is_told_and_leaves_nothing_half(
    web: Web, archive: Application, damage: Callable[[bytes], bytes], words: str
) -> None:
    ds = ct()
    response = web.post("studies", **gzipped(damage(gzip.compress(stow_body(part10(ds))))))
    assert response.status_code in (202, 400)
    assert words in (response.headers.get("warning") or response.json()["message"])
    assert held(web) == ({ds.SOPInstanceUID} if response.status_code == 202 else set())
    assert spooled(archive) == []


@pytest.mark.claim("PS3.18-8.5/413")
def test_a_gzip_bomb_is_413_and_leaves_nothing(archive: Application, service: StudiesService) -> None:
    bounded = replace(service, max_body=4 << 20)
    web = Web(local(Starlette(routes=routes(bounded)), HttpRules()), f"{BASE}/")
    large = ct(frames=32, rows=512, columns=512, PixelData=bytes(16 << 20))
    for content, kind in ((stow_body(part10(large)), STOW_TYPE), (part10(large), "application/dicom")):
        response = web.post("studies", **gzipped(gzip.compress(content, 1), kind))
        assert response.status_code == 413
        assert "out of its compression" in response.text
        assert held(web) == set()
        assert spooled(archive) == []
        assert list(archive.blobs.names("studies")) == []


@pytest.mark.claim("PS3.18-10.5.3.1/400")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "boundary"),
        (b"nothing", "boundary"),
        (f"--{BOUNDARY}--".encode(), "no part"),
        (f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\nDICM".encode(), "ends within part 1"),
        (f"--{BOUNDARY}\r\nContent-Type".encode(), "ends within part 1"),
        (f"--{BOUNDARY}\r\nContent-Type\r\n\r\n".encode(), "no field"),
        (f"--{BOUNDARY}\r\n".encode() + b"X: y\r\n" * 10_000, "longer than"),
    ],
)
def test_a_malformed_body_of_which_nothing_was_stored_is_400(web: Web, body: bytes, words: str) -> None:
    response = web.post("studies", content=body, headers={"Content-Type": STOW_TYPE})
    assert response.status_code == 400
    assert words in response.json()["message"]


def test_a_multipart_body_without_a_boundary_is_400(web: Web) -> None:
    response = web.post("studies", content=b"x", headers={"Content-Type": "multipart/related"})
    assert response.status_code == 400
    assert "boundary" in response.json()["message"]


@pytest.mark.claim("PS3.18-10.5.1.4/broken")
def test_what_came_before_a_malformed_place_stays_stored_and_is_said(web: Web, archive: Application) -> None:
    first, second = ct(), ct()
    body = stow_body(part10(first), part10(second))
    response = web.post("studies", content=body[:-40], headers={"Content-Type": STOW_TYPE})
    assert response.status_code == 202
    answer = response.json()
    assert answer["00081199"]["Value"][0]["00081155"]["Value"] == [first.SOPInstanceUID]
    assert answer["00081198"]["Value"][0]["00081155"]["Value"] == [second.SOPInstanceUID]
    assert reasons(answer) == [0xC000]
    assert "ends within part 2" in response.headers["warning"]
    assert held(web) == {first.SOPInstanceUID}
    assert spooled(archive) == []


def test_more_parts_than_the_bound_are_refused_after_those_within(web: Web) -> None:
    files = [part10(ct()) for _ in range(51)]
    response = web.post("studies", content=stow_body(*files), headers={"Content-Type": STOW_TYPE})
    assert response.status_code == 202
    assert len(held(web)) == 50
    assert "more than 50 parts" in response.headers["warning"]


@pytest.mark.parametrize("uid", ["1.2.x", "1" * 65, "%2e%2e", "1.2%5c3", "-"])
def test_a_study_in_the_address_that_is_no_uid_is_400(web: Web, uid: str) -> None:
    response = web.post(f"studies/{uid}", content=b"x", headers={"Content-Type": "application/dicom"})
    assert response.status_code == 400


def use(archive: Application, rules: StoreRules) -> Store:
    return Store(archive.database, archive.blobs, archive.policy, lambda _: None, rules)


@pytest.mark.claim("PS3.18-8.5/507", "PS3.18-I.2.2")
def test_too_little_free_space_is_507(web: Web, archive: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    full = use(archive, StoreRules(min_free=1 << 62))
    monkeypatch.setattr(archive.store, "open", full.open)
    response = web.post("studies", content=stow_body(part10(ct())), headers={"Content-Type": STOW_TYPE})
    assert response.status_code == 507
    assert reasons(response.json()) == [0xA700]
    assert "VNA_STORAGE__MIN_FREE" in response.headers["warning"]


@pytest.mark.claim("PS3.18-10.5.3.1/413")
def test_an_instance_over_the_bound_is_413_alone_and_202_among_others(
    web: Web, archive: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded = use(archive, StoreRules(max_bytes=2_000_000))
    monkeypatch.setattr(archive.store, "open", bounded.open)
    small, large = ct(), ct(frames=10, rows=512, columns=512)
    files = [part10(small), part10(large)]
    both = web.post("studies", content=stow_body(*files), headers={"Content-Type": STOW_TYPE})
    assert both.status_code == 202
    assert reasons(both.json()) == [0xA700]
    assert held(web) == {small.SOPInstanceUID}
    alone = web.post("studies", content=files[1], headers={"Content-Type": "application/dicom"})
    assert alone.status_code == 413
    assert spooled(archive) == []


@pytest.mark.claim("PS3.18-8.5/503")
def test_an_index_that_is_down_is_503(stow: Stow, archive: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> None:
        raise Unavailable("the index does not answer")

    monkeypatch.setattr(archive.store, "accept", down)
    assert stow(ct()).status_code == 503


@pytest.mark.claim("PS3.18-I.2.2")
def test_an_unexpected_failure_is_a_processing_failure_and_is_logged_once(
    stow: Stow, archive: Application, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(archive.store, "accept", broken)
    response = stow(ct())
    assert response.status_code == 409
    assert reasons(response.json()) == [0x0110]
    assert "secret" not in response.text
    assert [record.exc_info is not None for record in caplog.records if record.levelname == "ERROR"] == [True]


@pytest.mark.claim("PS3.18-10.5.1.4/parts", "PS3.18-10.5.2")
def test_large_and_small_instances_come_back_bit_for_bit(stow: Stow, web: Web) -> None:
    datasets: list[Dataset] = [ct(frames=n, rows=512, columns=512) for n in (1, 3, 12)]
    assert stow(*datasets).status_code == 200
    for ds in datasets:
        url = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
        assert web.get(url, headers={"Accept": "application/dicom"}).content == part10(ds)


@pytest.mark.parametrize(
    "attributes",
    [
        {"SOPInstanceUID": ""},
        {"SOPInstanceUID": "1.2.abc"},
        {"SOPInstanceUID": "1." + "2" * 70},
        {"StudyInstanceUID": "../../etc/passwd"},
        {"SeriesInstanceUID": None},
    ],
)
def test_bad_uids_are_refused_in_words(stow: Stow, web: Web, archive: Application, attributes: Any) -> None:
    response = stow(ct(**attributes))
    assert response.status_code == 409
    assert next(iter(attributes)) in response.headers["warning"]
    assert held(web) == set()
    assert spooled(archive) == []


@pytest.mark.claim("PS3.18-I.2.1", "PS3.18-10.5.3.1/202")
def test_what_is_stored_in_spite_of_a_value_that_breaks_its_rules_has_a_warning_reason(web: Web) -> None:
    ds = ct(SOPInstanceUID=f"{ROOT}.4")
    file = part10(ds).replace(f"{ROOT}.4".encode(), f"{ROOT}.5".encode(), 1)  # what group 2 says
    response = web.post("studies", content=file, headers={"Content-Type": "application/dicom"})
    (item,) = response.json()["00081199"]["Value"]
    assert (response.status_code, item["00081196"]["Value"]) == (202, [0xB007])
    assert "MediaStorageSOPInstanceUID" in item["00000902"]["Value"][0]
    assert held(web) == {ds.SOPInstanceUID}


@pytest.mark.claim("PS3.18-I.2.2")
def test_a_class_and_a_syntax_that_are_not_known_have_reasons_of_their_own(web: Web) -> None:
    unknown = objects.part10(objects.ct(SOPClassUID="1.2.826.0.1.3680043.10.1561.7"))
    odd = objects.part10(objects.ct()).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.7\0", 1)
    for file, reason in ((unknown, 0x0122), (odd, 0xC122)):
        response = web.post("studies", content=file, headers={"Content-Type": "application/dicom"})
        assert (response.status_code, reasons(response.json())) == (409, [reason])


@pytest.mark.claim("PS3.18-10.5.2/coercion", "PS3.18-10.4.3.2")
def test_a_correction_changes_what_is_given_and_not_what_is_kept(
    stow: Stow, web: Web, archive: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Coercion(set=(("InstitutionName", "Merkez"),))
    corrected = Store(archive.database, archive.blobs, archive.policy, lambda _: rules, StoreRules(min_free=0))
    monkeypatch.setattr(archive.store, "accept", corrected.accept)
    ds = ct(InstitutionName="Eski")
    url = stow(ds).json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    given = pydicom.dcmread(BytesIO(web.get(url, headers={"Accept": "application/dicom"}).content))
    assert given.InstitutionName == "Merkez"
    assert web.get(f"{url}/metadata").json()[0]["00080080"]["Value"] == ["Merkez"]
    (name,) = archive.blobs.names("studies")
    assert archive.blobs.read(name) == part10(ds)
