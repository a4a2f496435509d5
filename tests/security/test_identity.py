"""User identity negotiation (PS3.7 D.3.3.7) at the door of an archive where everybody has to log in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pynetdicom.pdu_primitives import UserIdentityNegotiation

from dimse.scu import sender
from dimse.upper_layer.inprocess import listening
from dimse.upper_layer.request import ProposedContext, open_association
from tests.archives import Backend, ready
from tests.objects import ct, part10
from tests.peers.dcmtk import Dcmtk
from vna.app import build
from vna.app.doors import dimse_server
from vna.model.access import SYSTEM, Action, Actor, ActorKind, Peer, Role
from vna.model.errors import NotAuthorized
from vna.model.sop_classes import VERIFICATION
from vna.model.transfer_syntaxes import IMPLICIT_LE
from vna.security.identity import Identities, Identity, IdentityType

ENTITY = Actor(ActorKind.AE, "CT1", frozenset({Action.STORE, Action.QUERY}), "500059", "10.0.0.7")
PASSWORD = "a long enough password"


@dataclass
class Door:
    port: int
    token: str


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    settings = Backend("sqlite+folder", tmp_path_factory.mktemp("identity")).settings(security={"mode": "enforced"})
    ready(settings)
    archive = build(settings)
    archive.peers.add(SYSTEM, Peer("CT1"))
    archive.accounts.add_user(SYSTEM, "dr", PASSWORD, rights=frozenset({Action.QUERY}))
    token = archive.accounts.add_token(SYSTEM, "dr")
    with listening(dimse_server(archive), grace_seconds=0.2) as port:
        yield Door(port, token)
    archive.close()


def _accepted(door: Door, kind: int, primary: str, secondary: str = "", *, asks: bool = True) -> bytes | None:
    """The positive response of an association with this identity."""
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.primary_field = kind, primary.encode()
    if kind == 2:
        identity.secondary_field = secondary.encode()
    identity.positive_response_requested = asks
    assoc = open_association(
        "127.0.0.1",
        door.port,
        [ProposedContext(VERIFICATION, (IMPLICIT_LE,))],
        called_ae="VNA",
        profile=sender("CT1"),
        user_identity=identity,
    )
    answer = assoc.acceptor.user_identity
    assoc.release()
    return answer.server_response if answer is not None else None


def test_a_right_password_is_confirmed_when_that_is_asked_for(door: Door) -> None:
    assert _accepted(door, 2, "dr", PASSWORD) == b""
    assert _accepted(door, 2, "dr", PASSWORD, asks=False) is None


def test_a_token_is_taken_as_a_json_web_token_is(door: Door) -> None:
    assert _accepted(door, 5, door.token) == b""


def test_a_name_alone_is_taken_and_gives_nothing(door: Door) -> None:
    assert _accepted(door, 1, "anybody") == b""


@pytest.mark.parametrize(
    ("kind", "primary", "secondary"),
    [(2, "dr", "wrong"), (2, "nobody", PASSWORD), (3, "ticket", ""), (4, "<Assertion/>", ""), (5, "a.b.c", "")],
)
def test_an_identity_that_is_not_proved_is_rejected(door: Door, kind: int, primary: str, secondary: str) -> None:
    with pytest.raises(NotAuthorized, match="No reason given"):
        _accepted(door, kind, primary, secondary)


def test_dcmtk_logs_in(door: Door, dcmtk: Dcmtk, tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(part10(ct()))

    def said(password: str) -> str:
        login = ("--user", "dr", "--password", password, "--pos-response")
        at = ("-aet", "CT1", "-aec", "VNA", "127.0.0.1", door.port)
        return dcmtk("storescu", "-v", *login, *at, tmp_path / "a.dcm").stdout

    assert "Association Accepted" in said(PASSWORD)
    assert "Association Rejected" in said("wrong")


def _user(**said: object) -> Actor:
    return Actor(ActorKind.USER, "dr", **said)  # type: ignore[arg-type]


def _with(user: Actor) -> Actor:
    identities = Identities(lambda _name, _password, _address: user)
    return identities.with_user(ENTITY, Identity(IdentityType.USERNAME_AND_PASSCODE, b"dr", b"secret"))


def test_rights_are_those_that_entity_and_user_both_have() -> None:
    both = _with(_user(rights=frozenset({Action.QUERY, Action.DELETE}), role=Role.CLINICIAN, person="10000000146"))
    assert both.rights == {Action.QUERY}
    assert (both.kind, both.name, both.user) == (ActorKind.AE, "CT1", "dr")
    assert (both.role, both.person, both.facility) == (Role.CLINICIAN, "10000000146", "500059")


def test_a_user_of_another_facility_is_refused() -> None:
    with pytest.raises(NotAuthorized, match="another facility"):
        _with(_user(facility="340001"))


def test_what_is_said_is_not_shown() -> None:
    assert "secret" not in repr(Identity(2, b"dr", b"secret"))


def test_an_assertion_goes_to_whoever_proves_it() -> None:
    seen: list[tuple[bytes, str]] = []

    def prove(assertion: bytes, address: str) -> Actor:
        seen.append((assertion, address))
        return _user(rights=frozenset({Action.STORE}))

    identities = Identities(lambda *_said: _user(), assertion=prove)
    assert identities.with_user(ENTITY, Identity(IdentityType.SAML, b"<x/>")).rights == {Action.STORE}
    assert seen == [(b"<x/>", "10.0.0.7")]
