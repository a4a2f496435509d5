"""Orders and reports of a message: which segments belong to which (HL7 v2.3.1 4.2.1, 7.2.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vna.hl7.message import Message, Segment
from vna.hl7.refusal import Condition, Refused

MOST_GROUPS = 200
"""Orders or reports of one message, all of which are written in one transaction."""

_OF_PATIENT = ("PID", "PV1")
_HEADS = ("ORC", "OBR")
_REPEATED = ("NTE", "DG1", "OBX")


@dataclass(frozen=True, slots=True)
class Group:
    """One order or report: `heads` are PID, PV1, ORC and OBR as far as they are there, `repeated` the NTE, DG1 and OBX
    that follow, before them those of the whole message. `numbers` are which one of its name in the message each is."""

    heads: Mapping[str, Segment]
    repeated: Mapping[str, tuple[Segment, ...]]
    numbers: Mapping[str, int]

    def value(self, segment: str, number: int, component: int = 1, subcomponent: int = 1) -> str:
        """The text there; empty where the segment is not there. HL7's `""` for an empty value is empty."""
        found = self.heads.get(segment)
        return "" if found is None else given(found.value(number, component, subcomponent))

    def all(self, segment: str) -> tuple[Segment, ...]:
        """Each of NTE, DG1 or OBX."""
        return self.repeated.get(segment, ())


def given(value: str) -> str:
    """The value without HL7's way of saying that there is none."""
    return "" if value == '""' else value


@dataclass(slots=True)
class _Open:
    heads: dict[str, Segment] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    repeated: dict[str, list[Segment]] = field(default_factory=dict)


def groups(message: Message) -> list[Group]:
    """Each ORC or OBR with what follows; Refused when there is none, or nobody whom they are for."""
    shared, found, counts = _Open(), list[_Open](), dict[str, int]()
    for segment in message.segments[1:]:
        name = segment.name
        counts[name] = counts.get(name, 0) + 1
        if name in _OF_PATIENT:
            _head(shared, name, segment, counts[name], only=name == "PID")
        elif name in _HEADS:
            if not found or name in found[-1].heads or name == "ORC":
                found.append(_Open())
            _head(found[-1], name, segment, counts[name])
        elif name in _REPEATED:
            (found[-1] if found else shared).repeated.setdefault(name, []).append(segment)
    if not found:
        raise Refused(Condition.SEQUENCE, "there is no ORC and no OBR segment", ("ORC",), rule="structure")
    if len(found) > MOST_GROUPS:
        words = f"there are more than {MOST_GROUPS} orders in one message"
        raise Refused(Condition.SEQUENCE, words, ("ORC",), rule="structure")
    if "PID" not in shared.heads:
        raise Refused(Condition.SEQUENCE, "there is no PID segment", ("PID",), rule="structure")
    return [_closed(shared, one) for one in found]


def _head(into: _Open, name: str, segment: Segment, number: int, *, only: bool = False) -> None:
    if name in into.heads:
        if only:
            raise Refused(Condition.SEQUENCE, "there is more than one PID segment", (name,), rule="structure")
        return
    into.heads[name] = segment
    into.numbers[name] = number


def _closed(shared: _Open, one: _Open) -> Group:
    names = {*shared.repeated, *one.repeated}
    return Group(
        {**shared.heads, **one.heads},
        {name: (*shared.repeated.get(name, ()), *one.repeated.get(name, ())) for name in names},
        {**shared.numbers, **one.numbers},
    )
