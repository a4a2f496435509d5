"""How each order stands: found out from what is known of it, whenever any of that changes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from storage.index import examinations, jobs, standings
from storage.index.engine import Connection, Database
from storage.index.examinations import Asked, Following, Seen
from storage.index.standings import Gathered
from vna.model.events import Event, EventKind
from vna.model.identifiers import patient_identifier
from vna.model.orders import KnownOrder, Order, OrderKey, OrderState, Standing
from vna.model.profile import Profile
from vna.teleradiology.local_times import as_utc, hours_before
from vna.teleradiology.reasons import Status, in_order, status_of
from vna.teleradiology.rules import Facts, Rules, is_image, ordered_at

STANDING = "standing"
"""The kind of job that finds out how every order stands; its payload is the row that the next step begins behind."""

Completed = Callable[[Connection, OrderKey], None]
"""Called in the transaction that finds an order complete of which the payer does not know."""

Changed = Callable[[Connection, KnownOrder, Standing], None]
"""Called in the transaction that finds that an order stands otherwise than it did, with how it stands now."""

_OF_ORDERS = frozenset(
    {EventKind.ORDER_CHANGED, EventKind.MATCH_CHANGED, EventKind.REPORT_CHANGED, EventKind.NOTIFICATION_CHANGED}
)
_OF_IMAGES = frozenset(
    {
        EventKind.INSTANCE_STORED,
        EventKind.INSTANCE_REPLACED,
        EventKind.INSTANCE_DELETED,
        EventKind.INSTANCE_RESTORED,
        EventKind.INSTANCE_FORGOTTEN,
    }
)
_BATCH = 500
_MOST_FOLLOWING = 5000
_OVER: Mapping[OrderState, Status] = {
    OrderState.CANCELLED: Status.CANCELLED,
    OrderState.DISCONTINUED: Status.DISCONTINUED,
}
_TOLD: Mapping[str, Status] = {"accepted": Status.NOTIFIED}


class Standings:
    """Called with events; writes only what is not so already. Everything can be found out again."""

    def __init__(
        self,
        database: Database,
        profile: Profile,
        rules: Rules,
        authorities: Sequence[str] = (),
        completed: Completed | None = None,
        changed: Changed | None = None,
    ) -> None:
        self._database = database
        self._zone = profile.zone
        self._query_hours = profile.rules.duplicate_query.within_hours
        self._rules = rules
        self._authorities = tuple(authorities)
        self._completed = completed
        self._changed = changed

    def __call__(self, batch: Sequence[Event]) -> None:
        """Find out again how the orders stand that these events are about."""
        keys = {key for event in batch if event.kind in _OF_ORDERS for key in keys_of(event)}
        studies = {event.study_instance_uid for event in batch if event.kind in _OF_IMAGES | {EventKind.MATCH_CHANGED}}
        merged = [number for event in batch if event.kind is EventKind.PATIENT_MERGED for number in _numbers(event)]
        everything = any(event.kind is EventKind.CODES_LOADED and "count" in event.detail for event in batch)
        if not (keys or studies or merged or everything):
            return
        with self._database.read() as connection:
            keys |= standings.of_studies(connection, studies)
            keys.update(examinations.of_numbers(connection, merged, limit=_MOST_FOLLOWING))
        for some in _pieces(sorted(keys, key=str)):
            self.find_out(some)
        if everything:
            with self._database.transaction() as connection:
                again(connection)

    def every(self, payload: str) -> str | None:
        """A step of the job that finds out how every order stands."""
        with self._database.read() as connection:
            page = standings.page(connection, int(payload or 0), _BATCH)
        self.find_out([key for _, key in page])
        return str(page[-1][0]) if len(page) == _BATCH else None

    def find_out(self, keys: Sequence[OrderKey]) -> None:
        """How these stand now, and those that they make repetitions, or no more."""
        if not keys:
            return
        with self._database.transaction() as connection:
            standings.alone(connection)
            following = self._write(connection, keys)
            if len(following) >= _MOST_FOLLOWING:
                again(connection)
            for some in _pieces(following[:_MOST_FOLLOWING]):
                self._write(connection, some)

    def _write(self, connection: Connection, keys: Sequence[OrderKey]) -> list[OrderKey]:
        """The orders that have to be looked at again, because what they repeat came or went."""
        gathered = standings.gather(connection, keys)
        past = examinations.past(connection, self._asked(connection, gathered))
        found = {one.known.order.key: self._stands(connection, one, past) for one in gathered}
        changed = {
            one.known.order.key: found[one.known.order.key]
            for one in gathered
            if found[one.known.order.key] != one.known.standing
        }
        standings.write(connection, changed)
        self._tell(connection, gathered, found)
        for one in gathered:
            if self._changed is not None and one.known.order.key in changed:
                self._changed(connection, one.known, found[one.known.order.key])
        turned = [one for one in gathered if _was_made(one) != _is_made(one, found[one.known.order.key])]
        return examinations.following(connection, self._following(connection, turned), limit=_MOST_FOLLOWING)

    def _asked(self, connection: Connection, gathered: Sequence[Gathered]) -> list[Asked]:
        wanted = [one.known.order for one in gathered if self._rules.asks_for_past(one.known.order)]
        same = self._same(connection, [order.patient.national_number for order in wanted])
        return [
            self._question(order, number)
            for order in wanted
            for number in same.get(order.patient.national_number, (order.patient.national_number,))
        ]

    def _question(self, order: Order, number: str) -> Asked:
        at = ordered_at(order)
        since, until = self._rules.period(order.sut.code).before(at), as_utc(at, self._zone)
        return Asked(
            key=order.key,
            national_number=number,
            sut_code=order.sut.code,
            since=since,
            before=at,
            doctor=order.ordering_doctor.number,
            looked_since=as_utc(since, self._zone),
            queried_since=hours_before(until, self._query_hours),
            looked_before=until,
        )

    def _same(self, connection: Connection, numbers: Sequence[str]) -> dict[str, tuple[str, ...]]:
        return examinations.same_person(connection, self._authorities, sorted(set(numbers)))

    def _stands(self, connection: Connection, one: Gathered, past: Mapping[OrderKey, Seen]) -> Standing:
        order = one.known.order
        facts = self._facts(connection, one, past.get(order.key, Seen()))
        codes = () if order.state in _OVER else self._reasons(facts, one)
        performed = [study.performed_at for study in one.studies if study.performed_at]
        return Standing(
            matched=bool(one.studies),
            has_images=facts.has_images,
            has_report=facts.has_report,
            status=_status(order.state, codes, one.notification),
            reasons=codes,
            performed_at=min(performed, default=""),
        )

    def _reasons(self, facts: Facts, one: Gathered) -> tuple[str, ...]:
        codes = list(self._rules.broken(facts))
        if one.notification == "refused":
            codes.append("payer-refused")
        if not codes and not one.notification and not self._rules.tells_payer(facts.order):
            codes.append("payer-not-told")
        return in_order(codes)

    def _facts(self, connection: Connection, one: Gathered, seen: Seen) -> Facts:
        order = one.known.order
        facts = Facts(
            order=order,
            has_images=any(is_image(uid) for study in one.studies for uid in study.sop_classes),
            has_report=bool(one.reports),
            has_dose=any(study.has_dose for study in one.studies),
            modalities=frozenset(modality for study in one.studies for modality in study.modalities),
            radiologists=tuple(report.radiologist for report in one.reports if report.radiologist),
            is_repeated=seen.is_repeated,
            was_opened=seen.was_opened,
            was_queried=seen.was_queried,
        )
        if order.state in _OVER or not one.studies or not self._rules.asks_for_devices(facts):
            return facts
        names = standings.devices(connection, [study.study_instance_uid for study in one.studies])
        return replace(facts, devices=names)

    def _tell(self, connection: Connection, gathered: Sequence[Gathered], found: Mapping[OrderKey, Standing]) -> None:
        if self._completed is None:
            return
        for one in gathered:
            standing = found[one.known.order.key]
            if standing.status == Status.COMPLETE and not standing.reasons and not one.notification:
                self._completed(connection, one.known.order.key)

    def _following(self, connection: Connection, turned: Sequence[Gathered]) -> list[Following]:
        orders = [one.known.order for one in turned if one.known.order.patient.national_number]
        same = self._same(connection, [order.patient.national_number for order in orders])
        return [
            Following(
                number, order.sut.code, order.requested_at, self._rules.period(order.sut.code).after(order.requested_at)
            )
            for order in orders
            if order.sut.code and order.requested_at
            for number in same.get(order.patient.national_number, (order.patient.national_number,))
        ]


def again(connection: Connection) -> None:
    """Have it found out how every order stands: after a reindex, or when a list changed."""
    jobs.schedule(connection, STANDING, order_key=STANDING, payload="0", priority=jobs.BULK)


def keys_of(event: Event) -> Iterator[OrderKey]:
    """The orders that an event names."""
    places = [event.detail, *(event.detail.get(name) for name in ("order", "report", "match", "notification"))]
    for place in places:
        if not isinstance(place, Mapping):
            continue
        key = place.get("key", place)
        if isinstance(key, Mapping) and "accession_number" in key:
            yield OrderKey(str(key.get("facility", "")), str(key["accession_number"]))


def _numbers(event: Event) -> Iterator[str]:
    for name in ("subsumed", "surviving"):
        found = patient_identifier(str(event.detail.get(name, "")))
        if found is not None:
            yield found.value


def _status(state: OrderState, codes: Sequence[str], notification: str) -> str:
    if state in _OVER:
        return _OVER[state].value
    return (_TOLD.get(notification, Status.COMPLETE) if not codes else status_of(codes)).value


def _was_made(one: Gathered) -> bool:
    was = one.known.standing
    return (was.has_images or was.has_report) and was.status != Status.CANCELLED


def _is_made(one: Gathered, stands: Standing) -> bool:
    return (stands.has_images or stands.has_report) and one.known.order.state is not OrderState.CANCELLED


def _pieces(keys: Sequence[OrderKey]) -> Iterator[Sequence[OrderKey]]:
    for start in range(0, len(keys), _BATCH):
        yield keys[start : start + _BATCH]
