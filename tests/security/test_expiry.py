"""How long certificates are good, and new files that are taken or not."""

from __future__ import annotations

import shutil
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.peers import authority
from tests.peers.authority import Authority
from vna.metrics import _gauge_lines
from vna.model.errors import Unavailable
from vna.security.certificates import in_file
from vna.security.expiry import Expiry, Held
from vna.security.secured import Secured, TlsFiles, of_server


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority.make(tmp_path_factory.mktemp("expiry"))


class Asking:
    """SIGHUP, without waiting for a second to be over."""

    times = 0

    def __call__(self) -> int:
        self.times += 1
        return self.times


def _door(folder: Path, ours: Authority, days: int) -> Secured:
    pair = ours.sign("door", days=days)
    certificate, key = (Path(shutil.copy(file, folder)) for file in (pair.certificate, pair.key))
    files = TlsFiles(certificate, key, ours.certificate)
    return Secured("DICOM", files, partial(of_server, client_certificate=False), Asking())


def test_days_are_those_of_every_file_and_what_ends_soon_is_told(tmp_path: Path, ours: Authority) -> None:
    door = _door(tmp_path, ours, 10)
    soon = ours.sign("soon", days=5)
    expiry = Expiry((door,), lambda: [Held("source CITY", "certificate", soon.certificate)], warn_days=20)
    (own,) = in_file(soon.certificate)
    now = own.not_valid_before_utc
    found = expiry.standing(now)
    assert {key: round(days) for key, days in found.days.items()} == {
        ("DICOM", "certificate"): 10,
        ("DICOM", "authority"): 30,
        ("source CITY", "certificate"): 5,
    }
    assert sorted(found.warnings) == [
        "the certificate of DICOM expires in 10 days",
        "the certificate of source CITY expires in 5 days",
    ]
    assert "the certificate of source CITY has expired" in expiry.standing(now + timedelta(days=6)).warnings


def test_files_that_are_no_use_change_nothing_and_are_told(tmp_path: Path, ours: Authority) -> None:
    door = _door(tmp_path, ours, 100)
    before = door.context()
    other = ours.sign("other")
    certificate, key = door.files.certificate, door.files.key
    assert certificate is not None
    assert key is not None
    shutil.copy(other.certificate, certificate)
    assert door.context() is before, "the key is another one's"
    assert "cannot be used as certificate and key" in door.problem
    assert "new certificates of DICOM could not be taken" in Expiry((door,), tuple).standing().warnings
    shutil.copy(other.key, key)
    assert door.context() is not before
    assert not door.problem
    certificate.unlink()
    assert door.context() is not before
    assert "a file of DICOM cannot be read (certificate)" in Expiry((door,), tuple).standing().warnings


def test_at_the_start_files_that_are_no_use_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"none\.pem"):
        Secured("DICOM", TlsFiles(tmp_path / "none.pem"), partial(of_server, client_certificate=False))


def test_labels_of_metrics_are_escaped() -> None:
    (_, line) = _gauge_lines({"vna_x": ("x", {(("owner", 'a"b\\c'),): 1.0})})
    assert line == b'vna_x{owner="a\\"b\\\\c"} 1.0\n'
