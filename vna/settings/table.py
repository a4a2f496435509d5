"""Every setting as a row: name, value in force, default, source, meaning."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import ByteSize, SecretStr

from vna.settings.care import RetentionSettings
from vna.settings.loading import Loaded
from vna.settings.root import PREFIX, fields
from vna.settings.sections import PeerSettings
from vna.settings.sharing import CommunitySettings
from vna.settings.stores import PlacementSettings, StoreSettings


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is in force: `name` is dotted, `value` and `default` are text with secrets hidden."""

    name: str
    value: str
    default: str
    source: str
    description: str

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.name.upper().replace(".", "__")


def table(loaded: Loaded) -> Iterator[Setting]:
    """Every setting in order, with the addresses that follow from the data folder filled in."""
    settings = loaded.settings
    filled_in = {"database.url": settings.database_url, "storage.url": settings.storage_url}
    for name, field in fields():
        value: Any = settings
        for part in name.split("."):
            value = getattr(value, part)
        default = field.get_default(call_default_factory=True, validated_data={})
        source = loaded.sources.get(name, "default")
        yield Setting(name, shown(filled_in.get(name, value)), shown(default), source, field.description or "")


def shown(value: object) -> str:
    """A value for people to read: sizes in units, passwords as stars."""
    if isinstance(value, SecretStr):
        return "********" if value.get_secret_value() else ""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, ByteSize):
        return _size(int(value))
    if isinstance(value, tuple):
        return ", ".join(map(_named, value))
    text = f"{value:g}" if isinstance(value, float) else str(value)
    password = urlsplit(text).password if "://" in text else None
    return text.replace(f":{password}@", ":********@") if password else text


def _named(item: object) -> str:
    if isinstance(item, RetentionSettings):
        return item.name
    if isinstance(item, PeerSettings):
        return item.ae_title
    if isinstance(item, StoreSettings):
        return item.name
    if isinstance(item, PlacementSettings):
        return f"to {', '.join((item.store, *item.replicas))}"
    return item.home_community_id if isinstance(item, CommunitySettings) else str(item)


def _size(size: int) -> str:
    for unit, factor in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
