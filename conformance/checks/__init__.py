"""The checks, a module a subject: what they import is public, so that they run against any server."""

import pkgutil
from importlib import import_module

from conformance.suite.check import Check, registered


def every(*patterns: str) -> list[Check]:
    """Every check there is, or those whose ids are like one of `patterns` (`dimse.*`)."""
    for module in sorted(one.name for one in pkgutil.iter_modules(__path__)):
        import_module(f"{__name__}.{module}")
    return list(registered(*patterns))
