"""How figures are said: the median, with the lowest and the highest."""

import statistics
from collections.abc import Sequence


def spread(values: Sequence[float], form: str = "{:.0f}") -> str:
    """Such as `1.17 (1.05 to 1.29)`."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{form.format(middle)} ({form.format(low)} to {form.format(high)})"
