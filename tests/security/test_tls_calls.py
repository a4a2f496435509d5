"""AE titles that are called over TLS: C-MOVE, forwarding, commitment reports, to real receivers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from dimse.scu import destination_of, echo, sender
from dimse.upper_layer.inprocess import listening
from dimse.upper_layer.profile import Profile
from dimse.upper_layer.server import Server
from tests.archives import Backend, put, ready
from tests.dimse.door import contexts
from tests.objects import ct, part10
from tests.peers import authority
from tests.peers.authority import Authority, Pair
from tests.peers.dcmtk import Dcmtk, StoreSCP
from tests.peers.orthanc import Orthanc
from vna.app import Application, build
from vna.app import certificates as certificates_of
from vna.app.doors import dimse_server
from vna.model.access import SYSTEM, Peer
from vna.model.errors import Unavailable
from vna.security.secured import TlsFiles, of_server
from vna.settings.forwarding import ForwardSettings


@dataclass
class Site:
    archive: Application
    port: int
    ours: Authority
    theirs: Authority
    receiver: StoreSCP
    pair: Pair
    study: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, storescp: Callable[..., StoreSCP]) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("calls")
    ours, theirs = authority.make(folder / "ours"), authority.make(folder / "theirs")
    own, pair = ours.sign("vna"), ours.sign("pacs")
    tls = {"certificate": str(own.certificate), "key": str(own.key), "ca": str(ours.certificate)}
    rules = (ForwardSettings(name="all", to="PACS"),)
    settings = Backend("sqlite+folder", folder).settings(dimse={"tls": tls, "tls_port": 1})
    settings = settings.model_copy(update={"forward": rules})
    ready(settings)
    archive = build(settings, certificates=certificates_of.read(settings))
    shows = ("+tls", str(pair.key), str(pair.certificate), "+cf", str(ours.certificate))
    receiver = storescp(*shows, "+xa", "+B", ae_title="PACS")
    held = ct(PatientID="P1")
    put(archive, part10(held))
    with listening(dimse_server(archive, tls_port=1), grace_seconds=0.2) as port:
        yield Site(archive, port, ours, theirs, receiver, pair, str(held.StudyInstanceUID))
    archive.close()


def _moved(site: Site, dcmtk: Dcmtk, to: str = "PACS") -> str:
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={site.study}")
    return dcmtk("movescu", "-v", "-S", "-aem", to, "-aec", "VNA", *keys, "127.0.0.1", site.port).stdout


def test_c_move_goes_to_a_storescp_over_tls(site: Site, dcmtk: Dcmtk) -> None:
    plain = Peer("PACS", "127.0.0.1", site.receiver.port)
    site.archive.peers.add(SYSTEM, plain)
    assert "Success" not in _moved(site, dcmtk).splitlines()[-1]
    assert not site.receiver.files()
    site.archive.peers.add(SYSTEM, Peer("PACS", "127.0.0.1", site.receiver.port, tls=True))
    said = _moved(site, dcmtk)
    assert len(site.receiver.files()) == 1, said


def _echo(site: Site, peer: Peer) -> None:
    echo(destination_of(peer), sender("VNA", calling=site.archive.certificates.calling))


def test_the_certificate_of_who_is_called_is_checked(site: Site) -> None:
    at = ("127.0.0.1", site.receiver.port)
    _echo(site, Peer("PACS", *at, tls=True))
    _echo(site, Peer("PACS", *at, certificates=(site.pair.fingerprint,), tls=True))
    _echo(site, Peer("PACS", "localhost", site.receiver.port, certificates=("CN=pacs",), tls=True))
    with pytest.raises(Unavailable, match="shows another certificate than it is bound to"):
        _echo(site, Peer("PACS", *at, certificates=("CN=other",), tls=True))


@contextmanager
def _receiving(signed_by: Authority) -> Iterator[int]:
    pair = signed_by.sign("receiver")
    context = of_server(TlsFiles(pair.certificate, pair.key), client_certificate=False)
    with listening(Server(Profile("PACS", contexts()), lambda _sock: context), grace_seconds=0.2) as port:
        yield port


def test_who_is_signed_by_another_authority_is_not_called(site: Site) -> None:
    with _receiving(site.theirs) as port, pytest.raises(Unavailable, match="no TLS with the peer: unable to get"):
        _echo(site, Peer("PACS", "127.0.0.1", port, tls=True))


def test_a_certificate_for_another_host_is_not_taken(site: Site) -> None:
    with pytest.raises(Unavailable, match="IP address mismatch"):
        _echo(site, Peer("PACS", "127.0.0.2", site.receiver.port, tls=True))


def test_a_plain_listener_that_is_called_over_tls_is_told_apart(site: Site) -> None:
    with pytest.raises(Unavailable, match="no TLS with the peer"):
        _echo(site, Peer("PACS", "127.0.0.1", site.port, tls=True))


def test_forwarding_goes_over_tls(site: Site) -> None:
    site.archive.peers.add(SYSTEM, Peer("PACS", "127.0.0.1", site.receiver.port, tls=True, certificates=("CN=pacs",)))
    new = ct(PatientID="P2")
    put(site.archive, part10(new))
    site.archive.catch_up()
    assert [path for path in site.receiver.files() if str(new.SOPInstanceUID) in path.name]


def test_a_commitment_report_goes_over_tls(site: Site) -> None:
    """To a receiver that takes TLS alone: it knows no commitment, and its answer shows that it was reached."""
    peer = Peer("PACS", "127.0.0.1", site.receiver.port, tls=True)
    with pytest.raises(Unavailable, match="none of its presentation contexts"):
        site.archive.keeping.committing.reporting._reporter.report(peer, "1.2.3", ())


def test_orthanc_and_the_archive_talk_over_tls_both_ways(
    site: Site, orthanc: Callable[..., Orthanc], dcmtk: Dcmtk
) -> None:
    pair = site.ours.sign("orthanc")
    with listening(dimse_server(site.archive), grace_seconds=0.2) as port:
        peer = orthanc(
            DicomTlsEnabled=True,
            DicomTlsCertificate=str(pair.certificate),
            DicomTlsPrivateKey=str(pair.key),
            DicomTlsTrustedCertificates=str(site.ours.certificate),
            DicomModalities={"vna": {"AET": "VNA", "Host": "127.0.0.1", "Port": port, "UseDicomTls": True}},
        )
        site.archive.peers.add(
            SYSTEM, Peer("ORTHANC", "127.0.0.1", peer.dicom_port, certificates=("CN=orthanc",), tls=True)
        )
        said = _moved(site, dcmtk, "ORTHANC")
        held = httpx.get(f"{peer.url}/instances").json()
        assert len(held) >= 1, said
        assert httpx.post(f"{peer.url}/modalities/vna/echo", content="{}").status_code == 200
        assert httpx.post(f"{peer.url}/modalities/vna/store", content=held[0]).status_code == 200
