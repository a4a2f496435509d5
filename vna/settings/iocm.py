"""Settings of rejection notes (IHE Imaging Object Change Management)."""

from typing import Literal

from pydantic import Field

from vna.settings.values import Section

Showing = Literal["hide", "show-note", "show"]


class IocmSettings(Section):
    """What becomes of instances that a rejection note names, and of the note: `hide` both, `show-note` hides the
    instances alone, `show` neither."""

    quality: Showing = Field(default="hide", description="Of notes titled Rejected for Quality Reasons (113001).")
    patient_safety: Showing = Field(
        default="hide", description="Of notes titled Rejected for Patient Safety Reasons (113037)."
    )
    worklist_entry: Showing = Field(
        default="hide", description="Of notes titled Incorrect Modality Worklist Entry (113038)."
    )
    expired: Showing = Field(default="hide", description="Of notes titled Data Retention Policy Expired (113039).")
    again: Literal["refuse", "keep"] = Field(
        default="refuse",
        description="An instance that 113037 or 113038 hides is sent again: `refuse` it, or `keep` it hidden and say "
        "that it is held.",
    )
