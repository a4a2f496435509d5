"""An emergency over HTTP: the field in which a clinician says why."""

from dataclasses import replace
from urllib.parse import unquote

from vna.model.access import Actor, Purpose
from vna.model.errors import BadRequest
from vna.security.roles import ROLES

FIELD = "Break-Glass"
"""Ours: its value is the reason, in ASCII, with everything else percent-encoded as UTF-8."""
_SHORTEST, _LONGEST = 5, 500


def in_emergency(actor: Actor, said: str) -> Actor:
    """The same actor, for whom it is an emergency; whoever's role cannot break glass stays as they are.

    BadRequest where nothing that says why is given.
    """
    if not said or actor.role is None or not ROLES[actor.role].breaks_glass:
        return actor
    reason = " ".join(unquote(said, errors="replace").split())
    if not _SHORTEST <= len(reason) <= _LONGEST or not reason.isprintable():
        raise BadRequest(f"{FIELD} says why, in {_SHORTEST} to {_LONGEST} characters")
    return replace(actor, purpose=Purpose.EMERGENCY, reason=reason)
