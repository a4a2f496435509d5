"""Why a message is not taken: HL7 table 0357, with the acknowledgment code that goes with each (table 0008)."""

from enum import Enum
from typing import NamedTuple


class _Meaning(NamedTuple):
    code: str
    text: str
    rejects: bool


class Condition(Enum):
    """Conditions of HL7 table 0357.

    AE says that something in the message is wrong and sending it again is no use; AR that the message as such is not
    taken, or not now (HL7 v2.5 2.9.2.2).
    """

    SEQUENCE = _Meaning("100", "Segment sequence error", rejects=False)
    REQUIRED = _Meaning("101", "Required field missing", rejects=False)
    DATA_TYPE = _Meaning("102", "Data type error", rejects=False)
    TABLE_VALUE = _Meaning("103", "Table value not found", rejects=False)
    MESSAGE_TYPE = _Meaning("200", "Unsupported message type", rejects=True)
    EVENT = _Meaning("201", "Unsupported event code", rejects=True)
    PROCESSING_ID = _Meaning("202", "Unsupported processing id", rejects=True)
    VERSION = _Meaning("203", "Unsupported version id", rejects=True)
    UNKNOWN_KEY = _Meaning("204", "Unknown key identifier", rejects=False)
    DUPLICATE_KEY = _Meaning("205", "Duplicate key identifier", rejects=False)
    INTERNAL = _Meaning("207", "Application internal error", rejects=True)


class Refused(Exception):
    """A message that is not taken: `place` is segment, field and component that are to blame, as far as known.

    `sequence` is which one of several segments of that name, `rule` the name by which the national profile has a code
    for it. The words go to the sender; they hold nothing of the patient.
    """

    def __init__(
        self,
        condition: Condition,
        words: str,
        place: tuple[str | int, ...] = (),
        *,
        rejects: bool | None = None,
        rule: str = "",
        sequence: int = 1,
    ) -> None:
        super().__init__(words)
        self.condition = condition
        self.place = place
        self.rule = rule
        self.sequence = sequence
        self.rejects = condition.value.rejects if rejects is None else rejects
