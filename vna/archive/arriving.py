"""What a source gives is looked at before anybody has it: it is DICOM, and one of the instances that were asked for."""

from collections.abc import Iterator

from storage.identity import Identity, identity
from vna.model.errors import CannotUnderstand, Mismatch, NotFound, Rejected, TooLarge, Unavailable
from vna.model.sources import Bounds, Fetched, StudyPart

_FIRST = 4096
_MOST = 8 << 20
"""Bytes in which an object has to say which it is."""


class Answer:
    """All that a source gives for one part of a study, instance by instance."""

    def __init__(self, name: str, part: StudyPart, bounds: Bounds) -> None:
        self._name = name
        self._part = part
        self._bounds = bounds
        self._came: set[str] = set()

    def take(self, chunks: Iterator[bytes]) -> Fetched:
        """The next instance. Mismatch when it is another one, Rejected when it is none."""
        head, said = self._begin(chunks)
        self._require_asked(said)
        if len(self._came) >= self._bounds.instances:
            raise TooLarge(f"{self._name} sends more than {self._bounds.instances} instances")
        self._came.add(said.sop_instance_uid)
        return Fetched(
            said.study_instance_uid,
            said.series_instance_uid,
            said.sop_instance_uid,
            said.sop_class_uid,
            said.transfer_syntax_uid,
            _again(head, chunks),
        )

    def finish(self) -> None:
        """Nothing more comes: NotFound when nothing came, or not all that was named."""
        named = self._part.sop_instance_uids
        missing = [uid for uid in named if uid not in self._came]
        if missing:
            raise NotFound(
                f"{self._name} does not give {len(missing)} of {len(named)} instances, among them {missing[0]}"
            )
        if not self._came:
            raise NotFound(f"{self._name} has nothing of that study")

    def _begin(self, chunks: Iterator[bytes]) -> tuple[bytearray, Identity]:
        head, wanted, whole = bytearray(), _FIRST, False
        while True:
            while len(head) < wanted and not whole:
                piece = next(chunks, None)
                head += piece or b""
                whole = piece is None
            if not head:
                raise Unavailable(f"{self._name} sends an instance without a byte")
            try:
                said = identity(bytes(head), whole=whole)
            except CannotUnderstand as exc:
                raise Rejected(f"{self._name} sends something that is no DICOM object: {exc}") from exc
            if said is not None:
                return head, said
            if len(head) > _MOST:
                raise Rejected(f"{self._name} sends an object that does not say which it is in its first {_MOST} bytes")
            wanted = 4 * len(head)

    def _require_asked(self, said: Identity) -> None:
        part = self._part
        sop_instance_uid = said.sop_instance_uid
        if said.meta_sop_instance_uid and said.meta_sop_instance_uid != sop_instance_uid:
            raise Mismatch(f"{self._name} sends an object with two SOP Instance UIDs")
        for what, got, asked in (
            ("study", said.study_instance_uid, (part.study_instance_uid,)),
            ("series", said.series_instance_uid, (part.series_instance_uid,) if part.series_instance_uid else ()),
            ("instance", sop_instance_uid, part.sop_instance_uids),
        ):
            if not got or (asked and got not in asked):
                raise Mismatch(f"{self._name} sends an object of another {what} than was asked for: {got[:64]}")
        if sop_instance_uid in self._came:
            raise Mismatch(f"{self._name} sends the instance {sop_instance_uid} twice")


def _again(head: bytearray, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield bytes(head)
    yield from rest
