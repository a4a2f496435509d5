"""HL7 messages of the national profile: what they have to say, and the error codes that go back."""

from pydantic import Field

from vna.model.profile.section import Section


class Hl7Profile(Section):
    """`errors` has the code for what is wrong, by the names that the door uses."""

    receiving_application: str = "TELETIP"
    receiving_facility: str = "TELETIP"
    errors: dict[str, str] = Field(default_factory=dict)
