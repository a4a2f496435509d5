"""Studies as matching sees them: those that are known, and those in quarantine."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.elements import text
from storage.index import identities
from storage.index.matches import batches
from storage.index.national_schema import named_accessions, performed_steps, quarantine
from storage.index.packing import unpack
from storage.index.schema import instances, manifest_series, manifests, patients, series, studies
from storage.values import Element
from vna.model.identifiers import facility_identifier, significant
from vna.model.matches import Subject
from vna.model.matching import items_of

_LONGEST = 16
_ACCESSION, _PATIENT_ID, _OTHER, _OTHERS, _REQUESTS = "00080050", "00100020", "00101000", "00101002", "00400275"


def find(connection: sa.Connection, uids: Iterable[str]) -> dict[str, Subject]:
    """These studies by UID: those that are known, else those in quarantine."""
    found: dict[str, Subject] = {}
    for some in batches(uids):
        named = _named(connection, some)
        held = _held(connection, some)
        headers = _headers(connection, [row.id for row in held])
        for row in held:
            uid, header = row.study_instance_uid, headers.get(row.id, {})
            found[uid] = Subject(
                study_instance_uid=uid,
                accession_numbers=frozenset(filter(None, (row.accession_number, *named.get(uid, ())))),
                patient_id=row.patient_id,
                numbers=frozenset(filter(None, (row.patient_id, *numbers_of(header)))),
                other_ids=other_ids_of(header),
                facility=row.facility,
                known_at=row.first_received_at,
            )
        unseen = [uid for uid in some if uid in found and not found[uid].known_at]
        for uid, at in _told(connection, unseen).items():
            found[uid] = replace(found[uid], known_at=at)
        for row in connection.execute(sa.select(quarantine).where(quarantine.c.study_instance_uid.in_(some))):
            found.setdefault(row.study_instance_uid, _of_quarantine(row, named.get(row.study_instance_uid, ())))
    if not identities.any_merged(connection):
        return found
    return {uid: _since_merges(connection, subject) for uid, subject in found.items()}


def naming(connection: sa.Connection, accession_numbers: Iterable[str]) -> set[str]:
    """The studies that name one of these accession numbers."""
    found: set[str] = set()
    for some in batches(accession_numbers):
        for table in (studies, named_accessions, quarantine):
            wanted = sa.select(table.c.study_instance_uid).where(table.c.accession_number.in_(some))
            found.update(connection.execute(wanted).scalars())
    return found


def note(connection: sa.Connection, uids: Iterable[str]) -> None:
    """Keep which accession numbers these studies name beside their own, as it is now."""
    for some in batches(uids):
        now = _requested(connection, some)
        before = _named(connection, some)
        hidden = sa.select(quarantine.c.study_instance_uid).where(quarantine.c.study_instance_uid.in_(some))
        unread = set(connection.execute(hidden).scalars())
        for uid, numbers in before.items():
            gone = numbers - now.get(uid, set())
            if gone and uid not in unread:
                pair = (named_accessions.c.study_instance_uid == uid, named_accessions.c.accession_number.in_(gone))
                connection.execute(sa.delete(named_accessions).where(*pair))
        rows = [
            {"study_instance_uid": uid, "accession_number": number}
            for uid, numbers in now.items()
            for number in sorted(numbers - before.get(uid, set()))
        ]
        if rows:
            connection.execute(_INSERT[connection.dialect.name], rows)


def with_steps(connection: sa.Connection, subject: Subject) -> Subject:
    """The study with what performed steps name for it."""
    uid = subject.study_instance_uid
    more = _requested(connection, [uid]).get(uid, set())
    return replace(subject, accession_numbers=subject.accession_numbers | more)


def after(connection: sa.Connection, key: int, limit: int) -> list[tuple[int, str]]:
    """Studies in the order of their keys, from one on."""
    wanted = sa.select(studies.c.id, studies.c.study_instance_uid).where(studies.c.id > key)
    return [(row.id, row.study_instance_uid) for row in connection.execute(wanted.order_by(studies.c.id).limit(limit))]


def numbers_of(elements: Mapping[str, Element]) -> frozenset[str]:
    """Patient ID and Other Patient IDs of a header."""
    own = significant(text(elements, _PATIENT_ID))
    return other_ids_of(elements) | ({own} if own else set())


def other_ids_of(elements: Mapping[str, Element]) -> frozenset[str]:
    """Other Patient IDs of a header, and those of its sequence."""
    others = [text(item, _PATIENT_ID) for item in items_of(elements.get(_OTHERS))]
    alone = (elements.get(_OTHER) or {}).get("Value") or ()
    return frozenset(filter(None, map(significant, (*others, *(str(one) for one in alone if one)))))


def accessions_of(elements: Mapping[str, Element]) -> set[str]:
    """What Request Attributes Sequence names; what is too long for an accession number (VR SH) is none."""
    said = (significant(text(item, _ACCESSION)) for item in items_of(elements.get(_REQUESTS)))
    return {number for number in said if number and len(number) <= _LONGEST}


def _held(connection: sa.Connection, uids: list[str]) -> list[sa.Row[Any]]:
    columns = (
        studies.c.id,
        studies.c.study_instance_uid,
        studies.c.accession_number,
        studies.c.facility,
        studies.c.first_received_at,
        patients.c.patient_id,
    )
    joined = sa.select(*columns).join(patients, patients.c.id == studies.c.patient_fk)
    return list(connection.execute(joined.where(studies.c.study_instance_uid.in_(uids))))


def _headers(connection: sa.Connection, keys: list[int]) -> dict[int, Mapping[str, Element]]:
    """The header of the first instance of each study."""
    first = (
        sa.select(series.c.study_fk.label("study"), sa.func.min(instances.c.id).label("first"))
        .join(instances, instances.c.series_fk == series.c.id)
        .where(series.c.study_fk.in_(keys))
        .group_by(series.c.study_fk)
        .subquery()
    )
    rows = connection.execute(
        sa.select(first.c.study, instances.c.header).join(instances, instances.c.id == first.c.first)
    )
    return {row.study: orjson.loads(unpack(row.header)) for row in rows}


def _told(connection: sa.Connection, uids: list[str]) -> dict[str, str]:
    """When manifests first told of studies of which nothing was ever here."""
    if not uids:
        return {}
    told = (
        sa.select(manifest_series.c.study_instance_uid, sa.func.min(manifests.c.received_at).label("at"))
        .join(manifests, manifests.c.id == manifest_series.c.manifest_fk)
        .where(manifest_series.c.study_instance_uid.in_(uids))
        .group_by(manifest_series.c.study_instance_uid)
    )
    return {row.study_instance_uid: row.at for row in connection.execute(told)}


def _named(connection: sa.Connection, uids: list[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    wanted = sa.select(named_accessions.c.study_instance_uid, named_accessions.c.accession_number)
    for uid, number in connection.execute(wanted.where(named_accessions.c.study_instance_uid.in_(uids))):
        found.setdefault(uid, set()).add(number)
    return found


def _requested(connection: sa.Connection, uids: list[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    said = (
        sa.select(studies.c.study_instance_uid, series.c.attributes)
        .join(series, series.c.study_fk == studies.c.id)
        .where(studies.c.study_instance_uid.in_(uids), series.c.attributes.contains(f'"{_REQUESTS}"'))
    )
    for uid, attributes in connection.execute(said):
        found.setdefault(uid, set()).update(accessions_of(orjson.loads(attributes)))
    steps = sa.select(performed_steps.c.study_instance_uid, performed_steps.c.accession_numbers)
    for uid, numbers in connection.execute(steps.where(performed_steps.c.study_instance_uid.in_(uids))):
        found.setdefault(uid, set()).update(one for one in orjson.loads(numbers or "[]") if 0 < len(one) <= _LONGEST)
    return found


def _since_merges(connection: sa.Connection, subject: Subject) -> Subject:
    """A facility's file number as the one that stands for it now."""
    number = facility_identifier(subject.patient_id, subject.facility)
    survivor = identities.survivor(connection, number) if number is not None else None
    return subject if survivor is None else replace(subject, patient_id=survivor.value)


def _of_quarantine(row: sa.Row[Any], named: Iterable[str]) -> Subject:
    return Subject(
        study_instance_uid=row.study_instance_uid,
        accession_numbers=frozenset(filter(None, (row.accession_number, *named))),
        patient_id=row.patient_id,
        numbers=frozenset(orjson.loads(row.numbers or "[]")),
        facility=row.facility,
        known_at=row.known_at,
    )


def _insert_for(module: Any) -> sa.Insert:
    statement: sa.Insert = module.insert(named_accessions).on_conflict_do_nothing()
    return statement


_INSERT: Mapping[str, sa.Insert] = {"sqlite": _insert_for(sqlite), "postgresql": _insert_for(postgresql)}
