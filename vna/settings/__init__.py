"""Settings: `VNA_<SECTION>__<FIELD>` in the environment over vna.toml over defaults.

docs/settings.md lists them all. Only vna.app and vna.cli read this package; the doors and the archive get plain values.
"""

from vna.settings.loading import Loaded, UnusableSettings, load, read_coercion
from vna.settings.root import Settings
from vna.settings.sections import (
    DatabaseSettings,
    DimseSettings,
    FederationSettings,
    Hl7Settings,
    HttpSettings,
    LogSettings,
    PeerSettings,
    SecurityMode,
    SecuritySettings,
    StorageSettings,
)
from vna.settings.sharing import CommunitySettings, XdsSettings
from vna.settings.table import Setting, table
from vna.settings.tls import TlsSettings
from vna.settings.values import is_loopback

__all__ = [
    "CommunitySettings",
    "DatabaseSettings",
    "DimseSettings",
    "FederationSettings",
    "Hl7Settings",
    "HttpSettings",
    "Loaded",
    "LogSettings",
    "PeerSettings",
    "SecurityMode",
    "SecuritySettings",
    "Setting",
    "Settings",
    "StorageSettings",
    "TlsSettings",
    "UnusableSettings",
    "XdsSettings",
    "is_loopback",
    "load",
    "read_coercion",
    "table",
]
