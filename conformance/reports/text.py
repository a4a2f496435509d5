"""Results as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from conformance.suite.run import Outcome, Report, Result

WORDS: Final = {
    Outcome.PASSED: "pass",
    Outcome.FAILED: "FAIL",
    Outcome.NOT_APPLICABLE: "n/a",
    Outcome.NO_TARGET: "skip",
    Outcome.ERROR: "ERROR",
}


def line(result: Result) -> str:
    """One check; a second line says why where there is something to say."""
    one = result.check
    text = f"{WORDS[result.outcome]:<6}{one.id:<44} {one.clause:<24} {one.title}"
    return f"{text}\n      {' '.join(result.reason.split())}" if result.reason else text


def lines(report: Report) -> Iterator[str]:
    """Every check that was run, those that were left out by target, and the counts."""
    for result in report.results:
        if result.outcome is not Outcome.NO_TARGET:
            yield line(result)
    for reason, count in left_out(report).items():
        yield f"skip  {count} checks: {reason}"
    yield summary(report)


def left_out(report: Report) -> dict[str, int]:
    """How many checks were left out for each target that was not named."""
    counts: dict[str, int] = {}
    for result in report.of(Outcome.NO_TARGET):
        counts[result.reason] = counts.get(result.reason, 0) + 1
    return counts


def summary(report: Report) -> str:
    """The counts in one line."""
    return ", ".join(f"{count} {name}" for name, count in report.counts().items())
