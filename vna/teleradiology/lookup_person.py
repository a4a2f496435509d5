"""Whom a look-up asks about: by every national number, where patients were merged, and by what else names them."""

from collections.abc import Sequence

from storage.index import accessions, examinations, other_patient_ids
from storage.index.accessions import FoundStudy
from storage.index.engine import Connection
from vna.teleradiology.looks import numbers_of


class Person:
    """A patient within one reading of the index; what takes a statement is asked once, and only where nothing else
    tells."""

    __slots__ = ("_authorities", "_connection", "_files", "_numbers", "number")

    def __init__(self, connection: Connection, authorities: Sequence[str], number: str) -> None:
        """`authorities` are the OIDs under which patients are known by their national number."""
        self.number = number
        self._connection = connection
        self._authorities = authorities
        self._numbers: tuple[str, ...] = ()
        self._files: frozenset[tuple[str, str]] | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """Every national number of the patient."""
        if not self._numbers:
            is_merged = examinations.was_merged(self._connection, self._authorities, self.number)
            found = numbers_of(self._connection, self._authorities, self.number) if is_merged else ()
            self._numbers = tuple(dict.fromkeys((self.number, *found)))
        return self._numbers

    def is_called(self, *numbers: str) -> bool:
        """Whether one of these is a national number of the patient."""
        said = set(filter(None, numbers))
        return self.number in said or (bool(said) and not said.isdisjoint(self.numbers))

    def has_file(self, facility: str, patient_id: str) -> bool:
        """Whether this is what a facility calls the patient's file, as orders say."""
        if not (facility and patient_id):
            return False
        if self._files is None:
            self._files = accessions.file_numbers(self._connection, self.numbers)
        return (facility, patient_id) in self._files

    def is_named_in(self, study: FoundStudy) -> bool:
        """Whether some image of a study calls the patient by a national number beside Patient ID."""
        return other_patient_ids.names(self._connection, study.study_instance_uid, self.numbers)
