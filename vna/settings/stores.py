"""Settings of stores beside the primary one, and of what lies where."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from vna.settings.values import Section, words

PRIMARY = "primary"
"""The name of the store at VNA_STORAGE__URL."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_HINT = "a blob store is at file:///absolute/path or s3://bucket?endpoint=http://127.0.0.1:8333"

Words = Annotated[tuple[str, ...], BeforeValidator(words)]


def blob_store_url(value: str) -> str:
    """The address of a folder or a bucket, or nothing."""
    parts = urlsplit(value)
    is_folder = parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")
    is_bucket = parts.scheme == "s3" and parts.netloc
    if value and not is_folder and not is_bucket:
        raise ValueError(_HINT)
    return value


class StoreSettings(Section):
    """A store beside the primary one."""

    name: str = Field(description="Its name: small letters, digits and `-`.")
    url: str = Field(description="Where it is, as `VNA_STORAGE__URL`.")
    access_key: str = Field(default="", description="S3 access key.")
    secret_key: SecretStr = Field(default=SecretStr(""), description="S3 secret key.")

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value) or value == PRIMARY:
            raise ValueError(f"a store has a name of small letters, digits and -, and another one than {PRIMARY}")
        return value

    @field_validator("url")
    @classmethod
    def _is_a_blob_store(cls, value: str) -> str:
        if not value:
            raise ValueError(_HINT)
        return blob_store_url(value)


class PlacementSettings(Section):
    """A rule: which instances belong into which store. The first rule that fits an instance says it."""

    modality: Words = Field(default=(), description="Modalities of the series. Empty: any.")
    facility: Words = Field(default=(), description="Codes of facilities. Empty: any.")
    age_days: int = Field(default=0, ge=0, description="Days since `since`; 0: at once.")
    since: Literal["received", "study"] = Field(
        default="received", description="What the age is counted from: when it came, or Study Date."
    )
    store: str = Field(description="Name of the store, or `primary`.")
    replicas: Words = Field(default=(), description="Names of stores that hold a copy too.")
