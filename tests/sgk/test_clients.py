"""Generic clients that know nothing but the WSDL call every operation of a running server."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
import zeep
import zeep.exceptions
from lxml import etree
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken

from tests.archives import Backend
from tests.dicomweb.client import Web
from tests.sgk.conftest import AYSE, OTHER, PASSWORD, Archive
from tests.sgk.messages import NAMESPACE, PATH
from tests.soap.test_jaxws import CLASS_PATH, NO_JAVA, java, run
from vna.app import build, migrate, prepare
from vna.app.doors import Addresses, http_application
from vna.metrics import Metrics
from vna.model.access import SYSTEM, Action
from vna.model.codes import Code
from vna.sgk import contract
from vna.xml.namespaces import WSDL, WSDL_SOAP11, XSD

OWN, MEDULA = "500059", 11060001
FOLDER = contract.OURS.parent


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of the look-ups of an archive in enforced mode, and the study that it holds."""
    settings = Backend("sqlite+folder", tmp_path_factory.mktemp("sgk")).settings(security={"mode": "enforced"})
    migrate(settings)
    prepare(settings)
    application = build(settings)
    app = http_application(application, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())
    archive = Archive(application, Web(app, "http://127.0.0.1:8080"))
    application.national.codes.load(SYSTEM, "facilities", "1", [Code(OWN, "Örnek", {"medula_code": str(MEDULA)})])
    archive.user("hospital", Action.LOOK_UP, facility=OWN)
    study = archive.images(OWN, PatientID=AYSE)
    archive.stands(archive.order("B1", OWN, requested_at="20260901100000"), has_images=True)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http="httptools", ws="none", lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}", study
    server.should_exit = True
    thread.join(10)
    application.close()


def _client(url: str, **options: Any) -> Any:
    return zeep.Client(f"{url}?wsdl", **options)  # type: ignore[no-untyped-call]  # zeep has no types


def _basic(url: str) -> Any:
    transport: Any = Transport()  # type: ignore[no-untyped-call]
    transport.session.auth = ("hospital", PASSWORD)
    return _client(url, transport=transport)


def _with_token(url: str) -> Any:
    return _client(url, wsse=UsernameToken("hospital", PASSWORD))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("client_of", [_basic, _with_token])
def test_zeep_calls_every_operation(live: tuple[str, str], client_of: Any) -> None:
    url, study = live
    service = client_of(url).service
    common = {"saglikTesisKodu": MEDULA}

    found = service.goruntuSorgula({**common, "accession": "A1", "hastaTCK": AYSE})
    assert (found.sonucKodu, found.goruntuVarMi, found.raporVarMi) == ("0000", True, False)
    assert [(one.studyInstanceUID, one.modality, one.kurumAdi) for one in found.goruntuBilgileri] == [
        (study, ["CT"], "Örnek")
    ]
    assert service.goruntuListele({**common, "hastaTCK": AYSE}).toplam == 1
    link = service.goruntuLinkiAl({**common, "accession": "A1", "hastaTCK": AYSE, "isteyenTCK": OTHER})
    assert httpx.get(link.url).status_code == 303
    assert httpx.get(link.url).status_code == 410
    verified = service.accessionDogrula({**common, "sutKodu": "804000"})
    assert (verified.sonucKodu, verified.uygun) == ("1003", False)
    repeated = service.mukerrerSorgula({**common, "hastaTCK": AYSE, "sutKodu": "804000", "islemTarihi": "01.12.2026"})
    assert (repeated.mukerrer, repeated.muaf, repeated.oncekiTetkikler[0].accession) == (True, False, "B1")


def test_zeep_reads_a_refusal_and_a_fault(live: tuple[str, str]) -> None:
    service = _basic(live[0]).service

    assert service.goruntuSorgula({"saglikTesisKodu": 1, "accession": "A1"}).sonucKodu == "1010"
    with pytest.raises(zeep.exceptions.Fault, match="whole number from 1 to 1000") as raised:
        service.goruntuLinkiAl(
            {"saglikTesisKodu": 1, "accession": "A", "hastaTCK": AYSE, "isteyenTCK": AYSE, "kullanimSayisi": 5000}
        )
    assert raised.value.code.endswith("Client")


def test_the_wsdl_is_read_without_a_login_and_says_whose_it_is(live: tuple[str, str]) -> None:
    url, _ = live
    answer = httpx.get(f"{url}?wsdl")
    root = etree.fromstring(answer.content)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert "it is not SGK's" in " ".join((root.findtext(f"{{{WSDL}}}documentation") or "").split())
    (address,) = root.iter(f"{{{WSDL_SOAP11}}}address")
    assert address.get("location") == url
    assert root.get("targetNamespace") == NAMESPACE
    (service,) = root.iter(f"{{{WSDL}}}service")
    (port,) = service.iter(f"{{{WSDL}}}port")
    assert (service.get("name"), port.get("name")) == ("GoruntuPaylasimService", "GoruntuPaylasimPort")
    assert {one.get("soapAction") for one in root.iter(f"{{{WSDL_SOAP11}}}operation")} == {""}
    (reference,) = (one.get("schemaLocation") for one in root.iter(f"{{{XSD}}}import"))
    assert httpx.get(str(reference)).content.startswith(b"<?xml")


def test_the_schema_has_the_names_of_the_table_in_its_order() -> None:
    said = contract.read()
    schema = etree.parse(FOLDER / "goruntu-paylasim.xsd").getroot()
    assert schema.get("elementFormDefault") == "unqualified"
    types = {
        one.get("name"): [child.get("name") for child in one.iter(f"{{{XSD}}}element")]
        for one in schema.iter(f"{{{XSD}}}complexType")
    }
    result = [said.result.code, said.result.message]
    for names in said.operations.values():
        assert types[names.request] == [names.question]
        assert types[names.response] == [names.answer]
        assert types[f"{names.question}DVO"] == list(names.takes.values())
        assert types[f"{names.answer}DVO"] == [*result, *names.gives.values()]
    assert types["goruntuBilgisiDVO"] == list(said.images.values())
    assert types["oncekiTetkikDVO"] == list(said.earlier.values())
    many = {one.get("name") for one in schema.iter() if one.get("maxOccurs") == "unbounded"}
    assert many == {"goruntuBilgileri", "oncekiTetkikler", "modality"}


@pytest.mark.skipif(NO_JAVA, reason="no JDK with libjaxws-java here")
def test_jax_ws_calls_every_operation(live: tuple[str, str], tmp_path: Path) -> None:
    url, study = live
    java("com.sun.tools.ws.WsImport", "-extension", "-quiet", "-Xnocompile", f"{url}?wsdl", folder=tmp_path)
    shutil.copy(Path(__file__).with_name("LookupPeer.java"), tmp_path)
    sources = [path.relative_to(tmp_path) for path in tmp_path.rglob("*.java")]
    run("javac", "-nowarn", "-proc:none", "-cp", CLASS_PATH, "-d", ".", *sources, folder=tmp_path)
    said = java("LookupPeer", f"{url}?wsdl", "hospital", PASSWORD, MEDULA, "A1", AYSE, OTHER, folder=tmp_path)

    assert said.splitlines() == [
        f"sorgula 0000 true {study} [CT] 1",
        "listele 0000 1",
        "link 0000 true",
        "dogrula 1003 false",
        f"mukerrer 0000 true {OWN}",
    ]
