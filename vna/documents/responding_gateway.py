"""The Responding Gateway of XCA and XCA-I: what is held here, for other communities (ITI TF-2 3.38, 3.39;
RAD TF-2 4.75).

It never asks another community, whatever it is asked: so no request can go in circles.
"""

from collections.abc import Sequence
from contextlib import suppress

from storage.scratch import Scratch
from vna.documents import imaging_source, repository
from vna.documents.answers import Answer
from vna.documents.communities import Asked, Directory, home_community_id, located
from vna.documents.imaging_source import ImagingSource, Wanted
from vna.documents.problems import Problem, Refused
from vna.documents.registry import Registry
from vna.documents.repository import Repository, WantedDocument
from vna.documents.stored_queries import Arguments
from vna.model.access import Action, Actor
from vna.model.errors import NotReached
from vna.security.policy import WITHIN_REACH, Policy


class RespondingGateway:
    """Answers as the community `home`, with the use cases that everybody here has; every problem is located there."""

    def __init__(
        self, home: str, policy: Policy, registry: Registry, documents: Repository, imaging: ImagingSource
    ) -> None:
        self.home = home
        self._directory = Directory(home)
        self._policy = policy
        self._registry = registry
        self._repository = documents
        self._imaging = imaging

    def query(self, actor: Actor, query: Arguments, asked: Asked, *, references: bool = False) -> Answer:
        """Answer a stored query (ITI TF-2 3.38.4.1.3); an empty answer when its target communities are all others.

        Refused for another community, and for objects without their community.
        """
        self._policy.check(actor, Action.READ_DOCUMENTS, WITHIN_REACH)
        if asked.by_patient and asked.targets and not asked.home:
            if self.home not in map(home_community_id, asked.targets):
                return Answer()
        else:
            _, problems = self._directory.of_query(asked)
            if problems:
                raise Refused(problems)
        return self._registry.query(actor, query, references=references)

    def retrieve(self, actor: Actor, wanted: Sequence[WantedDocument]) -> tuple[list[repository.Given], list[Problem]]:
        """What of it is here and can be given, and what cannot, with the reason (ITI TF-2 3.39.4.1.3)."""
        self._policy.check(actor, Action.READ_DOCUMENTS, WITHIN_REACH)
        places, problems = self._directory.of_documents(wanted)
        given, missing = self._repository.retrieve(actor, places.get(self.home, []))
        return given, located([*problems, *missing], self.home)

    def images(
        self, actor: Actor, wanted: Sequence[Wanted], syntaxes: Sequence[str], scratch: Scratch
    ) -> tuple[list[imaging_source.Given], list[Problem]]:
        """The same of instances (RAD TF-2 4.75.4.1.3). `scratch` has to live until the last piece is read."""
        for study in dict.fromkeys(one.study_instance_uid for one in wanted):
            with suppress(NotReached):  # then none of its instances is held, for whoever asks
                self._policy.check(actor, Action.RETRIEVE, study)
        places, problems = self._directory.of_documents(wanted)
        here = places.get(self.home, [])
        if not here and problems:
            return [], problems
        given, missing = self._imaging.retrieve(actor, here, syntaxes, scratch)
        return given, located([*problems, *missing], self.home)
