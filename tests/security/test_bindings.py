"""AE titles and sources bound to addresses and certificates, and how certificates are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.archives import Open, rows
from tests.peers import authority
from vna.model.access import SYSTEM, Action, ActorKind, Peer
from vna.model.certificates import Certificate
from vna.model.errors import BadRequest, NotAuthorized
from vna.model.sources import Source
from vna.security.bindings import is_within
from vna.security.certificates import expected, in_file, validity
from vna.security.peers import Peers

OWN = Certificate("ab" * 32, "CN=CT1,O=City")
OTHER = Certificate("cd" * 32, "CN=CT2,O=City")


def _archive(open_archive: Open, peer: Peer, mode: str = "enforced") -> Peers:
    archive = open_archive(security={"mode": mode})
    archive.peers.add(SYSTEM, peer)
    return archive.peers


@pytest.mark.parametrize("mode", ["local", "enforced"])
@pytest.mark.parametrize(
    ("peer", "address", "certificate", "why"),
    [
        (Peer("CT1", addresses=("10.0.7.0/24",)), "10.0.8.1", None, "bound to other addresses"),
        (Peer("CT1", addresses=("10.0.7.9",)), "", OWN, "bound to other addresses"),
        (Peer("CT1", certificates=(OWN.subject,)), "10.0.7.1", None, "none was shown"),
        (Peer("CT1", certificates=(OWN.subject,)), "10.0.7.1", OTHER, "bound to another certificate"),
        (Peer("CT1", certificates=(OWN.fingerprint,)), "10.0.7.1", OTHER, "bound to another certificate"),
        (Peer("CT1", addresses=("10.0.7.1",), certificates=(OWN.subject,)), "10.0.7.2", OWN, "other addresses"),
    ],
)
def test_a_title_that_does_not_fit_is_refused_in_every_mode(
    open_archive: Open, peer: Peer, address: str, certificate: Certificate | None, why: str, mode: str
) -> None:
    with pytest.raises(NotAuthorized, match=why):
        _archive(open_archive, peer, mode).actor_for("CT1", address, certificate)


@pytest.mark.parametrize(
    ("peer", "address", "certificate"),
    [
        (Peer("CT1"), "192.0.2.1", None),
        (Peer("CT1", addresses=("10.0.7.0/24", "2001:db8::/32")), "2001:db8::7", None),
        (Peer("CT1", addresses=("10.0.7.0/24",)), "::ffff:10.0.7.3", OTHER),
        (Peer("CT1", certificates=(OTHER.fingerprint, OWN.subject)), "10.0.7.1", OWN),
        (Peer("CT1", certificates=(OTHER.subject, OWN.fingerprint)), "10.0.7.1", OWN),
    ],
)
def test_a_title_that_fits_has_its_rights(
    open_archive: Open, peer: Peer, address: str, certificate: Certificate | None
) -> None:
    actor = _archive(open_archive, peer).actor_for("CT1", address, certificate)
    assert (actor.kind, actor.rights) == (ActorKind.AE, peer.rights | {Action.ECHO})


def test_what_is_bound_outlives_the_index(open_archive: Open) -> None:
    archive = open_archive()
    bound = Peer("CT1", "h", 104, addresses=("10.0.0.0/8",), certificates=(OWN.subject, OWN.fingerprint), tls=True)
    archive.peers.add(SYSTEM, bound)
    archive.dispatcher().drain()
    list(archive.reindex.run(SYSTEM))
    assert archive.peers.all() == (bound,)
    assert rows(archive, "select tls from peers") == [(1,)]


def test_over_https_a_certificate_is_that_of_one_title_or_of_nobody(open_archive: Open) -> None:
    peers = _archive(open_archive, Peer("CT1", addresses=("10.0.0.0/8",), certificates=(OWN.subject,)))
    assert peers.certified(OWN, "10.1.1.1").name == "CT1"
    for certificate, address in ((OTHER, "10.1.1.1"), (OWN, "192.0.2.1")):
        with pytest.raises(NotAuthorized):
            peers.certified(certificate, address)
    peers.add(SYSTEM, Peer("CT2", addresses=("10.2.0.0/16",), certificates=(OWN.subject,)))
    with pytest.raises(NotAuthorized):
        peers.certified(OWN, "10.2.1.1")
    assert peers.certified(OWN, "10.1.1.1").name == "CT1"


def test_titles_without_a_certificate_are_nobody_over_https(open_archive: Open) -> None:
    with pytest.raises(NotAuthorized):
        _archive(open_archive, Peer("CT1")).certified(OWN, "10.1.1.1")


@pytest.mark.parametrize("text", ["nonsense", "CN", "ab" * 31, "/no/such/file.pem", "CN=a=b,,"])
def test_what_names_no_certificate_is_refused(open_archive: Open, text: str) -> None:
    with pytest.raises(BadRequest):
        open_archive().peers.add(SYSTEM, Peer("CT1", certificates=(text,)))


@pytest.mark.parametrize("text", ["10.0.0.300", "hospital.example.org", "10.0.0.0/33"])
def test_what_is_no_address_is_refused(open_archive: Open, text: str) -> None:
    with pytest.raises(BadRequest, match="no address or network"):
        open_archive().peers.add(SYSTEM, Peer("CT1", addresses=(text,)))


def test_a_certificate_is_named_as_people_have_it(tmp_path: Path) -> None:
    pair = authority.make(tmp_path).sign("ct1", "/O=City/CN=CT1", days=10)
    colons = ":".join(pair.fingerprint[at : at + 2].upper() for at in range(0, 64, 2))
    assert expected(str(pair.certificate)) == expected(colons) == expected(pair.fingerprint) == pair.fingerprint
    (own,) = in_file(pair.certificate)
    assert validity(own).subject == "CN=CT1,O=City"
    assert 9 < validity(own).days(own.not_valid_before_utc) < 11


def test_an_address_that_is_none_is_within_nothing() -> None:
    assert not is_within("", ("0.0.0.0/0",))
    assert is_within("fe80::1%eth0", ("fe80::/10",))


@pytest.mark.parametrize("mode", ["local", "enforced"])
def test_a_source_sends_with_its_certificate_in_every_mode(open_archive: Open, mode: str) -> None:
    archive = open_archive(security={"mode": mode})
    his = Source("HIS", "HIS", addresses=("10.0.0.0/8",), certificates=(OWN.subject,))
    archive.sources.add(SYSTEM, his)
    assert archive.sources.actor_for("HIS", "", "10.1.1.1", OWN).name == "HIS"
    for certificate in (None, OTHER):
        with pytest.raises(NotAuthorized, match="bound to a"):
            archive.sources.actor_for("HIS", "", "10.1.1.1", certificate)
    archive.sources.put(SYSTEM, Source("HIS", "HIS", addresses=("10.0.0.0/8",)), with_login=True)
    assert archive.sources.all()[0].certificates == (OWN.subject,), "the HTTP door does not know of it"
