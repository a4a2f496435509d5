"""TLS of every door, and of our calls to AE titles, from the settings to contexts that follow their files."""

import mmap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vna.model.sources import Source
from vna.security.expiry import Expiry, Held, held
from vna.security.secured import Calling, Secured, TlsFiles, of_server
from vna.settings import Settings, TlsSettings

_NUMBER = 8


class Asked:
    """How often somebody asked for certificates to be looked at: a number that the supervisor shares with its
    workers."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, _NUMBER)

    def again(self) -> None:
        """Once more; only the supervisor does."""
        self._shared[:] = (self() + 1).to_bytes(_NUMBER, "little")

    def __call__(self) -> int:
        return int.from_bytes(self._shared[:], "little")


@dataclass(frozen=True, slots=True)
class Certificates:
    """Doors without a certificate have None; `asked` makes all of them look at their files at once."""

    dimse: Secured | None
    http: Secured | None
    hl7: Secured | None
    calling: Calling
    asked: Asked

    @property
    def doors(self) -> tuple[Secured, ...]:
        """Those that speak TLS."""
        return tuple(door for door in (self.dimse, self.http, self.hl7) if door is not None)

    def look(self) -> None:
        """Whether files have changed: what a process does from time to time that has no connections to ask."""
        for door in self.doors:
            door.context()


def read(settings: Settings) -> Certificates:
    """Unavailable names the file that is no use."""
    asked = Asked()
    return Certificates(
        _door("DICOM", settings.dimse.tls, asked),
        _door("HTTP", settings.http.tls, asked),
        _door("HL7", settings.hl7.tls, asked),
        Calling(_files(settings.dimse.tls), asked),
        asked,
    )


def expiry(settings: Settings, certificates: Certificates, sources: Callable[[], Iterable[Source]]) -> Expiry:
    """How long all of them are good, with those of communities and of `sources`."""

    def others() -> Iterator[Held]:
        for community in settings.xds.communities:
            yield from _held(f"community {community.home_community_id}", community.tls.certificate, community.tls.ca)
        for source in sources():
            yield from _held(f"source {source.name}", source.archive.tls_certificate, source.archive.tls_ca)

    return Expiry(certificates.doors, others, settings.security.certificate_days)


def _held(owner: str, certificate: str, ca: str) -> Iterable[Held]:
    return held(owner, Path(certificate) if certificate else None, Path(ca) if ca else None)


def for_calls(settings: Settings) -> Certificates:
    """For a command, which has no doors."""
    asked = Asked()
    return Certificates(None, None, None, Calling(_files(settings.dimse.tls), asked), asked)


def _door(name: str, settings: TlsSettings, asked: Asked) -> Secured | None:
    if not settings.certificate:
        return None
    make = partial(of_server, client_certificate=settings.require_client_certificate)
    return Secured(name, _files(settings), make, asked)


def _files(settings: TlsSettings) -> TlsFiles:
    named = (settings.certificate, settings.key, settings.ca)
    return TlsFiles(*(Path(name) if name else None for name in named))
