"""Settings of logins: passwords, lock-out, sessions of browsers, and who proves people elsewhere."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from vna.model.access import Role
from vna.settings.values import Seconds, Section, is_loopback, words

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class LoginSettings(Section):
    """Logins with passwords, and sessions of browsers."""

    password_length: int = Field(default=12, ge=8, le=128, description="Least length of a new password (characters).")
    password_days: int = Field(
        default=0,
        ge=0,
        le=3650,
        description="A password that was set this long ago has to be changed before it is of use again (days). "
        "0: never.",
    )
    account_failures: int = Field(
        default=10,
        ge=0,
        le=1000,
        description="So many logins of one account that fail lock it, for all passwords (count). 0: never.",
    )
    address_failures: int = Field(
        default=50,
        ge=0,
        le=100_000,
        description="So many logins from one address that fail lock it, for all accounts (count). 0: never.",
    )
    lock_time: Seconds = Field(
        default=900.0,
        le=86_400 * 7,
        description="How long a lock holds, and how long none has to fail until failures count anew (seconds).",
    )
    idle_time: Seconds = Field(
        default=1800.0, le=86_400, description="A browser that asks nothing for this long is logged out (seconds)."
    )
    session_time: Seconds = Field(
        default=43_200.0,
        le=86_400 * 7,
        description="A browser is logged out after this time, whatever it does (seconds).",
    )


class OidcSettings(Section):
    """An OpenID provider: people log in there, and programs show tokens of it."""

    issuer: str = Field(
        default="",
        description="How the OpenID provider names itself, such as `https://id.example.org/realms/health`: an address "
        "under TLS, or on this machine. Empty: there is none.",
    )
    name: str = Field(default="your organisation", max_length=60, description="How people know it: on the login page.")
    client_id: str = Field(default="", description="How it knows the archive. Empty: people do not log in there.")
    client_secret: SecretStr = Field(
        default=SecretStr(""), description="The archive's secret there. Empty: it is a public client."
    )
    scopes: str = Field(
        default="openid profile", description="Scopes that are asked for when people log in, with blanks between."
    )
    audience: str = Field(
        default="",
        description="What access tokens of programs have to be for (`aud`). Empty: none is taken.",
    )
    algorithms: Annotated[tuple[Algorithm, ...], NoDecode, BeforeValidator(words)] = Field(
        default=("RS256", "PS256", "ES256", "EdDSA"),
        min_length=1,
        description="How tokens may be signed, with commas between. A shared key is none of the ways.",
    )
    name_claim: str = Field(default="sub", min_length=1, description="Claim that names somebody, for ever the same.")
    role_claim: str = Field(
        default="roles", min_length=1, description="Claim of roles: a list or words; `a.b` is a claim inside of one."
    )
    facility_claim: str = Field(default="facility", description="Claim of the code of somebody's facility.")
    person_claim: str = Field(default="national_number", description="Claim of somebody's national number.")
    roles: dict[str, Role] = Field(
        default_factory=dict,
        description="Which role a value of the role claim is, as JSON (environment) or `[oidc.roles]` (vna.toml): "
        '`{"MD": "clinician"}`. Of several that somebody has the first counts. Empty: values are names of roles.',
    )
    keys_time: Seconds = Field(
        default=600.0,
        le=86_400,
        description="How long its keys are used until they are asked for anew (seconds); an unknown one is asked for "
        "at once.",
    )
    ca: str = Field(
        default="",
        description="File of the authorities that its certificate is checked against (PEM). Empty: those that are "
        "usual on this machine.",
    )

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        parts = urlsplit(value)
        safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
        if value and not (safe and parts.hostname and not parts.query and not parts.fragment):
            raise ValueError("an issuer looks like https://id.example.org")
        return value

    @model_validator(mode="after")
    def _belongs_to_an_issuer(self) -> "OidcSettings":
        if (self.client_id or self.audience) and not self.issuer:
            raise ValueError("client_id and audience are of an OpenID provider: issuer says which")
        return self


class XuaSettings(Section):
    """SAML 2.0 assertions in the header of SOAP messages (IHE XUA)."""

    issuers: dict[str, str] = Field(
        default_factory=dict,
        description="Who may say who somebody is: file of certificates (PEM) by name of the issuer, as JSON "
        '(environment) or `[xua.issuers]` (vna.toml): `{"urn:example:sts": "sts.pem"}`. Empty: assertions are not '
        "taken.",
    )
    audience: str = Field(
        default="",
        description="Who we are to issuers: the audience that assertions have to be for. Needed with issuers.",
    )
    roles: dict[str, Role] = Field(
        default_factory=dict,
        description='Which role a code of the role attribute is, as JSON or `[xua.roles]`: `{"112247003": '
        '"clinician"}`. Empty: codes are names of roles.',
    )
    facility_attribute: str = Field(
        default="urn:oasis:names:tc:xspa:1.0:subject:organization-id",
        description="Attribute of the code of somebody's facility.",
    )
    person_attribute: str = Field(default="", description="Attribute of somebody's national number. Empty: none is.")
    needed: bool = Field(
        default=False, description="Whether SOAP messages of document sharing without an assertion are refused."
    )

    @model_validator(mode="after")
    def _has_an_audience(self) -> "XuaSettings":
        if self.issuers and not self.audience:
            raise ValueError("issuers need an audience: who we are to them")
        if self.needed and not self.issuers:
            raise ValueError("assertions that are needed need issuers")
        return self
