"""Results as JUnit XML: a test suite for each subject, evidence as its output."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from lxml import etree

from conformance.suite.evidence import Evidence
from conformance.suite.run import Outcome, Report, Result

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ELEMENTS: Final = {
    Outcome.FAILED: "failure",
    Outcome.ERROR: "error",
    Outcome.NOT_APPLICABLE: "skipped",
    Outcome.NO_TARGET: "skipped",
}


def junit(report: Report) -> bytes:
    """The whole file."""
    root = etree.Element("testsuites", {"name": "vna conformance", **_counts(report.results)})
    ordered = sorted(report.results, key=_subject)
    for subject, group in groupby(ordered, key=_subject):
        results = list(group)
        said = {"name": subject, "timestamp": f"{report.session.started:%Y-%m-%dT%H:%M:%S}"}
        suite = etree.SubElement(root, "testsuite", {**said, **_counts(results)})
        for result in results:
            _case(suite, subject, result)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _subject(result: Result) -> str:
    return result.check.id.rpartition(".")[0]


def _counts(found: Sequence[Result]) -> dict[str, str]:
    kinds = [_ELEMENTS.get(one.outcome, "") for one in found]
    return {
        "tests": str(len(found)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
        "time": f"{sum(one.seconds for one in found):.3f}",
    }


def _case(suite: etree._Element, subject: str, result: Result) -> None:
    one = result.check
    case = etree.SubElement(
        suite,
        "testcase",
        classname=subject,
        name=_plain(f"{one.id}: {one.title} ({one.clause})"),
        time=f"{result.seconds:.3f}",
    )
    kind = _ELEMENTS.get(result.outcome)
    if kind is not None:
        etree.SubElement(case, kind, message=_plain(result.reason)).text = _plain(f"{one.clause}: {result.reason}")
    if result.evidence.entries:
        etree.SubElement(case, "system-out").text = _plain(_evidence(result.evidence))


def _evidence(evidence: Evidence) -> str:
    return "\n\n".join(f"--- {one.direction.value}: {one.title}\n{one.text}" for one in evidence.entries)


def _plain(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
