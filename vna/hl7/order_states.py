"""What ORC-1 and ORC-5 say (HL7 tables 0119 and 0038)."""

from typing import Final

from vna.model.orders import OrderState
from vna.worklist.orders import Told

CONTROLS: Final = {"NW": Told.NEW, "XO": Told.CHANGED, "CA": Told.CANCELLED, "SC": Told.STATE}
"""Order control codes that are taken."""

STATES: Final = {
    "SC": OrderState.SCHEDULED,
    "IP": OrderState.IN_PROGRESS,
    "A": OrderState.IN_PROGRESS,
    "CM": OrderState.COMPLETED,
    "DC": OrderState.DISCONTINUED,
    "CA": OrderState.CANCELLED,
}
"""Order status; A is that some results are there, and not all."""
