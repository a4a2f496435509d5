"""Every WSDL is served with addresses that lead back to the server, and zeep and wsimport make clients of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import zeep
import zeep.exceptions
from lxml import etree
from starlette.applications import Starlette

from tests.dicomweb.client import Web
from tests.soap.conftest import Live
from tests.soap.fake_repository import SIZES, STATUS, document
from tests.soap.test_jaxws import CLASS_PATH, NO_JAVA
from vna.soap.exchange import Rules
from vna.soap.service import Service
from vna.xml.namespaces import IHERAD, LCM, QUERY, RIM, RMD, RS, WSAW, WSDL, WSDL_SOAP12, XDSB, XSD
from xds.wsdl import wsdl

ITI, RAD = "urn:ihe:iti:", "urn:ihe:rad:"
ACTIONS = {
    "registry": {
        "DocumentRegistry_RegisterDocumentSet-b": f"{ITI}2007:RegisterDocumentSet-b",
        "DocumentRegistry_RegistryStoredQuery": f"{ITI}2007:RegistryStoredQuery",
        "DocumentRegistry_UpdateDocumentSet": f"{ITI}2010:UpdateDocumentSet",
        "DocumentRegistry_RegisterOnDemandDocumentEntry": f"{ITI}2010:RegisterOnDemandDocumentEntry",
        "DocumentRegistry_DeleteDocumentSet": f"{ITI}2010:DeleteDocumentSet",
        "DocumentRegistry_RestrictedUpdateDocumentSet": f"{ITI}2018:RestrictedUpdateDocumentSet",
    },
    "repository": {
        "DocumentRepository_ProvideAndRegisterDocumentSet-b": f"{ITI}2007:ProvideAndRegisterDocumentSet-b",
        "DocumentRepository_RetrieveDocumentSet": f"{ITI}2007:RetrieveDocumentSet",
        "DocumentRepository_RemoveDocuments": f"{ITI}2017:RemoveDocuments",
    },
    "imaging-source": {
        "ImagingDocumentSource_RetrieveImagingDocumentSet": f"{RAD}2009:RetrieveImagingDocumentSet",
    },
    "responding-gateway": {
        "RespondingGateway_CrossGatewayQuery": f"{ITI}2007:CrossGatewayQuery",
        "RespondingGateway_CrossGatewayRetrieve": f"{ITI}2007:CrossGatewayRetrieve",
        "RespondingGateway_CrossGatewayRetrieveImagingDocumentSet": (
            f"{RAD}2011:CrossGatewayRetrieveImagingDocumentSet"
        ),
    },
    "initiating-gateway": {
        "InitiatingGateway_RegistryStoredQuery": f"{ITI}2007:RegistryStoredQuery",
        "InitiatingGateway_RetrieveDocumentSet": f"{ITI}2007:RetrieveDocumentSet",
        "InitiatingGateway_RetrieveImagingDocumentSet": f"{RAD}2009:RetrieveImagingDocumentSet",
    },
}
FOLDER = Path(__file__).parents[2] / "xds" / "wsdl"


def served(name: str, tmp_path: Path, public_url: str = "") -> Web:
    service = Service(f"/xds/{name}", Rules({}), tmp_path, wsdl(name), public_url)
    return Web(Starlette(routes=service.routes()), "http://archive.example.org:8080")


def client_of(url: str) -> Any:
    return zeep.Client(url)  # type: ignore[no-untyped-call]  # zeep has no types


@pytest.mark.parametrize("name", ACTIONS)
def test_zeep_lists_the_operations_with_their_actions(name: str) -> None:
    client = client_of(str(FOLDER / f"{name}.wsdl"))
    (service,) = client.wsdl.services.values()
    (port,) = service.ports.values()
    assert {operation.name: operation.soapaction for operation in port.binding.all().values()} == ACTIONS[name]


@pytest.mark.parametrize("name", ACTIONS)
def test_everything_served_refers_to_addresses_that_are_served(name: str, tmp_path: Path) -> None:
    web = served(name, tmp_path)
    waiting, seen = [f"/xds/{name}?wsdl"], set()
    while waiting:
        url = waiting.pop()
        seen.add(url)
        answer = web.get(url)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8"), url
        for element in etree.fromstring(answer.content).iter(f"{{{XSD}}}import", f"{{{WSDL}}}import"):
            reference = element.get("schemaLocation") or element.get("location") or ""
            assert reference.startswith(f"http://archive.example.org:8080/xds/{name}?xsd=")
            waiting += [reference] if reference not in seen else []
    (address,) = etree.fromstring(web.get(f"/xds/{name}?WSDL").content).iter(f"{{{WSDL_SOAP12}}}address")
    assert address.get("location") == f"http://archive.example.org:8080/xds/{name}"


def test_the_public_address_stands_in_the_wsdl_where_one_is_set(tmp_path: Path) -> None:
    web = served("registry", tmp_path, public_url="https://vna.example.org/")
    (address,) = etree.fromstring(web.get("/xds/registry?wsdl").content).iter(f"{{{WSDL_SOAP12}}}address")
    assert address.get("location") == "https://vna.example.org/xds/registry"


@pytest.mark.parametrize("asked", ["?xsd=../__init__.py", "?xsd=/etc/passwd", "?xsd=xdsi.xsd", "?xsd=", "?other"])
def test_nothing_else_of_the_folder_is_served(asked: str, tmp_path: Path) -> None:
    answer = served("registry", tmp_path).get(f"/xds/registry{asked}")
    assert (answer.status_code, answer.json()["status"]) == (405, 405)


def test_every_answer_has_the_action_of_its_request_and_response(tmp_path: Path) -> None:
    """RAD-69 is answered by the action of ITI-43, as known peers do."""
    for name, actions in ACTIONS.items():
        root = etree.parse(FOLDER / f"{name}.wsdl").getroot()
        for operation in root.iterfind(f"{{{WSDL}}}portType/{{{WSDL}}}operation"):
            action = actions[operation.get("name", "")]
            answer = operation.find(f"{{{WSDL}}}output").get(f"{{{WSAW}}}Action")  # type: ignore[union-attr]
            is_images = action == f"{RAD}2009:RetrieveImagingDocumentSet"
            assert answer == (f"{ITI}2007:RetrieveDocumentSetResponse" if is_images else f"{action}Response")


def test_zeep_retrieves_by_mtom_and_reads_our_faults(repository: Live) -> None:
    client = client_of(f"{repository.url}?wsdl")
    asked = [{"RepositoryUniqueId": "1.2.3", "DocumentUniqueId": name} for name in SIZES]
    answer = client.service.DocumentRepository_RetrieveDocumentSet(DocumentRequest=asked)
    got = {found.DocumentUniqueId: found.Document for found in answer.DocumentResponse}
    assert {name: data or b"" for name, data in got.items()} == {name: document(name) for name in SIZES}
    with pytest.raises(zeep.exceptions.Fault, match="no document of that name is held"):
        client.service.DocumentRepository_RemoveDocuments(DocumentRequest=asked)


def test_zeep_provides_inline(repository: Live) -> None:
    client = client_of(f"{repository.url}?wsdl")
    documents = [{"_value_1": bytes(size), "id": f"doc{size}"} for size in (1, 100_000)]
    answer = client.service["DocumentRepository_ProvideAndRegisterDocumentSet-b"](
        SubmitObjectsRequest={"RegistryObjectList": {}}, Document=documents
    )
    assert answer.status == STATUS
    told = [error.codeContext.split()[:2] for error in answer.RegistryErrorList.RegistryError]
    assert told == [["doc1", "1"], ["doc100000", "100000"]]


@pytest.mark.skipif(NO_JAVA, reason="no JDK with libjaxws-java here")
def test_wsimport_makes_code_of_every_wsdl(tmp_path: Path) -> None:
    options = ("-XX:TieredStopAtLevel=1", "-cp", CLASS_PATH, "com.sun.tools.ws.WsImport")
    running = []
    for name in ACTIONS:
        (tmp_path / name).mkdir()
        command = ["java", *options, "-extension", "-quiet", "-Xnocompile", "-d", str(tmp_path / name)]
        running.append((name, subprocess.Popen([*command, str(FOLDER / f"{name}.wsdl")])))
    for name, process in running:
        assert process.wait(120) == 0, name
        (port,) = (tmp_path / name).rglob("*PortType.java")
        text = port.read_text()
        assert all(f'action = "{action}"' in text for action in ACTIONS[name].values()), name


SCHEMAS = {"rim": RIM, "rs": RS, "lcm": LCM, "query": QUERY, "xdsb": XDSB, "rmd": RMD, "xdsi": IHERAD}
TRANSACTIONS = {LCM: "lcm", XDSB: "xdsb", QUERY: "query"}


def test_our_schemas_take_the_messages_that_the_standards_take() -> None:
    """Sample messages of the test kit that its own schemas take."""
    fixtures = Path(__file__).parents[3] / "shared" / "data" / "xds" / "fixtures" / "nist"
    if not fixtures.is_dir():
        pytest.skip("the sample messages are not here")
    schemas = {name: etree.XMLSchema(etree.parse(FOLDER / f"{name}.xsd")) for name in SCHEMAS}
    theirs = {
        "lcm": etree.XMLSchema(etree.parse(fixtures.parents[1] / "schemas" / "lcm.xsd")),
        "query": etree.XMLSchema(etree.parse(fixtures.parents[1] / "schemas" / "query.xsd")),
    }
    compared = 0
    for path in sorted(fixtures.rglob("*.xml")):
        try:
            root = etree.parse(path).getroot()
        except etree.XMLSyntaxError:
            continue
        name = TRANSACTIONS.get(str(etree.QName(root).namespace), "")
        if name in theirs:
            compared += 1
            assert schemas[name].validate(root) == theirs[name].validate(root), path
    assert compared > 100


def test_the_wsdl_of_a_live_service_names_the_port_that_was_asked(repository: Live) -> None:
    (address,) = etree.fromstring(httpx.get(f"{repository.url}?wsdl").content).iter(f"{{{WSDL_SOAP12}}}address")
    assert address.get("location") == repository.url
