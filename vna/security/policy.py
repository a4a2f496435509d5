"""The one policy: every use case asks it before it touches anything."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from vna.model.access import Action, Actor, ActorKind
from vna.model.audit import Trail
from vna.model.errors import NotAuthorized
from vna.model.query import Element, Level, Query

_OF_PATIENT = frozenset({"00201200", "00201202", "00201204"})
"""Number of Patient Related Studies, Series and Instances."""


class Policy(Protocol):
    """May this actor do this? Two answers stand behind it: `local` and `enforced`."""

    def check(self, actor: Actor, action: Action, thing: str = "") -> None:
        """Return, or raise NotAuthorized. `thing` is what it is about, by UID or name, never patient data."""


class LocalPolicy:
    """Everything is allowed: this mode runs only while every door is bound to loopback. Access links stay narrow."""

    def check(self, actor: Actor, action: Action, thing: str = "") -> None:
        if actor.kind is ActorKind.LINK:
            _check_link(actor, action, thing)


class EnforcedPolicy:
    """What no right allows is denied. The archive itself (command line, jobs) may do everything."""

    def check(self, actor: Actor, action: Action, thing: str = "") -> None:
        if actor.kind is ActorKind.LINK:
            _check_link(actor, action, thing)
            return
        if actor.kind is ActorKind.SYSTEM or action in actor.rights:
            return
        if actor.kind is ActorKind.ANONYMOUS:
            raise NotAuthorized("this needs a login", authenticated=False)
        raise NotAuthorized(f"{actor.kind.value} {actor.name} has no right to {action.value}")


class AuditedPolicy:
    """A policy whose refusals, and whose permissions to read, go to the audit trail before anything is given."""

    def __init__(self, policy: Policy, trail: Trail) -> None:
        self._policy = policy
        self._trail = trail

    def check(self, actor: Actor, action: Action, thing: str = "") -> None:
        """As the policy it is around; Unavailable when it cannot be written down, so that nothing is read unseen."""
        try:
            self._policy.check(actor, action, thing)
        except NotAuthorized as error:
            self._trail.refused(actor, action, thing, str(error))
            raise
        if action is Action.RETRIEVE and thing and actor.kind is not ActorKind.SYSTEM:
            self._trail.accessed(actor, thing)


def narrowed(actor: Actor, query: Query) -> Query:
    """The query as far as this actor may ask it: through an access link, within the one study.

    What its patient has beside the study is neither matched nor given there: `without_patient_counts` is for answers.
    """
    if actor.kind is not ActorKind.LINK:
        return query
    if query.level is Level.PATIENT:
        raise NotAuthorized("an access link is to one study, not to its patient")
    if any(key.path[0] in _OF_PATIENT for key in query.keys):
        raise NotAuthorized("an access link is to one study: how many its patient has cannot be asked")
    return replace(query, within_study=actor.study_instance_uid)


def without_patient_counts(elements: Mapping[str, Element]) -> dict[str, Element]:
    """An answer without what tells how much there is beside the one study."""
    return {tag: element for tag, element in elements.items() if tag not in _OF_PATIENT}


def _check_link(actor: Actor, action: Action, thing: str) -> None:
    """Only what is said to be about the one study: an operation that names nothing is refused too."""
    if action not in actor.rights or not thing or thing != actor.study_instance_uid:
        raise NotAuthorized(f"an access link gives no right to {action.value} {thing or 'more than its study'}")
