"""Gateways of `vna serve`: logins between communities, TLS, large documents."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from lxml import etree

from tests.archives import Backend, LiveArchive, start_archive
from tests.hl7.certificates import Pair, make
from tests.soap.test_memory import bounded
from tests.xds.builders import submission
from tests.xds.gateways import A, B, Community, ask, asking, community, fake, find, read, repository_of, wanted
from tests.xds.repositories import RENDERED, pdf
from tests.xds.test_repository_live import InFile
from vna.documents.repository import InMemory
from vna.soap.client import call
from vna.soap.faults import SoapFault
from vna.soap.message import Message, Reply
from vna.xml.namespaces import QUERY, RIM, qname
from xds import iti18, iti38, iti43
from xds.repository_client import RepositoryClient, retrieve_request

MB = 1 << 20
SIZE = 500 * MB


@contextmanager
def serving(home: str, folder: Path, others: list[dict[str, object]], **settings: str) -> Iterator[LiveArchive]:
    place = folder / home.rpartition(".")[2]
    place.mkdir()
    archive = start_archive(
        Backend("sqlite+folder", place),
        XDS__HOME_COMMUNITY_ID=home,
        XDS__REPOSITORY_UNIQUE_ID=repository_of(home),
        XDS__UNKNOWN_PATIENTS="register",
        XDS__COMMUNITIES=json.dumps(others),
        wrapper=(),
        **settings,
    )
    try:
        yield archive
    finally:
        archive.stop()


def responding(archive: LiveArchive) -> str:
    return f"{archive.http}/xds/responding-gateway"


def initiating(archive: LiveArchive) -> str:
    return f"{archive.http}/xds/initiating-gateway"


def test_half_a_gigabyte_comes_from_another_community_in_flat_memory(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(SIZE)
    one, small = pdf(mime_type="application/octet-stream"), pdf()
    with serving(B, tmp_path, []) as there, serving(A, tmp_path, asking((B, responding(there)))) as here:
        provider = RepositoryClient(f"{there.http}/xds/repository", tmp_path)
        provider.provide(submission(small), {"Document01": InMemory(RENDERED)})
        provider.provide(submission(one), {"Document01": InFile(large)})
        consumer = RepositoryClient(initiating(here), tmp_path)
        with consumer.retrieve([wanted(small.unique_id, B)]) as answer:
            assert len(answer.documents) == 1  # modules are loaded with the first message
        pids = [one.pid for live in (here, there) for one in psutil.Process(live.child.pid).children(recursive=True)]
        with ExitStack() as watched:
            for pid in (*pids, os.getpid()):
                watched.enter_context(bounded(pid))
            with consumer.retrieve([wanted(one.unique_id, B)]) as answer:
                (given,) = answer.documents
                assert (given.content.size, given.home) == (SIZE, B)
                assert given.content.sha1 == InFile(large).sha1
        for home in (A, B):
            spool = tmp_path / home.rpartition(".")[2] / "data" / "blobs" / "spool"
            assert list(spool.iterdir()) == []


PASSWORD = "Kirmizi-elma-2026-uzun"  # of an invented user


def token(archive: LiveArchive, name: str, rights: str) -> str:
    added = archive.vna("user", "add", name, "--password-stdin", "--rights", rights, stdin=PASSWORD)
    assert added.returncode == 0, added.stderr
    return archive.vna("token", "add", name).stdout.strip()


def with_token(secret: str) -> httpx.Client:
    return httpx.Client(headers={"Authorization": f"Bearer {secret}"}, trust_env=False)


def test_communities_log_in_to_each_other_and_consumers_to_their_own(tmp_path: Path) -> None:
    enforced = {"SECURITY__MODE": "enforced"}
    with serving(B, tmp_path, [], **enforced) as there:
        gateway = token(there, "west", "read-documents,retrieve")
        lets_in = asking((B, responding(there)), token=gateway)
        with serving(A, tmp_path, lets_in, **enforced) as here:
            reader, nobody = token(here, "reader", "read-documents"), token(here, "viewer", "query")
            with with_token(reader) as http, call(initiating(here), iti18.ACTION, find(), http=http) as answer:
                assert read(answer.body).status == "Success"
            with with_token(nobody) as http:
                for action, body in ((iti18.ACTION, find()), (iti43.ACTION, retrieve_request([wanted("1", B)]))):
                    with pytest.raises(SoapFault, match="no right to read-documents"):
                        call(initiating(here), action, body, http=http)
                with pytest.raises(SoapFault, match="no right to read-documents"):
                    call(responding(here), iti38.ACTION, find(), http=http)
            assert httpx.post(responding(here), content=b"").status_code == 401


def test_a_login_that_the_other_community_refuses_is_a_community_that_is_not_available(tmp_path: Path) -> None:
    with (
        serving(B, tmp_path, [], SECURITY__MODE="enforced") as there,
        community(A, tmp_path, communities=asking((B, responding(there)), token="wrong")) as here,
    ):
        refused = ask(here.initiating, find())

    assert (refused.status, refused.errors) == ("PartialSuccess", [("XDSUnavailableCommunity", B)])
    assert "refuses the caller" in refused.contexts[0]


def empty(_message: Message) -> Reply:
    body = etree.Element(
        qname(QUERY, "AdhocQueryResponse"), status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
    )
    etree.SubElement(body, qname(RIM, "RegistryObjectList"))
    return Reply(f"{iti38.ACTION}Response", body)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Pair]:
    folder = tmp_path_factory.mktemp("certificates")
    return make(folder, "there"), make(folder, "here")


@contextmanager
def secured(pairs: tuple[Pair, Pair], folder: Path, tls: dict[str, str]) -> Iterator[Community]:
    """A community that asks one which wants the certificate of `here`."""
    there, here = pairs
    options = {
        "ssl_certfile": there.certificate,
        "ssl_keyfile": there.key,
        "ssl_ca_certs": here.certificate,
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
    }
    with (
        fake(empty, folder, **options) as url,
        community(A, folder, communities=asking((B, url), tls=tls)) as made,
    ):
        yield made


def test_certificates_are_shown_and_checked(pairs: tuple[Pair, Pair], tmp_path: Path) -> None:
    there, here = pairs
    ours = {"certificate": str(here.certificate), "key": str(here.key)}
    trusts = {"ca": str(there.certificate)}
    outcomes = []
    for number, tls in enumerate(({**trusts, **ours}, ours, trusts)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with secured(pairs, folder, tls) as made:
            outcomes.append(ask(made.initiating, find()).errors)

    assert outcomes == [[], [("XDSUnavailableCommunity", B)], [("XDSUnavailableCommunity", B)]]


def test_a_certificate_that_is_no_use_ends_the_start_in_words(tmp_path: Path) -> None:
    others = asking((B, "https://127.0.0.1:1/rg"), tls={"ca": str(tmp_path / "absent.pem")})
    with pytest.raises(RuntimeError, match=r"absent\.pem cannot be used"), serving(A, tmp_path, others):
        pass
