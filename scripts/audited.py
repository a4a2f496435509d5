"""Run pip-audit over lock files, and judge what it says: scripts/audit-dependencies.

pip-audit ends well, and says that it found nothing, when it could look up nothing. So its exit code and its sentence do
not count here: each package of a lock has to be in its report, in the version of the lock, and not as one it skipped.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Pin = tuple[str, str]
"""Name and version of a package, as `normal` writes the name."""
_SECONDS = 900
_LEFT_OUT = "pip-audit's report does not have it"


def normal(name: str) -> str:
    """A name of a package as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str) -> set[Pin]:
    """All packages of a lock file, also those for other systems than this one."""
    found = re.findall(r"^([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?==([^\s;\\]+)", lock, re.MULTILINE)
    return {(normal(name), version) for name, version in found}


def complaints(locked: Iterable[Pin], report: str) -> list[str]:
    """What is wrong with packages, or with what the report (JSON of pip-audit) says of them; none when all is well."""
    looked_up: dict[Pin, list[str]] = {}
    skipped: dict[str, str] = {}
    try:
        for one in json.loads(report)["dependencies"]:
            name = normal(one["name"])
            if "skip_reason" in one:
                skipped[name] = str(one["skip_reason"])
            else:
                looked_up[name, str(one["version"])] = [_vulnerability(found) for found in one["vulns"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ["pip-audit's report cannot be read: nothing was audited"]
    if not looked_up:
        return [f"nothing was audited: {next(iter(skipped.values()), 'the report is empty')}"]
    missing = {name: f"{name} {version}" for name, version in set(locked) - looked_up.keys()}
    missing = {name: name for name in skipped} | missing
    return [
        *(f"{words} was not audited: {skipped.get(name, _LEFT_OUT)}" for name, words in sorted(missing.items())),
        *(f"{name} {version}: {one}" for (name, version), found in looked_up.items() for one in found),
    ]


def _vulnerability(found: Mapping[str, Any]) -> str:
    names = ", ".join([found["id"], *found.get("aliases", ())])
    fixed = ", ".join(found["fix_versions"])
    return f"{names}, mended in {fixed}" if fixed else f"{names}, not mended yet"


def audited(locked: Iterable[Pin]) -> list[str]:
    """Look the packages up (network) and judge what is said."""
    with tempfile.TemporaryDirectory() as folder:
        asked, report = Path(folder) / "pins.txt", Path(folder) / "report.json"
        # without markers: what is pinned for another system is looked up too
        asked.write_text("".join(f"{name}=={version}\n" for name, version in sorted(locked)), encoding="utf-8")
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "pip_audit", "--requirement", str(asked), "--no-deps", "--disable-pip"),
                *("--vulnerability-service", "pypi", "--format", "json", "--output", str(report)),
                *("--progress-spinner", "off", "--desc", "off", "--aliases", "on"),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        if not report.exists():
            return ["pip-audit wrote no report, nothing was audited:", *ended.stderr.strip().splitlines()[-3:]]
        return complaints(locked, report.read_text(encoding="utf-8"))


def main(locks: list[str]) -> int:
    """Audit the packages of all these files; 1 when anything is to be said."""
    locked = set().union(*(pins(Path(lock).read_text(encoding="utf-8")) for lock in locks))
    found = audited(locked)
    for sentence in found:
        sys.stderr.write(f"{sentence}\n")
    if found:
        sys.stderr.write(f"audit: failed for {', '.join(locks)}\n")
        return 1
    sys.stdout.write(f"audit: all {len(locked)} packages of {', '.join(locks)} looked up, no known vulnerability\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
