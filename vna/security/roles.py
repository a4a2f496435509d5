"""What each role may do at most, and whose studies it reaches: one table, which code loops over."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from vna.model.access import Action, Purpose, Role
from vna.model.errors import BadRequest


class Whose(StrEnum):
    """By what a study is within reach; a role may have several, and any of them is enough."""

    ALL = "all"
    PERSON = "person"
    FACILITY = "facility"
    CONSENT = "consent"
    GRANT = "grant"
    CASE = "case"


@dataclass(frozen=True, slots=True)
class RoleRules:
    """What somebody of a role may do when the rights of the account say it too, with whose studies, and usually what
    for; `breaks_glass` opens any study for a reason that is recorded."""

    actions: frozenset[Action]
    whose: frozenset[Whose]
    purpose: Purpose
    breaks_glass: bool = False

    @property
    def reaches_all(self) -> bool:
        """Whether nothing has to be looked up."""
        return Whose.ALL in self.whose


_READ = frozenset({Action.ECHO, Action.QUERY, Action.RETRIEVE, Action.READ_DOCUMENTS})
_PRACTISE = _READ | {Action.STORE, Action.LOOK_UP}

ROLES: Mapping[Role, RoleRules] = {
    Role.CITIZEN: RoleRules(_READ, frozenset({Whose.PERSON}), Purpose.PATIENT_REQUEST),
    Role.CLINICIAN: RoleRules(
        _PRACTISE, frozenset({Whose.FACILITY, Whose.CONSENT}), Purpose.TREATMENT, breaks_glass=True
    ),
    Role.RADIOLOGIST: RoleRules(
        _PRACTISE | {Action.REPORT}, frozenset({Whose.FACILITY, Whose.GRANT}), Purpose.TREATMENT
    ),
    Role.HOSPITAL_ADMINISTRATOR: RoleRules(
        _PRACTISE | {Action.REPORT, Action.MATCH, Action.DELETE}, frozenset({Whose.FACILITY}), Purpose.OPERATIONS
    ),
    Role.NATIONAL_OPERATOR: RoleRules(frozenset(Action), frozenset({Whose.ALL}), Purpose.OPERATIONS),
    Role.PAYER_CLERK: RoleRules(frozenset({Action.ECHO, Action.CHECK_BILLS}), frozenset(), Purpose.PAYMENT),
    Role.PAYER_INSPECTOR: RoleRules(_READ | {Action.CHECK_BILLS}, frozenset({Whose.CASE}), Purpose.PAYMENT),
}

OF_STUDIES = frozenset(
    {
        Action.QUERY,
        Action.QUERY_ACROSS,
        Action.RETRIEVE,
        Action.DELETE,
        Action.CORRECT,
        Action.READ_DOCUMENTS,
        Action.WRITE_DOCUMENTS,
        Action.FEED,
        Action.ADMIN,
    }
)
"""What is about studies: a use case that names none is closed to roles that do not reach all, unless it narrows what it
gives to what they reach."""
OF_FACILITIES = frozenset({Action.LOOK_UP, Action.REPORT, Action.MATCH})
"""What is narrowed by the facility of the account (`teleradiology.own_orders`), so that it takes one."""


def role_of(text: str) -> Role | None:
    """A role by its name, None for none; BadRequest names those that are."""
    if not text:
        return None
    try:
        return Role(text)
    except ValueError:
        raise BadRequest(f"{text} is no role: use {', '.join(Role)}") from None


def purpose_of(role: Role | None) -> Purpose:
    """What somebody of a role usually asks for."""
    return ROLES[role].purpose if role is not None else Purpose.TREATMENT
