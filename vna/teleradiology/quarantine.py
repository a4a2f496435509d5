"""Quarantine: where a facility says so, images that match no order are kept and acknowledged, and nobody sees them.

They come out when an order matches them, or when a person says so; what comes of such a study later is seen at once.
"""

from collections.abc import Iterator

import orjson

from storage.index import jobs, lookup, matches, subjects
from storage.index import quarantine as rows
from storage.index.engine import Connection, Database
from storage.index.instances import NewInstance
from storage.index.quarantine import QuarantinedStudy
from vna.archive.deletion import Deletion
from vna.archive.store import Admits, Provenance
from vna.jobs.retries import GivenUp
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.errors import BadRequest, NotAuthorized, NotFound
from vna.model.instances import Door
from vna.model.profile import Profile
from vna.security.policy import Policy
from vna.teleradiology.matching_rule import assigned

RELEASE = "release"
"""The kind of job that puts back a study in quarantine; its payload is JSON."""

_GATED = frozenset({Door.C_STORE.value, Door.STOW.value})
"""What modalities and others send. Imports and takeovers are an operator's, and copies another archive's."""

_STEP = 50
_PAGE = 200
_LONGEST_REASON = 500


def admission(profile: Profile) -> Admits | None:
    """What storing asks about a study that nobody sees yet; None where no facility wants a quarantine."""
    if "quarantine" not in (profile.images.unmatched, *profile.images.facilities.values()):
        return None

    def admits(connection: Connection, new: NewInstance, provenance: Provenance) -> bool:
        if provenance.door not in _GATED or profile.images.unmatched_at(provenance.facility) == "accept":
            return True
        study = new.study_instance_uid
        if lookup.state(connection, study) is not None or matches.is_matched(connection, study):
            return True
        subject = subjects.with_steps(connection, rows.subject_of(new))
        orders = matches.outlines(connection, subject.accession_numbers)
        taken_back = {(one.key, study) for one in matches.of_studies(connection, [study]) if one.released}
        return bool(assigned(orders, [subject], profile.matching, released=taken_back))

    return admits


class Quarantine:
    """What is in quarantine, and how it comes out."""

    def __init__(self, database: Database, policy: Policy, deletion: Deletion) -> None:
        self._database = database
        self._policy = policy
        self._deletion = deletion

    def listed(self, actor: Actor, facility: str = "") -> Iterator[QuarantinedStudy]:
        """Studies in quarantine, of one facility or of all, the oldest first."""
        self._policy.check(actor, Action.MATCH, facility)
        _own(actor, facility)
        return self._listed(facility)

    def release(self, actor: Actor, study_instance_uid: str, reason: str) -> None:
        """Let a study be seen though no order matches it; a job does it. NotFound when it is in no quarantine."""
        self._policy.check(actor, Action.MATCH, study_instance_uid)
        if not reason.strip() or len(reason) > _LONGEST_REASON or "\0" in reason:
            raise BadRequest(f"a reason is needed, of at most {_LONGEST_REASON} characters")
        with self._database.transaction() as connection:
            found = subjects.find(connection, [study_instance_uid]).get(study_instance_uid)
            if found is None or not rows.is_known(connection, study_instance_uid):
                raise NotFound("no such study is in quarantine")
            _own(actor, found.facility)
            release_soon(connection, study_instance_uid, actor, reason)

    def __call__(self, payload: str) -> str | None:
        """A step of a job of kind RELEASE. GivenUp when some of it could not be put back."""
        said = orjson.loads(payload)
        actor = Actor(ActorKind.SYSTEM, said["actor"], SYSTEM.rights)
        last, failed = self._deletion.admit(
            actor, said["study"], reason=said["reason"], after=said["after"], limit=_STEP
        )
        said["failed"] += failed
        if last:
            return orjson.dumps({**said, "after": last}).decode()
        if said["failed"]:
            raise GivenUp(f"{said['failed']} instances could not be put back: see vna deleted list --study")
        return None

    def _listed(self, facility: str) -> Iterator[QuarantinedStudy]:
        after = 0
        while True:
            with self._database.read() as connection:
                page = rows.listed(connection, facility, after=after, limit=_PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].key


def release_soon(connection: Connection, study_instance_uid: str, actor: Actor, reason: str) -> None:
    """Have what is in quarantine of a study put back; nothing when none of it is."""
    if rows.is_known(connection, study_instance_uid):
        said = {"study": study_instance_uid, "actor": actor.name, "reason": reason, "after": 0, "failed": 0}
        jobs.schedule(connection, RELEASE, order_key=study_instance_uid, payload=orjson.dumps(said).decode())


def _own(actor: Actor, facility: str) -> None:
    if actor.facility not in ("", facility):
        raise NotAuthorized("that is of another facility")
