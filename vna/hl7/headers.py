"""What MSH of orders and reports has to say (HL7 v2.3.1 2.24.1)."""

from typing import Final

from vna.hl7.field_table import Rules
from vna.hl7.message import Segment
from vna.hl7.refusal import Condition, Refused
from vna.model.message_charsets import codec_of

MOST_CONTROL_ID: Final = 199
"""HL7 v2.7 2.14.9.10; versions before had 20, which not everybody keeps to."""


def check_header(header: Segment, rules: Rules, declared: str) -> None:
    """Refused where it is not to us, not of a version that the sender may speak, or not in the character set that it
    declared."""
    if header.value(12) not in rules.sender.versions:
        versions = ", ".join(sorted(rules.sender.versions))
        raise Refused(Condition.VERSION, f"MSH-12 has to be {versions}", ("MSH", 12), rule="version")
    if header.value(11) not in rules.sender.processing_ids:
        words = f"MSH-11 has to be {', '.join(sorted(rules.sender.processing_ids))}: others are not taken as real"
        raise Refused(Condition.PROCESSING_ID, words, ("MSH", 11), rule="processing")
    if not is_control_id(header.value(10)):
        words = f"MSH-10 has to be 1 to {MOST_CONTROL_ID} printable characters"
        raise Refused(Condition.DATA_TYPE, words, ("MSH", 10), rule="control_id")
    _check_receiver(header, rules)
    _check_character_set(header, rules, declared)


def is_control_id(text: str) -> bool:
    """Whether messages can be known again by this MSH-10."""
    return 0 < len(text) <= MOST_CONTROL_ID and text.isprintable()


def _check_receiver(header: Segment, rules: Rules) -> None:
    wanted = ((5, rules.profile.receiving_application), (6, rules.profile.receiving_facility))
    for number, name in wanted if rules.checks("receiver") else ():
        said = header.value(number)
        if said.casefold() != name.casefold() and (said or rules.requires("receiver")):
            raise Refused(Condition.TABLE_VALUE, f"MSH-{number} has to be {name}", ("MSH", number), rule="receiver")


def _check_character_set(header: Segment, rules: Rules, declared: str) -> None:
    if not rules.checks("character_set"):
        return
    said = header.repetitions(18)
    if not said and rules.requires("character_set"):
        words = "MSH-18 is empty: it has to be the character set"
        raise Refused(Condition.REQUIRED, words, ("MSH", 18), rule="character_set")
    if said and declared and codec_of(said) != codec_of([declared]):
        words = f"MSH-18 has to be {declared}, which this sender declared"
        raise Refused(Condition.TABLE_VALUE, words, ("MSH", 18), rule="character_set")
