"""All sections together, and what must hold between them."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, Field, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from vna.settings.access import AccessSettings
from vna.settings.across import AcrossSettings
from vna.settings.audit import AuditSettings
from vna.settings.backup import BackupSettings
from vna.settings.care import CareSettings, RetentionSettings, VerifySettings
from vna.settings.commitment import AvailabilitySettings, CommitmentSettings
from vna.settings.forwarding import ForwardSettings
from vna.settings.iocm import IocmSettings
from vna.settings.login import LoginSettings, OidcSettings, XuaSettings
from vna.settings.national import NationalSettings
from vna.settings.node import NodeSettings
from vna.settings.sections import (
    DatabaseSettings,
    DimseSettings,
    FederationSettings,
    Hl7Settings,
    HttpSettings,
    JobsSettings,
    LogSettings,
    PrioritySettings,
    SearchSettings,
    SecurityMode,
    SecuritySettings,
    StorageSettings,
)
from vna.settings.sharing import XdsSettings
from vna.settings.values import Section, is_loopback

PREFIX = "VNA_"


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(
        default=Path("vna-data"),
        description="The data folder: index, blobs and state of the embedded default; relative to the current folder.",
    )
    database: DatabaseSettings = DatabaseSettings()
    search: SearchSettings = SearchSettings()
    across: AcrossSettings = AcrossSettings()
    storage: StorageSettings = StorageSettings()
    http: HttpSettings = HttpSettings()
    dimse: DimseSettings = DimseSettings()
    hl7: Hl7Settings = Hl7Settings()
    xds: XdsSettings = XdsSettings()
    national: NationalSettings = NationalSettings()
    security: SecuritySettings = SecuritySettings()
    login: LoginSettings = LoginSettings()
    oidc: OidcSettings = OidcSettings()
    xua: XuaSettings = XuaSettings()
    access: AccessSettings = AccessSettings()
    audit: AuditSettings = AuditSettings()
    federation: FederationSettings = FederationSettings()
    node: NodeSettings = NodeSettings()
    backup: BackupSettings = BackupSettings()
    verify: VerifySettings = VerifySettings()
    care: CareSettings = CareSettings()
    retention: tuple[RetentionSettings, ...] = Field(
        default=(),
        description="Rules of how long studies are kept, as a JSON list (environment) or `[[retention]]` (vna.toml): "
        "`name`, `modalities`, `facilities`, `under_age`, `years`, `until_age`, `since`, `then`, `purge_days`. Empty: "
        "for ever.",
    )
    commitment: CommitmentSettings = CommitmentSettings()
    availability: AvailabilitySettings = AvailabilitySettings()
    iocm: IocmSettings = IocmSettings()
    forward: tuple[ForwardSettings, ...] = Field(
        default=(),
        description="Rules of what is sent to other archives, as a JSON list (environment) or `[[forward]]` "
        "(vna.toml): `name`, `to`, `modalities`, `facilities`, `calling`, `sop_classes`, `younger_than`, `when`, "
        "`rest`, `priority`, `again`. Empty: nothing is.",
    )
    jobs: JobsSettings = JobsSettings()
    priority: PrioritySettings = PrioritySettings()
    log: LogSettings = LogSettings()

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @model_validator(mode="after")
    def _local_mode_is_loopback_only(self) -> "Settings":
        if self.security.mode is not SecurityMode.LOCAL:
            return self
        for name, host in (("HTTP", self.http.host), ("DIMSE", self.dimse.host), ("HL7", self.hl7.host)):
            if not is_loopback(host):
                raise ValueError(
                    f"{PREFIX}{name}__HOST is {host}, which others can reach, and security mode `local` asks nobody to "
                    f"log in: set {PREFIX}SECURITY__MODE=enforced, or {PREFIX}{name}__HOST=127.0.0.1"
                )
        return self

    @model_validator(mode="after")
    def _titles_differ(self) -> "Settings":
        if self.across.ae_title == self.dimse.ae_title:
            raise ValueError(f"{PREFIX}ACROSS__AE_TITLE is another title than {PREFIX}DIMSE__AE_TITLE")
        return self

    @model_validator(mode="after")
    def _folders_need_no_spool(self) -> "Settings":
        if self.storage.acknowledge == "spool" and not self.storage_url.startswith("s3://"):
            raise ValueError(
                f"{PREFIX}STORAGE__ACKNOWLEDGE=spool is for an object store: {PREFIX}STORAGE__URL names a folder"
            )
        return self

    @property
    def spool_folder(self) -> Path:
        """Where what waits for the object store lies, default filled in."""
        return Path(self.storage.spool) if self.storage.spool else self.data_dir / "waiting"

    @property
    def database_url(self) -> str:
        """The index's address, default filled in."""
        return self.database.url or f"sqlite:///{self.data_dir / 'index.sqlite'}"

    @property
    def storage_url(self) -> str:
        """The blob store's address, default filled in."""
        return self.storage.url or (self.data_dir / "blobs").as_uri()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, which `load` hands in as `init`."""
        return env_settings, init_settings


def fields(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting by its dotted name."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from fields(kind, f"{prefix}{name}.")
        else:
            yield prefix + name, field
