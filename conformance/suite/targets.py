"""Where the server is that is looked at, and who the suite says it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from conformance.suite.check import Target

_ENTITY: Final = re.compile(r"(?P<title>[^@\\]{1,16})@(?P<host>[^@]+):(?P<port>\d{1,5})")
_PLACE: Final = re.compile(r"(?P<host>[^@/]+):(?P<port>\d{1,5})")


class Unreadable(ValueError):
    """An address that is none: says how it is written."""


@dataclass(frozen=True, slots=True)
class Place:
    """A port of a machine."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Entity:
    """A DICOM application entity."""

    ae_title: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


def entity(text: str) -> Entity:
    """AET@HOST:PORT."""
    found = _ENTITY.fullmatch(text.strip())
    if found is None or not 0 < int(found["port"]) < 65536:
        raise Unreadable(f"{text}: an application entity is written AET@HOST:PORT")
    return Entity(found["title"], found["host"].strip("[]"), int(found["port"]))


def place(text: str) -> Place:
    """HOST:PORT."""
    found = _PLACE.fullmatch(text.strip())
    if found is None or not int(found["port"]) < 65536:
        raise Unreadable(f"{text}: a place is written HOST:PORT")
    return Place(found["host"].strip("[]"), int(found["port"]))


def address(text: str) -> str:
    """An http or https URL, without the slash at its end."""
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise Unreadable(f"{text}: an address is written http://HOST:PORT/PATH")
    return text.strip().rstrip("/")


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: what the server's certificate is checked against, and our own."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Targets:
    """The doors that were named; a check whose door was not is left out, and the report says so."""

    dimse: Entity | None = None
    dicomweb: str = ""
    wado: str = ""
    xds_registry: str = ""
    xds_repository: str = ""
    xds_imaging_source: str = ""
    hl7: Place | None = None
    sgk: str = ""
    tls_dimse: Entity | None = None
    tls_http: str = ""
    tls_hl7: Place | None = None

    def named(self, target: Target) -> bool:
        """Whether there is something to ask."""
        if target is Target.TLS:
            return bool(self.tls_dimse or self.tls_http or self.tls_hl7)
        return bool(getattr(self, target.value.replace("-", "_")))

    def lines(self) -> list[tuple[str, str]]:
        """Every door that was named, for the head of a report."""
        names = ((name.replace("_", "-"), getattr(self, name)) for name in self.__slots__)
        return [(name, str(value)) for name, value in names if value]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who the suite is: its AE title, where it listens for C-MOVE and storage commitment, and what lets it in."""

    ae_title: str = "VNACONF"
    listen: Place | None = None
    timeout: float = 30.0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    tls: Certificates = Certificates()
    facility: str = "500059"
    domain: str = ""
