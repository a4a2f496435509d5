"""Certificates made for a test by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.peers.processes import system_program


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its key; the certificate is its own authority."""

    certificate: Path
    key: Path


def make(folder: Path, name: str) -> Pair:
    openssl = system_program("openssl", package="openssl")
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    files = ["-keyout", str(pair.key), "-out", str(pair.certificate)]
    subprocess.run([str(openssl), *request, *subject, *files], check=True, capture_output=True)
    return pair
