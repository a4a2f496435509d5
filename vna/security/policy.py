"""The one policy: every use case asks it before it touches anything."""

from typing import Protocol

from vna.model.access import Action, Actor, ActorKind
from vna.model.errors import NotAuthorized


class Policy(Protocol):
    """May this actor do this? Two answers stand behind it: `local` and `enforced`."""

    def check(self, actor: Actor, action: Action, thing: str = "") -> None:
        """Return, or raise NotAuthorized. `thing` is what it is about, by UID or name, never patient data."""


class LocalPolicy:
    """Everything is allowed: this mode runs only while every door is bound to loopback."""

    def check(self, actor: Actor, action: Action, thing: str = "") -> None:  # noqa: ARG002
        return


class EnforcedPolicy:
    """What no right allows is denied. The archive itself (command line, jobs) may do everything."""

    def check(self, actor: Actor, action: Action, thing: str = "") -> None:  # noqa: ARG002
        if actor.kind is ActorKind.SYSTEM or action in actor.rights:
            return
        if actor.kind is ActorKind.ANONYMOUS:
            raise NotAuthorized("this needs a login", authenticated=False)
        raise NotAuthorized(f"{actor.kind.value} {actor.name} has no right to {action.value}")
