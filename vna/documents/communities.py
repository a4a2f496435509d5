"""Communities of XCA: what they are called, and which of them a request is for (ITI TF-2 3.18.4.1.3, 3.43.4.1.3)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from vna.documents.problems import ErrorCode, Problem, refused
from vna.model.identifiers import is_uid

_URN = "urn:oid:"


def home_community_id(text: str) -> str:
    """As `urn:oid:` and an OID (ITI TF-2 3.38.4.1.2.1), which is taken bare as well; empty for anything else."""
    text = text.strip()
    oid = text[len(_URN) :] if text[: len(_URN)].lower() == _URN else text
    return _URN + oid if is_uid(oid) else ""


@dataclass(frozen=True, slots=True)
class Community:
    """Another community: its `gateway` answers for it, and perhaps for others too.

    `affinity_domain` is the authority under which a patient of ours has the same number there; empty where it is
    ours too.
    """

    home: str
    gateway: str
    affinity_domain: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a query says of where it should go: `home` of AdhocQuery, and the communities of $targetCommunityIdList.

    Of a query that is not known it is not known either whether it is `by_patient`.
    """

    by_patient: bool | None
    home: str = ""
    targets: Sequence[str] = ()


class AtHome(Protocol):
    """Something that a request asks for, with the community where it should be."""

    @property
    def home(self) -> str: ...


W = TypeVar("W", bound=AtHome)


@dataclass(frozen=True, slots=True)
class Directory:
    """Our own community, and those that we ask."""

    own: str
    others: Mapping[str, Community] = field(default_factory=dict)

    def of_query(self, asked: Asked) -> tuple[list[str], list[Problem]]:
        """Whom a query goes to, and which communities are not known (ITI TF-2 3.18.4.1.3; ITI TF-1 18.2.6).

        By patient it goes to everybody, unless it names some; a gateway of several communities is asked once. By
        entryUUID or uniqueId it goes to the community that it names: Refused when it names none.
        """
        if asked.home:
            return self._known([asked.home])
        if asked.by_patient is None:
            raise refused(ErrorCode.UNKNOWN_QUERY, "there is no such stored query")
        if not asked.by_patient:
            raise refused(ErrorCode.MISSING_HOME, "the query is for entryUUIDs or uniqueIds and has no home")
        if asked.targets:
            return self._known(asked.targets)
        gateways: dict[tuple[str, str], str] = {}
        for home, other in self.others.items():
            gateways.setdefault((other.gateway, other.affinity_domain), home)
        return [self.own, *gateways.values()], []

    def of_documents(self, wanted: Iterable[W]) -> tuple[dict[str, list[W]], list[Problem]]:
        """What goes to each community, and why something goes nowhere (ITI TF-2 3.43.4.1.3)."""
        places: dict[str, list[W]] = {}
        problems: list[Problem] = []
        for one in dict.fromkeys(wanted):
            home = home_community_id(one.home)
            if not one.home:
                problems.append(missing_home("a document is asked for without its homeCommunityId", self.own))
            elif home == self.own or home in self.others:
                places.setdefault(home, []).append(one)
            else:
                problems.append(unknown_community(one.home, self.own))
        return places, list(dict.fromkeys(problems))

    def _known(self, names: Iterable[str]) -> tuple[list[str], list[Problem]]:
        known: list[str] = []
        problems: list[Problem] = []
        for name in dict.fromkeys(names):
            home = home_community_id(name)
            if home == self.own or home in self.others:
                known.append(home)
            else:
                problems.append(unknown_community(name, self.own))
        return list(dict.fromkeys(known)), problems


def unknown_community(name: str, own: str) -> Problem:
    """A homeCommunityId of nobody; `own` is who says so."""
    return Problem(ErrorCode.UNKNOWN_COMMUNITY, f"no community {name[:100]!r} is known here", own)


def missing_home(what: str, location: str) -> Problem:
    """No homeCommunityId where there has to be one."""
    return Problem(ErrorCode.MISSING_HOME, what, location)


def unavailable_community(home: str, reason: str) -> Problem:
    """A community that gives no answer that is one (ITI TF-2 3.18.4.1.3)."""
    return Problem(ErrorCode.UNAVAILABLE_COMMUNITY, f"the community {home}: {reason}"[:500], home)


def located(problems: Iterable[Problem], home: str) -> list[Problem]:
    """Of this community, as every error of a Responding Gateway has to be (ITI TF-2 3.38.4.1.3)."""
    return [replace(problem, location=home) for problem in problems]
