"""Retention: studies whose time is over by the rules are listed, hidden, deleted or removed for good."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import orjson

from storage.index import retention as rows
from storage.index.engine import Database
from vna.archive.deletion import Deletion
from vna.archive.holds import Holds
from vna.archive.purging import Purging
from vna.archive.retention_rules import Rule, earliest, is_due, rule_of
from vna.jobs.regular import was_done
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.errors import Conflict, NotFound
from vna.security.policy import Policy

log = logging.getLogger(__name__)

RETAIN = "retention"
"""The kind of job that follows the rules, some studies each step; its payload is JSON."""
EXPIRED = "Data Retention Policy Expired"
"""Why a study is rejected (PS3.16 CID 7010, 113039)."""

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Due:
    """A study whose time is over by a rule; `held` when it stays all the same, being on hold."""

    rule: Rule
    study_instance_uid: str
    study_date: str
    facility: str
    instances: int
    bytes: int
    held: bool


class Retention:
    """Follows the rules."""

    def __init__(
        self, database: Database, policy: Policy, deletion: Deletion, purging: Purging, rules: Sequence[Rule]
    ) -> None:
        self._database = database
        self._policy = policy
        self._deletion = deletion
        self._purging = purging
        self._rules = tuple(rules)

    def due(self, actor: Actor, today: date | None = None) -> Iterator[Due]:
        """Every study whose time is over."""
        self._policy.check(actor, Action.ADMIN)
        after: int | None = 0
        while after is not None:
            found, after = self._some(after, today or datetime.now(UTC).date())
            yield from found

    def __call__(self, payload: str) -> str | None:
        """A step of the job RETAIN."""
        said = orjson.loads(payload) if payload else {"after": 0, "due": 0, "removed": 0, "held": 0}
        found, after = self._some(said["after"], datetime.now(UTC).date())
        for one in found:
            said["due"] += 1
            said["held"] += one.held
            said["removed"] += not one.held and self._remove(one)
        if after is not None:
            return orjson.dumps({**said, "after": after}).decode()
        for rule in self._rules:
            if rule.then == "purge":
                self._purging.purge(_actor(rule), timedelta(days=rule.purge_days), reason=_reason(rule))
        with self._database.transaction() as connection:
            was_done(connection, RETAIN, f"{said['due']} due, {said['removed']} removed, {said['held']} on hold")
        return None

    def _some(self, after: int, today: date) -> tuple[list[Due], int | None]:
        """Those that are due of some studies after a key, and the last key; None when there are no more."""
        if not self._rules:
            return [], None
        days = int(earliest(self._rules) * 365)  # a day too many at most: the rule itself decides
        before = f"{max(today - timedelta(days=min(days, 500_000)), date.min):%Y%m%d}"
        with self._database.read() as connection:
            page = rows.kept(connection, before=before, after=after, limit=_BATCH)
            ruled = [(one, rule_of(self._rules, one)) for one in page]
            over = [(one, rule) for one, rule in ruled if rule is not None and is_due(rule, one, today)]
            sizes = rows.sizes(connection, [one.key for one, _ in over]) if over else {}
            found = [
                Due(
                    rule=rule,
                    study_instance_uid=one.study_instance_uid,
                    study_date=one.study_date,
                    facility=one.facility,
                    instances=one.instances,
                    bytes=sizes.get(one.key, 0),
                    held=Holds.held(connection, one.study_instance_uid),
                )
                for one, rule in over
            ]
        return found, page[-1].key if len(page) == _BATCH else None

    def _remove(self, one: Due) -> bool:
        if one.rule.then == "report":
            return False
        reason = EXPIRED if one.rule.then == "reject" else _reason(one.rule)
        try:
            self._deletion.delete(_actor(one.rule), one.study_instance_uid, reason=reason)
        except (Conflict, NotFound) as exc:
            study = one.study_instance_uid
            log.info("a study stays", extra={"study_instance_uid": study, "reason": str(exc)})
            return False
        return True


def _actor(rule: Rule) -> Actor:
    return Actor(ActorKind.SYSTEM, f"retention:{rule.name}", SYSTEM.rights)


def _reason(rule: Rule) -> str:
    return f"retention: {rule.name}"
