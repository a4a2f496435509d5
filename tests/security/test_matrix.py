"""Every role at every door: what it finds and reads of a study that it reaches and of one that it does not.

The table is written by hand. `given`: it is found or given. `hidden`: it is as if it were not there. `refused`: the
role has no right to do this, whatever it is about.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
import pytest
from lxml import etree
from pydicom import Dataset
from pydicom.dataset import Dataset as Identifier
from pynetdicom import AE, build_role, evt

from dimse.upper_layer.inprocess import listening
from storage.index.permits import PermitStudy
from tests.archives import Backend, put, ready, rows
from tests.dicomweb.client import Web
from tests.objects import ct, part10
from tests.security.test_reach import AYSE, MEHMET
from tests.sgk import messages
from tests.worklist.ordering import order
from tests.xds.builders import query
from tests.xds.imaging import Ask, request
from vna.app import Application, build
from vna.app.doors import Addresses, dimse_server, http_application
from vna.documents.repository import WantedDocument
from vna.metrics import Metrics
from vna.model.access import SYSTEM, Action, Actor, Role
from vna.model.codes import Code
from vna.model.orders import OrderedPatient
from vna.security.roles import ROLES
from vna.soap import addressing, envelope
from vna.soap.versions import Version
from xds import imaging_source, iti18, iti43, rad69, registry, repository
from xds.repository_client import retrieve_request

GIVEN, HIDDEN, REFUSED = "given", "hidden", "refused"
PASSWORD = "a long secret"
DOMAIN = "2.16.840.1.113883.3.3731"
CT = "1.2.840.10008.5.1.4.1.1.2"
FIND, GET, WORKLIST = (
    "1.2.840.10008.5.1.4.1.2.2.1",
    "1.2.840.10008.5.1.4.1.2.2.3",
    "1.2.840.10008.5.1.4.31",
)

ACCOUNTS: dict[str, dict[str, Any]] = {
    "citizen": {"role": "citizen", "person": AYSE},
    "clinician": {"role": "clinician", "facility": "34001"},
    "radiologist": {"role": "radiologist", "facility": "34001"},
    "hospital-administrator": {"role": "hospital-administrator", "facility": "34001"},
    "national-operator": {"role": "national-operator"},
    "payer-clerk": {"role": "payer-clerk", "facility": "99001"},
    "payer-inspector": {"role": "payer-inspector", "facility": "99001"},
    "system": {"rights": frozenset({Action.STORE, Action.QUERY, Action.RETRIEVE, Action.READ_DOCUMENTS})},
}

READERS = ("citizen", "clinician", "radiologist", "hospital-administrator", "payer-inspector")
"""Who reaches one of the two studies."""

READING = (
    *("search studies", "search series", "count", "page", "change feed"),
    *("retrieve", "retrieve metadata", "retrieve frames", "rendered", "thumbnail", "bulk data", "WADO-URI"),
    *("C-FIND", "C-GET", "ITI-18", "ITI-18 by id", "ITI-43", "RAD-69"),
)

EXPECTED: dict[str, dict[str, tuple[str, str]]] = {
    **{door: dict.fromkeys(READERS, (GIVEN, HIDDEN)) for door in READING},
    # facilities other than by patient: documents of the registry are manifests of studies that are reached
    "store": {
        "citizen": (REFUSED, REFUSED),
        "clinician": (GIVEN, GIVEN),
        "radiologist": (GIVEN, GIVEN),
        "hospital-administrator": (GIVEN, GIVEN),
        "payer-inspector": (REFUSED, REFUSED),
    },
    "delete": {
        "citizen": (REFUSED, REFUSED),
        "clinician": (REFUSED, REFUSED),
        "radiologist": (REFUSED, REFUSED),
        "hospital-administrator": (GIVEN, HIDDEN),
        "payer-inspector": (REFUSED, REFUSED),
    },
    "worklist": {
        "citizen": (HIDDEN, HIDDEN),
        "clinician": (GIVEN, HIDDEN),
        "radiologist": (GIVEN, HIDDEN),
        "hospital-administrator": (GIVEN, HIDDEN),
        "payer-inspector": (HIDDEN, HIDDEN),
    },
    "look-up": {
        "citizen": (HIDDEN, HIDDEN),
        "clinician": (GIVEN, HIDDEN),
        "radiologist": (GIVEN, HIDDEN),
        "hospital-administrator": (GIVEN, HIDDEN),
        "payer-inspector": (HIDDEN, HIDDEN),
    },
    "list of a patient": {
        "citizen": (HIDDEN, HIDDEN),
        "clinician": (GIVEN, HIDDEN),
        "radiologist": (GIVEN, HIDDEN),
        "hospital-administrator": (GIVEN, HIDDEN),
        "payer-inspector": (HIDDEN, HIDDEN),
    },
    "status of an order": {
        "citizen": (REFUSED, REFUSED),
        "clinician": (GIVEN, HIDDEN),
        "radiologist": (GIVEN, HIDDEN),
        "hospital-administrator": (GIVEN, HIDDEN),
        "payer-inspector": (REFUSED, REFUSED),
    },
    "check of a bill": {
        "citizen": (HIDDEN, HIDDEN),
        "clinician": (GIVEN, GIVEN),
        "radiologist": (GIVEN, GIVEN),
        "hospital-administrator": (GIVEN, GIVEN),
        "payer-inspector": (GIVEN, GIVEN),
    },
    "other archives": dict.fromkeys(READERS, (REFUSED, REFUSED)),
    "settings of sources": dict.fromkeys(READERS, (REFUSED, REFUSED)),
}
for _door, _rows in EXPECTED.items():
    _is_check = _door == "check of a bill"
    _no_right = HIDDEN if _door in ("look-up", "list of a patient") else REFUSED  # look-ups say 1010 for either
    _rows["payer-clerk"] = (GIVEN, GIVEN) if _is_check else (_no_right, _no_right)
    _rows["national-operator"] = (GIVEN, GIVEN)
    if _door == "page":  # which says so itself
        _rows["payer-clerk"] = (HIDDEN, HIDDEN)
    if _door in READING or _door in ("store", "worklist"):
        _rows["system"] = (GIVEN, GIVEN)


@dataclass
class Study:
    """One of the two, with what the doors need to ask for it."""

    image: Dataset
    facility: str
    patient: str
    accession: str
    manifest: str = ""
    entry: str = ""

    @property
    def uid(self) -> str:
        return str(self.image.StudyInstanceUID)

    @property
    def path(self) -> str:
        return f"/dicom-web/studies/{self.uid}"

    @property
    def instance(self) -> str:
        return f"{self.path}/series/{self.image.SeriesInstanceUID}/instances/{self.image.SOPInstanceUID}"


class Doors:
    """Each asks for a study as somebody, and says in a word what came of it."""

    def __init__(self, archive: Application, dicom: int) -> None:
        self.archive = archive
        self.port = dicom
        app = http_application(archive, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())
        self.web = {name: Web(app, "http://127.0.0.1:8080", Authorization=_basic(name)) for name in ACCOUNTS}

    def ask(self, door: str, name: str, study: Study) -> str:
        return _DOORS[door](self, name, study)

    def get(self, name: str, path: str, **params: str) -> str:
        """By status; an answer that says anything of what is hidden is caught where it is compared."""
        answer = self.web[name].get(path, params=params)
        if answer.status_code == 404:
            unknown = self.web[name].get(_unknown(path), params={key: _unknown(text) for key, text in params.items()})
            assert (unknown.status_code, unknown.text) == (404, answer.text)
            return HIDDEN
        return {200: GIVEN, 206: GIVEN, 204: HIDDEN, 403: REFUSED}[answer.status_code]

    def listed(self, name: str, study: Study, path: str, **params: str) -> str:
        answer = self.web[name].get(path, params=params)
        if answer.status_code == 403:
            return REFUSED
        assert answer.status_code in (200, 204), answer.text
        return GIVEN if study.uid in answer.text else HIDDEN

    def count(self, name: str, study: Study) -> str:
        answer = self.web[name].get("/dicom-web/studies/count", params={"StudyInstanceUID": study.uid})
        return REFUSED if answer.status_code == 403 else GIVEN if answer.json()["count"] else HIDDEN

    def store(self, name: str, _study: Study) -> str:
        body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + part10(ct()) + b"\r\n--b--\r\n"
        kind = 'multipart/related; type="application/dicom"; boundary=b'
        answer = self.web[name].post("/dicom-web/studies", content=body, headers={"Content-Type": kind})
        return {200: GIVEN, 403: REFUSED}[answer.status_code]

    def delete(self, name: str, study: Study) -> str:
        """Of an instance that is not there: whoever may delete in the study is told so."""
        path = f"{study.path}/series/{study.image.SeriesInstanceUID}/instances/1.2.3"
        if study.facility == "06001" or name in ("hospital-administrator", "national-operator"):
            extra = ct(
                StudyInstanceUID=study.uid, PatientID=study.patient, InstitutionName=f"H^^^SKRS{study.facility}^^^FK1"
            )
            put(self.archive, part10(extra))
            path = f"{study.path}/series/{extra.SeriesInstanceUID}/instances/{extra.SOPInstanceUID}"
        answer = self.web[name].request("DELETE", path)
        return {204: GIVEN, 200: GIVEN, 404: HIDDEN, 403: REFUSED}[answer.status_code]

    def soap(self, name: str, path: str, action: str, body: etree._Element) -> str:
        headers = addressing.request_headers(Version.SOAP12, action, "urn:uuid:1", path)
        message = envelope.write(Version.SOAP12, body, headers)
        answer = self.web[name].post(path, content=message, headers={"Content-Type": "application/soap+xml"})
        return answer.text

    def stored_query(self, name: str, study: Study, *, by_id: bool) -> str:
        slots = (
            {"XDSDocumentEntryEntryUUID": f"('{study.entry}')"}
            if by_id
            else {
                "XDSDocumentEntryPatientId": f"'{study.patient}^^^&{DOMAIN}&ISO'",
                "XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
            }
        )
        identifier = (
            "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
            if by_id
            else "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
        )
        answer = self.soap(name, registry.PATH, iti18.ACTION, query(identifier, **slots))
        if "no right" in answer:
            return REFUSED
        assert "ResponseStatusType:Success" in answer
        return GIVEN if study.entry in answer else HIDDEN

    def document(self, name: str, study: Study) -> str:
        own = self.archive.repository._repository_unique_id()
        body = retrieve_request([WantedDocument(own, study.manifest)])
        answer = self.soap(name, repository.PATH, iti43.ACTION, body)
        return REFUSED if "no right" in answer else GIVEN if "ResponseStatusType:Success" in answer else HIDDEN

    def images(self, name: str, study: Study) -> str:
        own = self.archive.repository._repository_unique_id()
        one = study.image
        asked = Ask(study.uid, one.SeriesInstanceUID, one.SOPInstanceUID, own)
        answer = self.soap(name, imaging_source.PATH, rad69.ACTION, request([asked]))
        return REFUSED if "no right" in answer else GIVEN if "ResponseStatusType:Success" in answer else HIDDEN

    def order(self, name: str, study: Study) -> str:
        answer = self.web[name].get(f"/api/teleradiology/orders/{study.facility}/{study.accession}")
        return {200: GIVEN, 404: HIDDEN, 403: REFUSED}[answer.status_code]

    def look_up(self, name: str, study: Study, operation: str, **fields: Any) -> str:
        facility = ACCOUNTS[name].get("facility", "34001")
        said = {"saglikTesisKodu": MEDULA[facility], **fields}
        content = messages.message(operation, **said)
        answer = self.web[name].post(
            messages.PATH, content=content, headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        )
        told = messages.said(answer.content)
        if told["sonucKodu"] == "1010":
            if "accession" in said:
                said["accession"] = "NEVERMADE"
            bare = self.web[name].post(
                messages.PATH,
                content=messages.message(operation, **said),
                headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'},
            )
            assert messages.said(bare.content) == told  # the same for what there is not
            return HIDDEN
        assert told["sonucKodu"] == "0000", told
        return GIVEN if operation == "accessionDogrula" or told.get("goruntuBilgileri") else HIDDEN

    def dicom(self, name: str, service: str, study: Study) -> str:
        identifier = Identifier()
        received: list[str] = []

        def store(event: evt.Event) -> int:
            received.append(str(event.dataset.SOPInstanceUID))
            return 0

        ae = AE(ae_title=name[:16].upper())
        for uid in (FIND, GET, WORKLIST, CT):
            ae.add_requested_context(uid)
        assoc = ae.associate(
            "127.0.0.1",
            self.port,
            ae_title="VNA",
            ext_neg=[build_role(CT, scp_role=True)],
            evt_handlers=[(evt.EVT_C_STORE, store)],
        )
        assert assoc.is_established
        try:
            if service == WORKLIST:
                identifier.AccessionNumber = study.accession
            else:
                identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", study.uid
            if service == GET:
                answers = list(assoc.send_c_get(identifier, GET))
            else:
                answers = list(assoc.send_c_find(identifier, service))
        finally:
            assoc.release()
        statuses = [status.Status for status, _ in answers]
        if statuses[-1] == 0x0124:
            return REFUSED
        assert statuses[-1] == 0x0000, statuses
        return GIVEN if received or len(statuses) > 1 else HIDDEN


MEDULA = {"34001": 11340001, "06001": 11060001, "99001": 11990001}
"""The payer's codes of the facilities."""


def _basic(name: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()


def _unknown(text: str) -> str:
    """The same with another study in it."""
    for study in STUDIES:
        text = text.replace(study.uid, "1.2.826.0.1.3680043.10.99")
    return text


STUDIES: list[Study] = []
_DOORS: dict[str, Callable[[Doors, str, Study], str]] = {
    "search studies": lambda d, n, s: d.listed(n, s, "/dicom-web/studies", limit="100"),
    "search series": lambda d, n, s: d.listed(n, s, f"{s.path}/series"),
    "count": Doors.count,
    "page": lambda d, n, s: d.listed(n, s, "/"),
    "change feed": lambda d, n, s: d.listed(n, s, "/dicom-web/changefeed", limit="100"),
    "retrieve": lambda d, n, s: d.get(n, s.path),
    "retrieve metadata": lambda d, n, s: d.get(n, f"{s.path}/metadata"),
    "retrieve frames": lambda d, n, s: d.get(n, f"{s.instance}/frames/1"),
    "rendered": lambda d, n, s: d.get(n, f"{s.instance}/rendered"),
    "thumbnail": lambda d, n, s: d.get(n, f"{s.instance}/thumbnail"),
    "bulk data": lambda d, n, s: d.get(n, f"{s.instance}/bulkdata/7FE00010"),
    "WADO-URI": lambda d, n, s: d.get(
        n,
        "/wado",
        requestType="WADO",
        studyUID=s.uid,
        seriesUID=s.image.SeriesInstanceUID,
        objectUID=s.image.SOPInstanceUID,
    ),
    "C-FIND": lambda d, n, s: d.dicom(n, FIND, s),
    "C-GET": lambda d, n, s: d.dicom(n, GET, s),
    "worklist": lambda d, n, s: d.dicom(n, WORKLIST, s),
    "ITI-18": lambda d, n, s: d.stored_query(n, s, by_id=False),
    "ITI-18 by id": lambda d, n, s: d.stored_query(n, s, by_id=True),
    "ITI-43": Doors.document,
    "RAD-69": Doors.images,
    "store": Doors.store,
    "delete": Doors.delete,
    "look-up": lambda d, n, s: d.look_up(n, s, "goruntuSorgula", accession=s.accession, hastaTCK=s.patient),
    "list of a patient": lambda d, n, s: d.look_up(n, s, "goruntuListele", hastaTCK=s.patient),
    "check of a bill": lambda d, n, s: d.look_up(
        n, s, "accessionDogrula", accession=s.accession, hastaTCK=s.patient, sutKodu="804150"
    ),
    "status of an order": lambda d, n, s: d.order(n, s),
    "other archives": lambda d, n, s: d.get(n, "/dicom-web/studies", StudyInstanceUID=s.uid, across="true"),
    "settings of sources": lambda d, n, _s: d.get(n, "/api/sources"),
}


@contextmanager
def _listening(archive: Application) -> Iterator[int]:
    """The DICOM door, where each AE title is the account of that name: user identity is negotiated elsewhere."""

    def actor_for(calling_ae: str, address: str, _certificate: object = None) -> Actor:
        name = next(name for name in ACCOUNTS if name[:16].upper() == calling_ae.strip())
        return archive.accounts.authenticate_basic(name, PASSWORD, address)

    archive.peers.actor_for = actor_for  # type: ignore[method-assign, assignment]
    with listening(dimse_server(archive), grace_seconds=0.2) as port:
        yield port


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder: Path = tmp_path_factory.mktemp("matrix")
    profile = folder / "profile.toml"
    profile.write_text(f'[[patients]]\nissuer = "*"\nauthority = "{DOMAIN}"\n', "utf-8")
    sections: dict[str, dict[str, object]] = {
        "security": {"mode": "enforced"},
        "xds": {"affinity_domain": DOMAIN, "unknown_patients": "register", "profile": str(profile)},
    }
    settings = Backend("sqlite+folder", folder).settings(**sections)
    ready(settings)
    archive = build(settings)
    facilities = [Code(code, f"Hastane {code}", {"medula_code": str(medula)}) for code, medula in MEDULA.items()]
    archive.national.codes.load(SYSTEM, "facilities", "1", facilities)
    for facility, patient, accession in (("34001", AYSE, "A1"), ("06001", MEHMET, "B1")):
        image = ct(PatientID=patient, AccessionNumber=accession, InstitutionName=f"H^^^SKRS{facility}^^^FK1")
        STUDIES.append(Study(image, facility, patient, accession))
        archive.national.orders.place(SYSTEM, order(accession, facility, patient=OrderedPatient("F1", patient)))
        put(archive, part10(image))
        archive.publishing.request(SYSTEM, image.StudyInstanceUID)
    archive.catch_up()
    for study in STUDIES:
        published = archive.publishing.published(SYSTEM, study.uid)
        assert published is not None
        study.manifest, study.entry = published.unique_id, published.entry_uuid
    for name, said in ACCOUNTS.items():
        archive.accounts.add_user(
            SYSTEM,
            name,
            PASSWORD,
            said.get("rights"),
            said.get("facility"),
            role=said.get("role"),
            person=said.get("person"),
        )
    week = datetime.now(UTC) + timedelta(days=7)
    about = [PermitStudy(STUDIES[0].uid)]
    archive.guarding.permits.case(SYSTEM, "payer-inspector", about, reason="file 1", until=week)
    with _listening(archive) as port:
        yield Doors(archive, port)
    STUDIES.clear()
    archive.close()


CELLS = [(door, name) for door, named in EXPECTED.items() for name in named]


def test_the_table_has_every_role_at_every_door() -> None:
    assert set(EXPECTED) == set(_DOORS)
    assert all({*Role} <= set(named) for named in EXPECTED.values())
    assert set(ROLES) == set(Role)


@pytest.mark.parametrize(("door", "name"), CELLS)
def test_each_role_at_each_door_is_answered_as_the_table_says(doors: Doors, door: str, name: str) -> None:
    answered = tuple(doors.ask(door, name, study) for study in STUDIES)
    assert answered == EXPECTED[door][name]


def test_a_clinician_breaks_glass_over_http_by_saying_why(doors: Doors) -> None:
    other, broken = STUDIES[1], "SELECT study_instance_uid, detail FROM events WHERE kind = 'glass.broken'"
    said = {"Break-Glass": "trafik kazas%C4%B1, bilinci kapal%C4%B1"}
    for name in ("citizen", "radiologist", "payer-inspector", "system"):
        expected = 200 if name == "system" else 404
        assert doors.web[name].get(f"{other.path}/metadata", headers=said).status_code == expected
    assert doors.web["clinician"].get(f"{other.path}/metadata", headers={"Break-Glass": "x"}).status_code == 400
    assert rows(doors.archive, broken) == []
    assert doors.web["clinician"].get(f"{other.path}/metadata", headers=said).status_code == 200
    ((study, detail),) = rows(doors.archive, broken)
    assert study == other.uid
    assert orjson.loads(str(detail))["reason"] == unquote(said["Break-Glass"])
    assert doors.web["clinician"].get(f"{other.path}/metadata").status_code == 404
