"""What an account says of the person behind it: role, facility, national number."""

from dataclasses import replace

from vna.model.access import Actor, Role
from vna.model.errors import BadRequest
from vna.model.national import is_national_number, may_be_foreign
from vna.security.roles import ROLES, Whose, purpose_of, role_of

_OF_FACILITY = frozenset({Whose.FACILITY, Whose.CONSENT, Whose.GRANT})


def as_role(actor: Actor, role: str, person: str) -> Actor:
    """The actor with the role and the national number of its account."""
    if not (role or person):
        return actor
    known = role_of(role)
    return replace(actor, role=known, person=person, purpose=purpose_of(known))


def require_complete(role: Role | None, facility: str, person: str) -> None:
    """BadRequest when an account lacks that by which its role reaches anything."""
    if person and not (is_national_number(person) or may_be_foreign(person)):
        raise BadRequest("that is no national number")
    if role is None:
        return
    whose = ROLES[role].whose
    if Whose.PERSON in whose and not person:
        raise BadRequest(f"a {role.value} is known by a national number: --person")
    if whose & _OF_FACILITY and not facility:
        raise BadRequest(f"a {role.value} belongs to a facility: --facility")
