"""NIST's messages to a registry and a repository have the outcomes that NIST states, step by step."""

from __future__ import annotations

import itertools
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from lxml import etree

from storage.blobs.filesystem import FilesystemBlobs
from storage.index.engine import Database
from storage.index.migrate import upgrade
from storage.scratch import unbounded
from tests.xds import nist
from tests.xds.nist import Step
from tests.xds.registries import DOMAIN, NOW, Registries, contexts, errors, filled, found, make, status, valid
from vna.documents.imaging_source import ImagingSource
from vna.documents.repository import Repository
from vna.documents.responding_gateway import RespondingGateway
from vna.model.access import SYSTEM
from vna.security.policy import LocalPolicy
from vna.soap.message import Message
from vna.soap.versions import Version
from vna.xml.namespaces import XDSB, qname
from xds import iti38, iti41, responding_gateway
from xds.ebrim.vocabulary import FORMS
from xds.repository import operations

pytestmark = pytest.mark.skipif(not nist.FIXTURES.is_dir(), reason="NIST's messages are not beside the repository")

HOME = "urn:oid:1.1.1"
QUERY, REGISTER = "urn:ihe:iti:2007:RegistryStoredQuery", "urn:ihe:iti:2007:RegisterDocumentSet-b"
ACTIONS = {"StoredQueryTransaction": QUERY, "RegisterTransaction": REGISTER}
UNIQUE_IDS = {one.urn for form in FORMS.values() for one in form.identifiers if one.field == "unique_id"}
PATIENT_IDS = {one.urn for form in FORMS.values() for one in form.identifiers if one.field == "patient_id"}
TIMES = {"$lastyear$": "20250101", "$now$": f"{NOW + timedelta(seconds=1):%Y%m%d%H%M%S}"}
DATA = ("12346/single_doc", "12346/doc_w_fol", "12346/two_doc_w_fol", "12346/doc_for_rplc", "12346/rplc")
"""What the queries of 11897 to 11909 read."""
ORDER = ("submit", "rplc", "apnd", "xfrm", "eval")
REPOSITORY = "ProvideAndRegisterTransaction"
COUNTED = {
    "ObjectRefs": "//rim:ObjectRef",
    "Documents": "//rim:ExtrinsicObject",
    "SubmissionSets": "//rim:RegistryPackage[rim:Classification/@classificationNode="
    "'urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd']",
    "Folders": "//rim:RegistryPackage[rim:Classification/@classificationNode="
    "'urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2']",
    "Associations": "//rim:Association",
}
SHAPES = {  # documents, folders of an answer with one submission set
    "SSwithOneDoc": (1, 0),
    "SSwithTwoDoc": (2, 0),
    "SSwithOneFol": (0, 1),
    "SSwithOneDocOneFol": (1, 1),
    "SSwithTwoDocOneFol": (2, 1),
}
STATED = {
    "DocApp": "//rim:ExtrinsicObject[contains(@status, ':Approved')]",
    "DocDep": "//rim:ExtrinsicObject[contains(@status, ':Deprecated')]",
    "SSApproved": "//rim:RegistryPackage[contains(@status, ':Approved')]",
    "HasXFRM_RPLC": "//rim:Association[contains(@associationType, ':XFRM_RPLC')]",
}


class Runner:
    """Sends steps, and remembers what later steps refer to."""

    def __init__(self, registries: Registries, repository: Repository) -> None:
        self.registries = registries
        self.repository = repository
        self.numbers = itertools.count(1)
        self.done: dict[tuple[str, str], dict[str, str]] = {}
        self.patients: dict[str, str] = {}
        self.ask: Callable[[str, etree._Element], etree._Element] = registries.ask

    def run(self, section: str) -> None:
        """Every step of a plan, each with the outcome that it states."""
        for step in nist.steps(section):
            if step.kind == "NewPatientId":
                self.patients[_test(section)] = self._new_patient()
            else:
                judge(step, self.send(step))

    def send(self, step: Step) -> etree._Element:
        patient = self.patients.setdefault(_test(step.section), "") or self._new_patient()
        self.patients[_test(step.section)] = patient
        if step.element.find("AltPatientId") is not None:
            patient = _cx("UNKNOWN")
        values = {"$patientid$": patient, "$patient_id$": patient, "$altpatientid$": self._new_patient()} | TIMES
        text = filled(step.message.read_text(), _escaped(values | self._used(step)))
        body = etree.fromstring(text.encode())
        reported = self.done[step.section, step.name] = {}
        if step.kind in (REPOSITORY, "RegisterTransaction"):
            self._assign(step, body, reported)
            if step.transaction.find("NoPatientId") is None:
                for identifier in found(body, "//rim:ExternalIdentifier"):
                    if identifier.get("identificationScheme") in PATIENT_IDS:
                        identifier.set("value", patient)
        if step.kind == REPOSITORY:
            return self._provide(step, body)
        return self.ask(ACTIONS[step.kind], body)

    def _provide(self, step: Step, submitted: etree._Element) -> etree._Element:
        """With the documents that the plan names, as base64 where they stand."""
        request = etree.Element(qname(XDSB, "ProvideAndRegisterDocumentSetRequest"))
        request.append(submitted)
        for named in step.transaction.iterchildren("Document"):
            data = (nist.TESTS / step.section / (named.text or "").strip()).read_bytes()
            etree.SubElement(request, qname(XDSB, "Document"), id=named.get("id", "")).text = b64encode(data).decode()
        message = Message(Version.SOAP12, iti41.ACTION, "urn:uuid:1", request)
        answer = operations(self.repository)[iti41.ACTION](message, SYSTEM).body
        assert not isinstance(answer, bytes)
        return answer

    def _new_patient(self) -> str:
        patient = _cx(f"NIST-{next(self.numbers)}")
        self.registries.patients.register(SYSTEM, patient)
        return patient

    def _assign(self, step: Step, body: etree._Element, reported: dict[str, str]) -> None:
        """What NIST's tool fills in: uniqueIds, and UUIDs where the plan says so."""
        for identifier in found(body, "//rim:ExternalIdentifier"):
            if identifier.get("identificationScheme") in UNIQUE_IDS:
                identifier.set("value", f"1.2.42.{next(self.numbers)}")
                reported[f"AssignedUids/{identifier.get('registryObject')}"] = identifier.get("value")
        if step.transaction.find("AssignUuids") is not None:
            self._assign_uuids(body, reported)
        for report in step.transaction.iterchildren("Report"):
            reported[report.get("name", "")] = str(found(body, (report.text or "").strip())[0])

    def _assign_uuids(self, body: etree._Element, reported: dict[str, str]) -> None:
        things = found(body, "//rim:ExtrinsicObject | //rim:RegistryPackage")
        names = {thing.get("id"): f"urn:uuid:00000000-0000-4000-8000-{next(self.numbers):012x}" for thing in things}
        for element in body.iter():
            for attribute, value in element.attrib.items():
                if value in names:
                    element.set(attribute, names[value])
        reported |= {f"AssignedUuids/{name}": uuid for name, uuid in names.items()}

    def _used(self, step: Step) -> dict[str, str]:
        """Values of earlier steps: UseId by object, UseReport by name."""
        values = {}
        for use in step.transaction.iterchildren("UseId"):
            if use.get("section") != "AssignedPatientId":
                section = _resolved(step.section, use.get("testdir", "."))
                held = self.done[section, use.get("step", "")]
                values[use.get("symbol", "")] = held[f"{use.get('section')}/{use.get('id')}"]
        for use in step.transaction.iterchildren("UseReport"):
            if use.get("test") is None:
                section = f"{step.section.partition('/')[0]}/{use.get('section')}"
                values[use.get("useAs", "")] = self.done[section, use.get("step", "")][use.get("reportName", "")]
        return values


def judge(step: Step, answer: etree._Element) -> None:
    """The stated status; the code, counts and shapes where there are some."""
    where = f"{step.section} {step.name}"
    assert status(answer) == step.expected, f"{where}: {errors(answer)} {contexts(answer)}"
    if step.expected_code:
        assert errors(answer) == [step.expected_code], where
    for expected in step.transaction.iterfind("ExpectedContents/*"):
        name = str(expected.tag)
        if name in COUNTED:
            assert len(found(answer, COUNTED[name])) == int(expected.get("count", "0")), f"{where}: {name}"
        elif name in SHAPES:
            counts = [len(found(answer, COUNTED[kind])) for kind in ("SubmissionSets", "Documents", "Folders")]
            assert counts == [1, *SHAPES[name]], f"{where}: {name}"
        elif name in STATED:
            assert found(answer, STATED[name]), f"{where}: {name}"
        else:
            assert name == "None", f"{where}: {name} means nothing to this runner"
            assert not found(answer, "//rim:RegistryObjectList/*"), where


def _test(section: str) -> str:
    """Sections of one test share a patient; queries have that of what they read."""
    test, _, rest = section.partition("/")
    if "11897" <= test <= "11909":
        return "12346"
    return test if rest else f"{test} at once"


def _cx(identifier: str) -> str:
    return f"{identifier}^^^&{DOMAIN}&ISO"


def _resolved(section: str, folder: str) -> str:
    return str((Path("/") / section / folder).resolve().relative_to("/"))


def _escaped(values: dict[str, str]) -> dict[str, str]:
    return {name: value.replace("&", "&amp;") for name, value in values.items()}


def _plans() -> list[str]:
    if not nist.FIXTURES.is_dir():
        return []
    return sorted(set(nist.sections()) - nist.NOT_USED, key=lambda one: (_alone(one), _place(one), one))


def _place(section: str) -> int:
    name = section.partition("/")[2].partition("_")[0]
    return ORDER.index(name) if name in ORDER else 0


def _alone(section: str) -> str:
    return section.partition("/")[0]


QUERIES = [plan for plan in _plans() if _test(plan) == "12346" and plan not in DATA]
TESTS = sorted({_alone(plan) for plan in _plans() if _test(plan) != "12346"})


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def runner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('nist')}/index.sqlite"
    else:
        url = request.getfixturevalue("postgres_server").new_database()
    database = Database(url)
    upgrade(database)
    registries = make(database)
    blobs = FilesystemBlobs(tmp_path_factory.mktemp("blobs"))
    repository = Repository(
        database, blobs, LocalPolicy(), registries.registry, lambda: "1.2.3", max_bytes=1 << 20, room=unbounded
    )
    made = Runner(registries, repository)
    for plan in DATA:
        made.run(plan)
    yield made
    database.close()


@pytest.mark.parametrize("plan", QUERIES)
def test_a_query_over_what_was_submitted_finds_what_nist_states(runner: Runner, plan: str) -> None:
    runner.run(plan)


@pytest.fixture
def elsewhere(runner: Runner) -> Iterator[Runner]:
    """The same, asked by another community: ITI-38 in the place of ITI-18."""
    images = cast("ImagingSource", None)  # not asked for
    gateway = RespondingGateway(HOME, LocalPolicy(), runner.registries.registry, runner.repository, images)

    def ask(action: str, body: etree._Element) -> etree._Element:
        assert action == QUERY
        found(body, "//rim:AdhocQuery")[0].set("home", HOME)
        reply = responding_gateway.operations(gateway)[iti38.ACTION](
            Message(Version.SOAP12, iti38.ACTION, "urn:uuid:1", body), SYSTEM
        )
        answer = etree.fromstring(reply.body if isinstance(reply.body, bytes) else etree.tostring(reply.body))
        assert valid(answer)
        assert {one.get("location") for one in found(answer, "//rs:RegistryError")} <= {HOME}
        objects = found(answer, "//rim:ExtrinsicObject | //rim:RegistryPackage | //rim:ObjectRef")
        assert {one.get("home") for one in objects} <= {HOME}
        return answer

    direct, runner.ask = runner.ask, ask
    yield runner
    runner.ask = direct


@pytest.mark.parametrize("plan", QUERIES)
def test_a_query_of_another_community_finds_what_nist_states(elsewhere: Runner, plan: str) -> None:
    elsewhere.run(plan)


@pytest.mark.parametrize("test", TESTS)
def test_submissions_have_the_outcome_that_nist_states(runner: Runner, test: str) -> None:
    for plan in _plans():
        if _alone(plan) == test and plan not in DATA:
            runner.run(plan)


def test_every_message_of_the_index_is_sent() -> None:
    kinds = Counter(step.kind for plan in _plans() for step in nist.steps(plan))
    assert kinds == {"StoredQueryTransaction": 103, "RegisterTransaction": 45, REPOSITORY: 9, "NewPatientId": 2}
