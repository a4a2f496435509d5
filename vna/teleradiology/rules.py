"""The rules of billing and completeness, each by the ordering date: what an order is not complete for.

Nothing is read from the index here but code lists: who asks brings what is known (`Facts`).
"""

# ruff: noqa: RUF001 (dotless i)

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vna.model.orders import Order
from vna.model.profile import Profile
from vna.model.profile.periods import Period
from vna.model.sop_classes import STANDARD_STORAGE
from vna.teleradiology.local_times import LATEST, end_of
from vna.teleradiology.windows import DOSE, DUPLICATE_QUERY, Windows


class Listed(Protocol):
    """A code of a list."""

    @property
    def code(self) -> str:
        """The code itself."""
        ...

    def value(self, name: str) -> str:
        """Another column; empty where there is none."""
        ...


class Lists(Protocol):
    """The code lists (`vna.teleradiology.codes.Codes`)."""

    def find(self, list_name: str, code: str) -> Listed | None:
        """A code of the version in force."""
        ...

    def has(self, list_name: str) -> bool:
        """Whether the list was ever loaded."""
        ...


_SECONDS = 5.0
_WITHOUT_IMAGES = tuple(STANDARD_STORAGE + suffix for suffix in ("88.", "11.", "104.", "9."))
"""Reports and key objects, presentation states, encapsulated documents, waveforms (PS3.4 Table B.5-1)."""


def is_image(sop_class_uid: str) -> bool:
    """Whether instances of a SOP Class show something, still or moving."""
    return not sop_class_uid.startswith(_WITHOUT_IMAGES)


def ordered_at(order: Order) -> str:
    """What rules go by; where an order says no time, all of them hold."""
    at = order.requested_at or order.scheduled_at
    return end_of(at) if at else LATEST


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an order. `modalities` and `devices` are those of its images; `radiologists` who approved."""

    order: Order
    has_images: bool = False
    has_report: bool = False
    has_dose: bool = False
    modalities: frozenset[str] = field(default_factory=frozenset)
    devices: frozenset[str] = field(default_factory=frozenset)
    radiologists: tuple[str, ...] = ()
    is_repeated: bool = False
    was_opened: bool = False
    was_queried: bool = False


class Rules:
    """The profile's rules, with the code lists and windows that they look into."""

    def __init__(self, profile: Profile, lists: Lists, windows: Windows) -> None:
        self._profile = profile
        self._rules = profile.rules
        self._lists = lists
        self._windows = windows
        self._loaded: dict[str, tuple[float, bool]] = {}

    def period(self, sut_code: str) -> Period:
        """Within which an examination is a repetition."""
        found = self._lists.find("periods", sut_code) if sut_code else None
        said = found.value("months") if found is not None and _holds(found) else ""
        if said.isdigit() and len(said) < 6:
            return Period(int(said), self._rules.duplicate.list_unit)
        return Period(self._rules.duplicate.months)

    def excuses_query(self, at: str) -> bool:
        """Whether earlier examinations could not be asked for then, as was announced."""
        return self._windows.excuse(DUPLICATE_QUERY, at)

    def asks_for_past(self, order: Order) -> bool:
        """Whether any rule wants to know what came before."""
        at = ordered_at(order)
        rules = (self._rules.duplicate, self._rules.duplicate_query, self._rules.look)
        known = bool(order.patient.national_number and order.sut.code)
        return known and any(rule.in_force(at) for rule in rules)

    def asks_for_devices(self, facts: Facts) -> bool:
        """Whether it would matter by which device the images were made."""
        lists = self._has("exemptions") or self._has("devices")
        return lists and next(self._dose(facts, ordered_at(facts.order)), None) is not None

    def broken(self, facts: Facts) -> Iterator[str]:
        """The reasons for which the order is not complete, in no order."""
        at = ordered_at(facts.order)
        yield from self._repetition(facts, at)
        if self._rules.loinc.in_force(at) and not facts.order.loinc.code:
            yield "no-loinc"
        yield from self._images(facts, at)
        if self._rules.reports.in_force(at) and not facts.has_report:
            yield "no-report"
        if self._profile.reports.radiologist_check.in_force(at):
            yield from self._radiologists(facts.radiologists)
        yield from self._dose(facts, at)

    def tells_payer(self, order: Order) -> bool:
        """Whether the payer of this order is notified at all."""
        return self._profile.notification.tells(order.payer)

    def _repetition(self, facts: Facts, at: str) -> Iterator[str]:
        rules, order = self._rules, facts.order
        if rules.duplicate.in_force(at) and facts.is_repeated:
            reason = order.repeat_reason.code
            if not reason:
                yield "duplicate"
            elif self._has("reasons") and not self._is_listed("reasons", reason):
                yield "unknown-repeat-reason"
        if (
            rules.look.in_force(at)
            and facts.is_repeated
            and order.patient_class in rules.look.patient_classes
            and order.priority not in rules.look.but_priorities
            and not facts.was_opened
        ):
            yield "not-looked"
        if (
            rules.duplicate_query.in_force(at)
            and order.patient.national_number
            and not facts.was_queried
            and not self.excuses_query(at)
        ):
            yield "not-queried"

    def _images(self, facts: Facts, at: str) -> Iterator[str]:
        order = facts.order
        if facts.has_images or self._is_marked(order):
            return
        if self._rules.endoscopy.is_endoscopy(order.modality, order.sut.code):
            if self._rules.endoscopy.in_force(at):
                yield "no-endoscopy-images"
        elif self._rules.images.in_force_at(at, self._ownership(order)):
            yield "no-images"

    def _is_marked(self, order: Order) -> bool:
        """Whether its number says that it can have none, so that no image can ever be matched."""
        return order.key.accession_number in self._profile.matching.markers

    def _ownership(self, order: Order) -> str:
        found = self._lists.find("facilities", order.key.facility)
        return "" if found is None else found.value("ownership")

    def _radiologists(self, numbers: Sequence[str]) -> Iterator[str]:
        if not numbers or not self._has("radiologists"):
            return
        if not any(self._is_listed("radiologists", number) for number in numbers):
            yield "unknown-radiologist"

    def _dose(self, facts: Facts, at: str) -> Iterator[str]:
        rule, order = self._rules.dose, facts.order
        concerned = {order.modality} if order.modality else facts.modalities
        if not rule.in_force(at) or not concerned & rule.modalities or facts.has_dose or self._is_marked(order):
            return
        if any(span.has(at) for span in rule.waived) or self._windows.excuse(DOSE, at):
            return
        names = {*facts.devices, order.station_ae_title} - {""}
        if not any(self._is_exempt(name, at) for name in names):
            yield "no-dose"

    def _is_exempt(self, device: str, at: str) -> bool:
        """By the list `exemptions` (column `rule`), or the column `exempt` of `devices`; `until` is the last day."""
        for list_name, column in (("exemptions", "rule"), ("devices", "exempt")):
            found = self._lists.find(list_name, device)
            if found is not None and _holds(found) and found.value(column).strip().casefold() == DOSE:
                until = found.value("until").replace("-", "")[:8]
                if not until or at[:8] <= until:
                    return True
        return False

    def _has(self, list_name: str) -> bool:
        """Whether a list was loaded, as it was some seconds ago at most."""
        until, answer = self._loaded.get(list_name, (0.0, False))
        if time.monotonic() >= until:
            answer = self._lists.has(list_name)
            self._loaded[list_name] = (time.monotonic() + _SECONDS, answer)
        return answer

    def _is_listed(self, list_name: str, code: str) -> bool:
        found = self._lists.find(list_name, code)
        return found is not None and _holds(found)


def _holds(found: Listed) -> bool:
    """Whether a code of a list is still in use (its column `active`)."""
    return found.value("active").strip().replace("İ", "i").replace("ı", "i").lower() not in _INACTIVE


_INACTIVE = frozenset({"0", "false", "hayir", "h", "no", "n"})
