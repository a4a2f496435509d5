"""The sections of document sharing: our own part in it, and other communities."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import ByteSize, Field, SecretStr, field_validator, model_validator

from vna.settings.values import HomeCommunityId, Seconds, Section, community, is_loopback, oid, service


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
        return service(value)

    @field_validator("affinity_domain")
    @classmethod
    def _is_an_oid(cls, value: str) -> str:
        return oid(value)

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
        return community(value) if value else ""

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
        return service(value)

    @field_validator("repository_unique_id", "affinity_domain")
    @classmethod
    def _is_an_oid(cls, value: str) -> str:
        return oid(value)

    @field_validator("registry_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("an address looks like https://registry.example.org/xds")
        return value
