"""What sections are made of: kinds of values, and what they have in common."""

import ipaddress
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from vna.documents.communities import home_community_id
from vna.model.identifiers import is_ae_title, is_uid


def _ae_title(text: str) -> str:
    if not is_ae_title(text):
        raise ValueError("an AE title is 1 to 16 printable ASCII characters without backslash")
    return text.strip()


def oid(text: str) -> str:
    """An OID, or nothing."""
    if text and not is_uid(text):
        raise ValueError("an OID looks like 1.2.840.10008")
    return text


def service(text: str) -> str:
    """The address of a service, or nothing."""
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError("a service is at an address like https://xds.example.org/xds/repository")
    return text


def community(text: str) -> str:
    """A home community id as it stands in messages."""
    home = home_community_id(text)
    if not home:
        raise ValueError("a home community id is an OID such as 1.2.840.10008, or urn:oid: and one")
    return home


def words(value: object) -> object:
    """Lists may be written with commas in the environment: `127.0.0.1,10.0.0.0/8`."""
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


AETitle = Annotated[str, AfterValidator(_ae_title)]
HomeCommunityId = Annotated[str, AfterValidator(community)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """Settings of one part: frozen, and a name that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a door bound there."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
