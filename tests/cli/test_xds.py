"""`vna xds`: manifests and reports published by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from storage.index import held_documents
from tests.archives import Backend, start_archive
from tests.cli.conftest import Vna
from tests.objects import ct, part10
from tests.xds.gateways import A, B, C, asking, community, three
from tests.xds.listening import listening
from tests.xds.registries import PATIENT
from tests.xds.repositories import OID, RENDERED, SETTINGS, pdf, provide, registered
from vna.app import build, prepare
from vna.app.doors import Addresses, http_application
from vna.metrics import Metrics
from vna.model.access import SYSTEM
from vna.model.documents import Status
from vna.settings import load


@pytest.fixture
def study(vna: Vna, tmp_path: Path) -> str:
    """Imported."""
    ds = ct()
    path = tmp_path / "one.dcm"
    path.write_bytes(part10(ds))
    assert vna("import", path).code == 0
    return str(ds.StudyInstanceUID)


def test_a_repository_that_does_not_answer_is_said_so_and_tried_again_later(
    vna: Vna, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VNA_XDS__PUBLISH_TO", "http://127.0.0.1:9/xds/repository")

    done = vna("xds", "publish", study)

    assert done.code == 1
    assert study in done.err
    assert "127.0.0.1:9 cannot be reached" in done.err
    (job,) = json.loads(vna("jobs", "list", "--format", "json").out)
    assert (job["kind"], job["about"], job["state"], job["attempts"]) == ("publish", study, "ready", "1")


def test_what_was_given_up_is_forgotten_when_the_study_is_published_later(
    vna: Vna, study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VNA_XDS__AFFINITY_DOMAIN", "1.2.4")
    for _ in range(2):
        done = vna("xds", "publish", study)
        assert (done.code, "no rule" in done.err) == (1, True)
        (job,) = json.loads(vna("jobs", "list", "--format", "json").out)
        assert job["state"] == "dead"
    (tmp_path / "profile.toml").write_text('[[patients]]\nissuer = "*"\nauthority = "1.2.4"\n')
    monkeypatch.setenv("VNA_XDS__PROFILE", str(tmp_path / "profile.toml"))

    done = vna("xds", "publish", study)

    assert (done.code, done.err) == (0, "")
    assert json.loads(vna("jobs", "list", "--format", "json").out) == []


def test_a_study_that_is_not_held_is_not_published(vna: Vna) -> None:
    done = vna("xds", "publish", "1.2.3")

    assert (done.code, done.out) == (1, "")
    assert "1.2.3: no such study" in done.err


@pytest.mark.parametrize("name", ["report.png", "report"])
def test_a_report_of_another_kind_is_refused(vna: Vna, study: str, tmp_path: Path, name: str) -> None:
    report = tmp_path / name
    report.write_bytes(b"x")

    done = vna("xds", "publish", study, "--report", report)

    assert done.code == 1
    assert ".pdf, .txt or .xml" in done.err
    assert vna("xds", "publish", study, "--report", tmp_path / "absent.pdf").code == 2


@pytest.mark.parametrize(
    ("name", "content", "mime_type", "code"),
    [
        ("report.pdf", "%PDF-1.7 invented", "application/pdf", "urn:ihe:rad:PDF"),
        ("report.TXT", "Toraks BT: olağan.", "text/plain", "urn:ihe:rad:TEXT"),
        (
            "report.xml",
            "<ClinicalDocument>Toraks BT: olağan.</ClinicalDocument>",
            "text/xml",
            "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013",
        ),
    ],
)
def test_a_report_is_registered_with_the_format_of_its_kind_and_refers_to_its_study(
    vna: Vna, study: str, tmp_path: Path, name: str, content: str, mime_type: str, code: str
) -> None:
    report = tmp_path / name
    report.write_text(content, "utf-8")

    done = vna("xds", "publish", study, "--report", report, "--title", "Toraks BT raporu")

    assert (done.code, done.err) == (0, "")
    unique_id = done.out.split()[-1]
    archive = build(load().settings)
    entry = registered(archive, unique_id)
    assert archive.publishing.published(SYSTEM, study) is None
    with archive.database.read() as connection:
        (held,) = held_documents.held(connection, [unique_id])
    assert b"".join(archive.blobs.stream(held.blob)) == report.read_bytes()
    archive.close()
    assert (entry.mime_type, entry.title) == (mime_type, "Toraks BT raporu")
    assert entry.format_code is not None
    assert entry.format_code.code == code
    assert entry.reference_ids[-1].startswith(study)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("report.pdf", b"Toraks BT", "the report is no PDF"),
        ("report.txt", "olağan".encode("cp1254"), "the report is no text in UTF-8"),
        ("report.xml", b"<ClinicalDocument>", "the report is no XML: it is not well-formed"),
        ("report.xml", b"%PDF-1.4", "the report is no XML"),
    ],
)
def test_a_report_that_is_not_of_its_kind_is_refused(
    vna: Vna, study: str, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    report = tmp_path / name
    report.write_bytes(content)

    done = vna("xds", "publish", study, "--report", report)

    assert (done.code, done.out, words in done.err) == (1, "", True)


def test_a_report_takes_the_place_of_an_earlier_one(vna: Vna, study: str, tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    report.write_text("preliminary")
    first = vna("xds", "publish", study, "--report", report).out.split()[-1]
    manifest = vna("xds", "publish", study).out.split()[-1]
    report.write_text("final")
    replacing = ("xds", "publish", study, "--report", report, "--replace")

    done = vna(*replacing, first)
    again, unknown, other = (vna(*replacing, one) for one in (first, "1.2.3", manifest))
    alone = vna("xds", "publish", study, "--replace", first)

    assert (done.code, done.err) == (0, "")
    archive = build(load().settings)
    assert registered(archive, first).status is Status.DEPRECATED
    assert registered(archive, done.out.split()[-1]).status is Status.APPROVED
    archive.close()
    words = "is no report of this study that is in force"
    assert all((one.code, one.out, words in one.err) == (1, "", True) for one in (again, unknown, other))
    assert (alone.code, "--report" in alone.err) == (1, True)


def test_an_accession_number_alone_is_looked_for_under_our_own_authorities(
    vna: Vna, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    institution = '[[institutions]]\nfacility = "{}"\nname = "X"\naccession_authority = "{}"\n'
    (tmp_path / "profile.toml").write_text(institution.format("1", "1.2.4") + institution.format("2", "1.2.5"))
    settings = Backend("sqlite+folder", tmp_path / "other").settings(xds=SETTINGS)
    prepare(settings)
    archive = build(settings)
    kind = "urn:ihe:iti:xds:2013:accession"
    for number, issuer in enumerate(("&1.2.4&ISO", "&1.2.5&ISO", "&1.2.6&ISO", "")):
        provide(archive, pdf(f"Document0{number + 1}", reference_ids=(f"A1^^^{issuer}^{kind}",)))
    app = http_application(archive, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())
    with listening(app) as at:
        asked = ("xds", "query", PATIENT, "--registry", f"{at}/xds/registry", "--accession", "A1", "--format", "json")
        without = json.loads(vna(*asked).out)
        monkeypatch.setenv("VNA_XDS__PROFILE", str(tmp_path / "profile.toml"))
        found = json.loads(vna(*asked).out)
    archive.close()

    assert [row["references"] for row in without] == [[f"A1^^^^{kind}"]]
    assert [row["references"] for row in found] == [
        [f"A1^^^{issuer}^{kind}"] for issuer in ("&1.2.4&ISO", "&1.2.5&ISO", "")
    ]


@pytest.mark.parametrize("patient", ["foo", "'; --", "", "P1^^^KIMLIK", "P1^^^&here&ISO"])
def test_a_text_that_is_no_patient_identifier_is_refused(vna: Vna, patient: str) -> None:
    done = vna("xds", "query", patient, "--registry", "http://127.0.0.1:9/")

    assert (done.code, done.out, "is no patient identifier" in done.err) == (1, "", True)
    assert len(done.err.splitlines()) == 1


def test_documents_are_found_and_fetched(vna: Vna, tmp_path: Path) -> None:
    settings = Backend("sqlite+folder", tmp_path / "other").settings(xds=SETTINGS)
    prepare(settings)
    archive = build(settings)
    one = pdf(reference_ids=("A1^^^&1.2.4&ISO^urn:ihe:iti:xds:2013:accession",))
    provide(archive, one, pdf("Document02"))
    app = http_application(archive, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())
    with listening(app) as at:
        registry, repository = ("--registry", f"{at}/xds/registry"), ("--repository", f"{at}/xds/repository")
        found = json.loads(vna("xds", "query", PATIENT, *registry, "--format", "json").out)
        referring = vna("xds", "query", PATIENT, *registry, "--accession", "A1^^^&1.2.4&ISO", "--format", "json")
        fetched = vna("xds", "retrieve", one.unique_id, *repository, "--id", OID, "--to", tmp_path / "got")
        again = vna("xds", "retrieve", one.unique_id, *repository, "--id", OID, "--to", tmp_path / "got")
        missing = vna("xds", "retrieve", "1.2.3", *repository, "--id", OID)
    archive.close()

    assert len(found) == 2
    assert [row["document"] for row in json.loads(referring.out)] == [one.unique_id]
    assert fetched.code == 0
    assert Path(fetched.out.strip()).read_bytes() == RENDERED
    assert (again.code, "exists" in again.err) == (1, True)
    assert (missing.code, missing.out) == (1, "")
    assert "XDSDocumentUniqueIdError" in missing.err


def test_a_registry_that_nobody_named_or_that_does_not_answer_is_said_in_one_line(vna: Vna) -> None:
    unnamed, unreachable = (
        vna("xds", "query", PATIENT),
        vna("xds", "query", PATIENT, "--registry", "http://127.0.0.1:9/"),
    )

    assert (unnamed.code, unreachable.code) == (1, 1)
    assert "VNA_XDS__REGISTRY_URL" in unnamed.err
    assert "127.0.0.1:9 cannot be reached" in unreachable.err


def test_documents_of_other_communities_are_found_and_fetched(
    vna: Vna, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VNA_DATA_DIR")  # it would be that of every community
    with three(tmp_path) as (a, b, _):
        gateway = ("--registry", a.initiating, "--format", "json")
        rows = json.loads(vna("xds", "query", PATIENT, *gateway).out)
        there = json.loads(vna("xds", "query", PATIENT, *gateway, "--home", B.removeprefix("urn:oid:")).out)
        unknown = vna("xds", "query", PATIENT, *gateway, "--home", "1.2.3")
        (row,) = there
        asked = ("xds", "retrieve", row["document"], "--repository", a.initiating, "--id", row["repository"])
        fetched = vna(*asked, "--home", row["home"], "--to", tmp_path / "got")
        homeless = vna(*asked, "--to", tmp_path / "got")
        nonsense = vna(*asked, "--home", "here")
        content = f"%PDF of {b.http}".encode()
    with community(A, tmp_path / "other", communities=asking((C, "http://127.0.0.1:9/rg"))) as alone:
        alone.add()
        partly = vna("xds", "query", PATIENT, "--registry", alone.initiating, "--format", "json")

    assert {row["home"] for row in rows} == {one.removeprefix("urn:oid:") for one in (A, B, C)}
    assert row["document"] == b.documents[0]
    assert Path(fetched.out.strip()).read_bytes() == content
    assert (unknown.code, "XDSUnknownCommunity" in unknown.err) == (1, True)
    assert (homeless.code, "XDSMissingHomeCommunityId" in homeless.err) == (1, True)
    assert (nonsense.code, "no home community id" in nonsense.err) == (1, True)
    assert (partly.code, len(json.loads(partly.out)), "XDSUnavailableCommunity" in partly.err) == (1, 1, True)


def test_an_archive_that_wants_a_login_gets_the_token_of_a_file(vna: Vna, tmp_path: Path) -> None:
    place = tmp_path / "there"
    place.mkdir()
    archive = start_archive(Backend("sqlite+folder", place), SECURITY__MODE="enforced")
    try:
        words = ("user", "add", "ayse", "--rights", "read-documents", "--password-stdin")
        assert archive.vna(*words, stdin="a long password\n").returncode == 0
        token = tmp_path / "token"
        token.write_text(archive.vna("token", "add", "ayse", "--rights", "read-documents").stdout)
        registry = f"{archive.http}/xds/registry"
        asked = ("xds", "query", PATIENT, "--registry", registry, "--format", "json")
        refused = vna(*asked)
        assert (refused.code, "401" in refused.err) == (1, True)
        found = vna(*asked, "--token-file", token)
        assert (found.code, json.loads(found.out)) == (0, [])
        far = vna("xds", "query", PATIENT, "--registry", "http://xds.example.org/x", "--token-file", token)
        assert (far.code, "https" in far.err) == (1, True)
    finally:
        archive.stop()
