"""The sections, a frozen model each: every field with its unit and meaning."""

import ipaddress
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode

from vna.documents.communities import home_community_id
from vna.hl7.charsets import codec_of
from vna.model.access import Action, Coercion, Peer
from vna.model.identifiers import is_ae_title, is_uid


def _ae_title(text: str) -> str:
    if not is_ae_title(text):
        raise ValueError("an AE title is 1 to 16 printable ASCII characters without backslash")
    return text.strip()


def _oid(text: str) -> str:
    if text and not is_uid(text):
        raise ValueError("an OID looks like 1.2.840.10008")
    return text


def _service(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError("a service is at an address like https://xds.example.org/xds/repository")
    return text


def _home_community_id(text: str) -> str:
    home = home_community_id(text)
    if not home:
        raise ValueError("a home community id is an OID such as 1.2.840.10008, or urn:oid: and one")
    return home


def _words(value: object) -> object:
    """Lists may be written with commas in the environment: `127.0.0.1,10.0.0.0/8`."""
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


_INDEX = re.compile(
    r"sqlite:////.+"
    r"|postgresql\+psycopg://(?=.)(?:[^:/]*(?::[^@]*)?@)?(?:\[[^]/]+\]|[^/:?]*)(?::[0-9]+)?(?:[/?].*)?"
)

AETitle = Annotated[str, AfterValidator(_ae_title)]
HomeCommunityId = Annotated[str, AfterValidator(_home_community_id)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """Settings of one part: frozen, and a name that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


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
        "Empty: SQLite in the data folder.",
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


class StorageSettings(Section):
    """The blob store: the bytes as they were received."""

    url: str = Field(
        default="",
        description="Where the bytes are: `file:///absolute/path`, or `s3://bucket?endpoint=http://127.0.0.1:8333`. "
        "Empty: a folder in the data folder.",
    )
    access_key: str = Field(default="", description="S3 access key.")
    secret_key: SecretStr = Field(default=SecretStr(""), description="S3 secret key.")
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

    @field_validator("url")
    @classmethod
    def _is_a_blob_store(cls, value: str) -> str:
        parts = urlsplit(value)
        is_folder = parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")
        is_bucket = parts.scheme == "s3" and parts.netloc
        if value and not is_folder and not is_bucket:
            raise ValueError("a blob store is at file:///absolute/path or s3://bucket?endpoint=http://127.0.0.1:8333")
        return value


class HttpSettings(Section):
    """The HTTP door: the page, DICOMweb, health and metrics."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: Port = Field(default=8080, description="Port to listen on. 0 takes a free one and prints it.")
    public_url: str = Field(
        default="",
        description="The address that people and viewers use, such as `https://vna.example.org`, where a proxy stands "
        "in front, or where the archive has a name in `enforced` mode. Empty: as the request says.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        default=(),
        description="Addresses or networks, with commas between, whose `X-Forwarded-For`, `-Proto`, `-Host` and "
        "`-Port`, or `Forwarded`, are believed.",
    )
    origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
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
    rights: Annotated[tuple[Action, ...], BeforeValidator(_words)] = Field(
        default=(Action.STORE, Action.QUERY, Action.RETRIEVE), description="What it may do: store, query, retrieve."
    )
    coercion: CoercionSettings | None = Field(default=None, description="Rules for what it sends.")

    def as_peer(self) -> Peer:
        """The model's word for it."""
        coercion = self.coercion.as_coercion() if self.coercion else None
        return Peer(self.ae_title, self.host, self.port, self.facility, frozenset(self.rights), coercion)


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
    peers: tuple[PeerSettings, ...] = Field(
        default=(),
        description="AE titles that seed the table at first start, as a JSON list (environment) or `[[dimse.peers]]` "
        "(vna.toml): `ae_title`, `host`, `port`, `facility`, `rights`, `coercion`.",
    )


class TlsSettings(Section):
    """TLS of a door that speaks it itself."""

    certificate: str = Field(
        default="", description="File of our certificate, and those that lead to its authority (PEM). Empty: no TLS."
    )
    key: str = Field(default="", description="File of its key (PEM). Empty: in the file of the certificate.")
    ca: str = Field(default="", description="File of the certificates that client certificates are checked against.")
    require_client_certificate: bool = Field(
        default=False, description="Whether only those get in who show a certificate (true or false)."
    )

    @model_validator(mode="after")
    def _belong_together(self) -> "TlsSettings":
        if not self.certificate and (self.key or self.ca or self.require_client_certificate):
            raise ValueError("TLS needs a certificate of ours first")
        if self.require_client_certificate and not self.ca:
            raise ValueError("to require client certificates, ca has to say which ones are good")
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


class CommunityTlsSettings(Section):
    """TLS towards another community."""

    ca: str = Field(default="", description="File of the certificates to trust (PEM). Empty: those of the machine.")
    certificate: str = Field(default="", description="File of our certificate (PEM). Empty: we show none.")
    key: str = Field(default="", description="File of its key (PEM). Empty: in the file of the certificate.")

    @model_validator(mode="after")
    def _belong_together(self) -> "CommunityTlsSettings":
        if self.key and not self.certificate:
            raise ValueError("a key needs its certificate")
        return self


class CommunitySettings(Section):
    """Another community, and where its Responding Gateway is."""

    home_community_id: HomeCommunityId = Field(description="Its home community id.")
    query: str = Field(description="Address that takes ITI-38.")
    retrieve: str = Field(default="", description="Address that takes ITI-39. Empty: that of queries.")
    images: str = Field(default="", description="Address that takes RAD-75. Empty: that of queries.")
    affinity_domain: str = Field(
        default="", description="OID under which patients have the same number there. Empty: that of ours."
    )
    token: SecretStr = Field(default=SecretStr(""), description="Bearer token that lets us in. Empty: none.")
    tls: CommunityTlsSettings = CommunityTlsSettings()

    @field_validator("query", "retrieve", "images")
    @classmethod
    def _is_a_service(cls, value: str) -> str:
        return _service(value)

    @field_validator("affinity_domain")
    @classmethod
    def _is_an_oid(cls, value: str) -> str:
        return _oid(value)

    @model_validator(mode="after")
    def _has_an_address(self) -> "CommunitySettings":
        if not self.query:
            raise ValueError("a community needs the address that takes its queries")
        places = [urlsplit(url) for url in (self.query, self.retrieve, self.images) if url]
        if self.token.get_secret_value() and any(
            place.scheme == "http" and not is_loopback(place.hostname or "") for place in places
        ):
            raise ValueError("a token goes over https alone, unless to this machine")
        return self


class XdsSettings(Section):
    """IHE document sharing: the affinity domain, and what this archive is in it."""

    repository_unique_id: str = Field(
        default="",
        description="OID of our document repository and Imaging Document Source. Empty: one of its own, which the "
        "archive makes when it first needs it, and keeps.",
    )
    registry_url: str = Field(
        default="",
        description="Address of the document registry that documents are registered in (ITI-42), such as "
        "`https://registry.example.org/xds`. Empty: our own.",
    )
    affinity_domain: str = Field(
        default="",
        description="OID of the assigning authority of the domain's patient identifiers; those of others are not "
        "known. Empty: any.",
    )
    codes: str = Field(
        default="",
        description="The file of the domain's codes and media types, TOML or JSON; `turkey` is the example that comes "
        "along. Empty: any code is taken.",
    )
    profile: str = Field(
        default="",
        description="The file (TOML) that says of our own manifests and reports what the images do not say: codes, "
        "institutions, which patient identifiers are of the affinity domain; `turkey` is the example that comes along. "
        "Empty: codes of IHE's examples, identifiers as the images have them.",
    )
    publish_after: float = Field(
        default=0.0,
        ge=0,
        description="A study of which nothing has changed for this long (seconds) is published: its manifest goes to a "
        "repository. 0: when somebody asks (`vna xds publish`), and again when something of it has changed.",
    )
    publish_to: str = Field(
        default="",
        description="Address of the repository that manifests go to, such as "
        "`https://xds.example.org/xds/repository`. Empty: our own.",
    )
    publish_registry: str = Field(
        default="",
        description="Address of that repository's registry, where a manifest is removed (ITI-18, ITI-62) when nothing "
        "of its study is left, or deprecated (ITI-57) if that registry removes nothing.",
    )
    unknown_patients: Literal["refuse", "register"] = Field(
        default="refuse",
        description="What becomes of documents of a patient that no identity feed told of: `refuse` or `register`.",
    )
    max_document_bytes: ByteSize = Field(
        default=ByteSize(1024**3), description="Longest document taken (bytes, or `1GiB`)."
    )
    max_objects: int = Field(
        default=10_000, ge=1, description="Most objects (documents, folders, associations) of one submission (count)."
    )
    max_results: int = Field(
        default=10_000, ge=1, description="Most objects that one stored query finds (count); more is XDSTooManyResults."
    )

    home_community_id: str = Field(
        default="",
        description="Our home community id, an OID, with or without `urn:oid:` before it. Empty: no gateways.",
    )
    communities: tuple[CommunitySettings, ...] = Field(
        default=(),
        description="The communities that our Initiating Gateway asks, as a JSON list (environment) or "
        "`[[xds.communities]]` (vna.toml): `home_community_id`, `query`, `retrieve`, `images`, `affinity_domain`, "
        "`token`, `tls`.",
    )
    gateway_timeout: Seconds = Field(
        default=30.0,
        description="How long another community may take to answer a query, and to begin with documents or go on with "
        "them (seconds).",
    )
    gateway_requests: int = Field(
        default=16,
        ge=1,
        le=64,
        description="Requests that one worker process forwards to other communities at once (count); more are told "
        "that we are busy.",
    )

    @field_validator("home_community_id")
    @classmethod
    def _is_a_community(cls, value: str) -> str:
        return _home_community_id(value) if value else ""

    @model_validator(mode="after")
    def _communities_differ(self) -> "XdsSettings":
        homes = [one.home_community_id for one in self.communities]
        if homes and not self.home_community_id:
            raise ValueError("communities are asked on behalf of ours: set home_community_id first")
        if not self.affinity_domain and any(one.affinity_domain for one in self.communities):
            raise ValueError("patients have another authority in a community than in ours: set affinity_domain first")
        twice = next((home for home in homes if [*homes, self.home_community_id].count(home) > 1), "")
        if twice:
            raise ValueError(f"the community {twice} is there twice, or is our own")
        return self

    @field_validator("publish_to", "publish_registry")
    @classmethod
    def _is_a_service(cls, value: str) -> str:
        return _service(value)

    @field_validator("repository_unique_id", "affinity_domain")
    @classmethod
    def _is_an_oid(cls, value: str) -> str:
        return _oid(value)

    @field_validator("registry_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("an address looks like https://registry.example.org/xds")
        return value


class SecuritySettings(Section):
    """Who may come in."""

    mode: SecurityMode = Field(
        default=SecurityMode.LOCAL,
        description="`local`: no login, only while every door is bound to loopback. `enforced`: users, tokens and "
        "known AE titles with rights.",
    )


class LogSettings(Section):
    """The log: one line an event, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level written.")
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`json`: a JSON object a line. `console`: for eyes. `auto`: console on a terminal."
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a door bound there."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
