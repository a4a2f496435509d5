"""Settings of one node among several."""

import ipaddress
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from vna.settings.values import Section, words

_LEAST_SECRET = 16


class NodeSettings(Section):
    """This node among those of the archive."""

    name: str = Field(
        default="", max_length=64, description="Name of this node, one of its own. Empty: the machine's name."
    )
    url: str = Field(
        default="",
        description="Where other nodes reach this node's HTTP door, such as `http://10.0.0.11:8080`. Empty: host and "
        "port of the HTTP door.",
    )

    secret: SecretStr = Field(
        default=SecretStr(""),
        description="What the nodes of the archive prove themselves to each other with, the same for all (16 "
        "characters or more); they read what waits in each other's spools. Empty: they cannot.",
    )

    @field_validator("secret")
    @classmethod
    def _is_long(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < _LEAST_SECRET:
            raise ValueError(f"the secret of the nodes has {_LEAST_SECRET} characters or more")
        return value

    drain_seconds: float = Field(
        default=0.0,
        ge=0,
        le=600,
        description="Seconds that this node goes on serving after SIGTERM while `/readyz` says that it is being "
        "stopped, so that a balancer sends it nothing new. A second SIGTERM ends the wait.",
    )

    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = Field(
        default=(),
        description="Addresses or networks of balancers, with commas between, whose DICOM and HL7 connections begin "
        "with a PROXY protocol header; it says who calls.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            ipaddress.ip_network(text, strict=False)
        return value

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("the address of a node looks like http://10.0.0.11:8080")
        return value.rstrip("/")
