"""The look-ups by accession number: a SOAP 1.1 service in the manner of the payer's own (docs/sgk.md)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urljoin

import httpx
from lxml import etree

from conformance.checks.dicomweb_studies import expect_status, stow
from conformance.suite import objects
from conformance.suite.check import Failed, NotApplicable, Target, check
from conformance.suite.lookups import CONTENT_TYPE, Answer, answered, ask, enveloped, foreigner, question, send
from conformance.suite.session import Session
from conformance.suite.soap import SOAP12

DOOR: Final = Target.SGK
IMAGES: Final = (Target.DICOMWEB,)
SERVICE: Final = ("look-ups",)
OPERATIONS: Final = ("goruntuSorgula", "goruntuListele", "goruntuLinkiAl", "accessionDogrula", "mukerrerSorgula")
CT_CODE: Final = "804000"
"""A SUT code that requires an accession number."""
_DISCLOSED: Final = {"modality", "cekimTarihi", "kurumKodu", "kurumAdi"}
_WSDL: Final = "{http://schemas.xmlsoap.org/wsdl/}"
_WSDL_SOAP: Final = "{http://schemas.xmlsoap.org/wsdl/soap/}"
_XSD: Final = "{http://www.w3.org/2001/XMLSchema}"


@dataclass(frozen=True, slots=True)
class Known:
    """An examination that has images."""

    accession: str
    patient: str
    study: str

    def named(self) -> dict[str, str]:
        """Number and person."""
        return {"accession": self.accession, "hastaTCK": self.patient}


def known(session: Session) -> Known:
    """One that the server was given by STOW-RS, as soon as a look-up finds it."""

    def store() -> Known:
        one = Known(f"{session.mark}K1", foreigner(), session.uid())
        image = objects.image(
            session,
            PatientID=one.patient,
            AccessionNumber=one.accession,
            StudyInstanceUID=one.study,
            InstitutionName=f"HASTANE^^^SKRS{session.caller.facility}^^^FK1",
        )
        expect_status(stow(session, image), 200)
        until = time.monotonic() + session.caller.timeout
        while ask(session, "goruntuSorgula", **one.named()).code == "1006":
            if time.monotonic() > until:
                raise Failed("an examination that was stored is not found by its accession number")
            time.sleep(0.2)
        return one

    return session.once("the examination to look up", store)


def coded(answer: Answer, wanted: str, what: str) -> Answer:
    """Failed where the result is another."""
    if answer.code != wanted:
        raise Failed(f"{what} is answered {answer.code}, not {wanted}")
    return answer


def said(answer: Answer, name: str, wanted: str) -> None:
    """Failed where a text is another."""
    if answer.texts.get(name) != wanted:
        raise Failed(f"{name} is {answer.texts.get(name)!r}, not {wanted!r}")


# -------------------------------------------------------------------------------------------------------- description


def _fetched(session: Session, url: str) -> etree._Element:
    answer = expect_status(session.web.get(url), 200)
    try:
        return etree.fromstring(answer.content, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as exc:
        raise Failed(f"{url} is no XML: {exc}") from exc


@check(
    "sgk.wsdl.described", "docs/sgk.md", "?wsdl describes the five operations, at this address", DOOR, covers=SERVICE
)
def described(session: Session) -> None:
    wsdl = _fetched(session, f"{session.targets.sgk}?wsdl")
    if wsdl.tag != f"{_WSDL}definitions":
        raise Failed(f"it is {wsdl.tag}")
    names = [one.get("name") for one in wsdl.iterfind(f"{_WSDL}portType/{_WSDL}operation")]
    if sorted(map(str, names)) != sorted(OPERATIONS):
        raise Failed(f"its operations are {names}")
    places = [one.get("location", "") for one in wsdl.iter(f"{_WSDL_SOAP}address")]
    if not places or not all(httpx.URL(one).path == httpx.URL(session.targets.sgk).path for one in places):
        raise Failed(f"its addresses are {places}")
    styles = {one.get("style") for one in wsdl.iter(f"{_WSDL_SOAP}binding")}
    uses = {one.get("use") for one in wsdl.iter(f"{_WSDL_SOAP}body")}
    if (styles, uses) != ({"document"}, {"literal"}):
        raise Failed(f"its style is {styles}, its use {uses}, not document and literal")


@check(
    "sgk.wsdl.schema", "docs/sgk.md", "Schemas that the WSDL imports are there and are schemas", DOOR, covers=SERVICE
)
def schema(session: Session) -> None:
    wsdl = _fetched(session, f"{session.targets.sgk}?wsdl")
    places = [one.get("schemaLocation", "") for one in wsdl.iter(f"{_XSD}import", f"{_XSD}include")]
    found = [_fetched(session, urljoin(f"{session.targets.sgk}?wsdl", one)) for one in places if one]
    wrong = [one.tag for one in found if one.tag != f"{_XSD}schema"]
    elements = {one.get("name") for top in (wsdl, *found) for one in top.iter(f"{_XSD}element")}
    if wrong or not set(OPERATIONS) <= elements:
        raise Failed(f"no schema has the elements {sorted(set(OPERATIONS) - elements)}; of another kind: {wrong}")


# ------------------------------------------------------------------------------------------------------------ look-ups


@check(
    "sgk.find.number",
    "docs/sgk.md",
    "An accession number alone tells that there are images, and nothing of the person",
    DOOR,
    also=IMAGES,
    covers=SERVICE,
)
def number(session: Session) -> None:
    answer = coded(ask(session, "goruntuSorgula", accession=known(session).accession), "0000", "a known number")
    said(answer, "goruntuVarMi", "true")
    rows = answer.rows.get("goruntuBilgileri", [])
    if len(rows) != 1 or set(rows[0]) - _DISCLOSED:
        raise Failed(f"{len(rows)} rows tell {sorted({name for row in rows for name in row} - _DISCLOSED)}")


@check(
    "sgk.find.person",
    "docs/sgk.md",
    "An accession number with its patient tells everything of the examination",
    DOOR,
    also=IMAGES,
    covers=SERVICE,
)
def person(session: Session) -> None:
    one = known(session)
    answer = coded(ask(session, "goruntuSorgula", **one.named()), "0000", "a known number with its patient")
    rows = answer.rows.get("goruntuBilgileri", [])
    if [(row.get("accession"), row.get("studyInstanceUID")) for row in rows] != [(one.accession, one.study)]:
        raise Failed(f"the rows are {rows}")


@check(
    "sgk.find.other-person",
    "docs/sgk.md",
    "An accession number with another patient is 1007, and tells nothing of the examination",
    DOOR,
    also=IMAGES,
    covers=SERVICE,
)
def other_person(session: Session) -> None:
    asked = {**known(session).named(), "hastaTCK": foreigner()}
    answer = coded(ask(session, "goruntuSorgula", **asked), "1007", "a known number with another patient")
    if answer.rows:
        raise Failed("the answer has rows")


@check("sgk.find.unknown", "docs/sgk.md", "An accession number that is not known is 1006", DOOR, covers=SERVICE)
def unknown(session: Session) -> None:
    answer = coded(ask(session, "goruntuSorgula", accession=f"{session.mark}NONE"), "1006", "an unknown number")
    if answer.rows:
        raise Failed("the answer has rows")


@check(
    "sgk.list.found",
    "docs/sgk.md",
    "The examinations of a patient are listed and counted; of one who has none there are none",
    DOOR,
    also=IMAGES,
    covers=SERVICE,
)
def listed(session: Session) -> None:
    one = known(session)
    answer = coded(ask(session, "goruntuListele", hastaTCK=one.patient), "0000", "a list")
    said(answer, "toplam", "1")
    if [row.get("studyInstanceUID") for row in answer.rows.get("goruntuBilgileri", [])] != [one.study]:
        raise Failed("the list has another examination, or none")
    said(coded(ask(session, "goruntuListele", hastaTCK=foreigner()), "0000", "a list of nobody"), "toplam", "0")


@check(
    "sgk.link.once",
    "docs/sgk.md",
    "A link opens as often as is asked for (once), and is 410 after that",
    DOOR,
    also=IMAGES,
    covers=SERVICE,
)
def link(session: Session) -> None:
    asked = {**known(session).named(), "isteyenTCK": foreigner()}
    answer = coded(ask(session, "goruntuLinkiAl", **asked), "0000", "a link")
    url = answer.texts.get("url", "")
    if not url.startswith("http") or not answer.texts.get("gecerlilikSonu"):
        raise Failed("the answer has no url, or no gecerlilikSonu")
    here = httpx.URL(session.targets.sgk).join(httpx.URL(url).raw_path.decode())
    expect_status(session.web.get(str(here)), 200, 302, 303)
    expect_status(session.web.get(str(here)), 410)


@check(
    "sgk.verify.found",
    "docs/sgk.md",
    "A number fits a SUT code when there are images of it; 9998 and 9999 fit and have none",
    DOOR,
    also=IMAGES,
    covers=SERVICE,
)
def verified(session: Session) -> None:
    asked = {"sutKodu": CT_CODE, **known(session).named()}
    answer = coded(ask(session, "accessionDogrula", **asked), "0000", "a known number")
    said(answer, "uygun", "true")
    said(answer, "goruntuVarMi", "true")
    for marker in ("9998", "9999"):
        answer = coded(ask(session, "accessionDogrula", sutKodu=CT_CODE, accession=marker), "0000", marker)
        said(answer, "uygun", "true")
        said(answer, "goruntuVarMi", "false")


@check("sgk.duplicates.none", "docs/sgk.md", "Of a person without examinations none is repeated", DOOR, covers=SERVICE)
def no_duplicates(session: Session) -> None:
    answer = coded(ask(session, "mukerrerSorgula", hastaTCK=foreigner(), sutKodu=CT_CODE), "0000", "the question")
    said(answer, "mukerrer", "false")
    if answer.rows:
        raise Failed("the answer has rows")


# --------------------------------------------------------------------------------------------------------- parameters

_PERSON: Final = "10000000146"
"""An invented number whose checksum is right; that of _NOBODY is wrong."""
_NOBODY: Final = "10000000145"
_WRONG: Final[tuple[tuple[str, str, str, str, dict[str, Any]], ...]] = (
    ("no-facility", "A look-up without its facility", "1001", "goruntuSorgula",
     {"saglikTesisKodu": None, "accession": "A1"}),
    ("no-number", "A look-up of images without a number", "1001", "goruntuSorgula", {}),
    ("empty-number", "A look-up of images with an empty number", "1001", "goruntuSorgula", {"accession": "  "}),
    ("no-person", "A list without a patient", "1001", "goruntuListele", {}),
    ("long-number", "A number of 17 characters", "1002", "goruntuSorgula", {"accession": "A" * 17}),
    ("backslash", "A number with a backslash", "1002", "goruntuSorgula", {"accession": "A\\B"}),
    ("no-required-number", "A SUT code that requires a number, without one", "1003", "accessionDogrula",
     {"sutKodu": CT_CODE}),
    ("marker", "9998 as the number of images", "1004", "goruntuSorgula", {"accession": "9998"}),
    ("marker-analogue", "9999 as the number of images", "1004", "goruntuSorgula", {"accession": "9999"}),
    ("checksum", "A national number with a wrong checksum", "1005", "goruntuListele", {"hastaTCK": _NOBODY}),
    ("short-person", "A national number of ten digits", "1005", "goruntuListele", {"hastaTCK": "1000000014"}),
    ("date", "A day that is not in the calendar", "1011", "goruntuListele",
     {"hastaTCK": _PERSON, "baslangicTarihi": "31.02.2026"}),
    ("period", "A period that ends before it begins", "1011", "goruntuListele",
     {"hastaTCK": _PERSON, "baslangicTarihi": "02.01.2026", "bitisTarihi": "01.01.2026"}),
    ("first-of-two", "A number that is malformed, of a patient who is: the first in order", "1002", "goruntuSorgula",
     {"accession": "A\\B", "hastaTCK": _NOBODY}),
)  # fmt: skip


def _parameter(operation: str, fields: dict[str, Any], code: str, session: Session) -> None:
    answer = coded(ask(session, operation, **fields), code, "the look-up")
    if answer.rows:
        raise Failed("the answer has rows")


for _name, _title, _code, _operation, _fields in _WRONG:
    check(
        f"sgk.parameter.{_name}", "docs/sgk.md", f"{_title} is {_code}", DOOR, covers=SERVICE
    )(partial(_parameter, _operation, _fields, _code))  # fmt: skip


# --------------------------------------------------------------------------------------------------------------- SOAP


@check("sgk.soap.action", "docs/sgk.md", "Whatever SOAPAction says, the Body is what is asked", DOOR, covers=SERVICE)
def action(session: Session) -> None:
    fields = {"saglikTesisKodu": session.caller.facility, "accession": f"{session.mark}NONE"}
    for one in ('""', "", '"urn:anything"'):
        reply = send(session, question("goruntuSorgula", fields), one)
        coded(answered(reply, "goruntuSorgula"), "1006", f"SOAPAction {one}")


_FIELDS = "<saglikTesisKodu>1</saglikTesisKodu><accession>A1</accession>"
_FAULTS: Final = (
    ("no-xml", "SOAP 1.1 4.4.1", "What is no XML is a fault: Client", b"<soap:Envelope", "Client"),
    ("no-envelope", "SOAP 1.1 4.4.1", "What is no envelope is a fault: Client", b"<goruntuSorgula/>", "Client"),
    ("no-operation", "docs/sgk.md", "An operation that there is not is a fault: Client",
     enveloped('<s:goruntuSil xmlns:s="urn:vna:sgk:goruntu-paylasim:1"/>'), "Client"),
    ("other-namespace", "docs/sgk.md", "An operation of another namespace is a fault: Client",
     enveloped(f'<s:goruntuSorgula xmlns:s="urn:o"><goruntuSorgulaGiris>{_FIELDS}</goruntuSorgulaGiris>'
               "</s:goruntuSorgula>"), "Client"),
    ("version", "SOAP 1.1 4.4.1", "A message of SOAP 1.2 is a fault: VersionMismatch",
     enveloped("<x/>").replace(b"http://schemas.xmlsoap.org/soap/envelope/", SOAP12.encode()), "VersionMismatch"),
    ("must-understand", "SOAP 1.1 4.2.3", "A header that must be understood and is not is a fault: MustUnderstand",
     question("goruntuSorgula", {"saglikTesisKodu": 1, "accession": "A1"}).replace(
         b"<soap:Body>", b'<soap:Header><x xmlns="urn:x" soap:mustUnderstand="1"/></soap:Header><soap:Body>'),
     "MustUnderstand"),
    ("document-type", "SOAP 1.1 3", "A message with a document type declaration is a fault: Client",
     b'<!DOCTYPE x [<!ENTITY e "A1">]>' + question("goruntuSorgula", {"accession": "A1"}), "Client"),
)  # fmt: skip


def _faulty(content: bytes, wanted: str, session: Session) -> None:
    reply = send(session, content)
    code, _ = reply.fault()
    if (code, reply.status) != (wanted, 500):
        raise Failed(f"the fault is {code} with {reply.status}, not {wanted} with 500 (SOAP 1.1 6.2)")


for _name, _clause, _title, _content, _wanted in _FAULTS:
    check(f"sgk.soap.{_name}", _clause, _title, DOOR, covers=SERVICE)(partial(_faulty, _content, _wanted))


@check(
    "sgk.login.wrong",
    "docs/sgk.md",
    "Where a login is asked for, a wrong one is 401, and says nothing of images",
    DOOR,
    covers=SERVICE,
)
def wrong_login(session: Session) -> None:
    content = question("goruntuSorgula", {"saglikTesisKodu": session.caller.facility, "accession": "A1"})
    headers = {"Content-Type": CONTENT_TYPE, "SOAPAction": '""', "Authorization": "Basic bm9ib2R5Om5vdGhpbmc="}
    answer = session.web.post(session.targets.sgk, content, headers=headers)
    if answer.status_code == 200:
        raise NotApplicable("no login is asked for")
    expect_status(answer, 401)
    if not answer.headers.get("WWW-Authenticate"):
        raise Failed("the answer does not say how to log in (RFC 9110 11.6.1)")
    if b"sonucKodu" in answer.content:
        raise Failed("the answer says more than that")
