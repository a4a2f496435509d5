"""The sections, a frozen model each: every field with its unit and meaning."""

import ipaddress
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ByteSize, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from vna.model.access import Action, Coercion, Peer
from vna.model.message_charsets import codec_of
from vna.model.priority import priority_of
from vna.settings.stores import PRIMARY, PlacementSettings, StoreSettings, blob_store_url
from vna.settings.tls import TlsSettings
from vna.settings.values import AETitle, Port, Seconds, Section, words

_LEAST_BANDWIDTH = 16 << 10
_INDEX = re.compile(
    r"sqlite:////.+"
    r"|postgresql\+psycopg://(?=.)(?:[^:/]*(?::[^@]*)?@)?"
    r"(?:\[[^]/]+\]|[^/:?,]*)(?::[0-9]+)?(?:,(?:\[[^]/]+\]|[^/:?,]+)(?::[0-9]+)?)*(?:[/?].*)?"
)


class SecurityMode(StrEnum):
    """Who may come in."""

    LOCAL = "local"
    ENFORCED = "enforced"


class DatabaseSettings(Section):
    """The index."""

    url: str = Field(
        default="",
        repr=False,
        description="Where the index is: `postgresql+psycopg://user:password@host/name` or `sqlite:////absolute/path`. "
        "Empty: SQLite in the data folder. Of several hosts, as in `user@host1:5432,host2:5432/name`, the one is used "
        "that may be written to.",
    )
    pool_size: int = Field(
        default=10, ge=1, le=200, description="PostgreSQL connections that one worker process keeps (count)."
    )
    max_scanned: int = Field(
        default=200_000,
        ge=1,
        description="Most rows that one search looks at for keys which the database cannot decide (count); more ends "
        "it, and the answer says that it is not whole.",
    )

    @field_validator("url")
    @classmethod
    def _is_a_database(cls, value: str) -> str:
        if value and not _INDEX.fullmatch(value):
            raise ValueError("an index is at postgresql+psycopg://user:password@host/name or sqlite:////absolute/path")
        return value


class SearchSettings(Section):
    """Searching, behind every door."""

    phonetic: bool = Field(
        default=False,
        description="Whether fuzzy matching of names also finds those that sound alike (true or false).",
    )


class JobsSettings(Section):
    """Work in the background."""

    workers: int = Field(default=2, ge=1, le=64, description="Jobs that this node does at the same time.")


class PrioritySettings(Section):
    """Whose turn it is at our doors; interactive requests are never held up."""

    bulk_requests: int = Field(
        default=8,
        ge=0,
        le=10_000,
        description="Bulk requests that each door of this node serves at once (count): retrievals by C-MOVE and C-GET, "
        "instances stored by C-STORE, requests over HTTP; more wait. 0: no limit.",
    )
    routine_requests: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="The same of routine requests, C-STORE excepted (count). 0: no limit.",
    )
    bulk_bandwidth: ByteSize = Field(
        default=ByteSize(0),
        description="Most bytes a second that bulk requests get of this node, all doors together, and send it by "
        "C-STORE. 0: no limit.",
    )
    routine_bandwidth: ByteSize = Field(
        default=ByteSize(0), description="The same of routine requests, what they get alone. 0: no limit."
    )

    @field_validator("bulk_bandwidth", "routine_bandwidth")
    @classmethod
    def _is_enough(cls, value: ByteSize) -> ByteSize:
        if value and value < _LEAST_BANDWIDTH:
            raise ValueError("a bandwidth is 16KiB a second or more, or 0 for no limit")
        return value


class FederationSettings(Section):
    """Images that other archives keep."""

    cache_size: ByteSize = Field(
        default=ByteSize(100 * 1024**3),
        description="Space (bytes, or `100GiB`) for copies of what other archives keep; the oldest go first, and never "
        "what its archive does not have any more.",
    )
    cache_seconds: Seconds = Field(default=600.0, description="Seconds that a copy stays at least.")
    wait_timeout: Seconds = Field(
        default=120.0, gt=0, description="Seconds that a reader waits for what is fetched; then 503, or A702H."
    )
    series_at_once: int = Field(
        default=8, ge=1, le=256, description="Series that each process fetches at the same time."
    )
    ahead: bool = Field(
        default=True,
        description="Whether the rest of a series is fetched behind the instance that was asked for (true or false).",
    )
    prefetch: str = Field(
        default="",
        description="Rules of which priors are fetched before anybody asks for them (TOML file, or `example`). Empty: "
        "none are.",
    )


class StorageSettings(Section):
    """The blob store: the bytes as they were received."""

    url: str = Field(
        default="",
        description="Where the bytes are: `file:///absolute/path`, or `s3://bucket?endpoint=http://127.0.0.1:8333`. "
        "Empty: a folder in the data folder.",
    )
    access_key: str = Field(default="", description="S3 access key.")
    secret_key: SecretStr = Field(default=SecretStr(""), description="S3 secret key.")
    acknowledge: Literal["store", "spool"] = Field(
        default="store",
        description="When a store into an object store is acknowledged: `store` when that has the bytes, `spool` when "
        "they are durable in this node's spool, from where they go there.",
    )
    spool: str = Field(
        default="",
        description="The folder of the spool, one for each node, on a disk of its own machine. Empty: `waiting` in the "
        "data folder.",
    )
    spool_size: ByteSize = Field(
        default=ByteSize(100 * 1024**3),
        gt=0,
        description="Most bytes that wait in the spool (bytes, or `100GiB`), beside what is being stored just then. "
        "When it is full, what comes goes straight to the object store.",
    )
    uploads: int = Field(
        default=4, ge=1, le=64, description="Objects that are put from the spool into the object store at once (count)."
    )
    min_free: ByteSize = Field(
        default=ByteSize(1024**3),
        description="Free space (bytes, or `1GiB`) below which stores are refused (C-STORE A700, HTTP 507) while reads "
        "go on and `/readyz` says so. Watches the blob folder, or the spool folder in front of an object store. "
        "0: never.",
    )
    duplicates: Literal["keep", "replace"] = Field(
        default="keep",
        description="What happens when an instance comes again with other content: `keep` refuses the new one "
        "(0111H on both doors), `replace` takes it and keeps the older one recoverable.",
    )

    timeout: Seconds = Field(
        default=20.0,
        description="How long an operation on an S3 store is tried (seconds), all its tries together. An answer has to "
        "begin within half of it.",
    )
    cache_size: ByteSize = Field(
        default=ByteSize(2 * 1024**3),
        description="The most that is kept in `cache` of the data folder of what was read in parts from S3 stores "
        "(bytes, or `2GiB`): what was read longest ago goes first. Objects up to a tenth of it, and 64 MiB, are kept. "
        "0: nothing.",
    )
    stores: tuple[StoreSettings, ...] = Field(
        default=(),
        description="Stores beside the primary one, as a JSON list (environment) or `[[storage.stores]]` (vna.toml): "
        "`name`, `url`, `access_key`, `secret_key`.",
    )
    placement: tuple[PlacementSettings, ...] = Field(
        default=(),
        description="What lies in which store, as a JSON list (environment) or `[[storage.placement]]` (vna.toml): "
        "`modality`, `facility`, `age_days`, `since`, `store`, `replicas`. The first rule that fits counts.",
    )

    @field_validator("spool")
    @classmethod
    def _absolute(cls, value: str) -> str:
        return str(Path(value).expanduser().absolute()) if value else ""

    @field_validator("url")
    @classmethod
    def _is_a_blob_store(cls, value: str) -> str:
        return blob_store_url(value)

    @model_validator(mode="after")
    def _stores_are_known(self) -> "StorageSettings":
        names = [PRIMARY, *(store.name for store in self.stores)]
        if len(set(names)) < len(names):
            raise ValueError("two stores have the same name")
        for rule in self.placement:
            wanted = (rule.store, *rule.replicas)
            if len(set(wanted)) < len(wanted):
                raise ValueError("a rule of placement names a store twice")
            for name in wanted:
                if name not in names:
                    raise ValueError(f"no store is called {name}: there are {', '.join(names)}")
        return self


class HttpSettings(Section):
    """The HTTP door: the page, DICOMweb, health and metrics."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: Port = Field(default=8080, description="Port to listen on. 0 takes a free one and prints it.")
    public_url: str = Field(
        default="",
        description="The address that people and viewers use, such as `https://vna.example.org`, where a proxy stands "
        "in front, or where the archive has a name in `enforced` mode. Empty: as the request says.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = Field(
        default=(),
        description="Addresses or networks, with commas between, whose `X-Forwarded-For`, `-Proto`, `-Host` and "
        "`-Port`, or `Forwarded`, are believed.",
    )
    origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = Field(
        default=(),
        description="Origins of other sites whose pages may ask (CORS), with commas between, such as "
        "`https://viewer.example.org`.",
    )
    workers: int = Field(
        default=2, ge=1, le=64, description="Worker processes that share the port (count); a dead one is restarted."
    )
    max_body: ByteSize = Field(
        default=ByteSize(16 * 1024**3), description="Longest request body taken (bytes, or `16GiB`); more is 413."
    )
    network_timeout: Seconds = Field(
        default=60.0, description="A caller that stops in the middle of a request for this long (seconds) is cut off."
    )
    tls: TlsSettings = TlsSettings()
    viewer: Path = Field(
        default=Path("viewer"),
        description="The folder of the viewer's files, which `make viewer` fetches; relative to the current folder.",
    )

    @field_validator("viewer")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("public_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("a public address looks like https://vna.example.org")
        return value.rstrip("/")

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            parts = urlsplit(text)
            if (
                parts.scheme not in {"http", "https"}
                or not parts.hostname
                or text != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError("an origin looks like https://viewer.example.org")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            ipaddress.ip_network(text, strict=False)
        return value


class CoercionSettings(Section):
    """Rules for what a known AE title sends: attributes by keyword, changed on the way out, never in the bytes kept."""

    set: dict[str, str] = Field(default_factory=dict, description="Keyword to value.")
    remove: tuple[str, ...] = Field(default=(), description="Keywords taken away.")
    map: dict[str, dict[str, str]] = Field(default_factory=dict, description="Keyword to new value by old value.")

    def as_coercion(self) -> Coercion:
        """The model's word for it."""
        return Coercion(
            set=tuple(self.set.items()),
            remove=self.remove,
            map=tuple((keyword, tuple(values.items())) for keyword, values in self.map.items()),
        )


class PeerSettings(Section):
    """A known AE title that seeds the table at first start; afterwards `vna ae` is the truth."""

    ae_title: AETitle = Field(description="AE title.")
    host: str = Field(default="", description="Where C-MOVE sends to. Empty: it is no C-MOVE destination.")
    port: Port = Field(default=0, description="Port that C-MOVE sends to.")
    facility: str = Field(default="", description="Code of the facility it belongs to.")
    rights: Annotated[tuple[Action, ...], BeforeValidator(words)] = Field(
        default=(Action.STORE, Action.QUERY, Action.RETRIEVE), description="What it may do: store, query, retrieve."
    )
    coercion: CoercionSettings | None = Field(default=None, description="Rules for what it sends.")
    priority: Literal["interactive", "routine", "bulk"] = Field(
        default="interactive", description="Highest class of its requests."
    )
    addresses: Annotated[tuple[str, ...], BeforeValidator(words)] = Field(
        default=(), description="Addresses or networks that it calls from. Empty: any."
    )
    certificates: tuple[str, ...] = Field(
        default=(), description="Certificates that it shows, by SHA-256 or subject. Empty: any, or none."
    )
    tls: bool = Field(default=False, description="Whether it is called over TLS.")

    def as_peer(self) -> Peer:
        """The model's word for it."""
        coercion = self.coercion.as_coercion() if self.coercion else None
        rights, priority = frozenset(self.rights), priority_of(self.priority)
        bound = self.addresses, self.certificates, self.tls
        return Peer(self.ae_title, self.host, self.port, self.facility, rights, coercion, priority, *bound)


class DimseSettings(Section):
    """The DICOM door: our application entity."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: Port = Field(default=11112, description="Port to listen on. 0 takes a free one and prints it.")
    ae_title: AETitle = Field(default="VNA", description="Our AE title.")
    workers: int = Field(
        default=2, ge=1, le=64, description="Worker processes that share the port (count); a dead one is restarted."
    )
    max_pdu_bytes: int = Field(
        default=1_048_576, ge=4_096, le=16_777_216, description="Longest P-DATA PDU that we take (bytes, PS3.8 D.1)."
    )
    max_associations: int = Field(
        default=256,
        ge=1,
        le=100_000,
        description="Associations served at once, all workers together (count); more are refused as a local limit.",
    )
    idle_timeout: Seconds = Field(
        default=300.0, description="An association with no message for this long (seconds) is ended."
    )
    network_timeout: Seconds = Field(
        default=60.0, description="A peer that stops in the middle of a message for this long (seconds) is cut off."
    )
    unknown_sop_classes: bool = Field(
        default=False, description="Whether to take storage under SOP classes that we do not know (true or false)."
    )
    max_matches: int = Field(
        default=10_000, ge=1, description="Most answers to one C-FIND (count); more ends it with status A700."
    )
    move_associations: int = Field(
        default=2,
        ge=1,
        le=16,
        description="Associations that one C-MOVE opens to its destination at once, for many instances (count).",
    )
    tls: TlsSettings = TlsSettings()
    tls_port: Port | None = Field(
        default=None,
        description="Port for TLS alone beside the plain one; 2762 is registered for it, 0 takes a free one and prints "
        "it. Empty: where there is a certificate, the one port speaks TLS and nothing else.",
    )
    peers: tuple[PeerSettings, ...] = Field(
        default=(),
        description="AE titles that seed the table at first start, as a JSON list (environment) or `[[dimse.peers]]` "
        "(vna.toml): `ae_title`, `host`, `port`, `facility`, `rights`, `coercion`, `priority`, `addresses`, "
        "`certificates`, `tls`.",
    )

    @model_validator(mode="after")
    def _its_own_port_needs_a_certificate(self) -> "DimseSettings":
        if self.tls_port is not None and not self.tls.certificate:
            raise ValueError("a port for TLS needs a certificate: VNA_DIMSE__TLS__CERTIFICATE")
        return self


class Hl7Settings(Section):
    """The HL7 door: messages over MLLP."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: Port = Field(default=2575, description="Port to listen on. 0 takes a free one and prints it.")
    max_connections: int = Field(
        default=64, ge=1, le=10_000, description="Connections served at once (count); more are closed."
    )
    max_message_bytes: ByteSize = Field(
        default=ByteSize(16 << 20), ge=1024, description="Longest message taken (bytes, or `16MiB`)."
    )
    message_timeout: Seconds = Field(
        default=60.0,
        description="A message that is not whole so long after its first byte (seconds) ends the connection.",
    )
    idle_timeout: Seconds = Field(
        default=3600.0, description="A connection with no message for this long (seconds) is closed."
    )
    character_set: str = Field(
        default="UNICODE UTF-8",
        description="Character set of messages that name none in MSH-18, in the words of HL7 table 0211: "
        "`UNICODE UTF-8`, `8859/9`, or `Windows1254`.",
    )
    namespace: str = Field(
        default="",
        description="Name that stands for the affinity domain's assigning authority where a message has no OID of it. "
        "Empty: identifiers without an OID are passed over.",
    )
    tls: TlsSettings = TlsSettings()

    @field_validator("character_set")
    @classmethod
    def _is_a_character_set(cls, value: str) -> str:
        if not value.strip() or codec_of([value]) is None:
            raise ValueError("a character set is one of HL7 table 0211, such as UNICODE UTF-8 or 8859/9")
        return value


class SecuritySettings(Section):
    """Who may come in."""

    mode: SecurityMode = Field(
        default=SecurityMode.LOCAL,
        description="`local`: no login, only while every door is bound to loopback. `enforced`: users, tokens and "
        "known AE titles with rights.",
    )
    certificate_days: float = Field(
        default=30.0,
        ge=0,
        description="Days before the end of a certificate from which `/readyz` and the log warn of it.",
    )


class LogSettings(Section):
    """The log: one line an event, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level written.")
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`json`: a JSON object a line. `console`: for eyes. `auto`: console on a terminal."
    )
