"""The national profile: every rule that could differ at a site, from a versioned TOML file.

`turkey.toml` beside this module is the default; a site's file says only what is different there.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError, field_validator

from vna.model.errors import BadRequest
from vna.model.profile.hl7 import Hl7Profile
from vna.model.profile.images import ImagesProfile
from vna.model.profile.matching import MatchingProfile
from vna.model.profile.notification import NotificationProfile
from vna.model.profile.reports import ReportsProfile
from vna.model.profile.rules import RulesProfile
from vna.model.profile.section import Section
from vna.model.profile.worklist import WorklistProfile

TURKEY = Path(__file__).with_name("turkey.toml")
"""The default profile."""

_Plain = dict[str, Any]


class Profile(Section):
    """All sections; `version` names this edition of the rules, `time_zone` the zone of times without an offset,
    `national_authority` the OID under which patients are known by their national number."""

    version: str
    time_zone: str = "Europe/Istanbul"
    national_authority: str = "2.16.840.1.113883.3.129.1.1.1"
    hl7: Hl7Profile = Hl7Profile()
    images: ImagesProfile = ImagesProfile()
    matching: MatchingProfile = MatchingProfile()
    reports: ReportsProfile = ReportsProfile()
    rules: RulesProfile = RulesProfile()
    notification: NotificationProfile = NotificationProfile()
    worklist: WorklistProfile = WorklistProfile()

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError) as exc:
            raise ValueError("a time zone looks like Europe/Istanbul") from exc
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The zone of local times."""
        return ZoneInfo(self.time_zone)


def read(path: Path | None = None) -> Profile:
    """The default profile with what a site's file changes in it: tables are merged, everything else replaced.

    BadRequest in words that name the place.
    """
    try:
        plain = tomllib.loads(TURKEY.read_text("utf-8"))
        if path is not None:
            plain = _merged(plain, tomllib.loads(path.read_text("utf-8")))
        return Profile.model_validate(plain)
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BadRequest(f"{path or TURKEY}: {where}: {first['msg']}") from exc
    except (OSError, ValueError) as exc:
        raise BadRequest(f"{path or TURKEY} cannot be read as a national profile: {exc}") from exc


def _merged(under: _Plain, over: Mapping[str, Any]) -> _Plain:
    both = dict(under)
    for name, value in over.items():
        known = both.get(name)
        both[name] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return both
