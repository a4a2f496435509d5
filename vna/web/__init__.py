"""The HTTP door for people and for whoever watches over the archive: `/`, the viewer,
`/healthz`, `/readyz`, `/metrics`."""

from vna.web.links import PREFIX as LINK
from vna.web.observe import Observed, Routed
from vna.web.routes import OPEN_FOLDERS, OPEN_PATHS, routes
from vna.web.site import Addresses, Site, never

__all__ = ["LINK", "OPEN_FOLDERS", "OPEN_PATHS", "Addresses", "Observed", "Routed", "Site", "never", "routes"]
