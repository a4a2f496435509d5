"""Who took part in what an audit message tells of (PS3.15 A.5.2.1 to A.5.2.4, ITI TF-2 3.Y.5.1)."""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vna.audit import codes
from vna.audit.codes import Code
from vna.audit.message_forms import Form, Parties
from vna.model.access import ActorKind
from vna.model.audit import AuditKind, AuditRecord

ANONYMOUS = "http://www.w3.org/2005/08/addressing/anonymous"
"""The ReplyTo of whoever waits for the answer on the same connection (WS-Addressing 1.0 Core 2.1)."""


class PointType(StrEnum):
    """NetworkAccessPointTypeCode (PS3.15 A.5.1)."""

    NAME = "1"
    ADDRESS = "2"
    URI = "5"


@dataclass(frozen=True, slots=True)
class Us:
    """What a message says of this archive: AuditSourceID, AuditEnterpriseSiteID, AE title, address of its HTTP door,
    name of the machine, process; `paths` are those of IHE's transactions there, by number."""

    source_id: str
    site: str = ""
    ae_title: str = ""
    url: str = ""
    host: str = ""
    process: str = ""
    paths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Participant:
    """An ActiveParticipant."""

    user_id: str
    is_requestor: bool
    roles: tuple[Code, ...] = ()
    alternative: str = ""
    name: str = ""
    point: str = ""
    media: Code | None = None


_PEOPLE = frozenset({ActorKind.USER, ActorKind.LINK, ActorKind.LOCAL})
"""Behind whom there is a human being."""


def participants(record: AuditRecord, form: Form, us: Us) -> Iterator[Participant]:
    """All of a record, in the order in which they are written."""
    match form.parties:
        case Parties.RECEIVING:
            yield _asker(record, codes.SOURCE)
            yield _ours(record, form, us, codes.DESTINATION)
            yield from _human(record)
        case Parties.SENDING:
            yield _ours(record, form, us, codes.SOURCE)
            yield _asker(record, codes.DESTINATION)
            yield from _human(record)
        case Parties.OUTGOING:
            yield _ours(record, form, us, codes.SOURCE, is_requestor=record.actor.kind is ActorKind.SYSTEM)
            yield _elsewhere(record, form)
            yield from _others(record)
        case Parties.STARTING:
            yield _ours(record, form, us, codes.APPLICATION)
            yield _asker(record, codes.LAUNCHER)
        case Parties.REPORTING | Parties.HANDLING:
            yield _ours(record, form, us)
            yield from _others(record)


def _ours(record: AuditRecord, form: Form, us: Us, *roles: Code, is_requestor: bool = False) -> Participant:
    """Our process: SOAP endpoints by their address, all else by the name of the source."""
    number = form.kind.value if form.kind is not None else ""
    endpoint = str(record.detail.get("endpoint", "")) or us.paths.get(number, "")
    if endpoint.startswith("/"):
        endpoint = us.url.rstrip("/") + endpoint
    process = str(record.detail.get("process", "")) or us.process
    is_ae = us.ae_title and not endpoint
    return Participant(
        user_id=endpoint or us.source_id,
        is_requestor=is_requestor,
        roles=roles,
        alternative=f"AETITLES={us.ae_title}" if is_ae else process,
        point=us.host,
    )


def _asker(record: AuditRecord, *roles: Code) -> Participant:
    """The process that asked: an AE title, the name of a system, or where a person's program answers to."""
    actor = record.actor
    is_ae = actor.kind is ActorKind.AE
    asked = "" if actor.kind in _PEOPLE or actor.kind is ActorKind.ANONYMOUS else actor.name
    return Participant(
        user_id=asked or str(record.detail.get("reply_to", "")) or actor.address or ANONYMOUS,
        is_requestor=True,
        roles=roles,
        alternative=f"AETITLES={actor.name}" if is_ae else "",
        point=actor.address,
    )


def _human(record: AuditRecord) -> Iterator[Participant]:
    """The person behind the process, where there is one (ITI TF-2 3.20: human requestor); an application entity may
    have proved who works at it."""
    actor = record.actor
    if user := str(record.detail.get("user", "")):
        yield Participant(user_id=user, is_requestor=True, name=user, point=actor.address)
    elif actor.kind in _PEOPLE:
        role = (Code(actor.role.value, codes.ROLE_SCHEME, actor.role.value),) if actor.role else ()
        yield Participant(
            user_id=actor.name or actor.kind.value,
            is_requestor=True,
            roles=role,
            alternative=actor.person,
            name=actor.name,
            point=actor.address,
        )


def _others(record: AuditRecord) -> Iterator[Participant]:
    """Whoever asked for it, as person or as system: the archive itself has been named already."""
    actor = record.actor
    yield from _human(record)
    if actor.kind not in _PEOPLE and actor.kind is not ActorKind.SYSTEM:
        is_ae = actor.kind is ActorKind.AE
        yield Participant(
            user_id=actor.name or actor.address or actor.kind.value,
            is_requestor=True,
            alternative=f"AETITLES={actor.name}" if is_ae else "",
            point=actor.address,
        )


def _elsewhere(record: AuditRecord, form: Form) -> Participant:
    """Where it went: an archive, a service or a medium, by whatever name the record has for it."""
    where = str(record.detail.get("destination", "")) or record.actor.name
    is_media = record.kind is AuditKind.EXPORT and form.kind is None
    return Participant(
        user_id=where or ANONYMOUS,
        is_requestor=False,
        roles=(codes.DESTINATION_MEDIA if is_media else codes.DESTINATION,),
        point=str(record.detail.get("destination_address", "")),
        media=codes.URI_MEDIA if is_media else None,
    )


def point_type(point: str) -> PointType:
    """Of what kind a NetworkAccessPointID is."""
    if "://" in point:
        return PointType.URI
    try:
        ipaddress.ip_address(point)
    except ValueError:
        return PointType.NAME
    return PointType.ADDRESS
