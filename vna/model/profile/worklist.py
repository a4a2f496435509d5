"""How long orders are in the worklist."""

from pydantic import Field

from vna.model.profile.section import Section


class WorklistProfile(Section):
    """An order whose images came leaves it `ends_hours` after the last of them, where no performed step says that it
    goes on; one with an approved report at once. What was due more than `days_back` days ago is answered to whoever
    asks by date, patient or number only; 0 for no such limit."""

    ends_hours: int = Field(default=24, ge=0, le=8760)
    days_back: int = Field(default=90, ge=0, le=36_500)
