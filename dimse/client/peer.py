"""An application entity elsewhere, and the few associations with it, which are used again while they are fresh."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from pynetdicom.dimse_primitives import C_ECHO
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from dimse.client.exchange import Exchange
from dimse.scu import Destination, sender
from dimse.status import SUCCESS
from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.handlers import StoreHandler
from dimse.upper_layer.limits import Limits
from dimse.upper_layer.profile import Profile
from dimse.upper_layer.request import ProposedContext, ProposedRole, open_association
from vna.model.errors import NotAuthorized, Rejected, Unavailable
from vna.model.priority import Priority
from vna.model.sop_classes import VERIFICATION
from vna.model.sources import PATIENT, Bounds, Terms
from vna.model.transfer_syntaxes import IMPLICIT_LE
from vna.pacing import Pace
from vna.places import Places, in_use, sharing

FRESH_SECONDS: Final = 10.0
"""How long an association that is not in use is kept."""

_ATTEMPTS: Final = 2


@dataclass(frozen=True, slots=True)
class Offer:
    """What is proposed for an association; those of one offer are used again for another request of it."""

    contexts: tuple[ProposedContext, ...]
    roles: tuple[ProposedRole, ...] = ()


@dataclass(slots=True)
class Line:
    """An association with the peer, and when it was used last."""

    offer: Offer
    assoc: LeanAssociation
    exchange: Exchange
    used_at: float = field(default_factory=time.monotonic)


class Peer:
    """Lends associations with one application entity: at most `connections` at once, whatever they are for.

    `places` are those connections where others share them.
    """

    def __init__(
        self,
        name: str,
        destination: Destination,
        calling_ae: str,
        *,
        connections: int = 4,
        tls: ssl.SSLContext | None = None,
        bounds: Bounds | None = None,
        pace: Pace | None = None,
        places: Places | None = None,
    ) -> None:
        self.name = name
        self.bounds = bounds or Bounds()
        self.pace = pace or Pace(0)
        self.destination = destination
        self._tls = tls
        self._profile = sender(calling_ae, _limits(self.bounds))
        self._connections = connections
        self._places = places or Places(sharing(connections))
        self._lock = threading.Lock()
        self._idle: list[Line] = []
        self._busy = 0
        self._ending: threading.Timer | None = None
        self._closed = False

    @property
    def profile(self) -> Profile:
        """Who we are to it."""
        return self._profile

    @contextmanager
    def line(
        self,
        offer: Offer,
        store: StoreHandler | None = None,
        terms: Terms = PATIENT,
        *,
        priority: Priority = Priority.ROUTINE,
    ) -> Iterator[Line]:
        """An association for one request; aborted when that raises, or is left before its end.

        With `store`, which takes what a C-GET brings, it is opened anew and not kept.
        """
        with self._places.place(priority, terms.seconds(self.bounds.wait_seconds)) as has_place, self._at_work():
            if not has_place:
                raise Unavailable(in_use(self.name, self._places.most(priority), priority))
            line = (self._kept(offer) if store is None else None) or self._opened(offer, store)
            try:
                yield line
            except BaseException:
                line.assoc.abort()
                raise
            if store is None:
                self._keep(line)
            else:
                _end(line)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """One more association is in use."""
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1

    def echo(self) -> None:
        """C-ECHO; raises what is wrong."""
        with self.line(Offer((ProposedContext(VERIFICATION, (IMPLICIT_LE,)),))) as line:
            request = C_ECHO()
            request.AffectedSOPClassUID = VERIFICATION
            (answer,) = line.exchange.ask(request, VERIFICATION)
        if answer.Status != SUCCESS:
            raise Rejected(f"{self.name} answers C-ECHO with status {answer.Status:04X}")

    def close(self) -> None:
        """Release what is kept."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            if self._ending is not None:
                self._ending.cancel()
        for line in idle:
            _end(line)

    def _kept(self, offer: Offer) -> Line | None:
        with self._lock:
            idle, self._idle = self._idle, []
            fresh = [one for one in idle if time.monotonic() - one.used_at < FRESH_SECONDS and one.assoc.stands()]
            found = next((one for one in fresh if one.offer == offer), None)
            self._idle = [one for one in fresh if one is not found]
        for line in idle:
            if line not in fresh:
                _end(line)
        return found

    def _keep(self, line: Line) -> None:
        line.used_at = time.monotonic()
        with self._lock:
            room = self._busy + len(self._idle) <= self._connections  # it counts as busy itself
            kept = not self._closed and room and line.assoc.stands()
            if kept:
                self._idle.append(line)
                self._watch()
        if not kept:
            _end(line)

    def _watch(self) -> None:
        """What is not used again is ended in time, whether anybody asks or not."""
        if self._ending is None and self._idle and not self._closed:
            self._ending = threading.Timer(FRESH_SECONDS, self._end_stale)
            self._ending.name, self._ending.daemon = "dicom-idle", True
            self._ending.start()

    def _end_stale(self) -> None:
        with self._lock:
            stale = [one for one in self._idle if time.monotonic() - one.used_at >= FRESH_SECONDS]
            self._idle = [one for one in self._idle if one not in stale]
            self._ending = None
            self._watch()
        for line in stale:
            _end(line)

    def _opened(self, offer: Offer, store: StoreHandler | None) -> Line:
        with self._lock:  # the peer counts those that we keep, and has a thread for each
            room = max(0, self._connections - self._busy)
            spare, self._idle = self._idle[room:], self._idle[:room]
        for one in spare:
            _end(one)
        again = Retrying(
            retry=retry_if_exception_type(Unavailable),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            reraise=True,
        )
        assoc = again(self._associated, offer, store)
        return Line(offer, assoc, Exchange(self.name, assoc, self.bounds.wait_seconds))

    def _associated(self, offer: Offer, store: StoreHandler | None) -> LeanAssociation:
        try:
            return open_association(
                self.destination.host,
                self.destination.port,
                offer.contexts,
                called_ae=self.destination.ae_title,
                profile=self._profile,
                roles=offer.roles,
                tls=self._tls,
                store=store,
            )
        except (Unavailable, NotAuthorized) as error:
            raise type(error)(f"{self.name}: {error}") from error


def _limits(bounds: Bounds) -> Limits:
    return Limits(
        identifier=1 << 20,
        acse_timeout=min(30.0, bounds.wait_seconds),
        receive_timeout=bounds.wait_seconds,
        send_timeout=bounds.wait_seconds,
        dimse_timeout=bounds.wait_seconds,
        connection_timeout=bounds.connect_seconds,
    )


def _end(line: Line) -> None:
    if line.assoc.stands():
        line.assoc.release()
