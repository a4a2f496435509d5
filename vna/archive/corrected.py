"""What corrections that hold say of an instance: in the order in which they were made, wherever it was then."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from storage.index import corrections
from storage.index.engine import Connection
from vna.model.corrections import CORRIGIBLE, Correction, CorrectionKind
from vna.model.query import Level


@dataclass(frozen=True, slots=True)
class Said:
    """`moved` is what the place says where it belongs now, `corrected` what was said of it afterwards."""

    moved: Mapping[str, str] = field(default_factory=dict)
    corrected: Mapping[str, str] = field(default_factory=dict)


def said(connection: Connection, study: str, series: str = "", instance: str = "") -> Said:
    """Of an instance by the UIDs with which it came; of all that came in a study without the other two."""
    moved: dict[str, str] = {}
    corrected: dict[str, str] = {}
    place = study, series
    for _, one in corrections.standing(connection, study):
        if not _is_of(one, *place, instance):
            continue
        if one.kind is CorrectionKind.MOVE:
            moved |= one.said
            corrected = {keyword: value for keyword, value in corrected.items() if keyword not in one.said}
            place = one.said.get("StudyInstanceUID", place[0]), one.said.get("SeriesInstanceUID", place[1])
        else:
            corrected |= one.said
    return Said(moved, corrected)


def of_patient(connection: Connection, study: str) -> Mapping[str, str]:
    """What was corrected of the patient whose study it is."""
    if not corrections.any_made(connection):
        return {}
    found = said(connection, study).corrected
    return {keyword: value for keyword, value in found.items() if CORRIGIBLE[keyword] is Level.PATIENT}


def _is_of(one: Correction, study: str, series: str, instance: str) -> bool:
    return (
        one.study_instance_uid == study
        and one.series_instance_uid in ("", series)
        and one.sop_instance_uid in ("", instance)
    )
