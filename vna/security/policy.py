"""The one policy: every use case asks it before it touches anything."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from vna.model.access import Action, Actor, ActorKind
from vna.model.audit import Trail
from vna.model.errors import NotAuthorized, NotReached
from vna.model.identifiers import is_uid
from vna.model.query import Element, Level, Query
from vna.model.reach import Reach
from vna.security.emergency import one_patient
from vna.security.reach import Reaching
from vna.security.roles import OF_FACILITIES, OF_STUDIES, ROLES

_OF_PATIENT = frozenset({"00201200", "00201202", "00201204"})
"""Number of Patient Related Studies, Series and Instances."""

WITHIN_REACH = "*"
"""What a use case says it is about when it narrows what it gives to what the actor reaches (`Policy.within`)."""


class Policy(Protocol):
    """May this actor do this? Two answers stand behind it: `local` and `enforced`."""

    def check(self, actor: Actor, action: Action, thing: str = "") -> None:
        """Return, or raise NotAuthorized; NotReached when the study that `thing` names is not the actor's to know of.

        `thing` is what it is about, by UID or name, never patient data.
        """

    def within(self, actor: Actor) -> Reach | None:
        """What an actor reaches; None where that is everything."""

    def narrowed(self, actor: Actor, query: Query) -> Query:
        """The query as far as this actor may ask it; in an emergency, which is recorded, of one patient anywhere."""


class LocalPolicy:
    """Everything is allowed: this mode runs only while every door is bound to loopback. Access links stay narrow."""

    def check(self, actor: Actor, action: Action, thing: str = "") -> None:
        if actor.kind is ActorKind.LINK:
            _check_link(actor, action, thing)

    def within(self, actor: Actor) -> Reach | None:
        return Reach(studies=frozenset({actor.study_instance_uid})) if actor.kind is ActorKind.LINK else None

    def narrowed(self, actor: Actor, query: Query) -> Query:
        return _narrowed(actor, query, self.within(actor))


class EnforcedPolicy:
    """What no right allows is denied, and what no role does. The archive itself (command line, jobs) may do
    everything. Without `reaching`, roles that do not reach all reach nothing."""

    def __init__(self, reaching: Reaching | None = None) -> None:
        self._reaching = reaching

    def check(self, actor: Actor, action: Action, thing: str = "") -> None:
        if actor.kind is ActorKind.LINK:
            _check_link(actor, action, thing)
            return
        if actor.kind is ActorKind.SYSTEM:
            return
        if action not in actor.rights:
            if actor.kind is ActorKind.ANONYMOUS:
                raise NotAuthorized("this needs a login", authenticated=False)
            raise NotAuthorized(f"{actor.kind.value} {actor.name} has no right to {action.value}")
        if actor.role is not None:
            self._check_role(actor, action, thing)

    def within(self, actor: Actor) -> Reach | None:
        if actor.kind is ActorKind.LINK:
            return Reach(studies=frozenset({actor.study_instance_uid}))
        if actor.role is None or ROLES[actor.role].reaches_all:
            return None
        return self._reaching.of(actor) if self._reaching is not None else Reach()

    def narrowed(self, actor: Actor, query: Query) -> Query:
        within = self.within(actor)
        if within is not None and actor.reason and self._reaching is not None:
            named = one_patient(query)
            if named and self._reaching.break_glass(actor, named.study_instance_uid, named.patient):
                return _without_counts(query)
        return _narrowed(actor, query, within)

    def _check_role(self, actor: Actor, action: Action, thing: str) -> None:
        assert actor.role is not None
        rules = ROLES[actor.role]
        if action not in rules.actions:
            raise NotAuthorized(f"a {actor.role.value} has no right to {action.value}")
        if rules.reaches_all or thing == WITHIN_REACH or action is Action.STORE:
            return
        if action in OF_FACILITIES and not actor.facility:
            raise NotAuthorized(f"a {actor.role.value} of no facility has no right to {action.value}")
        if is_uid(thing):
            if self._reaching is None or not self._reaching.reaches(actor, thing):
                raise NotReached("nothing by that name is held")
        elif action in OF_STUDIES:
            raise NotAuthorized(f"a {actor.role.value} may {action.value} only what is said to be of one study")


class AuditedPolicy:
    """A policy whose refusals, and whose permissions to read, go to the audit trail before anything is given."""

    def __init__(self, policy: Policy, trail: Trail) -> None:
        self._policy = policy
        self._trail = trail

    def check(self, actor: Actor, action: Action, thing: str = "") -> None:
        """As the policy it is around; Unavailable when it cannot be written down, so that nothing is read unseen."""
        try:
            self._policy.check(actor, action, thing)
        except (NotAuthorized, NotReached) as error:
            self._trail.refused(actor, action, thing, str(error))
            raise
        if action is Action.RETRIEVE and thing not in ("", WITHIN_REACH) and actor.kind is not ActorKind.SYSTEM:
            self._trail.accessed(actor, thing)

    def within(self, actor: Actor) -> Reach | None:
        """As the policy it is around."""
        return self._policy.within(actor)

    def narrowed(self, actor: Actor, query: Query) -> Query:
        """As the policy it is around; what it refuses is written down too."""
        try:
            return self._policy.narrowed(actor, query)
        except NotAuthorized as error:
            self._trail.refused(actor, Action.QUERY, "", str(error))
            raise


def _narrowed(actor: Actor, query: Query, within: Reach | None) -> Query:
    """What a patient has beside what is reached is neither matched nor given: `without_patient_counts` is for
    answers."""
    if within is None:
        return query
    if actor.kind is ActorKind.LINK:
        if query.level is Level.PATIENT:
            raise NotAuthorized("an access link is to one study, not to its patient")
        if any(key.path[0] in _OF_PATIENT for key in query.keys):
            raise NotAuthorized("an access link is to one study: how many its patient has cannot be asked")
    return replace(_without_counts(query), within=within)


def _without_counts(query: Query) -> Query:
    """Without asking how much a patient has in all, which nobody who is bound by a role is told."""
    if any(key.path[0] in _OF_PATIENT and key.values for key in query.keys):
        raise NotAuthorized("how many studies a patient has cannot be asked")
    return replace(query, keys=tuple(key for key in query.keys if key.path[0] not in _OF_PATIENT))


def without_patient_counts(elements: Mapping[str, Element]) -> dict[str, Element]:
    """An answer without what tells how much there is beside the one study."""
    return {tag: element for tag, element in elements.items() if tag not in _OF_PATIENT}


def _check_link(actor: Actor, action: Action, thing: str) -> None:
    """Only what is said to be about the one study: an operation that names nothing is refused too."""
    if action not in actor.rights or not thing or thing != actor.study_instance_uid:
        raise NotAuthorized(f"an access link gives no right to {action.value} {thing or 'more than its study'}")
