"""Studies indexed anew after corrections, moves and unmerges: every instance says what it said when it came, and what
was said of it since, and is where that says.

A job of kind REFILE looks at a study as it is now, some instances a step: so it may be done for whatever cause, and as
often as one likes. There is one at a time, so that none waits for another that waits for it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import orjson

from storage.blobs.base import BlobStore
from storage.index import corrections as index
from storage.index import deletion, events, identities, jobs, lookup, patients
from storage.index import instances as instance_rows
from storage.index.corrections import Refilable
from storage.index.engine import Connection, Database
from storage.index.events import read_time, time_text
from storage.index.instances import NewInstance, Raced
from storage.index.packing import unpack
from storage.limits import Limits
from vna.archive import holds
from vna.archive.correction import Identify, Values, differing, key_of, placed_rows, wanted
from vna.archive.merging import tell_reassigned
from vna.archive.reread import rows_again
from vna.archive.rows import build
from vna.archive.store import Provenance, Store, detail_of
from vna.model.access import SYSTEM, Coercion
from vna.model.coercion import coercion_of, coercion_text
from vna.model.errors import Unavailable, VnaError
from vna.model.events import EventKind
from vna.model.identifiers import PatientIdentifier, PatientKey, facility_of

log = logging.getLogger(__name__)

REFILE: Final = "refile"
"""The kind of job; its payload is the Study Instance UID, then the key that the next step begins behind."""

REFILE_LATER: Final = "refile-later"
"""The kind of job that queues one of kind REFILE in its time: that one, waiting itself, would keep others waiting."""

_BATCH = 50
_STUDIES = 100
_ATTEMPTS = 5
_AGAIN = timedelta(minutes=1)
_COLUMNS = ("sop_instance_uid", "sop_class_uid", "instance_number", "content_date", "content_time")
_SAID = (*_COLUMNS, "attributes", "header")


def schedule(connection: Connection, studies: Sequence[str], *, again: bool = True) -> None:
    """Have studies refiled: at once, and what was being stored then a minute later."""
    later = time_text(datetime.now(UTC) + _AGAIN)
    for study in dict.fromkeys(studies):
        jobs.add(connection, REFILE, order_key=REFILE, payload=study)
        if again:
            jobs.add(connection, REFILE_LATER, payload=study, run_after=later)


class Refiling:
    """Does jobs of kind REFILE and, by `unmerged`, of kind `vna.identity.people.UNMERGE`."""

    def __init__(self, database: Database, blobs: BlobStore, store: Store, identify: Identify) -> None:
        self._database = database
        self._blobs = blobs
        self._store = store
        self._identify = identify

    def __call__(self, payload: str) -> str | None:
        """One step."""
        study, _, after = payload.partition(" ")
        with self._database.read() as connection:
            some = index.refilable(connection, study, int(after or 0), _BATCH)
        if some:
            self._some(study, some)
            return f"{study} {some[-1].key}"
        self._finish(study)
        return None

    def later(self, payload: str) -> None:
        """Its only step."""
        with self._database.transaction() as connection:
            schedule(connection, [payload], again=False)

    def unmerged(self, payload: str) -> str | None:
        """One step: some studies of whoever another had been merged into are refiled. `payload` is the key of that
        identity, then that of the study that the next step begins behind."""
        key, _, after = payload.partition(" ")
        with self._database.transaction() as connection:
            survivor = identities.by_key(connection, int(key))
            if survivor is None:
                return None
            last = int(after or 0)
            for _ in range(_STUDIES):
                found = self._following(connection, survivor.identifier, last)
                if found is None:
                    return None
                last, study = found
                jobs.add(connection, REFILE, order_key=REFILE, payload=study)
        return f"{key} {last}"

    def _following(self, connection: Connection, who: PatientIdentifier, after: int) -> tuple[int, str] | None:
        only = facility_of(who)
        each = (
            patients.study_after(connection, [key], after, "" if key.issuer == only else only)
            for key in patients.said(connection, who.value)
        )
        return min((one for one in each if one is not None), default=None)

    # ---- instances

    def _some(self, study: str, some: Sequence[Refilable]) -> None:
        for _ in range(_ATTEMPTS):
            try:
                self._once(study, some)
                return
            except Raced:
                with self._database.read() as connection:
                    some = index.refilable(connection, study, some[0].key - 1, len(some))
        raise Unavailable("the index is too busy with this study")

    def _once(self, study: str, some: Sequence[Refilable]) -> None:
        """Read without a lock, then written where nothing changed meanwhile."""
        bases = [(one, self._base(one)) for one in some]
        with self._database.read() as connection:
            changes = [(one, base, self._values(connection, base)) for one, base in bases if base is not None]
        changes = [(one, base, values) for one, base, values in changes if _rules(one, values) != one.rules]
        if not changes:
            return
        moved = [values["StudyInstanceUID"] for _, _, values in changes if "StudyInstanceUID" in values]
        origins = [base.study_instance_uid for _, base, _ in changes]
        with self._database.transaction() as connection:
            for rules in sorted({_rules(one, values) for one, _, values in changes} - {""}):
                instance_rows.coercion_key(connection, rules)  # before anything is locked, as storing does
            index.lock(connection, [one.key for one, _, _ in changes], {study, *moved, *origins})
            for one, base, values in changes:
                self._refile(connection, one, base, values)
        self._store.forget()

    def _base(self, one: Refilable) -> NewInstance | None:
        """The rows of an instance as it came; None when its bytes cannot be read."""
        coercion = coercion_of(one.rules)
        if coercion is None or not coercion.corrected:
            return _indexed(one)
        try:
            return self._reread(one, _uncorrected(coercion))
        except VnaError as exc:
            log.warning("cannot be corrected", extra={"sop_instance_uid": one.sop_instance_uid, "reason": str(exc)})
            return None

    def _reread(self, one: Refilable, coercion: Coercion | None) -> NewInstance:
        return rows_again(self._blobs, one.blob, one.size, one.sha256, _provenance(one, coercion), Limits())

    def _values(self, connection: Connection, base: NewInstance) -> Values:
        place = base.study_instance_uid, base.series_instance_uid, base.sop_instance_uid
        elements = orjson.loads(unpack(base.instance["header"]))
        said = wanted(connection, self._identify, elements, place, str(base.instance["facility"]))
        return differing(base.instance["header"], said) if said else {}

    def _refile(self, connection: Connection, one: Refilable, base: NewInstance, values: Values) -> None:
        new = placed_rows(base, values)
        rules = _rules(one, values)
        key = instance_rows.coercion_key(connection, rules) if rules else None
        if (new.study_instance_uid, new.series_instance_uid) == (one.study_instance_uid, one.series_instance_uid):
            said = {name: new.instance[name] for name in _SAID}
            if not index.rewrite(connection, one.key, one.blob, said | {"coercion_fk": key}):
                raise Raced
            detail = {"series": one.series_instance_uid, "values": {}, "said": dict(values)}
            _tell(connection, EventKind.INSTANCE_CORRECTED, one.study_instance_uid, one.sop_instance_uid, detail)
        else:
            self._move(connection, one, _uncorrected(coercion_of(one.rules)), values, key)

    def _move(
        self, connection: Connection, one: Refilable, base: Coercion | None, values: Values, key: int | None
    ) -> None:
        """Told of as deleted there and put back here: whoever follows either does what is due."""
        coercion = replace(base or Coercion(), corrected=tuple(sorted(values.items()))) if values else base
        new = self._reread(one, coercion)
        new.instance["coercion_fk"] = key
        now, study = datetime.now(UTC), one.study_instance_uid
        reason = f"moved to {new.study_instance_uid}"
        at, by = time_text(now), SYSTEM.name
        holds.follow(connection, SYSTEM, study, new.study_instance_uid)  # first: an empty study is nobody's
        if not deletion.delete(connection, study, among=[one.sop_instance_uid], at=at, by=by, reason=reason):
            raise Raced
        deletion.forget(connection, one.blob)
        index.file(connection, new)
        gone = {"series": one.series_instance_uid, "blob": one.blob, "reason": reason}
        _tell(connection, EventKind.INSTANCE_DELETED, study, one.sop_instance_uid, gone)
        detail = detail_of(new, _provenance(one, coercion)) | {"received_at": one.received_at, "reason": reason}
        _tell(connection, EventKind.INSTANCE_RESTORED, new.study_instance_uid, one.sop_instance_uid, detail)

    # ---- what is above them

    def _finish(self, study: str) -> None:
        """The rows above say what instances do, and the study is of whom they are."""
        for _ in range(_ATTEMPTS):
            try:
                with self._database.transaction() as connection:
                    if lookup.state(connection, study) is None:
                        return
                    index.lock(connection, (), [study])
                    self._file_study(connection, study)
                    self._say(connection, study)
                self._store.forget()
                return
            except Raced:
                continue
        raise Unavailable("the index is too busy with this study")

    def _file_study(self, connection: Connection, study: str) -> None:
        found: dict[PatientKey, dict[str, str]] = {}
        for uid, header, facility, source_ae, at in index.headers(connection, study):
            values = {"first_sop_instance_uid": uid, "source_ae": source_ae, "at": at}
            found.setdefault(key_of(header, facility, study), values)
        first, filed = next(iter(found), None), patients.of_study(connection, study)
        if first is None or filed is None:
            return
        if filed not in found:
            _, header, facility = index.firsts(connection, study)[0]
            parents = _parents(header, facility)
            row = {**parents.patient, "patient_id": first.patient_id, "issuer": first.issuer}
            patients.reassign(connection, study, filed, first, lambda _row: row)
            tell_reassigned(connection, study, filed, first, {})
            filed = first
        index.say_conflicts(connection, study, {key: values for key, values in found.items() if key != filed})

    def _say(self, connection: Connection, study: str) -> None:
        rows = []
        for key, header, facility in index.firsts(connection, study):
            parents = _parents(header, facility)
            index.say_series(connection, key, parents.series)
            rows.append(parents.study)
        index.say_study(connection, study, rows)
        filed = patients.of_study(connection, study)
        above = [
            _parents(header, facility).patient
            for _, header, facility in index.firsts(connection, index.first_study_of(connection, study))
            if filed == key_of(header, facility, study)
        ]
        index.say_patient(connection, study, above)


def _parents(header: bytes, facility: str) -> Any:
    elements = orjson.loads(unpack(header))
    new = build(elements, key=PatientKey("", ""), facility=facility, received_at="", instance={})
    return new.parents()


def _indexed(one: Refilable) -> NewInstance:
    """The rows of an instance as the index has them, as far as its header says them."""
    instance: Mapping[str, Any] = {"header": one.header, "facility": one.facility}
    return NewInstance(
        patient_key=key_of(one.header, one.facility, one.study_instance_uid),
        study_instance_uid=one.study_instance_uid,
        series_instance_uid=one.series_instance_uid,
        sop_instance_uid=one.sop_instance_uid,
        parents=partial(_parents, one.header, one.facility),
        instance=dict(instance),
        modality="",
        sop_class_uid="",
        received_at=one.received_at,
    )


def _provenance(one: Refilable, coercion: Coercion | None) -> Provenance:
    return Provenance(
        actor=SYSTEM.name,
        source_ae=one.source_ae,
        source_address=one.source_address,
        door=one.door,
        received_at=read_time(one.received_at),
        facility=one.facility,
        coercion=coercion,
    )


def _uncorrected(coercion: Coercion | None) -> Coercion | None:
    """The rules alone, as they were when it came."""
    rules = replace(coercion, corrected=()) if coercion is not None else None
    return None if rules == Coercion() else rules


def _rules(one: Refilable, values: Values) -> str:
    rules = _uncorrected(coercion_of(one.rules)) or Coercion()
    return coercion_text(replace(rules, corrected=tuple(sorted(values.items()))))


def _tell(connection: Connection, kind: EventKind, study: str, instance: str, detail: Mapping[str, Any]) -> None:
    events.append(
        connection,
        kind,
        at=datetime.now(UTC),
        actor=SYSTEM.name,
        study_instance_uid=study,
        sop_instance_uid=instance,
        detail=detail,
    )
