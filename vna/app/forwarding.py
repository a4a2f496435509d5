"""Forwarding to other archives, from settings to use cases and jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dimse.scu import StoreSCU, destination_of, sender
from dimse.upper_layer.profile import Profile
from storage.index.engine import Database
from vna.app.remotes import Remotes
from vna.board import SharedBoard
from vna.jobs.dispatch import Subscriber
from vna.jobs.retries import Ladder
from vna.jobs.workers import Work, Workers
from vna.model.destination import Destination
from vna.model.errors import NotFound
from vna.model.priority import Priority
from vna.model.sources import Source
from vna.pacing import Pace
from vna.routing.forward_desk import ForwardDesk
from vna.routing.forward_rules import ForwardRule, When
from vna.routing.forwarding import KINDS, LADDER, SURVEY, Forwarding, Mode, Survey, noticing
from vna.security.peers import Peers
from vna.security.sources import Sources
from vna.settings import Settings
from vna.settings.forwarding import ForwardSettings

if TYPE_CHECKING:
    from vna.app.keeping import Surroundings

_DIMSE_PRIORITY: Final[Mapping[Priority, int]] = {  # PS3.7 9.1.1.1.6
    Priority.BULK: 2,
    Priority.ROUTINE: 0,
    Priority.INTERACTIVE: 1,
}


@dataclass(frozen=True, slots=True)
class Sending:
    """Rules, the work that they make, and the desk for an operator."""

    database: Database
    desk: ForwardDesk
    forwarding: Forwarding
    survey: Survey
    subscriber: Subscriber | None

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of changes, where there are rules."""
        return {"forwarding": self.subscriber} if self.subscriber is not None else {}

    def works(self) -> Mapping[str, Work]:
        """What does the jobs."""
        return {**dict.fromkeys(KINDS, self.forwarding), SURVEY: self.survey}

    def ladders(self) -> Mapping[str, Ladder]:
        """Destinations may be away for days."""
        return dict.fromkeys(KINDS, LADDER)

    def by_hand(self) -> Workers:
        """What does only the jobs that somebody asked for: for the command that waits for one."""
        return Workers(self.database, {Mode.BY_HAND.kind: self.forwarding}, ladders=self.ladders())


class Ways:
    """The way to each name: an application entity, else a source that takes instances over HTTP."""

    def __init__(self, peers: Peers, sources: Sources, remotes: Remotes, profile: Profile) -> None:
        self._peers = peers
        self._sources = sources
        self._remotes = remotes
        self._profile = profile

    def __call__(self, name: str, priority: Priority) -> Destination:
        """NotFound says what has to be known of it."""
        peer = self._peers.get(name)
        if peer is not None and peer.host and peer.port:
            return StoreSCU(destination_of(peer), self._profile, parallel=2, priority=_DIMSE_PRIORITY[priority])
        source = self._source(name)
        ways = self._remotes.destinations(source) if source is not None else []
        if not ways:
            raise NotFound(
                f"{name} is no destination: vna ae add {name} --host HOST --port PORT, or vna source add {name} "
                "--wado-rs URL"
            )
        return ways[0][1]

    def require(self, name: str) -> None:
        """NotFound unless it is a destination."""
        self(name, Priority.ROUTINE)

    def names(self, name: str) -> frozenset[str]:
        """By which what came from there is known: its own, and the AE title of its archive."""
        source = self._source(name)
        return frozenset({name, source.archive.ae_title} - {""}) if source is not None else frozenset({name})

    def _source(self, name: str) -> Source | None:
        return next((source for source in self._sources.archives() if source.name == name), None)


def build(around: Surroundings) -> Sending:
    """Wire it."""
    settings, database = around.settings, around.database
    rules = [_rule(one) for one in settings.forward]
    profile = sender(settings.dimse.ae_title, calling=around.certificates.calling)
    ways = Ways(around.peers, around.sources, around.remotes, profile)
    return Sending(
        database=database,
        desk=ForwardDesk(database, around.policy, rules, ways.require),
        forwarding=Forwarding(
            database,
            around.retrieval,
            rules,
            destination_of=ways,
            names_of=ways.names,
            pace=_pace(around),
        ),
        survey=Survey(database, rules, ways.names),
        subscriber=noticing(database, rules, ways.names) if rules else None,
    )


def _rule(said: ForwardSettings) -> ForwardRule:
    return ForwardRule(
        said.name,
        said.to,
        modalities=frozenset(said.modalities),
        facilities=frozenset(said.facilities),
        calling=frozenset(said.calling),
        sop_classes=frozenset(said.sop_classes),
        younger_than=said.younger_than,
        when=When(said.when.value),
        rest=said.rest,
        priority=Priority[said.priority.name],
        again=said.again,
    )


def _pace(around: Surroundings) -> Pace:
    """That of our doors: what is forwarded leaves through the same line."""
    said: Settings = around.settings
    most = {
        Priority.BULK: int(said.priority.bulk_bandwidth),
        Priority.ROUTINE: int(said.priority.routine_bandwidth),
    }
    return Pace(0, most=most, board=SharedBoard(around.shared, "our doors"))
