"""An examination from its order to the payer, by programs that are not ours; found elsewhere, ordered again, added to,
renamed, and all of it again after a reindex.

The archive is served once for all tests: `taken` walks the whole way and keeps what was answered on it.
"""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from pydicom import Dataset
from zeep.helpers import serialize_object

from tests.archives import Backend, start_archive
from tests.hl7 import national as messages
from tests.hl7.messages import adt
from tests.journeys.national_site import ELSEWHERE, HOSPITAL, MEDULA, Receiver, Site, receiving
from tests.objects import ct
from tests.peers.dcmtk import Dcmtk
from tests.peers.processes import wait_for
from tests.teleradiology.dose_reports import DOSE_SR, container, number, report
from tests.teleradiology.payer import PASSWORD as PAYER_PASSWORD
from tests.teleradiology.payer import USER as PAYER_USER
from tests.teleradiology.payer import PayerService, served
from tests.worklist.ordering import AYSE, order
from vna.app import build

NOW = datetime.now(ZoneInfo("Europe/Istanbul"))
CT_IMAGE, MR_IMAGE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
STEP_DATE = "ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate"
BASIC_TEXT_SR, PDF = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.104.1"
HEAD, BRAIN = "804000^Bilgisayarlı tomografi, beyin", "804101^MR, beyin"
DOCTOR = messages.DOCTOR
RADIOLOGISTS = messages.person(messages.RADIOLOGIST, "RAPOR", "ECE")
RADIOLOGIST = {"number": messages.RADIOLOGIST, "name": "RAPOR^ECE"}
HTML = (
    messages.part(f"<p>{messages.FINDINGS}</p><script>alert(1)</script>", 3),
    messages.part("<b>Normal</b> sınırlarda inceleme.", 4),
    messages.part("Kontrastsız kesitler.", 1),
    messages.part("Önceki inceleme yok.", 2),
)
ADDED = "Ek: kontrol önerilir, klinik ile birlikte değerlendiriniz."


def at(**later: float) -> str:
    return (NOW + timedelta(**later)).strftime("%Y%m%d%H%M%S")


def asked(accession: str, when: str, control: str = "NW", **obr: str) -> dict[str, dict[int, str]]:
    """An order for a CT of the head; keyword arguments are fields of OBR after `m`."""
    group = messages.group(accession, control)
    group["ORC"] |= {9: when}
    group["OBR"] |= {4: f"{HEAD}^SUT^24725-4^CT Head^LNC", 6: when, 31: "", 36: when, 27: f"1^once^^{when}^^S"}
    group["OBR"] |= {int(name[1:]): value for name, value in obr.items()}
    return group


def image(accession: str, study: str, **elements: Any) -> Dataset:
    """As a modality makes it of what the worklist says."""
    usual = {
        "PatientID": AYSE.patient_id,
        "PatientName": AYSE.name,
        "PatientBirthDate": AYSE.birth_date,
        "PatientSex": AYSE.sex,
        "StudyDate": at()[:8],
        "StudyTime": at()[8:],
    }
    return ct(StudyInstanceUID=study, AccessionNumber=accession, **(usual | elements))


def dose(accession: str, study: str) -> Dataset:
    totals = container("113811", number("113812", "1", "{events}"), number("113813", "412.5", "mGy.cm"))
    ds = report(totals, study=study)
    ds.AccessionNumber, ds.PatientID, ds.PatientName = accession, AYSE.patient_id, AYSE.name
    return ds


@dataclass
class Taken:
    """What was answered on the way, by what it is called in the tests."""

    site: Site
    study: str = ""
    said: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def payer() -> Iterator[tuple[PayerService, str]]:
    service = PayerService()
    with served(service) as url:
        yield service, url


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture(scope="module")
def taken(
    tmp_path_factory: pytest.TempPathFactory, dcmtk: Dcmtk, payer: tuple[PayerService, str], receiver: Receiver
) -> Iterator[Taken]:
    folder = tmp_path_factory.mktemp("national")
    backend = Backend("sqlite+folder", folder)
    settings: dict[str, Any] = {
        "SECURITY__MODE": "enforced",
        "NATIONAL__PAYER": "medula",
        "NATIONAL__MEDULA__URL": payer[1],
        "NATIONAL__MEDULA__USER": PAYER_USER,
        "NATIONAL__MEDULA__PASSWORD": PAYER_PASSWORD,
    }
    site = Site(start_archive(backend, **settings), dcmtk, folder, payer[0], receiver)
    try:
        way = Taken(site)
        application = build(backend.settings())
        site.register(application)
        application.close()
        for step in (_order_to_payer, _found_elsewhere, _ordered_again, _added_to, _read_at_a_centre, _renamed):
            step(way)
        way.said["before"] = answers(way)
        site.live.stop()
        way.said["rebuilt"] = site.live.vna("reindex")
        site.live = start_archive(backend, **settings)
        yield way
    finally:
        site.live.stop()


def _order_to_payer(way: Taken) -> None:
    site, said = way.site, way.said
    site.tell(messages.order(asked("A1", at(hours=-2)), msh=messages.header("ORM^O01", "M1")))
    (step,) = said["worklist"] = site.worklist(f"{STEP_DATE}={at(hours=-2)[:8]}")
    way.study = str(step.StudyInstanceUID)
    said["waiting"] = site.stands("A1", "waiting for images")
    said["performed"] = site.perform(order("A1"), "1.2.826.0.1.3680043.10.1561.77.1")
    said["worklist after"] = site.worklist()
    site.store(*(image("A1", way.study, InstanceNumber=one) for one in (1, 2)))
    said["unreported"] = site.stands("A1", "waiting for report")
    observation = messages.observation(*HTML, kind="HTML^BASE64", m16=RADIOLOGISTS)
    of = asked("A1", at(hours=-2), m7=at(hours=-1))
    site.tell(messages.report(observation, of=of, msh=messages.header("ORU^R01", "M2")))
    said["without dose"] = site.stands("A1", "waiting for dose report")
    site.store(dose("A1", way.study))
    said["told"] = site.stands("A1", "notified")


def _found_elsewhere(way: Taken) -> None:
    site, said = way.site, way.said
    other = image("X9", "1.2.826.0.1.3680043.10.1561.77.9", PatientID="P9", PatientName="BAŞKA^BİRİ")
    site.store(other)
    said["found"], said["guessed"] = (_looked_up(way, **more) for more in ({"hastaTCK": AYSE.national_number}, {}))
    service, common = site.lookups(), {"saglikTesisKodu": MEDULA[ELSEWHERE], "accession": "A1"}
    link = service.goruntuLinkiAl({**common, "hastaTCK": AYSE.national_number, "isteyenTCK": DOCTOR})
    with httpx.Client() as browser:
        opened = browser.get(link.url)
        said["opened"] = opened.status_code, opened.headers["location"]
        page = browser.get(f"{site.live.http}{opened.headers['location']}")
        said["page"] = page.status_code, page.headers["content-type"]
        root = f"{site.live.dicomweb}/studies"
        said["visitor reads"] = [
            browser.get(f"{root}/{uid}").status_code for uid in (way.study, other.StudyInstanceUID)
        ]
        said["visitor finds"] = [one["0020000D"]["Value"] for one in browser.get(root).json()]
    said["opened again"] = httpx.get(link.url).status_code
    said["link"] = link.url.removeprefix(site.live.http)


def _looked_up(way: Taken, **fields: Any) -> dict[str, Any]:
    service = way.site.lookups()
    asked = {"saglikTesisKodu": MEDULA[ELSEWHERE], "accession": "A1", **fields}
    return _plain(service.goruntuSorgula(asked))


def _plain(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = serialize_object(answer, dict)  # type: ignore[no-untyped-call]  # zeep has no types
    return found


def _repetitions(way: Taken) -> dict[str, Any]:
    later = (NOW + timedelta(days=1)).strftime("%d.%m.%Y")
    who = {"saglikTesisKodu": MEDULA[ELSEWHERE], "hastaTCK": AYSE.national_number}
    found = way.site.lookups().mukerrerSorgula({**who, "sutKodu": "804000", "islemTarihi": later})
    return _plain(found)


def _ordered_again(way: Taken) -> None:
    site, said = way.site, way.said
    said["repetitions"] = _repetitions(way)
    soon = at(minutes=10)
    site.tell(messages.order(asked("A2", soon), msh=messages.header("ORM^O01", "M3")))
    site.tell(messages.order(asked("A3", soon, m31="3^TEDAVİYE YANIT"), msh=messages.header("ORM^O01", "M4")))
    said["repeated"] = site.stands("A2", "blocked")
    said["repeated with a reason"] = site.stands("A3", "waiting for images")
    said["both waiting"] = _numbers(site.worklist())
    cancel = messages.order(asked("A3", soon, "CA"), msh=messages.header("ORM^O01", "M5"))
    site.tell(cancel)
    said["one waiting"] = _numbers(site.worklist())
    said["cancelled"] = site.stands("A3", "cancelled")


def _numbers(found: list[Dataset]) -> list[str]:
    return sorted(str(one.AccessionNumber) for one in found)


def _added_to(way: Taken) -> None:
    site, said = way.site, way.said
    wait_for(lambda: len(site.classes(way.study)) == 5, what="the objects of the report", timeout=20)
    said["classes of one"] = site.classes(way.study)
    said["report"] = site.reports("A1")
    more = messages.observation(
        messages.part(ADDED, 4), messages.part(messages.FINDINGS, 3), state="C", m16=RADIOLOGISTS
    )
    of = asked("A1", at(hours=-2), m7=at(minutes=-30))
    site.tell(messages.report(more, of=of, msh=messages.header("ORU^R01", "M6")))
    wait_for(lambda: len(site.classes(way.study)) == 7, what="the objects of the addendum", timeout=20)
    said["classes of both"] = site.classes(way.study)
    said["reports"] = site.reports("A1")


def _read_at_a_centre(way: Taken) -> None:
    """An order that is open to any centre: imaged there, and reported there through our API."""
    site, said = way.site, way.said
    open_to_all = asked("A4", at(hours=-1), m15="*&&SKRS^^^^^R", m24="MR", m4=f"{BRAIN}^SUT^24590-2^MR Brain^LNC")
    site.tell(messages.order(open_to_all, msh=messages.header("ORM^O01", "M7")))
    (step,) = said["open to all"] = site.worklist("AccessionNumber=A4", station="MRFAR")
    site.store(
        image("A4", str(step.StudyInstanceUID), PatientID=str(step.PatientID), Modality="MR", SOPClassUID=MR_IMAGE),
        station="MRFAR",
    )
    site.stands("A4", "waiting for report")
    parts = [
        {"name": "findings", "text": f"<p>{messages.FINDINGS}</p>", "html": True},
        {"name": "conclusion", "text": "Olağan."},
    ]
    filed = {"parts": parts, "state": "approved", "radiologists": [RADIOLOGIST]}
    said["filed"] = site.api("centre", f"/reports/{HOSPITAL}/A4", filed)
    said["read at the centre"] = site.stands("A4", "notified")
    wait_for(lambda: bool(site.receiver.received), what="the report at the hospital", timeout=20)


def _renamed(way: Taken) -> None:
    site, said = way.site, way.said
    said["old names"] = names(way)
    update = adt("A08", AYSE.patient_id, name="YENİ^AYŞE", charset="UTF8", application="HBYS", control_id="M8")
    site.tell(update)
    wait_for(lambda: names(way) == {"YENİ^AYŞE"}, what="the new name at every door", timeout=30)
    said["names"] = names(way)
    said["by the old name"] = site.qido(PatientName="ÖRNEK^AYŞE", PatientID=AYSE.patient_id)
    said["by the new name"] = site.qido(PatientName="yeni^ayse")


def names(way: Taken) -> set[str]:
    """What the patient is called by each door: images and documents, C-FIND, QIDO-RS, worklist, and the order."""
    site = way.site
    found = {one["00100010"]["Value"][0]["Alphabetic"] for one in site.metadata(way.study)}
    found |= {str(one.PatientName) for one in site.c_find(f"StudyInstanceUID={way.study}", "PatientName")}
    found |= {str(one.PatientName) for one in site.worklist("AccessionNumber=A2")}
    return found | {site.order("A2")["patient"]["name"]}


def answers(way: Taken) -> dict[str, dict[str, Any]]:
    """Everything that is asked before and after the reindex."""
    site = way.site
    images = {f"{one['00080016']} {one['00080018']}": one for one in site.metadata(way.study)}
    return {
        **{number: site.order(number) for number in ("A1", "A2", "A3", "A4")},
        "reports": {number: site.reports(number) for number in ("A1", "A4")},
        "found": _looked_up(way, hastaTCK=AYSE.national_number),
        "repetitions": _repetitions(way),
        "previous": site.api("hbys", f"/previous?patient={AYSE.national_number}&sut_code=804000&doctor={DOCTOR}"),
        "worklist": {str(one.AccessionNumber): one.to_json_dict() for one in site.worklist()},
        "found by C-FIND": {
            str(one.StudyInstanceUID): one.to_json_dict()
            for one in site.c_find("PatientID=F1001", "StudyInstanceUID", "PatientName", "ModalitiesInStudy")
        },
        "found by name": dict.fromkeys(site.qido(PatientName="yeni^ayse"), True),
        "images": {f"{uid} {tag}": _here(site, value) for uid, one in images.items() for tag, value in one.items()},
    }


def _here(site: Site, element: Any) -> str:
    """Addresses of bulk data have another port after each start."""
    return str(element).replace(site.live.http, "")


def codes(order: dict[str, Any]) -> list[str]:
    return [one["code"] for one in order["reasons"]]


def test_an_order_by_hl7_is_in_the_worklist_until_the_modality_says_it_was_performed(taken: Taken) -> None:
    (step,) = taken.said["worklist"]
    assert str(step.PatientName) == "ÖRNEK^AYŞE"
    assert (step.AccessionNumber, step.PatientID) == ("A1", "F1001")
    assert codes(taken.said["waiting"]) == ["no-images", "no-report", "no-dose"]
    assert taken.said["performed"] == [0, 0]
    assert taken.said["worklist after"] == []


def test_an_examination_is_complete_with_images_report_and_dose_report(taken: Taken) -> None:
    assert codes(taken.said["unreported"]) == ["no-report", "no-dose"]
    assert codes(taken.said["without dose"]) == ["no-dose"]
    told = taken.said["told"]
    assert (told["state"], told["reasons"], told["studies"]) == ("completed", [], [taken.study])


def test_the_payer_is_told_of_it_once_with_its_accession_number(taken: Taken) -> None:
    told = [one for one in taken.site.payer.registered.values() if one.get("accession") == "A1"]
    assert [(one["saglikTesisKodu"], one["sutKodu"], one["takipNo"]) for one in told] == [
        (str(MEDULA[HOSPITAL]), "804000", "SYS-1")
    ]
    assert taken.said["told"]["notification"]["state"] == "accepted"


def test_another_facility_finds_it_by_accession_number_and_patient(taken: Taken) -> None:
    found = taken.said["found"]
    assert (found["sonucKodu"], found["goruntuVarMi"], found["raporVarMi"]) == ("0000", True, True)
    (one,) = found["goruntuBilgileri"]
    assert (one["studyInstanceUID"], one["accession"], one["kurumKodu"]) == (taken.study, "A1", HOSPITAL)
    assert (one["kurumAdi"], one["modality"], one["raporVarMi"]) == ("Örnek Devlet Hastanesi", ["CT"], True)


def test_an_accession_number_alone_tells_four_things_and_nothing_of_a_person(taken: Taken) -> None:
    guessed = taken.said["guessed"]
    assert guessed["sonucKodu"] == "0000"
    (one,) = guessed["goruntuBilgileri"]
    assert one["modality"] == ["CT"]
    assert {name for name, value in one.items() if value not in (None, [])} == {
        "modality",
        "cekimTarihi",
        "kurumKodu",
        "kurumAdi",
    }


def test_a_link_opens_this_study_alone_and_once(taken: Taken) -> None:
    said = taken.said
    assert said["opened"] == (303, f"/viewer/viewer?StudyInstanceUIDs={taken.study}")
    assert said["page"] == (200, "text/html; charset=utf-8")
    assert said["visitor reads"] == [200, 403]
    assert said["visitor finds"] == [[taken.study]]
    assert said["opened again"] == 410


def test_the_same_examination_within_the_period_is_a_repetition(taken: Taken) -> None:
    found = taken.said["repetitions"]
    assert (found["sonucKodu"], found["mukerrer"], found["muaf"]) == ("0000", True, False)
    (earlier,) = found["oncekiTetkikler"]
    assert (earlier["accession"], earlier["kurumKodu"], earlier["raporVarMi"]) == ("A1", HOSPITAL, True)
    repeated = taken.said["repeated"]
    assert "duplicate" in codes(repeated)
    assert all(one["tr"] and one["en"] for one in repeated["reasons"])
    assert "duplicate" not in codes(taken.said["repeated with a reason"])


def test_who_opened_the_link_has_looked_at_the_earlier_examination(taken: Taken) -> None:
    assert "not-looked" not in codes(taken.said["repeated"])


def test_a_cancelled_order_leaves_the_worklist(taken: Taken) -> None:
    assert taken.said["both waiting"] == ["A2", "A3"]
    assert taken.said["one waiting"] == ["A2"]


def test_an_addendum_leaves_the_approved_report_as_it_is(taken: Taken) -> None:
    (approved,) = taken.said["report"]
    first, addendum = taken.said["reports"]
    assert first == approved
    assert "script" not in str(first["parts"])
    assert (addendum["number"], addendum["addendum_to"], addendum["state"]) == (2, 1, "approved")
    assert ADDED in [part["text"] for part in addendum["parts"]]


def test_each_version_is_in_the_study_as_sr_and_pdf(taken: Taken) -> None:
    shared = [CT_IMAGE, CT_IMAGE, DOSE_SR]
    assert taken.said["classes of one"] == sorted([*shared, BASIC_TEXT_SR, PDF])
    assert taken.said["classes of both"] == sorted([*shared, *[BASIC_TEXT_SR, PDF] * 2])


def test_an_order_open_to_any_centre_is_performed_and_read_there(taken: Taken) -> None:
    (step,) = taken.said["open to all"]
    assert step.PatientID == AYSE.national_number
    filed = taken.said["filed"]
    assert (filed["number"], filed["state"]) == (1, "approved")
    assert taken.said["read at the centre"]["notification"]["state"] == "accepted"


def test_the_hospital_receives_what_was_reported_elsewhere_and_nothing_of_its_own(taken: Taken) -> None:
    (message,) = taken.site.receiver.received
    assert str(message.segment("MSH")(9)) == "ORU^R01"
    assert {str(message.segment(name)(field)) for name, field in (("ORC", 2), ("OBR", 18))} == {"A4"}
    assert str(message.segment("PID")(4)).partition("^")[0] == AYSE.national_number
    assert str(message.segment("PID")(5)) == AYSE.name
    parts = [base64.b64decode(str(part).partition("^")[0]).decode() for part in message.segment("OBX")(5)]
    assert any(messages.FINDINGS in re.sub("<[^>]*>", "", part) for part in parts)


def test_a_new_name_is_shown_by_every_door_and_the_old_one_finds_nothing(taken: Taken) -> None:
    assert taken.said["old names"] == {"ÖRNEK^AYŞE"}
    assert taken.said["names"] == {"YENİ^AYŞE"}
    assert taken.said["by the old name"] == set()
    assert taken.said["by the new name"] == {taken.study}


def test_after_a_reindex_everything_is_answered_as_before(taken: Taken) -> None:
    rebuilt, before = taken.said["rebuilt"], taken.said["before"]
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    different: list[str] = []

    def same() -> bool:
        now = answers(taken)
        different[:] = [
            f"{name}: {now[name].get(part)} was {before[name].get(part)}"
            for name in before
            for part in sorted(before[name].keys() | now[name].keys())
            if now[name].get(part) != before[name].get(part)
        ]
        return not different

    try:
        wait_for(same, what="the same answers", timeout=20)
    except TimeoutError as exc:
        raise AssertionError("\n".join(different)) from exc


def test_after_a_reindex_nobody_is_told_again_and_the_link_stays_spent(taken: Taken) -> None:
    site = taken.site
    assert httpx.get(f"{site.live.http}{taken.said['link']}").status_code == 410
    assert site.order("A1")["status"] == "notified"
    assert sorted(one["accession"] for one in site.payer.registered.values()) == ["A1", "A4"]
    assert site.payer.requests.count("hizmetKayit") == 2
    assert len(site.receiver.received) == 1
