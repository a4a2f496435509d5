"""Reading a radiation dose report: its content tree as DICOM JSON, to values with units.

Vendors deviate: private code schemes, values as text, containers that are missing or nested otherwise, other units.
What can be understood is kept, the rest is passed over; nothing here raises for what a document says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from storage.elements import text, texts
from vna.teleradiology import dose_concepts as concepts
from vna.teleradiology.dose_concepts import QUANTITIES, UNITS, unit_key

_VALUE_TYPE, _CONCEPT, _CONTENT = "0040A040", "0040A043", "0040A730"
_CODE_VALUES, _CODE_MEANING = ("00080100", "00080119", "00080120"), "00080104"
_CODE, _TEXT, _UID, _DATE_TIME = "0040A168", "0040A160", "0040A124", "0040A120"
_MEASURED, _NUMBER, _UNITS, _TEMPLATE = "0040A300", "0040A30A", "004008EA", "0040A504"
_MOST_ITEMS = 200_000
_MOST_VALUES = 20_000

Elements = Mapping[str, Any]

_BY_MEANING = {quantity.meaning.lower(): code for code, quantity in QUANTITIES.items()}


@dataclass(frozen=True, slots=True)
class Measured:
    """A value in the unit of its table, else as it stands in the document; `of` is what it is limited to (a side, a
    plane, a phantom)."""

    name: str
    value: float
    unit: str
    of: str = ""


@dataclass(slots=True)
class IrradiationEvent:
    """One exposure or scan."""

    uid: str = ""
    started_at: str = ""
    protocol: str = ""
    target: str = ""
    values: list[Measured] = field(default_factory=list)


@dataclass(slots=True)
class DoseReport:
    """What a document says: totals, and values of each event."""

    modality: str = ""
    device: str = ""
    started_at: str = ""
    template: str = ""
    totals: list[Measured] = field(default_factory=list)
    events: list[IrradiationEvent] = field(default_factory=list)

    def as_plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "template": self.template,
            "totals": [asdict(one) for one in self.totals],
            "events": [asdict(one) for one in self.events],
        }


@dataclass(frozen=True, slots=True)
class _Item:
    """A content item with the event that it stands under."""

    elements: Elements
    concept: str
    event: IrradiationEvent | None
    scope: str = ""


def is_dose_report(elements: Elements) -> bool:
    """Whether a document that may be any is a dose report: by its title, its template or its containers."""
    if _code(_first(elements, _CONCEPT)) == concepts.REPORT or _template(elements) in concepts.TEMPLATES:
        return True
    return any(_concept(item) in concepts.ACCUMULATED | concepts.EVENTS for item in _items(elements, _CONTENT))


def read(elements: Elements) -> DoseReport:
    """Everything of it that is understood."""
    report = DoseReport(template=_template(elements))
    device: dict[str, str] = {}
    found = set[str]()
    kept = 0
    for item in _walk(elements, report):
        found.add(item.concept)
        if item.concept in QUANTITIES and kept < _MOST_VALUES:
            for measured in _measured(item):
                kept += 1
                (report.totals if item.event is None else item.event.values).append(measured)
        elif item.concept in concepts.DEVICE:
            device.setdefault(item.concept, _said(item.elements))
        elif item.event is not None:
            _describe(item.event, item)
    report.device = _device(device, elements)
    report.modality = _modality(found, elements)
    started = (event.started_at for event in report.events if event.started_at)
    report.started_at = min(started, default="") or _moment(elements)
    return report


def _walk(elements: Elements, report: DoseReport) -> Iterator[_Item]:
    """Every content item in the order of the document, without recursion: a hostile tree may be deep."""
    waiting = [_Item(item, _concept(item), None) for item in reversed(_items(elements, _CONTENT))]
    for _ in range(_MOST_ITEMS):
        if not waiting:
            return
        item = waiting.pop()
        event, scope = item.event, item.scope
        if item.concept in concepts.EVENTS and text(item.elements, _VALUE_TYPE) in ("CONTAINER", ""):
            event = IrradiationEvent()
            report.events.append(event)
        children = _items(item.elements, _CONTENT)
        scope = next((_said(child) for child in children if _concept(child) == concepts.PLANE), scope)
        yield item
        waiting += [_Item(child, _concept(child), event, scope) for child in reversed(children)]


def _measured(item: _Item) -> Iterator[Measured]:
    quantity = QUANTITIES[item.concept]
    of = next(
        (
            _said(child)
            for child in _items(item.elements, _CONTENT)
            if _concept(child) in {*concepts.LATERALITY, concepts.PHANTOM}
        ),
        item.scope,
    )
    for measured in _items(item.elements, _MEASURED):
        value = _value(measured)
        if value is not None:
            unit = _first(measured, _UNITS)
            yield Measured(quantity.name, *_in_unit(value, quantity.unit, unit), of)


def _in_unit(value: float, wanted: str, said: Elements) -> tuple[float, str]:
    """By code value or meaning of the unit; as it stands where the unit is not known."""
    for name in (_code(said), text(said, _CODE_MEANING)):
        factor = UNITS[wanted].get(unit_key(name))
        if factor is not None:
            return float(f"{value * factor:.10g}"), wanted
    return value, _code(said) or text(said, _CODE_MEANING)


def _value(measured: Elements) -> float | None:
    for said in texts(measured, _NUMBER):
        try:
            value = float(said.strip().replace(",", "."))
        except ValueError:
            continue
        if isfinite(value):
            return value
    return None


def _describe(event: IrradiationEvent, item: _Item) -> None:
    if item.concept == concepts.EVENT_UID:
        event.uid = event.uid or _said(item.elements)
    elif item.concept in concepts.STARTED:
        event.started_at = event.started_at or _said(item.elements).partition(".")[0][:14]
    elif item.concept == concepts.PROTOCOL:
        event.protocol = event.protocol or _said(item.elements)
    elif item.concept == concepts.TARGET:
        event.target = event.target or _said(item.elements)


def _modality(found: set[str], elements: Elements) -> str:
    if found & concepts.CT_CONTAINERS or _template(elements) == "10011":
        return "CT"
    return "MG" if found & concepts.MAMMOGRAPHY else ""


def _device(said: Mapping[str, str], elements: Elements) -> str:
    """Name, manufacturer, model and serial number, as far as they are said."""
    parts = [said.get(one, "") for one in concepts.DEVICE]
    pairs = [first or second for first, second in zip(parts[::2], parts[1::2], strict=True)]
    headers = [text(elements, tag) for tag in ("00081010", "00080070", "00081090", "00181000")]
    known = [pair or header for pair, header in zip(pairs, headers, strict=True)]
    return ", ".join(part for part in known if part)[:256]


def _moment(elements: Elements) -> str:
    day, time = text(elements, "00080023"), text(elements, "00080033")
    return day[:8] + time.partition(".")[0][:6] if len(day) >= 8 else ""


def _template(elements: Elements) -> str:
    return text(_first(elements, _TEMPLATE), "0040DB00")


def _concept(item: Elements) -> str:
    """The code value of its name; that of the standard where only the meaning is the standard's."""
    name = _first(item, _CONCEPT)
    code = _code(name)
    if code in QUANTITIES:
        return code
    return _BY_MEANING.get(text(name, _CODE_MEANING).strip().lower(), code)


def _code(name: Elements) -> str:
    return next((found for found in (text(name, tag).strip() for tag in _CODE_VALUES) if found), "")


def _said(item: Elements) -> str:
    """The value of an item that is no number, as text."""
    coded = _first(item, _CODE)
    values = (text(coded, _CODE_MEANING), _code(coded), text(item, _TEXT), text(item, _UID), text(item, _DATE_TIME))
    return next((value for value in values if value), "")[:256]


def _items(elements: Elements, tag: str) -> list[Elements]:
    found = elements.get(tag)
    values = found.get("Value", ()) if isinstance(found, Mapping) else ()
    return [item for item in values if isinstance(item, Mapping)]


def _first(elements: Elements, tag: str) -> Elements:
    return next(iter(_items(elements, tag)), {})
