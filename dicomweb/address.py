"""Addresses of resources: read from a request, and written into answers (PS3.18 8.2, 10.1)."""

from dataclasses import dataclass

from starlette.requests import Request

from dicomweb.service import PREFIX
from vna.model.errors import BadRequest
from vna.model.identifiers import is_uid
from vna.model.instances import Instance, Selection
from vna.security.requests import origin_of

_NAMES = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "instance": "SOPInstanceUID"}


@dataclass(frozen=True, slots=True)
class Target:
    """The resource that a request names; empty where the path does not say."""

    study: str = ""
    series: str = ""
    instance: str = ""

    def selection(self) -> Selection:
        """The same for the archive."""
        return Selection(
            study_uids=(self.study,) if self.study else (),
            series_uids=(self.series,) if self.series else (),
            sop_instance_uids=(self.instance,) if self.instance else (),
        )


def target_of(request: Request) -> Target:
    """The UIDs of the path; BadRequest where one is none."""
    named = request.path_params
    for name, keyword in _NAMES.items():
        if name in named and not is_uid(named[name]):
            raise BadRequest(f"the {keyword} in the address is not a UID: 1 to 64 digits and dots")
    return Target(*(named.get(name, "") for name in _NAMES))


def service_url(request: Request, public_url: str) -> str:
    """Base URI of the service: the public one, else what the request was sent to."""
    return origin_of(request, public_url) + PREFIX


def resource_url(service: str, study: str, series: str = "", instance: str = "") -> str:
    """Address of a study, series or instance."""
    url = f"{service}/studies/{study}"
    if series:
        url += f"/series/{series}"
    return f"{url}/instances/{instance}" if instance else url


def instance_url(service: str, instance: Instance) -> str:
    """Address of an instance that is held."""
    return resource_url(service, instance.study_instance_uid, instance.series_instance_uid, instance.sop_instance_uid)
