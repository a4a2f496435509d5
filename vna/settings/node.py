"""Settings of one node among several."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from vna.settings.values import Section


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

    drain_seconds: float = Field(
        default=0.0,
        ge=0,
        le=600,
        description="Seconds that this node goes on serving after SIGTERM while `/readyz` says that it is being "
        "stopped, so that a balancer sends it nothing new. A second SIGTERM ends the wait.",
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("the address of a node looks like http://10.0.0.11:8080")
        return value.rstrip("/")
