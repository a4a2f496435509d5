"""Run checks, one after the other, and keep what came of each."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from conformance.suite.check import Check, Failed, NotApplicable, Target
from conformance.suite.evidence import Evidence
from conformance.suite.session import Session

_OPTIONS: Final = {Target.TLS: "any of --tls-dimse, --tls-http and --tls-hl7"}


class Outcome(Enum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"
    NO_TARGET = "no target"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Result:
    """A check, what came of it, why, and what was seen."""

    check: Check
    outcome: Outcome
    reason: str = ""
    seconds: float = 0.0
    evidence: Evidence = field(default_factory=Evidence)


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a run, with what a reader has to know of it."""

    session: Session
    results: Sequence[Result]

    def of(self, *outcomes: Outcome) -> list[Result]:
        """Those with one of these outcomes."""
        return [one for one in self.results if one.outcome in outcomes]

    @property
    def is_clean(self) -> bool:
        """Whether nothing failed; what could not be looked at is no failure."""
        return not self.of(Outcome.FAILED, Outcome.ERROR)

    def counts(self) -> dict[str, int]:
        """How many of each outcome."""
        return {outcome.value: len(self.of(outcome)) for outcome in Outcome}


def run(checks: Iterable[Check], session: Session, begin: Callable[[Check], None] = lambda _: None) -> Report:
    """Every check on one session; `begin` is told of each."""
    results = []
    try:
        for one in checks:
            begin(one)
            results.append(judge(one, session))
    finally:
        session.close()
    return Report(session, results)


def judge(one: Check, session: Session) -> Result:
    """One check. What is no judgement of it is an error of the suite, with its trace as evidence."""
    session.evidence = evidence = Evidence()
    missing = [_OPTIONS.get(t, f"--{t.value}") for t in (one.target, *one.also) if not session.targets.named(t)]
    if missing:
        return Result(one, Outcome.NO_TARGET, f"{' and '.join(missing)} is not named")
    started = time.monotonic()
    outcome, reason = Outcome.PASSED, ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries, about what servers send
            one.run(session)
    except Failed as exc:
        outcome, reason = Outcome.FAILED, str(exc)
    except NotApplicable as exc:
        outcome, reason = Outcome.NOT_APPLICABLE, str(exc)
    except Exception as exc:  # noqa: BLE001  one check that breaks must not end the others
        outcome, reason = Outcome.ERROR, f"{type(exc).__name__}: {exc}"
        evidence.note("The check itself ended with an error", traceback.format_exc())
    return Result(one, outcome, reason, time.monotonic() - started, evidence)
