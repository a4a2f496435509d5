"""Why orders are without images, and images without an order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from storage.index import matches, subjects
from storage.index import unmatched as rows
from storage.index.engine import Connection, Database
from vna.model.access import Action, Actor
from vna.model.errors import BadRequest, NotAuthorized
from vna.model.matches import Match, Outline, Subject
from vna.model.orders import OrderKey
from vna.model.profile.matching import MatchingProfile
from vna.model.unmatched import UnmatchedOrder, UnmatchedStudy
from vna.security.policy import Policy
from vna.teleradiology.matching_rule import is_after, is_together, met

MOST = 1000
_LAST = "99999999999999"


@dataclass(frozen=True, slots=True)
class _Asked:
    facility: str
    begin: str
    end: str
    modality: str
    after: tuple[str, int]
    limit: int


class Unmatched:
    """Lists them, by facility and time, a page at a time. Times are local, `YYYYMMDDHHMMSS` or a beginning of it."""

    def __init__(self, database: Database, policy: Policy, rules: MatchingProfile) -> None:
        self._database = database
        self._policy = policy
        self._rules = rules

    def unmatched_orders(
        self,
        actor: Actor,
        facility: str,
        begin: str = "",
        end: str = "",
        modality: str = "",
        *,
        after: str = "",
        limit: int = 100,
    ) -> list[UnmatchedOrder]:
        """Orders that were asked for in that time and have no images, the oldest first; cancelled ones need none.
        `after` is the position of the last one of the page before."""
        self._policy.check(actor, Action.LOOK_UP, facility)
        asked = _asked(actor, facility, begin, end, modality, after, limit)
        with self._database.read() as connection:
            found = rows.of_orders(
                connection, asked.facility, asked.begin, asked.end, asked.modality, asked.after, asked.limit
            )
            reasons = self._of_orders(connection, [OrderKey(row.facility, row.accession_number) for row in found])
            page = []
            for row in found:
                outline, reason = reasons[OrderKey(row.facility, row.accession_number)]
                position = f"{row.requested_at}.{row.id}"
                page.append(UnmatchedOrder(position, outline, row.requested_at, row.sut_code, reason))
        return page

    def unmatched_studies(
        self,
        actor: Actor,
        facility: str,
        begin: str = "",
        end: str = "",
        modality: str = "",
        *,
        after: str = "",
        limit: int = 100,
    ) -> list[UnmatchedStudy]:
        """Studies of these days that are of no order, the oldest first, what is in quarantine among them."""
        self._policy.check(actor, Action.LOOK_UP, facility)
        asked = _asked(actor, facility, begin, end, modality, after, limit)
        with self._database.read() as connection:
            found = rows.of_studies(
                connection, asked.facility, asked.begin, asked.end, asked.modality, asked.after, asked.limit
            )
            reasons = self._of_studies(connection, [row.study_instance_uid for row in found])
        return [
            UnmatchedStudy(
                position=f"{row.study_date}.{row.place}",
                study_instance_uid=row.study_instance_uid,
                facility=facility,
                accession_number=row.accession_number,
                patient_id=row.patient_id,
                modalities=tuple(filter(None, row.modalities.split("\\"))),
                study_date=row.study_date,
                study_time=row.study_time,
                reason=reasons[row.study_instance_uid],
                is_quarantined=row.is_quarantined,
            )
            for row in found
        ]

    def of_quarantine(self, actor: Actor, study_instance_uids: Sequence[str]) -> Mapping[str, str]:
        """Why each of these is of no order."""
        self._policy.check(actor, Action.LOOK_UP)
        with self._database.read() as connection:
            return self._of_studies(connection, study_instance_uids)

    def _of_orders(self, connection: Connection, keys: Sequence[OrderKey]) -> dict[OrderKey, tuple[Outline, str]]:
        numbers = {key.accession_number for key in keys}
        outlines = {one.key: one for one in matches.outlines(connection, numbers)}
        known = subjects.find(connection, subjects.naming(connection, numbers))
        naming: dict[str, list[Subject]] = {}
        for subject in known.values():
            for number in subject.accession_numbers:
                naming.setdefault(number, []).append(subject)
        asked = [outlines[key] for key in keys]
        near = matches.of_patients(connection, asked)
        shared = self._shared(connection, asked, near)
        before = dict.fromkeys(_released(matches.of_orders(connection, keys)), True)
        return {
            one.key: (one, self._of_order(one, naming.get(one.key.accession_number, ()), shared, one.key in before))
            for one in asked
        }

    def _shared(
        self, connection: Connection, asked: Iterable[Outline], near: Iterable[Outline]
    ) -> dict[OrderKey, list[tuple[Outline, Subject]]]:
        """What others that may have been made together have been matched with."""
        pairs = [(one, two) for one in asked for two in near if is_together(one, two, self._rules)]
        held = [m for m in matches.of_orders(connection, {two.key for _, two in pairs}) if not m.released]
        known = subjects.find(connection, {match.study_instance_uid for match in held})
        found: dict[OrderKey, list[tuple[Outline, Subject]]] = {}
        for one, two in pairs:
            for match in held:
                if match.key == two.key and match.study_instance_uid in known:
                    found.setdefault(one.key, []).append((two, known[match.study_instance_uid]))
        return found

    def _of_order(
        self,
        order: Outline,
        naming: Sequence[Subject],
        shared: Mapping[OrderKey, list[tuple[Outline, Subject]]],
        was_released: bool,
    ) -> str:
        if was_released:
            return "released"
        if order.key.accession_number in self._rules.markers:
            return "marker"
        if any(not is_after(subject, order, other) for other, subject in shared.get(order.key, ())):
            return "late"
        if not naming:
            return "no-study"
        return _closest(self._compared(order, subject) for subject in naming)

    def _of_studies(self, connection: Connection, uids: Sequence[str]) -> dict[str, str]:
        known = subjects.find(connection, uids)
        numbers = {number for subject in known.values() for number in subject.accession_numbers}
        by_number: dict[str, list[Outline]] = {}
        for order in matches.outlines(connection, numbers):
            by_number.setdefault(order.key.accession_number, []).append(order)
        before = {match.study_instance_uid for match in matches.of_studies(connection, uids) if match.released}
        return {
            uid: self._of_study(known[uid], by_number, uid in before) if uid in known else "no-order" for uid in uids
        }

    def _of_study(self, subject: Subject, by_number: Mapping[str, list[Outline]], was_released: bool) -> str:
        if was_released:
            return "released"
        if not subject.accession_numbers:
            return "no-accession"
        if subject.accession_numbers <= self._rules.markers:
            return "marker"
        orders = [order for number in subject.accession_numbers for order in by_number.get(number, ())]
        if not orders:
            return "no-order"
        return _closest(self._compared(order, subject) for order in orders)

    def _compared(self, order: Outline, subject: Subject) -> str:
        """What is between an order and a study that share an accession number."""
        if met(replace(order, cancelled=False), subject, self._rules) is not None:
            return "cancelled" if order.cancelled else "other-order"
        same_file = order.patient_id and order.patient_id == subject.patient_id
        return "facility-differs" if same_file else "patient-differs"


_NEAREST = ("cancelled", "other-order", "facility-differs", "patient-differs")


def _closest(reasons: Iterable[str]) -> str:
    return min(reasons, key=_NEAREST.index)


def _released(held: Iterable[Match]) -> set[OrderKey]:
    return {match.key for match in held if match.released}


def _asked(actor: Actor, facility: str, begin: str, end: str, modality: str, after: str, limit: int) -> _Asked:
    if not facility:
        raise BadRequest("the facility has to be named")
    if actor.facility not in ("", facility):
        raise NotAuthorized("that is of another facility")
    for time in (begin, end):
        if len(time) > 14 or not (time == "" or (time.isascii() and time.isdigit())):
            raise BadRequest("a time is written as YYYYMMDDHHMMSS, or a beginning of it")
    at, _, key = after.partition(".")
    if after and not (key.isascii() and key.isdigit() and len(key) < 19 and len(at) <= 14):
        raise BadRequest("this is no position of a list")
    return _Asked(
        facility,
        begin,
        end + _LAST[len(end) :],
        modality,
        (at, int(key)) if after else ("", -1),
        max(1, min(limit, MOST)),
    )
