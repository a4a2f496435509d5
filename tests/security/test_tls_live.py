"""`vna serve` with TLS on its doors, and real peers in front of them."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.archives import Backend, LiveArchive, start_archive
from tests.peers import authority
from tests.peers.authority import Authority, Pair
from tests.peers.dcmtk import Dcmtk
from tests.peers.processes import free_port, system_program, wait_for


@dataclass
class Site:
    """An archive whose plain port and TLS port are both open, and the certificates of those around it."""

    live: LiveArchive
    ours: Authority
    door: Pair
    known: Pair
    foreign: Pair
    tls_port: int
    log: Path

    def tls(self, pair: Pair | None, *, trust: Authority | None = None) -> list[str | Path]:
        """Options of dcmtk's programs."""
        shows: list[str | Path] = ["+tls", pair.key, pair.certificate] if pair is not None else ["+tla"]
        return [*shows, "+cf", (trust or self.ours).certificate]

    @property
    def https_port(self) -> int:
        return int(self.live.http.rpartition(":")[2])

    def curl(self, path: str, *options: str | Path, scheme: str = "https") -> tuple[int, str]:
        """Status and body; 0 where there is no answer."""
        url = f"{scheme}://127.0.0.1:{self.https_port}{path}"
        program = system_program("curl", package="curl")
        done = subprocess.run(
            [
                str(program),
                "-sS",
                "-w",
                "\n%{http_code}",
                "--cacert",
                *map(str, (self.ours.certificate, *options, url)),
            ],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body or done.stderr

    def says(self, words: str) -> None:
        wait_for(lambda: words in self.log.read_text(), what=f"the log to say {words!r}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tls")
    ours, theirs = authority.make(folder / "ours", "Our CA"), authority.make(folder / "theirs", "Their CA")
    door, tls_port = ours.sign("vna"), free_port()
    live = start_archive(
        Backend("sqlite+folder", folder),
        SECURITY__MODE="enforced",
        DIMSE__TLS__CERTIFICATE=str(door.certificate),
        DIMSE__TLS__KEY=str(door.key),
        DIMSE__TLS__CA=str(ours.certificate),
        DIMSE__TLS_PORT=str(tls_port),
        DIMSE__WORKERS="1",
        HTTP__TLS__CERTIFICATE=str(door.certificate),
        HTTP__TLS__KEY=str(door.key),
        HTTP__TLS__CA=str(ours.certificate),
    )
    site = Site(live, ours, door, ours.sign("CT1"), theirs.sign("stranger"), tls_port, folder / "serve.log")
    done = live.vna("ae", "add", "CT1", "--certificate", str(site.known.certificate))
    assert done.returncode == 0, done.stderr
    assert live.vna("ae", "add", "MR1", "--address", "127.0.0.0/8").returncode == 0
    assert live.vna("ae", "add", "FAR", "--address", "10.9.0.0/16").returncode == 0
    yield site
    live.stop()


def test_dcmtk_echoes_over_tls_with_its_certificate(site: Site, dcmtk: Dcmtk) -> None:
    done = dcmtk("echoscu", *site.tls(site.known), "-aet", "CT1", "-aec", "VNA", "127.0.0.1", site.tls_port)
    assert done.returncode == 0, done.stdout


def test_a_title_without_its_certificate_is_refused_and_the_log_says_so(site: Site, dcmtk: Dcmtk) -> None:
    for options, port in (([], site.live.dimse_port), (site.tls(None), site.tls_port)):
        done = dcmtk("echoscu", *options, "-aet", "CT1", "-aec", "VNA", "127.0.0.1", port)
        assert "Calling AE Title Not Recognized" in done.stdout, done.stdout
    site.says("who calls so is bound to a certificate, and none was shown")
    other = dcmtk("echoscu", *site.tls(site.door), "-aet", "CT1", "-aec", "VNA", "127.0.0.1", site.tls_port)
    assert "Calling AE Title Not Recognized" in other.stdout
    site.says("who calls so is bound to another certificate")


def test_a_title_from_another_address_is_refused_and_the_log_says_so(site: Site, dcmtk: Dcmtk) -> None:
    assert dcmtk("echoscu", "-aet", "MR1", "-aec", "VNA", "127.0.0.1", site.live.dimse_port).returncode == 0
    far = dcmtk("echoscu", "-aet", "FAR", "-aec", "VNA", "127.0.0.1", site.live.dimse_port)
    assert "Calling AE Title Not Recognized" in far.stdout
    site.says("the calling AE title is bound to other addresses")


def test_a_certificate_of_another_authority_is_refused(site: Site, dcmtk: Dcmtk) -> None:
    done = dcmtk("echoscu", *site.tls(site.foreign), "-aet", "MR1", "-aec", "VNA", "127.0.0.1", site.tls_port)
    assert done.returncode != 0
    site.says("unable to get local issuer certificate")


@pytest.mark.parametrize(("version", "is_taken"), [("1.1", False), ("1.2", True), ("1.3", True)])
def test_tls_before_1_2_is_refused(site: Site, version: str, is_taken: bool) -> None:
    options = [f"-tls{version.replace('.', '_')}", "-cipher", "ALL:@SECLEVEL=0", "-CAfile", str(site.ours.certificate)]
    openssl = system_program("openssl", package="openssl")
    done = subprocess.run(
        [str(openssl), "s_client", "-connect", f"127.0.0.1:{site.tls_port}", "-brief", *options],
        input="",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ("CONNECTION ESTABLISHED" in done.stderr) is is_taken, done.stderr


def test_plain_text_to_the_tls_port_is_answered_with_a_rejection(site: Site, dcmtk: Dcmtk) -> None:
    done = dcmtk("echoscu", "-aet", "MR1", "-aec", "VNA", "127.0.0.1", site.tls_port)
    assert "Association Rejected" in done.stdout
    site.says("plain text came to a port that speaks TLS")


def test_tls_to_the_plain_port_ends_at_once(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.live.dimse_port), timeout=10) as sock, pytest.raises(ssl.SSLError):
        site.ours.client().wrap_socket(sock, server_hostname="127.0.0.1")


def _shown(site: Site, port: int = 0) -> bytes:
    context = site.ours.client()
    with (
        socket.create_connection(("127.0.0.1", port or site.tls_port), timeout=10) as sock,
        context.wrap_socket(sock, server_hostname="127.0.0.1") as wrapped,
    ):
        return wrapped.getpeercert(binary_form=True) or b""


def test_a_system_is_known_over_https_by_its_certificate(site: Site) -> None:
    assert site.curl("/dicom-web/studies")[0] == 401
    known = ("--cert", site.known.certificate, "--key", site.known.key)
    assert site.curl("/dicom-web/studies", *known) in ((200, "[]"), (204, ""))
    assert site.curl("/api/sources", *known)[0] in (403, 404), "its rights are those of its AE title"
    assert site.curl("/dicom-web/studies", *known, "-u", "nobody:wrongwrong")[0] == 401, "who logs in is judged by that"
    ours = ("--cert", site.door.certificate, "--key", site.door.key)
    assert site.curl("/dicom-web/studies", *ours)[0] == 401, "of no AE title"
    foreign = ("--cert", site.foreign.certificate, "--key", site.foreign.key)
    assert site.curl("/dicom-web/studies", *foreign)[0] == 0, "of another authority"


def test_a_field_of_the_request_is_no_certificate(site: Site) -> None:
    pem = site.known.certificate.read_text().replace("\n", "")
    for name in ("X-SSL-Client-Cert", "X-Client-Cert", "Client-Cert"):
        assert site.curl("/dicom-web/studies", "-H", f"{name}: {pem}")[0] == 401


def test_plain_http_to_the_tls_port_is_told_where_to_go(site: Site) -> None:
    status, body = site.curl("/healthz", scheme="http")
    assert (status, "https://" in body) == (400, True)


def test_new_files_are_taken_without_a_restart_and_bad_ones_keep_the_old(site: Site) -> None:
    before = _shown(site)
    supervisor = site.live.child.pid
    site.door.certificate.write_text("nonsense")
    site.says("certificate not taken: the one before stays")
    assert _shown(site) == before
    new = site.ours.sign("newer", "/CN=vna")
    shutil.copy(new.key, site.door.key)
    shutil.copy(new.certificate, site.door.certificate)
    wanted = ssl.PEM_cert_to_DER_cert(new.certificate.read_text())
    wait_for(lambda: _shown(site) == wanted, what="the new certificate")
    site.live.child.popen.send_signal(signal.SIGHUP)
    site.says("certificates are looked at")
    assert _shown(site) == wanted
    assert _shown(site, site.https_port) == wanted
    assert site.live.child.pid == supervisor
