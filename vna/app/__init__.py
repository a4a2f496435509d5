"""The composition root: settings in, a working archive out. The one place that wires."""

from vna.app.migration import migrate
from vna.app.wiring import Application, build, prepare
from vna.settings import Settings

__all__ = ["Application", "build", "migrate", "prepare", "serve"]


def serve(settings: Settings, *, demo: bool = False) -> None:
    """Serve every door until SIGTERM or SIGINT. The doors are imported here: other commands do without them."""
    from vna.app.serving import serve as serve_until_stopped

    serve_until_stopped(settings, demo=demo)
