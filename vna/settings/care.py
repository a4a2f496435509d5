"""Settings of the care of what is kept."""

from enum import StrEnum

from pydantic import ByteSize, Field, model_validator

from vna.settings.values import Section


class VerifySettings(Section):
    """Reading everything again, regularly."""

    every: int = Field(default=30, ge=0, description="Days after which everything is verified again. 0: never.")
    rate: ByteSize = Field(
        default=ByteSize(0), ge=0, description="Most bytes a second that verifying reads. 0: no limit."
    )
    readers: int = Field(default=4, ge=1, le=64, description="Objects that are verified at once (count).")
    repair: bool = Field(default=True, description="Put right by itself what is found damaged and is whole elsewhere.")


class CareSettings(Section):
    """Tidying up, regularly."""

    sweep: int = Field(
        default=24, ge=0, description="Hours after which what a crash left is looked for again. 0: never by itself."
    )
    retention: int = Field(
        default=24, ge=0, description="Hours after which the rules of retention are followed again. 0: never by itself."
    )


class Since(StrEnum):
    """From when on the years of a rule count."""

    STUDY_DATE = "study-date"
    ARRIVAL = "arrival"


class Then(StrEnum):
    """What becomes of a study whose time is over."""

    REPORT = "report"
    REJECT = "reject"
    DELETE = "delete"
    PURGE = "purge"


class RetentionSettings(Section):
    """A rule of how long studies are kept. The first that fits a study is its rule; one that none fits stays."""

    name: str = Field(min_length=1, max_length=64, description="Name of the rule.")
    modalities: tuple[str, ...] = Field(default=(), description="Modalities of which a study has one. Empty: any.")
    facilities: tuple[str, ...] = Field(default=(), description="Facilities. Empty: any.")
    under_age: int | None = Field(
        default=None, ge=0, le=150, description="Only patients younger than this at the study (years)."
    )
    years: float | None = Field(default=None, gt=0, le=1000, description="How long it is kept. Empty: for ever.")
    until_age: int | None = Field(
        default=None, ge=0, le=150, description="It is kept at least until the patient has this age (years)."
    )
    since: Since = Field(default=Since.STUDY_DATE, description="From when on the years count.")
    then: Then = Field(default=Then.REPORT, description="What becomes of it.")
    purge_days: int = Field(default=90, ge=1, description="Days between deleting and purging.")

    @model_validator(mode="after")
    def _has_an_end_to_act_on(self) -> "RetentionSettings":
        if self.then is not Then.REPORT and self.years is None and self.until_age is None:
            raise ValueError("a rule that removes studies says after how many years, or at which age")
        return self
