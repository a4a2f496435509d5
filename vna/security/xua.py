"""Who asks by SOAP, as a SAML assertion says (IHE XUA, ITI TF-2 3.40): name, role, facility and purpose of use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from lxml import etree

from vna.model.access import Actor, ActorKind, Purpose, Role
from vna.model.errors import BadRequest, NotAuthorized
from vna.security.login_trail import LoginTrail
from vna.security.people import as_role, require_complete
from vna.security.roles import ROLES
from vna.security.saml import ASSERTION, Assertion, Verifier
from vna.xml.namespaces import WSSE, qname

SECURITY = qname(WSSE, "Security")
PREFIX = "xua/"
"""What the names of people begin with whom an assertion names."""
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_TIMESTAMP = qname(_WSU, "Timestamp")
_ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
_ORGANISATION = "urn:oasis:names:tc:xspa:1.0:subject:organization-id"
_PURPOSE = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
_PURPOSES: Mapping[str, Purpose] = {
    **{purpose.value: purpose for purpose in Purpose},
    "TREATMENT": Purpose.TREATMENT,
    "EMERGENCY": Purpose.EMERGENCY,
    "REQUEST": Purpose.PATIENT_REQUEST,
    "PAYMENT": Purpose.PAYMENT,
    "OPERATIONS": Purpose.OPERATIONS,
}
"""Codes of ISO 14265 as HL7 has them, and the words of XSPA."""
_NODES = frozenset({ActorKind.ANONYMOUS, ActorKind.AE})
"""Whose rights do not bound a person's: a node that its certificate proves has rights of DICOM alone."""
_SHORTEST_REASON, _LONGEST_REASON = 5, 500


@dataclass(frozen=True, slots=True)
class XuaRules:
    """`roles` says which role a code is; `facility` and `person` are the attributes of the facility's code and of the
    national number. With `needed` a message without an assertion is refused."""

    roles: Mapping[str, Role] = field(default_factory=lambda: {role.value: role for role in Role})
    facility: str = _ORGANISATION
    person: str = ""
    needed: bool = False


class Assertions:
    """Says who asks: whom the assertion in the header of a message names, with no more rights than who sent it has."""

    def __init__(self, verifier: Verifier, rules: XuaRules, trail: LoginTrail | None = None) -> None:
        self._verifier = verifier
        self._rules = rules
        self._trail = trail or LoginTrail()

    def __call__(self, blocks: Sequence[etree._Element], actor: Actor) -> Actor:
        """NotAuthorized where an assertion is wrong, or lacks and is needed. An access link and local mode stay what
        they are."""
        if actor.kind in (ActorKind.LINK, ActorKind.LOCAL):
            return actor
        try:
            found = _assertion(blocks)
            if found is None:
                if self._rules.needed or actor.kind is ActorKind.ANONYMOUS:
                    raise NotAuthorized("this needs a login: an assertion in the header", authenticated=False)
                return actor
            person = self._person(self._verifier.verified(found), actor)
        except NotAuthorized as error:
            self._trail.refused_elsewhere(actor.address, "XUA", str(error))
            raise
        self._trail.came(person, "XUA")
        return person

    def _person(self, said: Assertion, sender: Actor) -> Actor:
        rules = self._rules
        role = next((rules.roles[one.code] for one in said.attributes.get(_ROLE, ()) if one.code in rules.roles), None)
        if role is None:
            raise NotAuthorized("the assertion gives no role that is known here", authenticated=False)
        facility, person = said.first(rules.facility).code, said.first(rules.person).code if rules.person else ""
        if not said.name.isprintable() or len(said.name) > 100 or len(facility) > 64 or len(person) > 32:
            raise NotAuthorized("the assertion says what is no name, facility or number", authenticated=False)
        try:
            require_complete(role, facility, person)
        except BadRequest as error:
            raise NotAuthorized("the assertion leaves out what its role needs", authenticated=False) from error
        rights = ROLES[role].actions
        if sender.kind not in _NODES:
            rights &= sender.rights
        priority = sender.priority
        made = Actor(ActorKind.USER, PREFIX + said.name, rights, facility, sender.address, priority=priority)
        return _for_purpose(as_role(made, role.value, person), role, said.first(_PURPOSE).code, _reason(said))


def _for_purpose(actor: Actor, role: Role, code: str, reason: str) -> Actor:
    """What is said it is for; without it what is usual for the role. An emergency is one only of roles that may say so,
    and with a reason."""
    if not code:
        return actor
    purpose = _PURPOSES.get(code)
    if purpose is None:
        raise NotAuthorized("the assertion has a purpose of use that is not known here", authenticated=False)
    if purpose is not Purpose.EMERGENCY:
        return replace(actor, purpose=purpose)
    if not ROLES[role].breaks_glass or not reason:
        return actor
    return replace(actor, purpose=purpose, reason=reason)


def _reason(said: Assertion) -> str:
    """Why it is an emergency: the words beside the code."""
    words = " ".join(said.first(_PURPOSE).words.split())
    return words if _SHORTEST_REASON <= len(words) <= _LONGEST_REASON and words.isprintable() else ""


def _assertion(blocks: Sequence[etree._Element]) -> etree._Element | None:
    """The one assertion of the Security headers (WSS SAML Token Profile 1.1 3.2), whose Timestamp has to hold too."""
    found: list[etree._Element] = []
    for block in blocks:
        if block.tag != SECURITY:
            continue
        for part in block:
            if part.tag == ASSERTION:
                found.append(part)
            elif part.tag == _TIMESTAMP:
                _require_fresh(part)
            else:
                raise NotAuthorized("the Security header has something else than an assertion", authenticated=False)
    if len(found) > 1:
        raise NotAuthorized("the message has two assertions", authenticated=False)
    return found[0] if found else None


def _require_fresh(stamp: etree._Element) -> None:
    text = (stamp.findtext(qname(_WSU, "Expires")) or "").strip()
    try:
        is_over = bool(text) and datetime.fromisoformat(text) <= datetime.now(UTC)
    except (ValueError, TypeError):
        is_over = True
    if is_over:
        raise NotAuthorized("the message has expired", authenticated=False)
