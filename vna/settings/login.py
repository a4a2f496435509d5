"""Settings of logins: passwords, lock-out, sessions of browsers, and who proves people elsewhere."""

from pydantic import Field

from vna.settings.values import Seconds, Section


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
