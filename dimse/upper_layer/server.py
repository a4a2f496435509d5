"""Associations on accepted connections, and their orderly end."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable

from pydicom.uid import UID
from pynetdicom.ae import ApplicationEntity
from pynetdicom.transport import AddressInformation

from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.profile import Profile
from dimse.upper_layer.sockets import address_information

log = logging.getLogger(__name__)


class Server:
    """Serves whatever connections it is given, each in its own threads."""

    def __init__(self, profile: Profile, tls: Callable[[socket.socket], ssl.SSLContext | None] | None = None) -> None:
        """`tls` gives the context of a connection: None where it is plain."""
        self._profile = profile
        self._tls = tls
        self._ae = application_entity(profile)
        self._lock = threading.Lock()
        self._active: set[LeanAssociation] = set()
        self._shutting_down = False

    @property
    def profile(self) -> Profile:
        """What it offers."""
        return self._profile

    @property
    def active(self) -> int:
        """Associations, and connections on their way to being one."""
        return len(self._active)

    @property
    def associations(self) -> list[LeanAssociation]:
        with self._lock:
            return list(self._active)

    def serve_connection(
        self,
        sock: socket.socket,
        address: tuple[str, int] | tuple[str, int, int, int],
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """Start an association on an accepted socket, which is ours from here on; on_end is called once in any case."""
        try:
            assoc = self._make_association(sock, address_information(address))
        except BaseException:
            sock.close()
            if on_end:
                on_end()
            raise
        assoc.on_end = lambda ended: self._forget(ended, on_end)
        with self._lock:
            self._active.add(assoc)
        try:
            if self._shutting_down:
                raise RuntimeError("shutting down")
            assoc.start()
        except RuntimeError as error:  # no thread to be had
            log.error("association not started", extra={"reason": str(error)})
            sock.close()
            self._forget(assoc, on_end)

    def _make_association(self, sock: socket.socket, peer: AddressInformation) -> LeanAssociation:
        assoc = LeanAssociation(self._ae, "acceptor", self._profile, self._profile.store)
        assoc.take_connection(sock, self._tls(sock) if self._tls is not None else None)
        assoc.requestor.address_info = peer
        acceptor = assoc.acceptor
        acceptor.ae_title = self._profile.ae_title
        acceptor.address_info = address_information(sock.getsockname())
        acceptor.maximum_length = self._profile.limits.max_pdu
        acceptor.implementation_class_uid = UID(self._profile.implementation_class_uid)
        acceptor.implementation_version_name = self._profile.implementation_version_name
        return assoc

    def _forget(self, assoc: LeanAssociation, on_end: Callable[[], None] | None) -> None:
        with self._lock:
            self._active.discard(assoc)
        if on_end:
            on_end()

    def shutdown(self, grace_seconds: float) -> None:
        """Let what is being served finish, at most so long, then abort the rest; returns when all have ended."""
        self._shutting_down = True
        deadline = time.monotonic() + grace_seconds
        for assoc in self.associations:
            assoc.drain()
        self._wait_until(deadline)
        for assoc in self.associations:
            assoc.abort(block=False)
        self._wait_until(time.monotonic() + self._profile.limits.closing_timeout)
        for assoc in self.associations:
            assoc.break_off()
        self._wait_until(time.monotonic() + 1.0)

    def _wait_until(self, deadline: float) -> None:
        while self._active and time.monotonic() < deadline:
            time.sleep(0.01)


def application_entity(profile: Profile) -> ApplicationEntity:
    """What pynetdicom wants behind an association."""
    ae = ApplicationEntity(profile.ae_title)
    ae.maximum_pdu_size = profile.limits.max_pdu
    ae.implementation_class_uid = UID(profile.implementation_class_uid)
    ae.implementation_version_name = profile.implementation_version_name
    return ae
