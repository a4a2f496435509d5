"""The composition root: settings in, a working archive out. The one place that wires."""

from vna.app.doors import dimse_server, http_application
from vna.app.migration import migrate
from vna.app.serving import serve
from vna.app.wiring import Application, build, prepare

__all__ = ["Application", "build", "dimse_server", "http_application", "migrate", "prepare", "serve"]
