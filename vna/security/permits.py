"""Consents, grants and cases: what lets somebody see more than is theirs, until when; and what facilities are.

consent     a patient lets a facility see what other facilities have of them
grant       a facility lets another one's radiologists see its studies
case        what a payer's inspector looks at, by studies and orders
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from storage.index import events
from storage.index import permits as rows
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from storage.index.permits import FacilityDetails, Permit, PermitStudy
from vna.model.access import Action, Actor
from vna.model.errors import BadRequest, NotFound
from vna.model.events import Event, EventKind
from vna.model.identifiers import is_uid
from vna.model.national import is_national_number, may_be_foreign
from vna.security.policy import Policy
from vna.security.reach import CASE, CONSENT, GRANT

OWNERSHIPS = ("public", "university", "private")
_BATCH = 200
_LONGEST_REASON = 500
_LONGEST_CODE = 64
_MOST_STUDIES = 1000


class Permits:
    """Records them; each has a beginning and, but for consents that say otherwise, an end, and can be revoked."""

    def __init__(
        self, database: Database, policy: Policy, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._policy = policy
        self._clock = clock

    def consent(
        self,
        actor: Actor,
        number: str,
        facility: str,
        *,
        reason: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Permit:
        """A patient, by national number, lets a facility see what others have."""
        self._policy.check(actor, Action.ADMIN, facility)
        _require_person(number)
        _require_code(facility)
        return self._add(actor, CONSENT, facility, number, reason, since, until)

    def grant(
        self,
        actor: Actor,
        owner: str,
        reader: str,
        *,
        reason: str = "",
        since: datetime | None = None,
        until: datetime | None,
    ) -> Permit:
        """A facility lets the radiologists of another one see its studies, until a date."""
        self._policy.check(actor, Action.ADMIN, reader)
        _require_code(owner)
        _require_code(reader)
        if owner == reader:
            raise BadRequest("a facility needs no grant of its own")
        if until is None:
            raise BadRequest("a grant has a last day")
        return self._add(actor, GRANT, reader, owner, reason, since, until)

    def case(
        self,
        actor: Actor,
        inspector: str,
        about: Sequence[PermitStudy],
        *,
        reason: str,
        since: datetime | None = None,
        until: datetime | None,
    ) -> Permit:
        """What an inspector, by the name of their account, looks at until a date."""
        self._policy.check(actor, Action.ADMIN, inspector)
        if not inspector or len(inspector) > 128:
            raise BadRequest("a case is of an inspector, by the name of their account")
        if not about or len(about) > _MOST_STUDIES:
            raise BadRequest(f"a case names 1 to {_MOST_STUDIES} studies or orders")
        for one in about:
            is_order = bool(one.facility and one.accession_number)
            if is_order == is_uid(one.study_instance_uid):
                raise BadRequest("a case names studies by their UID, and orders by facility and accession number")
        if until is None:
            raise BadRequest("a case has a last day")
        if not reason.strip():
            raise BadRequest("a case has a reason")
        return self._add(actor, CASE, inspector, "", reason, since, until, tuple(about))

    def listed(self, actor: Actor, kind: str) -> Iterator[Permit]:
        """All of a kind, those that are over or revoked too."""
        self._policy.check(actor, Action.ADMIN)
        after = ""
        while True:
            with self._database.read() as connection:
                page = rows.listed(connection, kind, after=after, limit=_BATCH)
            yield from page
            if len(page) < _BATCH:
                return
            after = page[-1].name

    def revoke(self, actor: Actor, kind: str, name: str) -> None:
        """End one now; NotFound when there is none that stands."""
        self._policy.check(actor, Action.ADMIN, name)
        now = self._clock()
        with self._database.transaction() as connection:
            permit = rows.revoke(connection, kind, name, time_text(now))
            if permit is None:
                raise NotFound(f"no {kind} is called {name}, or it was revoked")
            detail = {"name": name, "kind": kind, "revoked_at": permit.revoked_at}
            events.append(connection, EventKind.PERMIT_CHANGED, at=now, actor=actor.name, detail=detail)

    def put_facility(self, actor: Actor, code: str, province: str, ownership: str) -> None:
        """Say of a facility where it is and whose."""
        self._policy.check(actor, Action.ADMIN, code)
        _require_code(code)
        if ownership not in OWNERSHIPS:
            raise BadRequest(f"a facility is one of {', '.join(OWNERSHIPS)}")
        if not province.strip() or len(province) > _LONGEST_CODE:
            raise BadRequest("a facility is in a province, by its name or code")
        now = self._clock()
        facility = FacilityDetails(code, province.strip(), ownership, time_text(now))
        with self._database.transaction() as connection:
            rows.put_facility(connection, facility)
            _tell_facility(connection, actor, now, asdict(facility))

    def remove_facility(self, actor: Actor, code: str) -> None:
        """Forget what was said of a facility; NotFound when nothing was."""
        self._policy.check(actor, Action.ADMIN, code)
        with self._database.transaction() as connection:
            if not rows.remove_facility(connection, code):
                raise NotFound(f"nothing is known of the facility {code}")
            _tell_facility(connection, actor, self._clock(), {"code": code, "removed": True})

    def facilities(self, actor: Actor) -> Iterator[FacilityDetails]:
        """Every facility of which something was said, by code."""
        self._policy.check(actor, Action.ADMIN)
        after = ""
        while True:
            with self._database.read() as connection:
                page = rows.facilities(connection, after=after, limit=_BATCH)
            yield from page
            if len(page) < _BATCH:
                return
            after = page[-1].code

    def _add(
        self,
        actor: Actor,
        kind: str,
        reader: str,
        subject: str,
        reason: str,
        since: datetime | None,
        until: datetime | None,
        about: tuple[PermitStudy, ...] = (),
    ) -> Permit:
        now = self._clock()
        if len(reason) > _LONGEST_REASON or "\0" in reason:
            raise BadRequest(f"a reason has at most {_LONGEST_REASON} characters")
        if until is not None and until <= max(now, since or now):
            raise BadRequest("its last day is over before it begins")
        permit = Permit(
            name=secrets.token_hex(4),
            kind=kind,
            reader=reader,
            subject=subject,
            reason=reason.strip(),
            since=time_text(since or now),
            until=time_text(until) if until is not None else "",
            added_at=time_text(now),
            added_by=actor.name[:128],
            about=about,
        )
        with self._database.transaction() as connection:
            rows.put(connection, permit)
            events.append(connection, EventKind.PERMIT_CHANGED, at=now, actor=actor.name, detail=asdict(permit))
        return permit


def replay(connection: Connection, event: Event) -> None:
    """A permit, as an event tells of it."""
    detail = dict(event.detail)
    if "reader" not in detail:
        rows.revoke(connection, detail["kind"], detail["name"], detail["revoked_at"])
        return
    about = tuple(PermitStudy(**one) for one in detail.pop("about"))
    rows.put(connection, Permit(**detail, about=about))


def replay_facility(connection: Connection, event: Event) -> None:
    """What an event says of a facility."""
    detail = dict(event.detail)
    if detail.pop("removed", False):
        rows.remove_facility(connection, detail["code"])
    else:
        rows.put_facility(connection, FacilityDetails(**detail))


def state_of(permit: Permit) -> str:
    """How it stands now, in a word."""
    now = time_text(datetime.now(UTC))
    if permit.revoked_at:
        return "revoked"
    if permit.since > now:
        return "to come"
    return "over" if permit.until and permit.until <= now else "stands"


def _require_person(number: str) -> None:
    if not (is_national_number(number) or may_be_foreign(number)):
        raise BadRequest("that is no national number")


def _require_code(code: str) -> None:
    if not code or len(code) > _LONGEST_CODE or not code.isprintable() or code == "*":
        raise BadRequest("a facility is named by its code")


def _tell_facility(connection: Connection, actor: Actor, at: datetime, detail: dict[str, object]) -> None:
    events.append(connection, EventKind.FACILITY_CHANGED, at=at, actor=actor.name, detail=detail)
