"""SAML assertions on the SOAP doors: signature, time, audience, subject, role and purpose of use."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from lxml import etree
from signxml.algorithms import SignatureMethod

from tests.security.assertions import AUDIENCE, ISSUER, Sts, at, security
from tests.security.trails import Kept
from vna.model.access import Action, Actor, ActorKind, Purpose, Role
from vna.model.errors import NotAuthorized
from vna.security.login_trail import LoginTrail
from vna.security.roles import ROLES
from vna.security.saml import Verifier
from vna.security.xua import Assertions, XuaRules

STS, OTHER = Sts(), Sts()
NOBODY = Actor(ActorKind.ANONYMOUS, "", address="10.0.0.1")
SENDER = Actor(ActorKind.TOKEN, "his/1", frozenset({Action.READ_DOCUMENTS, Action.STORE}), address="10.0.0.1")


def assertions(kept: Kept | None = None, **rules: object) -> Assertions:
    verifier = Verifier({ISSUER: [OTHER.certificate, STS.certificate]}, AUDIENCE)
    return Assertions(verifier, XuaRules(person="urn:example:national-number", **rules), LoginTrail(kept or Kept()))  # type: ignore[arg-type]


def test_an_assertion_says_who_asks_with_role_facility_person_and_purpose() -> None:
    kept = Kept()
    judge, block = assertions(kept), security(STS.signed(purpose="HOPERAT"))
    assert judge([block], NOBODY) == judge([block], NOBODY)
    actor = judge([block], NOBODY)
    assert (actor.kind, actor.name, actor.address) == (ActorKind.USER, "xua/dr-ali", "10.0.0.1")
    assert (actor.role, actor.facility, actor.person) == (Role.CLINICIAN, "H1", "10000000146")
    assert actor.purpose is Purpose.OPERATIONS
    assert actor.rights == ROLES[Role.CLINICIAN].actions
    assert [(one.what, one.actor.name) for one in kept.records] == [("login", "xua/dr-ali")]


def test_a_person_may_no_more_than_the_system_that_sends_the_message() -> None:
    actor = assertions()([security(STS.signed())], SENDER)
    assert (actor.name, actor.rights) == ("xua/dr-ali", SENDER.rights)


def test_without_an_assertion_the_sender_asks_itself_unless_one_is_needed() -> None:
    assert assertions()([], SENDER) == SENDER
    for judge, actor in ((assertions(), NOBODY), (assertions(needed=True), SENDER)):
        with pytest.raises(NotAuthorized, match="this needs a login"):
            judge([], actor)


def test_an_access_link_stays_one() -> None:
    link = Actor(ActorKind.LINK, "link/1", study_instance_uid="1.2")
    assert assertions()([security(STS.signed())], link) == link


def test_an_emergency_is_one_of_who_may_say_so_and_with_a_reason() -> None:
    found = assertions()([security(STS.signed(purpose="ETREAT", reason="unconscious after a fall"))], NOBODY)
    assert (found.purpose, found.reason) == (Purpose.EMERGENCY, "unconscious after a fall")
    found = assertions()([security(STS.signed(purpose="ETREAT", reason="x"))], NOBODY)
    assert found.purpose is Purpose.TREATMENT
    found = assertions()([security(STS.signed(purpose="ETREAT", reason="unconscious", role="radiologist"))], NOBODY)
    assert found.purpose is Purpose.TREATMENT


def test_roles_are_codes_that_the_settings_name() -> None:
    judge = assertions(roles={"112247003": Role.CLINICIAN})
    assert judge([security(STS.signed(role="112247003"))], NOBODY).role is Role.CLINICIAN
    with pytest.raises(NotAuthorized, match="no role that is known"):
        judge([security(STS.signed(role="clinician"))], NOBODY)


def changed() -> etree._Element:
    made = STS.signed()
    next(made.iter("{urn:oasis:names:tc:SAML:2.0:assertion}NameID")).text = "somebody-else"
    return made


def wrapped() -> etree._Element:
    """Signature wrapping: another assertion of the same ID around, or with, the one that was signed."""
    good = STS.signed()
    evil = STS.unsigned(name="somebody-else")
    signature = copy.deepcopy(next(good.iter("{http://www.w3.org/2000/09/xmldsig#}Signature")))
    evil.replace(next(evil.iter("{http://www.w3.org/2000/09/xmldsig#}Signature")), signature)
    etree.SubElement(signature, "{http://www.w3.org/2000/09/xmldsig#}Object").append(good)
    return evil


def inner() -> etree._Element:
    good = STS.signed()
    evil = STS.unsigned(name="somebody-else")
    evil.set("ID", "_a2")
    evil.append(good)
    return evil


def unsigned() -> etree._Element:
    made = STS.unsigned()
    made.remove(next(made.iter("{http://www.w3.org/2000/09/xmldsig#}Signature")))
    return made


BAD: dict[str, tuple[Callable[[], etree._Element], str]] = {
    "forged": (lambda: Sts(key=Sts().key).signed(), "is not signed by its issuer"),
    "changed": (changed, "is not signed by its issuer"),
    "wrapped": (wrapped, "is not signed|by itself"),
    "inside another": (inner, "is not signed|by itself"),
    "not signed": (unsigned, "is not signed as a whole"),
    "empty signature": (STS.unsigned, "is not signed as a whole"),
    "unknown issuer": (lambda: Sts("urn:example:other").signed(), "issuer that is not known"),
    "expired": (lambda: STS.signed(end=at(-2)), "has expired"),
    "confirmation expired": (lambda: STS.signed(confirmed_until=at(-2)), "has expired"),
    "session over": (lambda: STS.signed(session_until=at(-2)), "session that is over"),
    "not yet": (lambda: STS.signed(begin=at(2)), "not valid yet"),
    "no time": (lambda: STS.signed(end="soon"), "a time that is none"),
    "wrong audience": (lambda: STS.signed(audience="https://other.example"), "is for somebody else"),
    "unknown condition": (lambda: STS.signed(condition="<saml2:OneTimeUse/>"), "a condition that is not understood"),
    "holder of key": (lambda: STS.signed(confirmed_by="holder-of-key"), "confirmation is not bearer"),
    "sender vouches": (lambda: STS.signed(confirmed_by="sender-vouches"), "confirmation is not bearer"),
    "nobody": (lambda: STS.signed(name=""), "names nobody"),
    "unknown role": (lambda: STS.signed(role="gardener"), "no role that is known here"),
    "no facility": (lambda: STS.signed(facility=""), "what its role needs"),
    "no national number": (lambda: STS.signed(role="citizen", person="12345678901"), "what its role needs"),
    "unknown purpose": (lambda: STS.signed(purpose="MARKETING"), "a purpose of use that is not known"),
    "oversized": (lambda: STS.signed(reason="x" * 70_000), "is longer than 65536 bytes"),
    "long name": (lambda: STS.signed(name="x" * 101), "what is no name"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_assertion_is_refused_in_words_and_audited(bad: str) -> None:
    make, words = BAD[bad]
    kept = Kept()
    with pytest.raises(NotAuthorized, match=words) as caught:
        assertions(kept)([security(make())], SENDER)
    assert [one.reason for one in kept.records] == [str(caught.value)]


def test_a_signature_by_a_weak_digest_is_refused() -> None:
    text = etree.tostring(STS.signed()).decode().replace("2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1")
    with pytest.raises(NotAuthorized, match="is not signed by its issuer"):
        assertions()([security(etree.fromstring(text))], NOBODY)
    assert assertions()([security(STS.signed(SignatureMethod.RSA_SHA512))], NOBODY).name == "xua/dr-ali"


def test_two_assertions_or_something_else_in_the_header_are_refused() -> None:
    for block in (security(STS.signed(), STS.signed()), security(STS.signed(), etree.Element("UsernameToken"))):
        with pytest.raises(NotAuthorized):
            assertions()([block], NOBODY)
