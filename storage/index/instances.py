"""Writing instances into the index: one transaction each, racing stores never duplicate or fail."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index import tags
from storage.index.engine import DRIVER_INTEGRITY_ERRORS, together
from storage.index.prepared import Prepared, bindings
from storage.index.schema import coercions, conflicts, instances, patients, series, studies, superseded
from vna.model.identifiers import PatientKey

Tell = Callable[[bool], None]


@dataclass(frozen=True, slots=True)
class Parents:
    """The rows above an instance, a dict of columns each."""

    patient: dict[str, Any]
    study: dict[str, Any]
    series: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewInstance:
    """Rows to be, as vna.archive.rows makes them; `parents` only when they are asked for."""

    patient_key: PatientKey
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    parents: Callable[[], Parents]
    instance: dict[str, Any]
    modality: str
    sop_class_uid: str
    received_at: str


@dataclass(frozen=True, slots=True)
class Places:
    """Where an instance is filed; `conflict` when its study is under another patient than it came with."""

    patient_fk: int
    study_fk: int
    series_fk: int
    conflict: bool


class AlreadyHeld(Exception):
    """The SOP Instance UID has a row: the transaction has to be given up, and has written nothing."""


class Raced(Exception):
    """Another transaction changed what this one relied on: run it again from the start."""


def _insert_new(table: sa.Table, *conflict: str) -> dict[str, Prepared]:
    made = {}
    for name, module in (("sqlite", sqlite), ("postgresql", postgresql)):
        statement = module.insert(table).values(**bindings(table)).on_conflict_do_nothing(index_elements=list(conflict))
        made[name] = Prepared(statement.inline())
    return made


_INSERT_PATIENT = _insert_new(patients, "patient_id", "issuer")
_INSERT_STUDY = _insert_new(studies, "study_instance_uid")
_INSERT_SERIES = _insert_new(series, "study_fk", "series_instance_uid")
_INSERT_INSTANCE = _insert_new(instances, "sop_instance_uid")
_INSERT_CONFLICT = _insert_new(conflicts, "study_instance_uid", "patient_id", "issuer")
_INSERT_COERCION = _insert_new(coercions, "rules")

_FIND_PATIENT = Prepared(
    sa.select(patients.c.id).where(
        patients.c.patient_id == sa.bindparam("key_id"), patients.c.issuer == sa.bindparam("key_issuer")
    )
)
_FIND_STUDY = Prepared(
    sa.select(studies.c.id, studies.c.patient_fk, patients.c.patient_id, patients.c.issuer)
    .join(patients, patients.c.id == studies.c.patient_fk)
    .where(studies.c.study_instance_uid == sa.bindparam("uid"))
)
_FIND_SERIES = Prepared(
    sa.select(series.c.id).where(
        series.c.study_fk == sa.bindparam("study"), series.c.series_instance_uid == sa.bindparam("uid")
    )
)


def with_entry(column: sa.Column[str], entry: str) -> sa.ColumnElement[str]:
    """A list such as `\\CT\\MR\\` with one more entry, if it is new and not empty."""
    name = sa.bindparam(entry, type_=sa.Text)
    wrapped = sa.literal_column("'\\'").op("||")(name).op("||")(sa.literal_column("'\\'"))
    start = sa.case((column == "", sa.literal_column("'\\'")), else_=column)
    grown = start.op("||")(name).op("||")(sa.literal_column("'\\'"))
    return sa.case((name == "", column), (sa.func.replace(column, wrapped, "") != column, column), else_=grown)


_COUNT_IN_STUDY = Prepared(
    sa.update(studies)
    .where(studies.c.id == sa.bindparam("key"), studies.c.patient_fk == sa.bindparam("patient"))
    .values(
        number_of_instances=studies.c.number_of_instances + 1,
        number_of_series=studies.c.number_of_series + sa.bindparam("new_series", type_=sa.Integer),
        version=studies.c.version + 1,
        last_received_at=sa.bindparam("received"),
        modalities=with_entry(studies.c.modalities, "modality"),
        sop_classes=with_entry(studies.c.sop_classes, "sop_class"),
    )
)
_COUNT_IN_SERIES = Prepared(
    sa.update(series)
    .where(series.c.id == sa.bindparam("key"))
    .values(
        number_of_instances=series.c.number_of_instances + 1,
        version=series.c.version + 1,
        last_received_at=sa.bindparam("received"),
    )
)
_COUNT_IN_PATIENT = Prepared(
    sa.update(patients)
    .where(patients.c.id == sa.bindparam("key"))
    .values(
        number_of_instances=patients.c.number_of_instances + 1,
        number_of_series=patients.c.number_of_series + sa.bindparam("new_series", type_=sa.Integer),
        number_of_studies=patients.c.number_of_studies + sa.bindparam("new_study", type_=sa.Integer),
        version=patients.c.version + 1,
    )
)
_KNOWN = 20_000


class InstanceWriter:
    """Adds instances; remembers, per process, where series are filed, so that most stores are five statements."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, PatientKey], Places] = {}

    def add(self, connection: sa.Connection, new: NewInstance, tell: Tell | None = None) -> Places:
        """Write the rows of one instance in the caller's transaction; raises AlreadyHeld. `tell` writes the event, by
        statements of the driver, and is given whether the study is another patient's.

        The statements come in one order (new patient, new study, new series, instance, counts upwards), so that racing
        transactions wait for each other and never deadlock. Raises Raced.
        """
        places = self._known.get((new.study_instance_uid, new.series_instance_uid, new.patient_key))
        try:
            made = _Made() if places is not None else self._file(connection, new)
            places = places or made.places
            assert places is not None
            with together(connection):
                inserted = _INSERT_INSTANCE[connection.dialect.name].run(
                    connection, series_fk=places.series_fk, **new.instance
                )
                asked = tags.ask(connection)
                _COUNT_IN_SERIES.run(connection, key=places.series_fk, received=new.received_at)
                counted = _COUNT_IN_STUDY.run(
                    connection,
                    key=places.study_fk,
                    patient=places.patient_fk,
                    new_series=made.series,
                    received=new.received_at,
                    modality=new.modality,
                    sop_class=new.sop_class_uid,
                )
                _COUNT_IN_PATIENT.run(connection, key=places.patient_fk, new_series=made.series, new_study=made.study)
                if places.conflict:
                    self._list_conflict(connection, new)
                if tell is not None:
                    tell(places.conflict)
        except DRIVER_INTEGRITY_ERRORS as exc:  # a row above was deleted meanwhile
            self._known.clear()
            raise Raced from exc
        if inserted.rowcount == 0:
            raise AlreadyHeld
        if counted.rowcount != 1:  # deleted, or another patient's by now
            self._known.clear()
            raise Raced
        tags.note(connection, new.sop_instance_uid, new.instance["header"], tags.told(asked))
        return places

    def knows(self, new: NewInstance) -> bool:
        """Whether it is remembered where this series of this patient is filed."""
        return (new.study_instance_uid, new.series_instance_uid, new.patient_key) in self._known

    def remember(self, new: NewInstance, places: Places) -> None:
        """To be called after the commit: before it the rows might still go away.

        A study that is filed under another patient is looked up each time: nothing would show that this one was merged.
        """
        if places.conflict:
            return
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[(new.study_instance_uid, new.series_instance_uid, new.patient_key)] = places

    def forget(self) -> None:
        """After rows were removed."""
        self._known.clear()

    def file(self, connection: sa.Connection, new: NewInstance) -> tuple[Places, bool, bool]:
        """Make the rows above an instance where they are missing; whether the study and the series were."""
        made = self._file(connection, new)
        assert made.places is not None
        return made.places, bool(made.study), bool(made.series)

    def _file(self, connection: sa.Connection, new: NewInstance) -> "_Made":
        parents = new.parents()
        patient_fk, study_fk, conflict, new_study = self._study(connection, new, parents)
        dialect = connection.dialect.name
        inserted = _INSERT_SERIES[dialect].run(connection, study_fk=study_fk, **parents.series).rowcount
        series_fk = _key(_FIND_SERIES.run(connection, study=study_fk, uid=new.series_instance_uid))
        if inserted and not new_study:
            fill(connection, studies, study_fk, parents.study)
            if not conflict:
                fill(connection, patients, patient_fk, parents.patient)
        return _Made(int(new_study), inserted, Places(patient_fk, study_fk, series_fk, conflict))

    def _study(self, connection: sa.Connection, new: NewInstance, parents: Parents) -> tuple[int, int, bool, bool]:
        dialect, key = connection.dialect.name, new.patient_key
        found = _found(_FIND_STUDY.run(connection, uid=new.study_instance_uid).fetchone())
        if found is None:
            _INSERT_PATIENT[dialect].run(connection, **parents.patient)
            patient_fk = _key(_FIND_PATIENT.run(connection, key_id=key.patient_id, key_issuer=key.issuer))
            inserted = _INSERT_STUDY[dialect].run(connection, patient_fk=patient_fk, **parents.study)
            found = _found(_FIND_STUDY.run(connection, uid=new.study_instance_uid).fetchone())
            if found is None:
                raise Raced
            if inserted.rowcount:
                return patient_fk, found.key, False, True
            if found.patient_fk != patient_fk:
                raise Raced
        conflict = (found.patient_id, found.issuer) != (key.patient_id, key.issuer)
        return found.patient_fk, found.key, conflict, False

    def _list_conflict(self, connection: sa.Connection, new: NewInstance) -> None:
        _INSERT_CONFLICT[connection.dialect.name].run(
            connection,
            study_instance_uid=new.study_instance_uid,
            patient_id=new.patient_key.patient_id,
            issuer=new.patient_key.issuer,
            first_sop_instance_uid=new.sop_instance_uid,
            source_ae=new.instance["source_ae"],
            at=new.received_at,
        )


@dataclass(frozen=True, slots=True)
class _Study:
    """A study's row, and who it is filed under."""

    key: int
    patient_fk: int
    patient_id: str
    issuer: str


def _key(found: Any) -> int:
    """The key of a row that was there a moment ago."""
    row = found.fetchone()
    if row is None:
        raise Raced
    return int(row[0])


def _found(row: tuple[Any, ...] | None) -> _Study | None:
    return _Study(*row) if row is not None else None


@dataclass(frozen=True, slots=True)
class _Made:
    """How many rows were new on the way down."""

    study: int = 0
    series: int = 0
    places: Places | None = None


def fill(connection: sa.Connection, table: sa.Table, key: int, row: dict[str, Any]) -> None:
    """A new series may know of its study and patient what the first one did not say: empty columns are filled, none
    is changed."""
    held = connection.execute(sa.select(table).where(table.c.id == key)).one()._mapping
    old, more = orjson.loads(held["attributes"]), orjson.loads(row["attributes"])
    missing = {tag: element for tag, element in more.items() if "Value" in element and "Value" not in old.get(tag, {})}
    changes: dict[str, Any] = {
        name: value for name, value in row.items() if value and held[name] == "" and name not in _NOT_FILLED
    }
    if missing:
        changes["attributes"] = orjson.dumps(dict(sorted({**old, **missing}.items()))).decode()
    if changes:
        connection.execute(sa.update(table).where(table.c.id == key).values(**changes))


_NOT_FILLED = {"attributes", "modalities", "sop_classes", "facility", "first_received_at", "last_received_at"}


def replace(connection: sa.Connection, *, held_blob: str, new: dict[str, Any], replaced_at: str) -> bool:
    """Put new content in the place of an instance; the older version stays listed. False when it changed meanwhile."""
    row = connection.execute(
        sa.select(instances).where(
            instances.c.sop_instance_uid == new["sop_instance_uid"], instances.c.blob == held_blob
        )
    ).one_or_none()
    if row is None:
        return False
    connection.execute(
        sa.insert(superseded).values(
            sop_instance_uid=row.sop_instance_uid,
            transfer_syntax_uid=row.transfer_syntax_uid,
            blob=row.blob,
            size=row.size,
            sha256=row.sha256,
            source_ae=row.source_ae,
            received_at=row.received_at,
            replaced_at=replaced_at,
        )
    )
    changed = connection.execute(
        sa.update(instances)
        .where(instances.c.id == row.id, instances.c.blob == held_blob)
        .values(**{**new, "version": instances.c.version + 1})
    )
    if changed.rowcount != 1:
        raise Raced
    tags.note(connection, new["sop_instance_uid"], new["header"], tags.known(connection), again=True)
    connection.execute(sa.update(series).where(series.c.id == row.series_fk).values(version=series.c.version + 1))
    study_fk = sa.select(series.c.study_fk).where(series.c.id == row.series_fk).scalar_subquery()
    connection.execute(sa.update(studies).where(studies.c.id == study_fk).values(version=studies.c.version + 1))
    return True


def coercion_key(connection: sa.Connection, rules: str) -> int:
    """The row of a rule set, made when it is new."""
    _INSERT_COERCION[connection.dialect.name].run(connection, rules=rules)
    return int(connection.execute(sa.select(coercions.c.id).where(coercions.c.rules == rules)).scalar_one())
