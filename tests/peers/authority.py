"""Certificate authorities made for a test by openssl, and what they sign."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .processes import system_program

_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its key."""

    certificate: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate.read_text())).hexdigest()


@dataclass(frozen=True, slots=True)
class Authority:
    """One that signs; `certificate` is what to trust."""

    folder: Path
    certificate: Path
    key: Path

    def sign(self, name: str, subject: str = "", *, days: int = 30) -> Pair:
        """A certificate for 127.0.0.1 and localhost."""
        pair = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        request = self.folder / f"{name}.csr"
        names = self.folder / f"{name}.names"
        names.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        _openssl("req", "-new", *_CURVE, "-subj", subject or f"/CN={name}", "-keyout", pair.key, "-out", request)
        signing = ("-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", str(days))
        _openssl("x509", "-req", "-in", request, *signing, "-extfile", names, "-out", pair.certificate)
        return pair

    def client(self, pair: Pair | None = None) -> ssl.SSLContext:
        """Trusts what it signed, and shows `pair`."""
        context = ssl.create_default_context(cafile=self.certificate)
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        return context


def make(folder: Path, name: str = "authority") -> Authority:
    """A new one; its files are in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder, folder / f"{name}.pem", folder / f"{name}.key")
    files = ("-keyout", authority.key, "-out", authority.certificate)
    _openssl("req", "-x509", *_CURVE, "-days", "30", "-subj", f"/CN={name}", *files)
    return authority


def _openssl(*arguments: str | Path) -> None:
    program = system_program("openssl", package="openssl")
    subprocess.run([str(program), *map(str, arguments)], check=True, capture_output=True)
