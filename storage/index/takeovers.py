"""What is known while another archive's content is taken over: where its list was read, what became of each study."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.schema import UID, Key, instances, metadata, series, studies
from vna.model.instances import Door

_IN_BATCH = 500

takeovers = sa.Table(
    "takeovers",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("listed", sa.Integer, nullable=False, server_default="0"),
    sa.Column("trusted", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cap", sa.Integer, nullable=False, server_default="0"),
    sa.Column("started_at", sa.String(32), nullable=False, server_default=""),
    sa.UniqueConstraint("source", "scope", name="uq_takeovers"),
    sqlite_autoincrement=True,
)
"""One source and one choice of its studies. `listed` says that its list was read to the end."""

windows = sa.Table(
    "takeover_windows",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("takeover_fk", Key, sa.ForeignKey("takeovers.id"), nullable=False),
    sa.Column("span", sa.String(160), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("found", sa.Integer, nullable=False, server_default="0"),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.UniqueConstraint("takeover_fk", "span", name="uq_takeover_windows"),
    sa.Index("ix_takeover_windows_state", "takeover_fk", "state", "id"),
    sqlite_autoincrement=True,
)
"""Parts of the source's list, each asked for by one search."""

taken = sa.Table(
    "takeover_studies",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("takeover_fk", Key, sa.ForeignKey("takeovers.id"), nullable=False),
    sa.Column("study_instance_uid", UID, nullable=False),
    sa.Column("study_date", sa.String(8), nullable=False, server_default=""),
    sa.Column("modalities", sa.Text, nullable=False, server_default=""),
    sa.Column("said", sa.BigInteger, nullable=False, server_default="-1"),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("counts", sa.Text, nullable=False, server_default=""),
    sa.Column("listed", sa.Integer, nullable=False, server_default="0"),
    sa.Column("stored", sa.Integer, nullable=False, server_default="0"),
    sa.Column("held", sa.Integer, nullable=False, server_default="0"),
    sa.Column("missing", sa.Integer, nullable=False, server_default="0"),
    sa.Column("differed", sa.Integer, nullable=False, server_default="0"),
    sa.Column("refused", sa.Integer, nullable=False, server_default="0"),
    sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("looked_at", sa.String(32), nullable=False, server_default=""),
    sa.UniqueConstraint("takeover_fk", "study_instance_uid", name="uq_takeover_studies"),
    sa.Index("ix_takeover_studies_state", "takeover_fk", "state", "study_date", "id"),
    sqlite_autoincrement=True,
)
"""A study of the source. `said` is how many instances it says that it has (-1: it does not say), `listed` how many it
names; `counts` are those by modality, as JSON."""

findings = sa.Table(
    "takeover_findings",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("takeover_fk", Key, sa.ForeignKey("takeovers.id"), nullable=False),
    sa.Column("study_instance_uid", UID, nullable=False),
    sa.Column("sop_instance_uid", UID, nullable=False, server_default=""),
    sa.Column("what", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_takeover_findings_study", "takeover_fk", "study_instance_uid"),
    sqlite_autoincrement=True,
)
"""What is not as it should be, instance by instance."""

OPEN, DONE, SPLIT, CUT = "open", "done", "split", "cut"
"""States of windows: to be asked, known to be complete, asked in parts, known or feared to be incomplete."""

LISTED, COMPLETE, INCOMPLETE, FAILED, OUTSIDE = "listed", "complete", "incomplete", "failed", "outside"
"""States of studies: to be copied, all here, not all here, could not be read, none of those that were chosen."""


@dataclass(frozen=True, slots=True)
class TakeoverRow:
    """`trusted` is the longest answer known to be whole, `cap` the shortest known to be cut; 0 where none is."""

    key: int
    source: str
    scope: str
    listed: bool
    trusted: int
    cap: int


@dataclass(frozen=True, slots=True)
class WindowRow:
    """One part of the source's list."""

    key: int
    span: str
    state: str
    found: int
    reason: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A study as the source lists it."""

    study_instance_uid: str
    study_date: str
    modalities: str
    said: int


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A study of the source, and what became of it."""

    key: int
    study_instance_uid: str
    study_date: str
    modalities: str
    said: int
    state: str
    reason: str
    counts: str
    listed: int
    missing: int
    differed: int
    refused: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a study."""

    state: str
    reason: str = ""
    counts: str = ""
    listed: int = 0
    stored: int = 0
    held: int = 0
    missing: int = 0
    differed: int = 0
    refused: int = 0
    bytes: int = 0
    looked_at: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One instance (or, without a UID, several) that is not as it should be."""

    study_instance_uid: str
    sop_instance_uid: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class HeldRow:
    """An instance that we know; without bytes of it where it is kept elsewhere."""

    sop_instance_uid: str
    study_instance_uid: str
    sha256: bytes
    door: str
    source_ae: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Sums:
    """Of all studies in one state."""

    studies: int = 0
    said: int = 0
    listed: int = 0
    stored: int = 0
    held: int = 0
    missing: int = 0
    differed: int = 0
    refused: int = 0
    bytes: int = 0


def _dialect(connection: sa.Connection) -> Any:
    return sqlite if connection.dialect.name == "sqlite" else postgresql


def begin(connection: sa.Connection, source: str, scope: str, at: str) -> TakeoverRow:
    """The takeover of that choice; it is begun when there is none."""
    insert = _dialect(connection).insert(takeovers).values(source=source, scope=scope, started_at=at)
    connection.execute(insert.on_conflict_do_nothing(index_elements=["source", "scope"]))
    found = find(connection, source, scope)
    assert found is not None
    return found


def find(connection: sa.Connection, source: str, scope: str) -> TakeoverRow | None:
    """One that was begun."""
    table = takeovers.c
    row = connection.execute(
        sa.select(table.id, table.source, table.scope, table.listed, table.trusted, table.cap).where(
            table.source == source, table.scope == scope
        )
    ).one_or_none()
    if row is None:
        return None
    return TakeoverRow(row.id, row.source, row.scope, bool(row.listed), row.trusted, row.cap)


def list_anew(connection: sa.Connection, takeover: int, span: str) -> None:
    """Forget what was read of the source's list, and begin with one window."""
    connection.execute(sa.delete(windows).where(windows.c.takeover_fk == takeover))
    connection.execute(sa.update(takeovers).where(takeovers.c.id == takeover).values(listed=0, trusted=0, cap=0))
    add_windows(connection, takeover, [span])


def finish_list(connection: sa.Connection, takeover: int) -> None:
    """It was read to the end."""
    connection.execute(sa.update(takeovers).where(takeovers.c.id == takeover).values(listed=1))


def learn(connection: sa.Connection, takeover: int, trusted: int, cap: int) -> None:
    """How long answers of the source can be."""
    connection.execute(sa.update(takeovers).where(takeovers.c.id == takeover).values(trusted=trusted, cap=cap))


def add_windows(connection: sa.Connection, takeover: int, spans: Iterable[str]) -> None:
    """Windows to be asked; those that are known stay as they are."""
    for span in spans:
        insert = _dialect(connection).insert(windows).values(takeover_fk=takeover, span=span, state=OPEN)
        connection.execute(insert.on_conflict_do_nothing(index_elements=["takeover_fk", "span"]))


def settle_window(
    connection: sa.Connection, takeover: int, span: str, state: str, *, found: int = 0, reason: str = ""
) -> None:
    """What came of asking for it."""
    values = {"state": state, "found": found, "reason": reason}
    insert = _dialect(connection).insert(windows).values(takeover_fk=takeover, span=span, **values)
    connection.execute(insert.on_conflict_do_update(index_elements=["takeover_fk", "span"], set_=values))


def next_window(connection: sa.Connection, takeover: int) -> WindowRow | None:
    """The one to ask next: the newest, so that few are open at once."""
    row = connection.execute(
        _windows(takeover).where(windows.c.state == OPEN).order_by(windows.c.id.desc()).limit(1)
    ).first()
    return None if row is None else WindowRow(*row)


def cut_windows(connection: sa.Connection, takeover: int, limit: int) -> list[WindowRow]:
    """Windows whose answers are not known to be complete."""
    rows = connection.execute(_windows(takeover).where(windows.c.state == CUT).order_by(windows.c.id).limit(limit))
    return [WindowRow(*row) for row in rows]


def _windows(takeover: int) -> Any:
    columns = (windows.c.id, windows.c.span, windows.c.state, windows.c.found, windows.c.reason)
    return sa.select(*columns).where(windows.c.takeover_fk == takeover)


def note_studies(connection: sa.Connection, takeover: int, seen: Sequence[Seen]) -> None:
    """The source has these. One of which it says another number than before is to be looked at again."""
    module = _dialect(connection)
    for start in range(0, len(seen), _IN_BATCH):
        rows = {
            one.study_instance_uid: {**asdict(one), "takeover_fk": takeover, "state": LISTED}
            for one in seen[start : start + _IN_BATCH]
        }
        insert = module.insert(taken).values(list(rows.values()))
        changed = taken.c.said != insert.excluded.said
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=["takeover_fk", "study_instance_uid"],
                set_={
                    "study_date": insert.excluded.study_date,
                    "modalities": insert.excluded.modalities,
                    "said": insert.excluded.said,
                    "state": sa.case((changed, LISTED), else_=taken.c.state),
                },
            )
        )


_STUDY_COLUMNS = tuple(taken.c["id" if name == "key" else name] for name in StudyRow.__slots__)


def open_studies(
    connection: sa.Connection, takeover: int, *, before: tuple[str, int] | None, limit: int
) -> list[StudyRow]:
    """Studies to be copied, the newest first, from one on."""
    wanted = sa.select(*_STUDY_COLUMNS).where(taken.c.takeover_fk == takeover, taken.c.state == LISTED)
    if before is not None:
        wanted = wanted.where(sa.tuple_(taken.c.study_date, taken.c.id) < sa.tuple_(*before))
    rows = connection.execute(wanted.order_by(taken.c.study_date.desc(), taken.c.id.desc()).limit(limit))
    return [StudyRow(*row) for row in rows]


def all_studies(connection: sa.Connection, takeover: int, *, after: int, limit: int) -> list[StudyRow]:
    """Studies by key, from one on."""
    rows = connection.execute(
        sa.select(*_STUDY_COLUMNS)
        .where(taken.c.takeover_fk == takeover, taken.c.id > after)
        .order_by(taken.c.id)
        .limit(limit)
    )
    return [StudyRow(*row) for row in rows]


def reopen(connection: sa.Connection, takeover: int, states: Sequence[str]) -> int:
    """Have studies in these states copied again; how many."""
    changed = connection.execute(
        sa.update(taken)
        .where(taken.c.takeover_fk == takeover, taken.c.state.in_(states))
        .values(state=LISTED, reason="")
    )
    return int(changed.rowcount)


def settle(
    connection: sa.Connection, takeover: int, study: StudyRow, settled: Settled, found: Sequence[Finding]
) -> None:
    """Note what became of a study, in the place of what was noted before."""
    connection.execute(sa.update(taken).where(taken.c.id == study.key).values(**asdict(settled)))
    connection.execute(
        sa.delete(findings).where(
            findings.c.takeover_fk == takeover, findings.c.study_instance_uid == study.study_instance_uid
        )
    )
    if found:
        connection.execute(sa.insert(findings), [{**asdict(one), "takeover_fk": takeover} for one in found])


def sums(connection: sa.Connection, takeover: int) -> dict[str, Sums]:
    """Sums over the studies in each state."""
    said = sa.case((taken.c.said > 0, taken.c.said), else_=0)
    columns = [sa.func.count(), sa.func.sum(said), *(sa.func.sum(taken.c[name]) for name in Sums.__slots__[2:])]
    rows = connection.execute(
        sa.select(taken.c.state, *columns).where(taken.c.takeover_fk == takeover).group_by(taken.c.state)
    )
    return {row[0]: Sums(*(int(value) for value in row[1:])) for row in rows}


def some_findings(connection: sa.Connection, takeover: int, *, after: int, limit: int) -> list[tuple[int, Finding]]:
    """Findings with their keys, from one on."""
    columns = (findings.c[name] for name in Finding.__slots__)
    rows = connection.execute(
        sa.select(findings.c.id, *columns)
        .where(findings.c.takeover_fk == takeover, findings.c.id > after)
        .order_by(findings.c.id)
        .limit(limit)
    )
    return [(row[0], Finding(*row[1:])) for row in rows]


def known(connection: sa.Connection, sop_instance_uids: Sequence[str]) -> dict[str, HeldRow]:
    """Which of these instances the index has."""
    found: dict[str, HeldRow] = {}
    joined = instances.join(series, series.c.id == instances.c.series_fk).join(
        studies, studies.c.id == series.c.study_fk
    )
    columns = (
        instances.c.sop_instance_uid,
        studies.c.study_instance_uid,
        instances.c.sha256,
        instances.c.door,
        instances.c.source_ae,
        instances.c.blob != "",
    )
    for start in range(0, len(sop_instance_uids), _IN_BATCH):
        batch = sop_instance_uids[start : start + _IN_BATCH]
        rows = connection.execute(
            sa.select(*columns).select_from(joined).where(instances.c.sop_instance_uid.in_(batch))
        )
        for uid, study, sha256, door, source_ae, is_here in rows:
            found[uid] = HeldRow(uid, study, bytes(sha256), door, source_ae, bool(is_here))
    return found


def adopt(connection: sa.Connection, sop_instance_uids: Sequence[str], source: str) -> None:
    """Copies of what another archive keeps are ours from now on: they do not go to make room."""
    for start in range(0, len(sop_instance_uids), _IN_BATCH):
        connection.execute(
            sa.update(instances)
            .where(
                instances.c.sop_instance_uid.in_(sop_instance_uids[start : start + _IN_BATCH]),
                instances.c.door == Door.FETCH.value,
                instances.c.blob != "",
            )
            .values(door=Door.MIGRATION.value, source_ae=source)
        )


def held_by_modality(connection: sa.Connection, study_instance_uids: Sequence[str]) -> dict[str, Mapping[str, int]]:
    """How many instances of these studies we hold, by modality. Those of series that are not wholly here are counted
    one by one."""
    here = sa.select(sa.func.count()).where(instances.c.series_fk == series.c.id, instances.c.blob != "")
    number = sa.case((series.c.availability == 0, series.c.number_of_instances), else_=here.scalar_subquery())
    found: dict[str, dict[str, int]] = {}
    for start in range(0, len(study_instance_uids), _IN_BATCH):
        batch = study_instance_uids[start : start + _IN_BATCH]
        rows = connection.execute(
            sa.select(studies.c.study_instance_uid, series.c.modality, sa.func.sum(number))
            .join(series, series.c.study_fk == studies.c.id)
            .where(studies.c.study_instance_uid.in_(batch))
            .group_by(studies.c.study_instance_uid, series.c.modality)
        )
        for study, modality, count in rows:
            if count:
                found.setdefault(study, {})[modality] = int(count)
    return dict(found)


def counts_text(counts: Mapping[str, int]) -> str:
    """Counts by modality, as they are kept."""
    return orjson.dumps(counts, option=orjson.OPT_SORT_KEYS).decode()


def counts_of(text: str) -> dict[str, int]:
    """What `counts_text` wrote."""
    return dict(orjson.loads(text)) if text else {}
