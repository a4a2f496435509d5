"""The one policy: every use case asks it before it touches anything."""

from dataclasses import replace
from typing import Protocol

from vna.model.access import Action, Actor, ActorKind
from vna.model.errors import NotAuthorized
from vna.model.query import Level, Query


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


def narrowed(actor: Actor, query: Query) -> Query:
    """The query as far as this actor may ask it: through an access link, within the one study."""
    if actor.kind is not ActorKind.LINK:
        return query
    if query.level is Level.PATIENT:
        raise NotAuthorized("an access link is to one study, not to its patient")
    return replace(query, within_study=actor.study_instance_uid)


def _check_link(actor: Actor, action: Action, thing: str) -> None:
    """Only what is said to be about the one study: an operation that names nothing is refused too."""
    if action not in actor.rights or not thing or thing != actor.study_instance_uid:
        raise NotAuthorized(f"an access link gives no right to {action.value} {thing or 'more than its study'}")
