"""QIDO-RS as user agent: matches page by page (PS3.18 10.6)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
import orjson

from dicomweb.client.service import Service
from vna.model.errors import BadRequest, Rejected, TooLarge, Unavailable
from vna.model.query import Key, Level, Match, Query
from vna.model.sources import PATIENT, Terms

_JSON: Final = "application/dicom+json"
_PAGE: Final = 1000
_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"
_RESOURCES: Final[Mapping[Level, str]] = {  # PS3.18 Table 10.6.1-1
    Level.STUDY: "/studies",
    Level.SERIES: "/series",
    Level.IMAGE: "/instances",
}
_TAG = re.compile(r"[0-9A-F]{8}\Z")


class QidoRs:
    """Searches one archive, in pages. One that passes over the offset gives its first page alone."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def verify(self) -> None:
        """Ask for one study, whichever."""
        for _ in self.search(Query(Level.STUDY, limit=1)):
            pass

    def search(self, query: Query, terms: Terms = PATIENT) -> Iterator[Match]:
        """Matches as they come. TooLarge when more come than there may be, and `query` names no limit of its own."""
        if query.level not in _RESOURCES:
            raise BadRequest("QIDO-RS searches studies, series and instances")
        path, parameters = _asked(query)
        seen: set[tuple[str, str, str]] = set()
        taken = nameless = 0
        most = self._service.bounds.matches if query.limit is None else query.limit
        while len(seen) < most:
            size = min(_PAGE, most - len(seen))
            page = (("limit", str(size)), ("offset", str(query.offset + taken)))
            matches = _page(self._service.on(terms), path, (*parameters, *page), query.level)
            fresh = list({_uids(one): one for one in matches if any(_uids(one)) and _uids(one) not in seen}.values())
            fresh = fresh[: most - len(seen)]
            yield from fresh
            seen.update(map(_uids, fresh))
            taken += len(matches)
            nameless += sum(not any(_uids(one)) for one in matches)
            if len(matches) < size or not fresh:
                break
        else:
            if query.limit is None:
                raise TooLarge(f"{self._service.name} answers with more than {most} matches")
        if nameless:
            raise Rejected(f"{self._service.name} answers with {nameless} matches that have no UID")


def _page(service: Service, path: str, parameters: tuple[tuple[str, str], ...], level: Level) -> list[Match]:
    with service.get(path, _JSON, parameters) as response:
        if response.status_code == httpx.codes.NO_CONTENT:
            return []
        service.media_type(response, _JSON, "application/json")
        body = service.whole(response)
    try:
        listed = orjson.loads(body) if body else []
        matches = [_match(level, one) for one in listed]
        if matches and not any(any(_uids(one)) for one in matches):
            raise ValueError("no match has a UID")
    except (orjson.JSONDecodeError, TypeError, ValueError) as exc:
        raise Unavailable(f"{service.name} answers with something that is no list of matches") from exc
    return matches


def _asked(query: Query) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Path and parameters: one study and one series stand in the path (PS3.18 10.6.1.1)."""
    path, keys = "", list(query.keys)
    for tag, word, level in ((_STUDY, "/studies", Level.STUDY), (_SERIES, "/series", Level.SERIES)):
        named = next((key for key in keys if key.path == (tag,) and len(key.values) == 1), None)
        if query.level <= level or named is None or not named.values[0].replace(".", "").isdigit():
            break
        path += f"{word}/{named.values[0]}"
        keys.remove(named)
    parameters = [_parameter(key) for key in keys if key.values]
    if query.returns is None:
        parameters.append(("includefield", "all"))
    parameters += [("includefield", tag) for tag in sorted(query.returns or ())]
    if query.fuzzy:
        parameters.append(("fuzzymatching", "true"))
    return path + _RESOURCES[query.level], tuple(parameters)


def _parameter(key: Key) -> tuple[str, str]:
    """Values of UIDs stand in a list with commas (PS3.18 8.3.4.1)."""
    return ".".join(key.path), ",".join(key.values) if key.vr == "UI" else "\\".join(key.values)


def _match(level: Level, found: Any) -> Match:
    if not isinstance(found, dict):
        raise TypeError("a match is an object")
    elements = {tag: one for tag, one in found.items() if _TAG.match(tag) and isinstance(one, dict) and "vr" in one}
    study, series, instance = (_first(elements, tag) for tag in (_STUDY, _SERIES, _INSTANCE))
    if not (study, series, instance)[level - 1]:
        return Match(level, {}, {})
    return Match(level, elements, {}, study, series, instance)


def _uids(match: Match) -> tuple[str, str, str]:
    return match.study_instance_uid, match.series_instance_uid, match.sop_instance_uid


def _first(elements: Mapping[str, Any], tag: str) -> str:
    values = elements.get(tag, {}).get("Value") or [""]
    return values[0] if isinstance(values, list) and isinstance(values[0], str) else ""
