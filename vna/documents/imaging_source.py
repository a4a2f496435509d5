"""Instances by study, series and instance, each in one of the transfer syntaxes that the caller takes
(RAD TF-2 4.69)."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from storage.scratch import Scratch
from vna.archive.retrieve import Retrieval
from vna.documents.problems import ErrorCode, Problem
from vna.model.access import Action, Actor
from vna.model.errors import NotAcceptable, NotAuthorized, NotReached, OutOfResources, VnaError
from vna.model.file_range import BodyPiece
from vna.model.instances import Instance, Selection
from vna.model.sources import Source
from vna.model.transfer_syntaxes import EXPLICIT_LE, can_transcode
from vna.security.policy import Policy

MOST_INSTANCES = 50_000
_PIECE = 256 << 10
_PATIENCE = 20.0
"""Seconds in which instances are transcoded before the answer begins, so that one that fails has its error in it; what
is left then is transcoded when it is its turn, and cuts the answer off if it fails."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One instance that is asked for, where the caller believes it to be; `home` is only given back."""

    study_instance_uid: str
    series_instance_uid: str
    repository_unique_id: str
    sop_instance_uid: str
    home: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """A Part 10 file: `pieces` is called once, when it is its turn. `size` where it is known before."""

    wanted: Wanted
    pieces: Callable[[], Iterator[BodyPiece]] = field(repr=False, compare=False)
    size: int | None = None


class ImagingSource:
    """Gives instances by the repository's unique identifier that manifests name as Retrieve Location UID."""

    def __init__(
        self,
        policy: Policy,
        retrieval: Retrieval,
        repository_unique_id: Callable[[], str],
        others: Callable[[], Sequence[Source]] = tuple,
    ) -> None:
        """`others` are archives whose images this one fetches: it answers by their identifiers too."""
        self._policy = policy
        self._retrieval = retrieval
        self._repository_unique_id = repository_unique_id
        self._others = others

    def retrieve(
        self, actor: Actor, wanted: Sequence[Wanted], syntaxes: Sequence[str], scratch: Scratch
    ) -> tuple[list[Given], list[Problem]]:
        """What can be given, each instance once and in the order of the request, and what cannot, with the reason.

        As stored where `syntaxes` has that, else in the first of them that it can be made in. `scratch` has to live
        until the last piece is read. NotAuthorized, when a single study is denied.
        """
        for study in dict.fromkeys(one.study_instance_uid for one in wanted):
            with suppress(NotReached):  # then none of its instances is held, for whoever asks
                self._policy.check(actor, Action.RETRIEVE, study)
        if len(wanted) > MOST_INSTANCES:
            raise OutOfResources(f"at most {MOST_INSTANCES} instances are given at once, not {len(wanted)}")
        if not wanted:
            return [], [Problem(ErrorCode.IMAGING_REQUEST, "the request lists no instance")]
        if not any(syntaxes):
            return [], [Problem(ErrorCode.REPOSITORY, "the request lists no transfer syntax")]
        answer = _Answer(self._retrieval, actor, [syntax for syntax in syntaxes if syntax], scratch)
        held = self._held(actor, wanted)
        self._retrieval.expect(actor, list(held.values()))
        own = self._repository_unique_id()
        places = {own, *(other.archive.retrieve_location_uid for other in self._others())} - {""}
        for one in dict.fromkeys(wanted):
            answer.add(one, held.get((one.study_instance_uid, one.sop_instance_uid)), own, places)
        return answer.given, answer.problems

    def _held(self, actor: Actor, wanted: Sequence[Wanted]) -> dict[tuple[str, str], Instance]:
        studies: dict[str, list[str]] = defaultdict(list)
        for one in wanted:
            if one.study_instance_uid and one.sop_instance_uid:
                studies[one.study_instance_uid].append(one.sop_instance_uid)
        found: dict[tuple[str, str], Instance] = {}
        for study, uids in studies.items():
            selection = Selection(study_uids=(study,), sop_instance_uids=tuple(uids))
            for instance in self._retrieval.instances(actor, selection):
                found[study, instance.sop_instance_uid] = instance
        return found


@dataclass(slots=True)
class _Answer:
    retrieval: Retrieval
    actor: Actor
    syntaxes: Sequence[str]
    scratch: Scratch
    given: list[Given] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    deadline: float = field(default_factory=lambda: time.monotonic() + _PATIENCE)

    def add(self, wanted: Wanted, instance: Instance | None, own: str, places: Set[str]) -> None:
        """Give it, or say why not."""
        problem = _problem(wanted, instance, own, places)
        if problem is not None:
            self.problems.append(problem)
            return
        assert instance is not None
        try:
            self.given.append(self._given(wanted, instance))
        except NotAuthorized:
            raise
        except OutOfResources as exc:
            self._refuse(wanted, ErrorCode.REPOSITORY_OUT_OF_RESOURCES, str(exc))
        except VnaError as exc:
            self._refuse(wanted, ErrorCode.REPOSITORY, str(exc))

    def _refuse(self, wanted: Wanted, code: ErrorCode, reason: str) -> None:
        uid = wanted.sop_instance_uid
        self.problems.append(Problem(code, f"the instance {uid} cannot be given: {reason}", uid))

    def _given(self, wanted: Wanted, instance: Instance) -> Given:
        instance = self.retrieval.present(self.actor, instance)
        if instance.transfer_syntax_uid in self.syntaxes:
            size = instance.size if instance.coercion is None else None
            return Given(wanted, partial(self._pieces, instance, ""), size)
        possible = [target for target in self._targets(instance) if can_transcode(instance.transfer_syntax_uid, target)]
        if possible and time.monotonic() > self.deadline:
            return Given(wanted, partial(self._pieces, instance, possible[0]))
        for target in possible:
            try:
                return self._made(wanted, instance, target)
            except NotAcceptable:  # pixels that this compression cannot hold
                continue
        raise NotAcceptable(
            f"it is stored in {instance.transfer_syntax_uid} and can be made in none of the transfer syntaxes listed"
        )

    def _targets(self, instance: Instance) -> Sequence[str]:
        """What has no pixel data may come uncompressed: the list is about pixel data (RAD TF-2 4.69.4.1.2)."""
        return self.syntaxes if instance.number_of_frames else [*self.syntaxes, EXPLICIT_LE]

    def _made(self, wanted: Wanted, instance: Instance, target: str) -> Given:
        start = self.scratch.size
        for piece in self.retrieval.part10(self.actor, instance, target).chunks:
            self.scratch.write(piece)
        size = self.scratch.size - start
        return Given(wanted, partial(_written, self.scratch, start, size), size)

    def _pieces(self, instance: Instance, target: str) -> Iterator[BodyPiece]:
        yield from self.retrieval.part10(self.actor, instance, target).body()


def _problem(wanted: Wanted, instance: Instance | None, own: str, places: Set[str]) -> Problem | None:
    """What is wrong with the request for one instance."""
    uid = wanted.sop_instance_uid
    for name, value in (("Study", wanted.study_instance_uid), ("Series", wanted.series_instance_uid)):
        if not value:
            return Problem(ErrorCode.IMAGING_REQUEST, f"the {name} Instance UID of {uid} is empty", uid)
    if wanted.repository_unique_id not in places:
        where = f"{wanted.repository_unique_id!r} is not this Imaging Document Source: it is {own}"
        return Problem(ErrorCode.UNKNOWN_REPOSITORY, where, uid)
    if instance is None:
        return Problem(ErrorCode.DOCUMENT_UNIQUE_ID, f"no instance {uid} is held in the study that is named", uid)
    if instance.series_instance_uid != wanted.series_instance_uid:
        return Problem(ErrorCode.DOCUMENT_UNIQUE_ID, f"the instance {uid} is not in the series that is named", uid)
    return None


def _written(scratch: Scratch, start: int, size: int) -> Iterator[bytes]:
    with scratch.open(start, size) as file:
        while piece := file.read(_PIECE):
            yield piece
