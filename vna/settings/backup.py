"""Settings of backups."""

from urllib.parse import urlsplit

from pydantic import ByteSize, Field, SecretStr, field_validator, model_validator

from vna.settings.values import Section


class BackupSettings(Section):
    """Backups at regular times."""

    to: str = Field(
        default="",
        description="Where backups go at regular times: a folder, or `s3://bucket?endpoint=http://127.0.0.1:8333`. "
        "Empty: none are made.",
    )
    second: str = Field(
        default="", description="A second place, which gets backups of its own at the same times. Empty: none."
    )
    every: float = Field(default=24.0, gt=0, le=8760, description="Hours from one backup to the next.")
    keep: int = Field(
        default=14, ge=1, le=10_000, description="Backups that each place keeps (count); the oldest go first."
    )
    rate: ByteSize = Field(
        default=ByteSize(0), ge=0, description="Most bytes a second that are copied (`50MiB`). 0: no limit."
    )
    restore_test_every: float = Field(
        default=182.0, gt=0, le=3660, description="Days after which a restore test is overdue (`vna restore --test`)."
    )
    access_key: str = Field(default="", description="Access key of places in S3. Empty: that of the blob store.")
    secret_key: SecretStr = Field(default=SecretStr(""), description="The secret key that goes with it.")

    @field_validator("to", "second")
    @classmethod
    def _is_a_place(cls, value: str) -> str:
        if value and not (value.startswith("/") or (urlsplit(value).scheme == "s3" and urlsplit(value).netloc)):
            raise ValueError("backups go to a folder such as /backup/vna, or to s3://bucket?endpoint=http://host:8333")
        return value

    @model_validator(mode="after")
    def _second_has_a_first(self) -> "BackupSettings":
        if self.second and not self.to:
            raise ValueError("VNA_BACKUP__SECOND is a second place: VNA_BACKUP__TO has to name the first")
        if self.second and self.second == self.to:
            raise ValueError("VNA_BACKUP__SECOND is another place than VNA_BACKUP__TO")
        return self
