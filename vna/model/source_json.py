"""A source as JSON: what `vna source list` and the HTTP door show of one, and take of one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from vna.model.errors import BadRequest
from vna.model.identifiers import entity_address, host_and_port
from vna.model.sources import MessageProfile, Messages, RemoteArchive, Source

SERVICES: Final = {"WADO-URI": "wado_uri", "WADO-RS": "wado_rs", "QIDO-RS": "qido_rs", "RAD-69": "rad69"}

_OF_SOURCE: Final = ("application", "sending_facility", "facility")
_OF_ARCHIVE: Final[Mapping[str, str]] = {
    "tls": "tls",
    "tls_ca": "tls_ca",
    "tls_certificate": "tls_certificate",
    "tls_key": "tls_key",
    "wado_uri": "wado_uri",
    "wado_rs": "wado_rs",
    "qido_rs": "qido_rs",
    "rad_69": "rad69",
    "repository_unique_id": "repository_unique_id",
    "user": "user_name",
    "retrieve_location_uid": "retrieve_location_uid",
    "retrieve_ae_title": "retrieve_ae_title",
    "priority": "priority",
    "bandwidth": "bandwidth",
    "connections": "connections",
    "bulk_bandwidth": "bulk_bandwidth",
    "bulk_connections": "bulk_connections",
}
"""Attributes of RemoteArchive by what they are called; each has the type of its default."""
_OF_MESSAGES: Final = ("hl7", "hl7_tls", "hl7_profile", "character_set")
_SECRETS: Final = ("password", "token")
"""Taken, and never shown."""
_SHOWN_ONLY: Final = frozenset({"has_password", "has_token"})
_WORDS: Final[Mapping[type, str]] = {str: "a text", bool: "true or false", int: "a whole number"}


def as_json(source: Source) -> dict[str, Any]:
    """Everything but the secrets of its login."""
    archive = source.archive
    return {
        "name": source.name,
        "application": source.application,
        "sending_facility": source.sending_facility,
        "addresses": ",".join(source.addresses),
        "facility": source.facility,
        "dicom": entity_text(archive),
        **{name: getattr(archive, attribute) for name, attribute in _OF_ARCHIVE.items()},
        **{f"has_{name}": bool(getattr(archive, name)) for name in _SECRETS},
        "hl7": place_text(source.messages),
        "hl7_tls": source.messages.tls,
        "hl7_profile": source.messages.profile.value,
        "character_set": source.messages.character_set,
    }


def place_text(messages: Messages) -> str:
    """`HOST:PORT`, or nothing where no messages go to it."""
    if not messages.host:
        return ""
    return f"[{messages.host}]:{messages.port}" if ":" in messages.host else f"{messages.host}:{messages.port}"


def place_of(text: str) -> dict[str, Any]:
    """The attributes of Messages that `HOST:PORT` says; an empty text takes them away."""
    if not text:
        return {"host": "", "port": 0}
    found = host_and_port(text)
    if found is None:
        raise BadRequest(f"{text[:100]} is no listener: write HOST:PORT, such as 127.0.0.1:2575")
    return dict(zip(("host", "port"), found, strict=True))


def profile_of(text: str) -> MessageProfile:
    """The profile by its name; that of hospitals where none is said."""
    try:
        return MessageProfile(text or MessageProfile.HOSPITAL)
    except ValueError as exc:
        raise BadRequest(f"the profile of HL7 messages is one of {', '.join(MessageProfile)}") from exc


def entity_text(archive: RemoteArchive) -> str:
    """`AET@HOST:PORT`, or nothing where it has no application entity."""
    if not archive.host:
        return ""
    host = f"[{archive.host}]" if ":" in archive.host else archive.host
    return f"{archive.ae_title}@{host}:{archive.port}"


def entity_of(text: str) -> dict[str, Any]:
    """The attributes of RemoteArchive that `AET@HOST:PORT` says; an empty text takes them away."""
    if not text:
        return {"ae_title": "", "host": "", "port": 0}
    found = entity_address(text)
    if found is None:
        raise BadRequest(f"{text[:100]} is no application entity: write AET@HOST:PORT, such as PACS@127.0.0.1:104")
    return dict(zip(("ae_title", "host", "port"), found, strict=True))


def addresses_of(text: str) -> tuple[str, ...]:
    """Addresses and networks with commas between."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def gives_login(said: Mapping[str, Any]) -> bool:
    """Whether a secret is among what is said of it."""
    return any(name in said for name in _SECRETS)


def from_json(name: str, said: Mapping[str, Any]) -> Source:
    """What is said of a source; what is not is as of a new one. BadRequest names what is wrong."""
    known = {"name", "addresses", "dicom", *_OF_MESSAGES, *_OF_SOURCE, *_OF_ARCHIVE, *_SECRETS, *_SHOWN_ONLY}
    if unknown := sorted(said.keys() - known):
        raise BadRequest(f"{unknown[0][:64]!r} is nothing that is known of a source")
    if said.get("name", name) != name:
        raise BadRequest("the name of a source is that in its address")
    new = RemoteArchive()
    archive = {attribute: _value(said, key, getattr(new, attribute)) for key, attribute in _OF_ARCHIVE.items()}
    secrets = {key: _value(said, key, "") for key in _SECRETS}
    entity = entity_of(_value(said, "dicom", ""))
    return Source(
        name,
        _value(said, "application", "") or name,
        _value(said, "sending_facility", ""),
        addresses_of(_value(said, "addresses", "")),
        _value(said, "facility", ""),
        replace(new, **archive, **secrets, **entity),
        Messages(
            profile_of(_value(said, "hl7_profile", "")),
            _value(said, "character_set", ""),
            tls=_value(said, "hl7_tls", False),
            **place_of(_value(said, "hl7", "")),
        ),
    )


def _value(said: Mapping[str, Any], name: str, default: Any) -> Any:
    value = said.get(name)
    if value is None:
        return default
    if type(value) is not type(default):
        raise BadRequest(f"{name} is {_WORDS[type(default)]}")
    return value
