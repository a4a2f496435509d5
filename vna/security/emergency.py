"""Searches in an emergency: only of one patient, who is named."""

from dataclasses import dataclass

from vna.model.query import Query
from vna.model.wildcards import has_wildcard, is_universal

_PATIENT_ID, _STUDY = ("00100020",), ("0020000D",)


@dataclass(frozen=True, slots=True)
class Named:
    """Whom an emergency search is about, by Patient ID or by a study."""

    patient: str = ""
    study_instance_uid: str = ""

    def __bool__(self) -> bool:
        return bool(self.patient or self.study_instance_uid)


def one_patient(query: Query) -> Named:
    """What names the one patient; nothing where the query could find others too."""
    said = {key.path: key.values[0] for key in query.keys if len(key.values) == 1 and _is_plain(key.values[0])}
    return Named(said.get(_PATIENT_ID, ""), said.get(_STUDY, ""))


def _is_plain(value: str) -> bool:
    return bool(value) and not is_universal(value) and not has_wildcard(value)
