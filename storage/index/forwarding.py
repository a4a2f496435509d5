"""What may be sent to other archives, and what arrived there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.index.forwarding_schema import forwarded
from storage.index.jobs import DEAD, READY, RUNNING
from storage.index.schema import coercions, instances, jobs, series, studies
from storage.index.upserts import upsert

SENT, FAILED = "sent", "failed"
_IN_BATCH = 500


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instance that is kept here, and what became of it at one destination (no `outcome`: nothing was sent).

    `rules` are its coercion as text; `content` is what was sent, `tries` how often it failed, `at` when.
    """

    key: int
    study_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    size: int
    sha256: bytes
    modality: str
    facility: str
    source_ae: str
    door: str
    rules: str
    modalities: str
    study_date: str
    first_received_at: str
    content: str
    outcome: str
    tries: int
    at: str


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of an instance at a destination."""

    sop_instance_uid: str
    content: str
    outcome: str
    tries: int = 0
    reason: str = ""


def _here(destination: str) -> sa.Select[Any]:
    there = sa.and_(
        forwarded.c.destination == destination, forwarded.c.sop_instance_uid == instances.c.sop_instance_uid
    )
    nothing = sa.func.coalesce
    return (
        sa.select(
            instances.c.id,
            studies.c.study_instance_uid,
            instances.c.sop_instance_uid,
            instances.c.sop_class_uid,
            instances.c.transfer_syntax_uid,
            instances.c.size,
            instances.c.sha256,
            series.c.modality,
            instances.c.facility,
            instances.c.source_ae,
            instances.c.door,
            nothing(coercions.c.rules, ""),
            studies.c.modalities,
            studies.c.study_date,
            studies.c.first_received_at,
            nothing(forwarded.c.content, ""),
            nothing(forwarded.c.outcome, ""),
            nothing(forwarded.c.tries, 0),
            nothing(forwarded.c.at, ""),
        )
        .select_from(instances)
        .join(series, series.c.id == instances.c.series_fk)
        .join(studies, studies.c.id == series.c.study_fk)
        .outerjoin(coercions, coercions.c.id == instances.c.coercion_fk)
        .outerjoin(forwarded, there)
        .where(instances.c.blob != "")
    )


def of_study(connection: sa.Connection, destination: str, study: str, *, after: int, limit: int) -> list[Candidate]:
    """Those that a study has, in the order in which they came, from a key on."""
    wanted = _here(destination).where(studies.c.study_instance_uid == study, instances.c.id > after)
    rows = connection.execute(wanted.order_by(instances.c.id).limit(limit))
    return [Candidate(*row) for row in rows]


def by_name(connection: sa.Connection, uids: Iterable[str]) -> list[Candidate]:
    """Those of these SOP Instance UIDs; of no destination."""
    names, found = sorted(set(uids)), []
    for start in range(0, len(names), _IN_BATCH):
        wanted = _here("").where(instances.c.sop_instance_uid.in_(names[start : start + _IN_BATCH]))
        found += [Candidate(*row) for row in connection.execute(wanted)]
    return found


def note(connection: sa.Connection, destination: str, study: str, ended: Iterable[Ended], at: str) -> None:
    """Remember what became of instances, over what was known of each."""
    for one in ended:
        values = {
            "destination": destination,
            "sop_instance_uid": one.sop_instance_uid,
            "study_instance_uid": study,
            "content": one.content,
            "outcome": one.outcome,
            "tries": one.tries,
            "at": at,
            "reason": one.reason[:300],
        }
        upsert(connection, forwarded, values, key=("destination", "sop_instance_uid"))


def counts(connection: sa.Connection, destination: str, study: str, since: str) -> tuple[int, int]:
    """How many instances of a study are here, and of how many it is known since then what became of them."""
    here = (
        sa.select(sa.func.count())
        .select_from(instances)
        .join(series, series.c.id == instances.c.series_fk)
        .join(studies, studies.c.id == series.c.study_fk)
        .where(studies.c.study_instance_uid == study, instances.c.blob != "")
    )
    known = forwarded.c.sop_instance_uid == instances.c.sop_instance_uid
    there = here.join(forwarded, known).where(forwarded.c.destination == destination, forwarded.c.at >= since)
    return connection.execute(here).scalar_one(), connection.execute(there).scalar_one()


def failures(connection: sa.Connection, destination: str) -> tuple[int, str]:
    """How many instances failed at a destination, and why the last one did."""
    mine = (forwarded.c.destination == destination, forwarded.c.outcome == FAILED)
    count = connection.execute(sa.select(sa.func.count()).select_from(forwarded).where(*mine)).scalar_one()
    last = sa.select(forwarded.c.reason).where(*mine).order_by(forwarded.c.at.desc()).limit(1)
    return count, connection.execute(last).scalar() or ""


def failed_studies(connection: sa.Connection, destination: str, *, after: str, limit: int) -> list[str]:
    """Studies of which instances failed there, in the order of their UIDs, from one on."""
    wanted = (
        sa.select(forwarded.c.study_instance_uid)
        .distinct()
        .where(forwarded.c.destination == destination, forwarded.c.outcome == FAILED)
        .where(forwarded.c.study_instance_uid > after)
    )
    return list(connection.execute(wanted.order_by(forwarded.c.study_instance_uid).limit(limit)).scalars())


def forgive(connection: sa.Connection, destination: str) -> None:
    """Forget how often what failed there was tried."""
    mine = (forwarded.c.destination == destination, forwarded.c.outcome == FAILED)
    connection.execute(sa.update(forwarded).where(*mine).values(tries=0))


def failed_destinations(connection: sa.Connection) -> list[str]:
    """Where instances failed."""
    wanted = sa.select(forwarded.c.destination).distinct().where(forwarded.c.outcome == FAILED)
    return sorted(connection.execute(wanted).scalars())


def studies_since(connection: sa.Connection, since: str, *, after: int, limit: int) -> list[tuple[int, str]]:
    """Studies of which something came since then, with their keys, from a key on."""
    wanted = sa.select(studies.c.id, studies.c.study_instance_uid).where(
        studies.c.id > after, studies.c.last_received_at >= since
    )
    return [(key, uid) for key, uid in connection.execute(wanted.order_by(studies.c.id).limit(limit))]


def _jobs_of(kinds: Sequence[str], destination: str) -> tuple[sa.ColumnElement[bool], ...]:
    return jobs.c.kind.in_(kinds), jobs.c.order_key.startswith(f"{destination} ", autoescape=True)


def jobs_of(connection: sa.Connection, kinds: Sequence[str], destination: str) -> tuple[int, int, str]:
    """How many jobs of a destination wait or are being done, how many were given up, and what went wrong last."""
    mine = _jobs_of(kinds, destination)
    rows = connection.execute(sa.select(jobs.c.state, sa.func.count()).where(*mine).group_by(jobs.c.state))
    states = {str(state): int(count) for state, count in rows}
    last = sa.select(jobs.c.last_error).where(*mine, jobs.c.last_error != "").order_by(jobs.c.id.desc()).limit(1)
    error = connection.execute(last).scalar() or ""
    return states.get(READY, 0) + states.get(RUNNING, 0), states.get(DEAD, 0), error


def hurry(connection: sa.Connection, kinds: Sequence[str], destination: str, *, dead: bool = False) -> int:
    """Have those jobs of a destination tried at once that failed before; with `dead` those that were given up too."""
    mine = _jobs_of(kinds, destination)
    failed = sa.and_(jobs.c.state == READY, jobs.c.attempts > 0)
    if not dead:
        return connection.execute(sa.update(jobs).where(*mine, failed).values(run_after="")).rowcount
    anew = {"state": READY, "attempts": 0, "run_after": ""}
    return connection.execute(
        sa.update(jobs).where(*mine, sa.or_(failed, jobs.c.state == DEAD)).values(**anew)
    ).rowcount


def error_of(connection: sa.Connection, kind: str, order_key: str) -> str:
    """What went wrong last with a job; "" when there is none, or nothing did."""
    wanted = sa.select(jobs.c.last_error).where(jobs.c.kind == kind, jobs.c.order_key == order_key)
    return connection.execute(wanted.order_by(jobs.c.id.desc()).limit(1)).scalar() or ""


def clear_error(connection: sa.Connection, kind: str, order_key: str) -> None:
    """Forget what went wrong with a job before."""
    mine = (jobs.c.kind == kind, jobs.c.order_key == order_key, jobs.c.state == READY)
    connection.execute(sa.update(jobs).where(*mine).values(last_error=""))


def reasons(connection: sa.Connection, destination: str, study: str) -> list[str]:
    """Why instances of a study failed there, each reason as often as it was given."""
    wanted = sa.select(forwarded.c.reason).where(
        forwarded.c.destination == destination,
        forwarded.c.outcome == FAILED,
        forwarded.c.study_instance_uid == study,
    )
    return list(connection.execute(wanted).scalars())
