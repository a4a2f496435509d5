"""HL7 messages of the national profile: what they have to say, and the error codes that go back."""

from pydantic import Field

from vna.model.profile.section import Section


class SenderRules(Section):
    """What senders of one kind have to say, by the names of errors (`vna.hl7.order_fields` has the fields of each).

    `required` are those whose fields have to be there, `unchecked` those that are not looked at. `versions` is MSH-12,
    `processing_ids` MSH-11, `patient_classes` PV1-2 (none: any letter).
    """

    versions: frozenset[str] = frozenset({"2.3.1"})
    processing_ids: frozenset[str] = frozenset({"P"})
    patient_classes: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    unchecked: frozenset[str] = frozenset()


class Hl7Profile(Section):
    """`errors` has the code for what is wrong, by the names that the door uses; `other_error` is for names that are not
    there. `any_facility` in the place of a facility in OBR-15 opens an order to every centre. `modalities` are those
    that OBR-24 may name, any where there is none. `pathology` are words of OBR-15 or OBR-24 by which a report is one
    of pathology. Messages are known again for `remembered_days`.

    What a receiver did not take is sent again after each of `retry_seconds`, after the last one again and again until
    it is `retry_days` old."""

    receiving_application: str = "TELETIP"
    receiving_facility: str = "TELETIP"
    coding_system: str = "99VNA"
    any_facility: str = "*"
    modalities: frozenset[str] = frozenset()
    pathology: frozenset[str] = frozenset()
    contrast_routes: frozenset[str] = frozenset({"IV", "O", "IA", "IT", "ID", "R"})
    retry_seconds: tuple[int, ...] = Field(default=(60, 300, 900, 3600, 14_400, 86_400), min_length=1)
    retry_days: int = Field(default=30, ge=1, le=365)
    remembered_days: int = Field(default=90, ge=1, le=3650)
    national: SenderRules = SenderRules()
    hospital: SenderRules = SenderRules()
    errors: dict[str, str] = Field(default_factory=dict)
    other_error: str = "V999"
