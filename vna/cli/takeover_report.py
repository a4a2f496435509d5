"""The report of a takeover as a file: CSV, JSON or HTML, written as it is read."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any, TextIO

import orjson

from storage.index.takeovers import Finding
from vna.model.errors import BadRequest
from vna.routing.reconciliation import Reconciliation

Write = Callable[[Reconciliation, Iterator[Finding]], None]
_MOST_ROWS = 10_000
"""What a browser shows without trouble."""
_HEADS = ("what", "year", "modality", "studies there", "studies here", "instances there", "instances here", "study")
_CSV = (*_HEADS, "instance", "reason")
_STYLE = (
    "body{font:15px/1.4 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em}"
    "table{border-collapse:collapse;margin:1em 0}th,td{text-align:left;padding:.2em .8em;border-bottom:1px solid #ccc}"
    "td.n{text-align:right}td.off{color:#a00}"
)


def writer(path: Path) -> Write:
    """What writes the form that the file's name says; BadRequest for another one, or a folder that is not there."""
    forms: dict[str, Callable[[TextIO, Reconciliation, Iterator[Finding]], None]] = {
        ".csv": _csv,
        ".json": _json,
        ".html": _html,
    }
    form = forms.get(path.suffix.lower())
    if form is None:
        raise BadRequest(f"{path.name} is no report: its name ends with .csv, .json or .html")
    if not path.absolute().parent.is_dir():
        raise BadRequest(f"{path.absolute().parent} is no folder")

    def write(done: Reconciliation, findings: Iterator[Finding]) -> None:
        beside = path.with_name(path.name + ".part")
        with beside.open("w", encoding="utf-8", newline="") as out:
            form(out, done, findings)
        beside.replace(path)

    return write


def _csv(out: TextIO, done: Reconciliation, findings: Iterator[Finding]) -> None:
    """One table: counts, parts of the list that may be cut, and what is not as it should be."""
    rows = csv.writer(out)
    rows.writerow(_CSV)
    for (year, modality), one in done.by_year.items():
        numbers = (one.studies, one.studies_here, one.instances, one.instances_here)
        rows.writerow(("count", year, modality, *numbers, "", "", ""))
    for words, reason in done.cut:
        rows.writerow(("list may be cut", "", "", "", "", "", "", "", "", f"{words}: {reason}"))
    for finding in findings:
        said = (finding.study_instance_uid, finding.sop_instance_uid, finding.reason)
        rows.writerow((finding.what, "", "", "", "", "", "", *said))


def _json(out: TextIO, done: Reconciliation, findings: Iterator[Finding]) -> None:
    """An object; `findings` are its last member."""
    head: dict[str, Any] = {
        "source": done.source,
        "scope": done.scope,
        "list_is_complete": done.is_listed and not done.cut,
        "adds_up": done.adds_up,
        "totals": {**asdict(done.totals), "by_state": dict(done.totals.by_state)},
        "counts": [
            {"year": year, "modality": modality, **asdict(one)} for (year, modality), one in done.by_year.items()
        ],
        "list_may_be_cut": [{"part": words, "reason": reason} for words, reason in done.cut],
    }
    out.write(orjson.dumps(head, option=orjson.OPT_INDENT_2).decode().rstrip()[:-1].rstrip() + ',\n  "findings": [')
    between = "\n    "
    for finding in findings:
        out.write(between + orjson.dumps(asdict(finding)).decode())
        between = ",\n    "
    out.write("\n  ]\n}\n")


def _html(out: TextIO, done: Reconciliation, findings: Iterator[Finding]) -> None:
    """A page for people, without patients."""
    out.write(f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(done.source)}</title>")
    out.write(f"<style>{_STYLE}</style><h1>Taken over from {escape(done.source)}</h1>")
    out.write(f"<p>{escape(done.scope)}: {'everything adds up.' if done.adds_up else 'not everything adds up.'}</p>")
    out.write(f"<p>{escape(done.sentence)}.</p>")
    out.write("<h2>Counts</h2><table><tr><th>Year<th>Modality<th>Studies there<th>here<th>Instances there<th>here")
    for (year, modality), one in done.by_year.items():
        off = " off" if one.instances != one.instances_here else ""
        numbers = (one.studies, one.studies_here, one.instances)
        cells = "".join(f"<td class=n>{number}" for number in numbers)
        out.write(f'<tr><td>{escape(year)}<td>{escape(modality)}{cells}<td class="n{off}">{one.instances_here}')
    out.write("</table>")
    out.writelines(
        f"<p>May be longer than what was listed: {escape(words)}: {escape(reason)}</p>" for words, reason in done.cut
    )
    out.write("<h2>What is not as it should be</h2><table><tr><th>What<th>Study<th>Instance<th>Reason")
    for number, finding in enumerate(findings):
        if number == _MOST_ROWS:
            out.write("<tr><td colspan=4>More is not shown here; a report as .csv has all of it.")
            break
        cells = "".join(
            f"<td>{escape(text)}"
            for text in (finding.what, finding.study_instance_uid, finding.sop_instance_uid, finding.reason)
        )
        out.write(f"<tr>{cells}")
    out.write("</table></html>\n")
