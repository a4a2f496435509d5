"""Which version this is."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of


def version() -> str:
    """As the package says; "unknown" where it runs from its sources without having been installed."""
    try:
        return version_of("vna")
    except PackageNotFoundError:
        return "unknown"
