"""C-STORE and C-ECHO as user: for C-MOVE and for `vna send` (PS3.4 A.2, B.2; PS3.7 9.1.1, 9.1.5)."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final

from dimse.delivery import FALLBACKS, Deliveries, Originator
from dimse.status import SUCCESS
from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.limits import Limits
from dimse.upper_layer.negotiation import MOST_CONTEXTS, ContextTable
from dimse.upper_layer.profile import Profile, Secure
from dimse.upper_layer.request import ProposedContext, ProposedRole, open_association
from vna.model.access import Peer
from vna.model.destination import Item, Sent, failed
from vna.model.errors import Rejected, Unavailable, VnaError
from vna.model.sop_classes import VERIFICATION
from vna.model.transfer_syntaxes import IMPLICIT_LE
from vna.security.certificates import shown

log = logging.getLogger(__name__)

HEARTBEAT: Final = 1.0
MOST_OPENINGS: Final = 3
"""Associations that a sender opens one after the other without getting anything across."""

MOST_ATTEMPTS: Final = 2
"""Associations that an item may see end before it is given up: it may be what ends them."""


@dataclass(frozen=True, slots=True)
class Destination:
    """An application entity to send to; with `tls` over TLS, where it has to show one of `certificates` if there are
    any, else one for its host."""

    host: str
    port: int
    ae_title: str
    tls: bool = False
    certificates: tuple[str, ...] = ()


def destination_of(peer: Peer) -> Destination:
    """A known application entity as one."""
    return Destination(peer.host, peer.port, peer.ae_title, peer.tls, peer.certificates)


def sender(ae_title: str, limits: Limits | None = None, calling: Secure | None = None) -> Profile:
    """The profile of an application entity that only sends; `calling` is for destinations with TLS."""
    return Profile(ae_title, ContextTable(()), limits=limits or Limits(), calling=calling)


def echo(destination: Destination, profile: Profile) -> None:
    """Verify that a peer answers (C-ECHO); Unavailable, NotAuthorized or Rejected say why it does not."""
    contexts = (ProposedContext(VERIFICATION, (IMPLICIT_LE,)),)
    assoc = opened(destination, profile, contexts)
    try:
        status = assoc.send_c_echo().get("Status")
    except RuntimeError as error:
        raise Unavailable("the association ended before C-ECHO was answered") from error
    finally:
        _end(assoc)
    if status is None:
        raise Unavailable("the peer did not answer C-ECHO")
    if status != SUCCESS:
        raise Rejected(f"the peer answered C-ECHO with status {status:04X}")


def opened(
    destination: Destination,
    profile: Profile,
    contexts: Sequence[ProposedContext],
    roles: Sequence[ProposedRole] = (),
) -> LeanAssociation:
    """A new association with a destination, over TLS where it wants that."""
    tls, accepts = None, None
    if destination.tls:
        if profile.calling is None:
            raise Unavailable(f"{destination.ae_title} is called over TLS, and nothing here says how")
        tls = profile.calling(not destination.certificates)
        if destination.certificates:
            accepts = partial(_is_one_of, destination.certificates)
    return open_association(
        destination.host,
        destination.port,
        contexts,
        called_ae=destination.ae_title,
        profile=profile,
        roles=roles,
        tls=tls,
        accepts=accepts,
    )


def _is_one_of(expected: tuple[str, ...], certificate: bytes) -> bool:
    return shown(certificate).fits(expected)


def _end(assoc: LeanAssociation) -> None:
    if assoc.stands():
        assoc.release()


class StoreSCU:
    """Sends items to one destination over up to `parallel` associations at once.

    With `fallback`, syntaxes are proposed beside the stored ones, for receivers that refuse those: then `Item.encode`
    may be asked to transcode.
    """

    def __init__(
        self,
        destination: Destination,
        profile: Profile,
        *,
        parallel: int = 1,
        fallback: bool = True,
        priority: int = 0,
        originator: Originator | None = None,
    ) -> None:
        self._destination = destination
        self._profile = profile
        self._parallel = parallel
        self._fallback = fallback
        self._priority = priority
        self._originator = originator

    def send(
        self,
        items: Sequence[Item],
        *,
        cancelled: Callable[[], bool] = lambda: False,
        heartbeat: Callable[[], None] = lambda: None,
    ) -> Iterator[Sent]:
        """Send all; yields each item's end as it comes, in no order, and calls `heartbeat` while nothing comes.

        Once `cancelled` says so no further item is begun, and those not begun are not yielded.
        """
        for batch in batches(items, fallback=self._fallback):
            if cancelled():
                return
            sending = _Sending(self, batch, cancelled)
            yield from sending.run(min(self._parallel, len(batch.items)), heartbeat)

    def open(self, contexts: Sequence[ProposedContext]) -> LeanAssociation:
        """A new association with the destination."""
        return opened(self._destination, self._profile, contexts)

    def deliveries(self, assoc: LeanAssociation) -> Deliveries:
        """What sends over it."""
        return Deliveries(assoc, priority=self._priority, originator=self._originator)


@dataclass(frozen=True, slots=True)
class Batch:
    """Items whose presentation contexts fit into one association."""

    contexts: tuple[ProposedContext, ...]
    items: tuple[Item, ...]


def batches(items: Sequence[Item], *, fallback: bool) -> Iterator[Batch]:
    """All items, in as few batches as their order allows; ordered by SOP Class when one association is not enough."""
    every = {context for item in items for context in proposals(item, fallback=fallback)}
    ordered: Iterable[Item] = items
    if len(every) > MOST_CONTEXTS:
        ordered = sorted(items, key=lambda item: item.sop_class_uid)
    contexts: dict[ProposedContext, None] = {}
    gathered: list[Item] = []
    for item in ordered:
        wanted = dict.fromkeys(proposals(item, fallback=fallback))
        if len(contexts | wanted) > MOST_CONTEXTS:
            yield Batch(tuple(contexts), tuple(gathered))
            contexts, gathered = {}, []
        contexts |= wanted
        gathered.append(item)
    if gathered:
        yield Batch(tuple(contexts), tuple(gathered))


def proposals(item: Item, *, fallback: bool) -> tuple[ProposedContext, ...]:
    """A context for the stored syntax, and one for each fallback: of each context an acceptor picks one syntax."""
    known = (item.transfer_syntax_uid,) if item.transfer_syntax_uid else ()  # of what is elsewhere it is not known
    syntaxes = dict.fromkeys((*known, *(FALLBACKS if fallback or not known else ())))
    return tuple(ProposedContext(item.sop_class_uid, (syntax,)) for syntax in syntaxes)


class _Sending:
    """One batch on its way, by threads that take items from one queue."""

    def __init__(self, scu: StoreSCU, batch: Batch, cancelled: Callable[[], bool]) -> None:
        self._scu = scu
        self._batch = batch
        self._cancelled = cancelled
        self._stopped = False
        self._waiting = deque((item, 0) for item in batch.items)
        self._ends: SimpleQueue[Sent | None] = SimpleQueue()
        self._reason: BaseException = Unavailable("the destination does not answer")

    def run(self, parallel: int, heartbeat: Callable[[], None]) -> Iterator[Sent]:
        """The first association goes alone until something got across: a peer may take no more than one."""
        threads = [self._start()]
        working = 1
        try:
            while working:
                try:
                    end = self._ends.get(timeout=HEARTBEAT)
                except Empty:
                    heartbeat()
                    continue
                if end is None:
                    working -= 1
                    continue
                while len(threads) < parallel and self._waiting:
                    threads.append(self._start())
                    working += 1
                yield end
        finally:
            self._stopped = True
            for thread in threads:
                thread.join()
        if not self._cancelled():
            for item, _ in self._waiting:
                yield failed(item, self._reason, begun=False)

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._work, name="dicom-sender", daemon=True)
        thread.start()
        return thread

    def _work(self) -> None:
        line = _Line(self._scu, self._batch.contexts)
        try:
            while (taken := self._take()) is not None:
                if not line.ready():
                    self._reason = line.reason
                    self._waiting.appendleft(taken)
                    return
                self._deliver(line, *taken)
        except Exception:
            log.exception("sender ended")
        finally:
            line.end()
            self._ends.put(None)

    def _deliver(self, line: _Line, item: Item, attempts: int) -> None:
        try:
            self._ends.put(line.deliver(item))
        except Unavailable as error:
            if attempts + 1 < MOST_ATTEMPTS:
                self._waiting.appendleft((item, attempts + 1))
            else:
                self._ends.put(failed(item, error))
        except Exception as error:
            log.exception("instance not sent", extra={"sop_instance_uid": item.sop_instance_uid})
            self._ends.put(failed(item, error))

    def _take(self) -> tuple[Item, int] | None:
        if self._stopped or self._cancelled():
            return None
        try:
            return self._waiting.popleft()
        except IndexError:
            return None


class _Line:
    """One association after the other with the destination, each opened when it is needed."""

    def __init__(self, scu: StoreSCU, contexts: Sequence[ProposedContext]) -> None:
        self.reason: BaseException = Unavailable("the destination does not answer")
        self._scu = scu
        self._contexts = contexts
        self._assoc: LeanAssociation | None = None
        self._deliveries: Deliveries | None = None
        self._openings = 0

    def ready(self) -> bool:
        """Whether an association stands, opened now if need be; a destination never reached is not asked twice."""
        if self._assoc is not None and self._assoc.stands():
            return True
        while self._openings < MOST_OPENINGS:
            time.sleep(0.2 * self._openings)
            self._openings += 1
            try:
                self._assoc = self._scu.open(self._contexts)
            except VnaError as error:
                self.reason = error
                if self._assoc is None:
                    return False
            else:
                self._deliveries = self._scu.deliveries(self._assoc)
                return True
        return False

    def deliver(self, item: Item) -> Sent:
        """Send an item over the association that stands."""
        assert self._deliveries is not None
        try:
            end = self._deliveries.deliver(item)
        except Unavailable as error:
            self.reason = error
            raise
        self._openings = 0
        return end

    def end(self) -> None:
        """Release the association, if one stands."""
        if self._assoc is not None:
            _end(self._assoc)
