"""Patient Identity Feed (ITI TF-2 3.8): which patients there are, and which of them were merged."""

from dataclasses import dataclass
from typing import Final

from vna.hl7.message import Message, Segment
from vna.hl7.refusal import Condition, Refused
from vna.identity.patients import Patients
from vna.model.access import Actor
from vna.model.identifiers import PatientIdentifier, is_uid, patient_identifier

_PATIENT_IDENTIFIERS: Final = 3
_PRIOR_IDENTIFIERS: Final = 1
_NULL: Final = '""'  # how HL7 writes an empty value
_VALUE, _AUTHORITY, _NAMESPACE, _UNIVERSAL, _KIND = 1, 4, 1, 2, 3


@dataclass(frozen=True, slots=True)
class AssigningAuthority:
    """The affinity domain's: its OID, empty for any, and the namespace that stands for it where no OID is sent."""

    oid: str = ""
    namespace: str = ""


class PatientFeed:
    """What the messages of the feed do for the affinity domain."""

    def __init__(self, patients: Patients, authority: AssigningAuthority) -> None:
        self._patients = patients
        self._authority = authority

    def register(self, actor: Actor, message: Message) -> None:
        """A patient comes (ITI TF-2 3.8.4.1.2)."""
        for identifier in self._identifiers(message.one("PID"), _PATIENT_IDENTIFIERS):
            self._patients.register(actor, str(identifier))

    def merge(self, actor: Actor, message: Message) -> None:
        """One pair a message (ITI TF-2 3.8.4.2.2)."""
        old = self._identifiers(message.one("MRG"), _PRIOR_IDENTIFIERS)
        new = self._identifiers(message.one("PID"), _PATIENT_IDENTIFIERS)
        pairs = [(a, b) for a in old for b in new if a.authority == b.authority]
        if not pairs:
            raise Refused(Condition.UNKNOWN_KEY, "MRG-1 and PID-3 are not of the same assigning authority", ("MRG", 1))
        if len({a.authority for a, _ in pairs}) < len(pairs):
            raise Refused(Condition.DATA_TYPE, "MRG-1 and PID-3 do not say which one is merged into which", ("MRG", 1))
        for subsumed, surviving in pairs:
            self._patients.merge(actor, str(subsumed), str(surviving))

    def names(self, segment: Segment, field: int) -> bool:
        """Whether a field has an identifier of the affinity domain."""
        return any(self.is_of_domain(segment, one) for one in segment.repetitions(field))

    def identifiers(self, pid: Segment) -> list[PatientIdentifier]:
        """Those of the affinity domain by which PID-3 names the patient; none where there are none."""
        return self._identifiers(pid, _PATIENT_IDENTIFIERS) if self.names(pid, _PATIENT_IDENTIFIERS) else []

    def _identifiers(self, segment: Segment, field: int) -> list[PatientIdentifier]:
        """Those of the affinity domain, each once; Refused where there is none."""
        place = (segment.name, field)
        repetitions = segment.repetitions(field)
        if not repetitions:
            raise Refused(Condition.REQUIRED, f"{segment.name}-{field} is empty: there is no patient identifier", place)
        found = {self._identifier(segment, field, one): None for one in repetitions if self.is_of_domain(segment, one)}
        if not found:
            words = f"{segment.name}-{field} has no identifier of the affinity domain's assigning authority"
            raise Refused(Condition.UNKNOWN_KEY, words, place)
        return list(found)

    def is_of_domain(self, segment: Segment, repetition: str) -> bool:
        """Whether the assigning authority of a CX is the affinity domain's."""
        authority = self._oid(segment, repetition)
        return bool(authority) and (not self._authority.oid or authority == self._authority.oid)

    def _oid(self, segment: Segment, repetition: str) -> str:
        """The assigning authority of a CX: its OID, or the configured one where the namespace alone is sent."""
        namespace, universal, kind = (
            segment.part(repetition, _AUTHORITY, part) for part in (_NAMESPACE, _UNIVERSAL, _KIND)
        )
        if universal:
            return universal if kind in ("ISO", "") and is_uid(universal) else ""
        known = self._authority.namespace
        return self._authority.oid if namespace and namespace.casefold() == known.casefold() else ""

    def _identifier(self, segment: Segment, field: int, repetition: str) -> PatientIdentifier:
        identifier = PatientIdentifier(segment.part(repetition, _VALUE), self._oid(segment, repetition))
        if identifier.value == _NULL or patient_identifier(str(identifier)) != identifier:
            words = f"{segment.name}-{field} has an identifier that is empty, too long, or holds delimiters"
            raise Refused(Condition.DATA_TYPE, words, (segment.name, field, _VALUE))
        return identifier
