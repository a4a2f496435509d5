"""Results as one page that needs nothing else: to attach to a Connectathon test."""

from __future__ import annotations

from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined

from conformance.reports.text import WORDS, left_out, summary
from conformance.suite.run import Outcome, Report, Result


def html(report: Report, version: str = "") -> str:
    """The whole page. Whatever servers sent is text in it, never markup."""
    environment = Environment(
        loader=PackageLoader("conformance.reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    shown = [one for one in report.results if one.outcome is not Outcome.NO_TARGET]
    return environment.get_template("report.html").render(
        report=report,
        version=version,
        summary=summary(report),
        groups=[(name, list(group)) for name, group in groupby(sorted(shown, key=_subject), key=_subject)],
        failures=report.of(Outcome.FAILED, Outcome.ERROR),
        left_out=left_out(report),
        words={outcome.name: word for outcome, word in WORDS.items()},
    )


def _subject(result: Result) -> str:
    return result.check.id.rpartition(".")[0]
