"""Settings of the audit trail."""

from pydantic import Field

from vna.settings.syslog import SyslogSettings
from vna.settings.values import Section


class AuditSettings(Section):
    """What is written down of who did what, and how it is kept from being altered."""

    on: bool = Field(
        default=True,
        description="Write the audit trail (true or false). Off is for measuring what it costs.",
    )
    key_file: str = Field(
        default="",
        description="File with the key of the trail: 64 hexadecimal digits a line, the first line writes, the others "
        "still verify. The same on every node. Empty: `audit.key` in the data folder, made at the first start.",
    )
    chain_seconds: int = Field(
        default=5, ge=1, le=3600, description="Seconds after which new records are chained to those before."
    )
    seal_seconds: int = Field(
        default=10,
        ge=0,
        le=86400,
        description="Seconds between two seals of the chain, each with a copy in the object store. 0: one each time "
        "that something was chained.",
    )
    timestamp_url: str = Field(
        default="",
        description="Address of a time stamp authority (RFC 3161) that stamps each seal, such as "
        "`https://tsa.example.org/`. Empty: seals carry no time stamp.",
    )
    timestamp_ca: str = Field(
        default="",
        description="File of the certificates (PEM) that its time stamps are checked against: roots, those between, "
        "and its own where time stamps leave it out.",
    )
    watch_database: bool = Field(
        default=True,
        description="Record what anybody but a node changes in PostgreSQL, rows and schema, by triggers (true or "
        "false).",
    )
    time_server: str = Field(
        default="",
        description="Name or address of an NTP server, and a port where it is another than 123, that the clock of this "
        "node is checked against. Empty: none.",
    )
    time_seconds: int = Field(default=300, ge=16, le=86400, description="Seconds between two checks of the clock.")
    time_offset: float = Field(
        default=1.0, gt=0, le=3600, description="Seconds by which the clock may be wrong before that is an alarm."
    )
    years: int = Field(
        default=5,
        ge=0,
        le=100,
        description="Years that records of access, queries, transfers, changes, deletions, imports, exports and "
        "changes in the database are kept. 0: for ever.",
    )
    other_years: int = Field(
        default=2,
        ge=0,
        le=100,
        description="Years that records of logins, refusals, security settings and the archive's own running are kept. "
        "0: for ever.",
    )
    syslog: SyslogSettings = SyslogSettings()
