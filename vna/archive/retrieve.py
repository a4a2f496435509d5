"""Reading back: look-up, then range read; coerced or transcoded only where it must be."""

from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import IO, Any, Protocol

import orjson

from storage import elements as values
from storage.blobs.base import CHUNK, BlobStore
from storage.frames import FrameTable
from storage.index import elsewhere, lookup
from storage.index.engine import Database
from storage.index.lookup import State
from storage.index.packing import unpack
from storage.inflate import inflated
from storage.offsets import unpack_bulk
from storage.part10 import read_file_meta, write_file_meta
from storage.rewrite import DEFLATED, rewritten
from storage.temporary import temporary_copy, whole
from vna.archive.byte_order import PIXEL_DATA, turned, turned_reader, unit_of
from vna.archive.frame_tables import FrameTables
from vna.archive.kept_blobs import KeptBlobs
from vna.archive.overlay import changes
from vna.model.access import Action, Actor
from vna.model.coercion import coercion_of
from vna.model.errors import NotAcceptable, NotFound, NotHere, NotReached, Unavailable
from vna.model.file_range import FileRange
from vna.model.instances import Instance, Outgoing, Selection
from vna.model.transfer_syntaxes import EXPLICIT_BE, TRANSFER_SYNTAXES, can_transcode
from vna.pixels.frame import transcode_frames
from vna.pixels.transcode import transcode
from vna.security.policy import WITHIN_REACH, Policy

_HEADERS = 200
_WORTH_A_CALL = 8 * 1024
"""Bytes from which on a range is sent from the file instead of being read."""
_WORTH_MANY = 64 * 1024
"""The same where there are several: small ones that lie together are read at once."""
_LITTLE = 64
"""Bytes between two ranges that are read along: fragments have 8 between them (PS3.5 A.4)."""
_CHANGED = frozenset({DEFLATED, EXPLICIT_BE})
_DOCUMENT, _DOCUMENT_LENGTH = "00420011", "00420015"


class Elsewhere(Protocol):
    """What brings instances that are kept elsewhere."""

    def bring(self, wanted: Sequence[Instance]) -> None:
        """Have them here, and wait until they are. NotFound when nobody has one of them, Unavailable says in words why
        it does not come."""

    def expect(self, wanted: Sequence[Instance]) -> None:
        """Have them here soon: somebody is going to read them, one after the other."""


class Retrieval:
    """Gives instances, frames, bulk data and metadata to those who may have them.

    What is kept elsewhere is brought first, except where it says NotHere: there a door can wait without a thread.
    """

    def __init__(
        self, database: Database, blobs: BlobStore, policy: Policy, elsewhere: Elsewhere | None = None
    ) -> None:
        self._database = database
        self._blobs = KeptBlobs(blobs)
        self._tables = FrameTables()
        self._policy = policy
        self._elsewhere = elsewhere

    @property
    def is_prompt(self) -> bool:
        """Whether look-ups wait for no other machine: index and blobs are files of this one."""
        return self._database.is_sqlite and self._blobs.on_disk

    def instances(self, actor: Actor, selection: Selection) -> tuple[Instance, ...]:
        """The instances meant, by study, series number and instance number; empty when there is none.

        Of studies that the actor does not reach there is none.
        """
        if selection.study_uids:
            reached = [uid for uid in selection.study_uids if self._reaches(actor, uid)]
            if not reached:
                return ()
            selection = replace(selection, study_uids=tuple(reached))
        else:
            self._policy.check(actor, Action.RETRIEVE, WITHIN_REACH)
        with self._database.read() as connection:
            found = tuple(
                replace(held.instance, coercion=coercion_of(held.rules))
                for held in lookup.select(connection, selection)
            )
        if selection.study_uids or self._policy.within(actor) is None:
            return found
        studies = {uid for uid in {one.study_instance_uid for one in found} if self._reaches(actor, uid)}
        return tuple(one for one in found if one.study_instance_uid in studies)

    def _reaches(self, actor: Actor, study: str) -> bool:
        try:
            self._policy.check(actor, Action.RETRIEVE, study)
        except NotReached:
            return False
        return True

    def present(self, actor: Actor, instance: Instance) -> Instance:
        """The same, brought when it is kept elsewhere: only then are its transfer syntax and frames known."""
        self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
        return self._here(instance)

    def _here(self, instance: Instance) -> Instance:
        if instance.blob:
            return instance
        if self._elsewhere is None:
            raise NotHere([instance])
        self._elsewhere.bring([instance])
        with self._database.glance() as connection:
            for held in lookup.select(connection, Selection(sop_instance_uids=(instance.sop_instance_uid,))):
                if held.instance.blob:
                    return replace(held.instance, coercion=coercion_of(held.rules))
        raise Unavailable("the instance did not stay: ask again")

    def expect(self, actor: Actor, instances: Sequence[Instance]) -> None:
        """Whoever asks is going to read all of these: those that are elsewhere are fetched together from now on."""
        away = [one for one in instances if not one.is_here]
        for study in dict.fromkeys(one.study_instance_uid for one in away):
            self._policy.check(actor, Action.RETRIEVE, study)
        if away and self._elsewhere is not None:
            self._elsewhere.expect(away)

    def require_headers(self, actor: Actor, study: str, series: str = "", instance: str = "") -> None:
        """NotHere when something of it was never here, so that there is no metadata of it yet."""
        self._policy.check(actor, Action.RETRIEVE, study)
        with self._database.read() as connection:
            if elsewhere.kept(connection, study, series, instance, never_here=True):
                selection = Selection(
                    study_uids=(study,),
                    series_uids=(series,) if series else (),
                    sop_instance_uids=(instance,) if instance else (),
                )
                found = (held.instance for held in lookup.select(connection, selection))
                raise NotHere([one for one in found if not one.blob and not one.was_here])

    def part10(self, actor: Actor, instance: Instance, target: str = "") -> Outgoing:
        """The whole file: as it is kept, or with coercions applied; in another transfer syntax where `target` is one.

        NotAcceptable when it cannot be given in it.
        """
        self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
        instance = self._here(instance)
        if target and target != instance.transfer_syntax_uid:
            dataset = self._transcoded(instance, target)
            head = write_file_meta(instance.sop_class_uid, instance.sop_instance_uid, target, instance.source_ae)
            return Outgoing(instance, target, len(head) + dataset.size, _chain([head], dataset.chunks))
        if instance.coercion is None:
            where = self._ranges(instance, [(0, instance.size)])
            return _outgoing(instance, instance.size, self._blobs.of(instance).stream(instance.blob), where)
        head = self._blobs.of(instance).read(instance.blob, 0, instance.dataset_offset)
        dataset = self._coerced(instance)
        return _outgoing(instance, len(head) + dataset.size, _chain([head], dataset.chunks))

    def dataset(self, actor: Actor, instance: Instance, accepted: Sequence[str]) -> Outgoing:
        """The data set without preamble and group 2: in the stored syntax when `accepted` has it, else in the first
        it can be made, native ones before compressed.

        NotAcceptable when it can be made in none; `accepted` is in the order of preference.
        """
        self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
        instance = self._here(instance)
        if instance.transfer_syntax_uid in accepted:
            return self._stored_dataset(instance)
        possible = [uid for uid in accepted if can_transcode(instance.transfer_syntax_uid, uid)]
        for target in sorted(possible, key=lambda uid: not TRANSFER_SYNTAXES[uid].native):
            with suppress(NotAcceptable):  # pixels that this compression cannot hold
                return self._transcoded(instance, target)
        raise NotAcceptable(f"cannot be given in another syntax than {instance.transfer_syntax_uid}")

    def require_whole(self, actor: Actor, instance: Instance) -> None:
        """Damaged unless its bytes are those that came: asked before it leaves for an archive or a medium that will be
        believed."""
        self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
        self._blobs.require_whole(self._here(instance))

    def with_frames(self, actor: Actor, study: str, series: str, instance: str) -> tuple[Instance, FrameTable]:
        """An instance and where its frames are, for `frames`; NotFound when it is not held, NotHere when elsewhere."""
        self._policy.check(actor, Action.RETRIEVE, study)
        with self._database.glance() as connection:
            found = lookup.one_and_offsets(connection, study, series, instance)
        if found is None:
            raise NotFound("no such instance")
        held, offsets = found
        if not held.instance.blob:
            raise NotHere([held.instance])
        one = replace(held.instance, coercion=coercion_of(held.rules)) if held.rules else held.instance
        return one, self._tables.of(one.blob, offsets)

    def frames(
        self,
        actor: Actor,
        instance: Instance,
        numbers: Sequence[int],
        start: int = 0,
        length: int | None = None,
        *,
        table: FrameTable | None = None,
    ) -> list[Outgoing]:
        """One answer per frame number (from 1), as stored, native ones in little endian; NotFound past the last, and
        Damaged where one is cut.

        Of each `length` bytes from `start` on. Where its frames are is looked up, unless `table` says it.
        """
        self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
        instance = self._here(instance)
        table = table or self._tables.of(instance.blob, self._offsets(instance))
        wanted = [cut(table.ranges(number), start, length) for number in numbers]
        if instance.transfer_syntax_uid in _CHANGED:
            read = self._changed_reader(actor, instance, table)
            return [_frame(instance, ranges, read) for ranges in wanted]

        def read_blob(offset: int, length: int) -> bytes:
            return self._blobs.of(instance).read(instance.blob, offset, length)

        return [_frame(instance, ranges, read_blob, self._ranges(instance, ranges)) for ranges in wanted]

    def frames_in(self, actor: Actor, instance: Instance, numbers: Sequence[int], target: str) -> Iterator[bytes]:
        """The same in the transfer syntax `target`, made one at a time; NotAcceptable where it cannot be."""
        found = self.frames(actor, instance, numbers)
        header = orjson.loads(self.metadata(actor, instance))
        source = (frame.read() for frame in found)
        return transcode_frames(header, instance.transfer_syntax_uid, source, target, numbers=numbers)

    def bulk(
        self, actor: Actor, instance: Instance, tag_path: str, start: int = 0, length: int | None = None
    ) -> Outgoing:
        """The value of one attribute from byte `start` on, in little endian; NotFound when metadata does not leave it
        out."""
        self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
        instance = self._here(instance)
        offset, size = self._bulk(instance, tag_path)
        length = size - start if length is None else length
        if instance.transfer_syntax_uid == DEFLATED:
            return _outgoing(instance, length, _read(self._inflated_reader(instance), offset + start, length))
        if instance.transfer_syntax_uid != EXPLICIT_BE:
            where = self._ranges(instance, [(offset + start, length)])
            return _outgoing(
                instance, length, self._blobs.of(instance).stream(instance.blob, offset + start, length), where
            )
        unit = self._unit(actor, instance, tag_path)
        before = start % unit
        behind = -(before + length) % unit
        value = turned(
            self._blobs.of(instance).stream(instance.blob, offset + start - before, before + length + behind), unit
        )
        return _outgoing(instance, length, _within(value, before, length))

    def document(self, actor: Actor, instance: Instance, header: Mapping[str, Any]) -> Outgoing:
        """The encapsulated document of an instance with this header, without the byte that makes its length even
        (PS3.3 C.24.2)."""
        self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
        instance = self._here(instance)
        element = header.get(_DOCUMENT, {})
        if "InlineBinary" in element:
            value = b64decode(element["InlineBinary"])
            length = int(values.number(header, _DOCUMENT_LENGTH) or len(value))
            return _outgoing(instance, min(length, len(value)), iter([value[:length]]))
        size = self._bulk(instance, _DOCUMENT)[1]
        return self.bulk(actor, instance, _DOCUMENT, 0, min(int(values.number(header, _DOCUMENT_LENGTH) or size), size))

    def bulk_paths(self, actor: Actor, instance: Instance) -> list[str]:
        """The tag paths of everything that its metadata leaves out."""
        self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
        return sorted(unpack_bulk(self._offsets(self._here(instance))))

    def bulk_size(self, actor: Actor, instance: Instance, tag_path: str) -> int:
        """Bytes of what `bulk` gives."""
        self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
        return self._bulk(self._here(instance), tag_path)[1]

    def _bulk(self, instance: Instance, tag_path: str) -> tuple[int, int]:
        found = unpack_bulk(self._offsets(instance)).get(tag_path)
        if found is None:
            raise NotFound(f"the instance has no bulk data {tag_path}")
        return found

    def metadata(self, actor: Actor, instance: Instance) -> bytes:
        """The bulk-free data set as a DICOM JSON object; bulk data URIs are tag paths, to be put behind an address."""
        self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
        if not instance.was_here:
            instance = self._here(instance)
        with self._database.glance() as connection:
            return unpack(_of(instance, lookup.header(connection, instance.sop_instance_uid)))

    def state(self, actor: Actor, study: str, series: str = "", instance: str = "") -> State:
        """How a study, series or instance stands; NotFound when it is not held."""
        self._policy.check(actor, Action.RETRIEVE, study)
        with self._database.glance() as connection:
            found = lookup.state(connection, study, series, instance)
        if found is None:
            raise NotFound(f"no such {'instance' if instance else 'series' if series else 'study'}")
        return found

    def prepared_metadata(
        self, actor: Actor, study: str, series: str = "", instance: str = ""
    ) -> Iterator[tuple[str, str, bytes]]:
        """SOP Instance UID, Series Instance UID and packed header (storage.index.packing) of each instance."""
        self._policy.check(actor, Action.RETRIEVE, study)
        return self._prepared(study, series, instance)

    def _prepared(self, study: str, series: str, instance: str) -> Iterator[tuple[str, str, bytes]]:
        """In batches: no connection is held while the caller sends what it was given."""
        with self._database.glance() as connection:
            places = lookup.places(connection, study, series, instance)
        for start in range(0, len(places), _HEADERS):
            batch = places[start : start + _HEADERS]
            with self._database.glance() as connection:
                packed = lookup.headers(connection, [sop_instance_uid for sop_instance_uid, _ in batch])
            for sop_instance_uid, series_instance_uid in batch:
                if sop_instance_uid in packed:
                    yield sop_instance_uid, series_instance_uid, packed[sop_instance_uid]

    def _stored_dataset(self, instance: Instance) -> Outgoing:
        if instance.coercion is not None:
            return self._coerced(instance)
        length = instance.size - instance.dataset_offset
        return _outgoing(instance, length, self._blobs.of(instance).stream(instance.blob, instance.dataset_offset))

    def _coerced(self, instance: Instance) -> Outgoing:
        """Header read and written anew, everything from the pixel data on untouched."""
        size, chunks = rewritten(
            self._blobs.of(instance), instance, lambda elements: changes(elements, instance.coercion)
        )
        return _outgoing(instance, size, chunks)

    def _transcoded(self, instance: Instance, target: str) -> Outgoing:
        stored = self._stored_dataset(instance)
        head = write_file_meta(instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid)
        with temporary_copy(self._blobs.spool_folder, _chain([head], stored.chunks)) as source:
            made = transcode(source, target, folder=self._blobs.spool_folder)
        size = made.seek(0, 2)
        made.seek(0)
        return Outgoing(instance, target, size, _file_chunks(made))

    def _ranges(self, instance: Instance, ranges: Sequence[tuple[int, int]]) -> Iterator[FileRange] | None:
        """Where they lie in a file, if it is one and they are worth a call each."""
        blobs = self._blobs
        worth = _WORTH_A_CALL if len(ranges) == 1 else _WORTH_MANY
        if not blobs.on_disk or sum(length for _, length in ranges) < worth * len(ranges):
            return None
        return (blobs.range(instance.blob, offset, length) for offset, length in ranges)

    def _changed_reader(self, actor: Actor, instance: Instance, table: FrameTable) -> Callable[[int, int], bytes]:
        """Reads what is kept deflated or in big endian as plain little endian."""
        read = self._inflated_reader(instance)
        if instance.transfer_syntax_uid == EXPLICIT_BE and table.count:
            read = turned_reader(read, table.ranges(1)[0][0], self._unit(actor, instance, PIXEL_DATA))
        return read

    def _unit(self, actor: Actor, instance: Instance, tag_path: str) -> int:
        return unit_of(orjson.loads(self.metadata(actor, instance)), tag_path)

    def _offsets(self, instance: Instance) -> bytes:
        with self._database.glance() as connection:
            return _of(instance, lookup.offsets(connection, instance.sop_instance_uid))

    def _inflated_reader(self, instance: Instance) -> Callable[[int, int], bytes]:
        if instance.transfer_syntax_uid != DEFLATED:
            return lambda offset, length: self._blobs.of(instance).read(instance.blob, offset, length)
        with whole(self._blobs.of(instance), instance.blob, instance.size) as packed:
            plain = inflated(packed, read_file_meta(packed))
        return lambda offset, length: bytes(plain[offset : offset + length])


def _of(instance: Instance, found: tuple[str, bytes] | None) -> bytes:
    """What was looked up of an instance; Unavailable where it is about bytes that have taken its place since."""
    if found is None:
        raise NotFound("the instance is gone")
    blob, column = found
    if blob != instance.blob:
        raise Unavailable("the instance was replaced meanwhile: ask again")
    return column


def cut(ranges: Iterable[tuple[int, int]], start: int, length: int | None) -> list[tuple[int, int]]:
    """The ranges of `length` bytes from byte `start` of what the ranges are together."""
    kept = []
    for offset, size in ranges:
        first = min(start, size)
        count = size - first if length is None else min(size - first, length)
        start -= first
        length = None if length is None else length - count
        if count:
            kept.append((offset + first, count))
    return kept


def _frame(
    instance: Instance,
    ranges: Sequence[tuple[int, int]],
    read: Callable[[int, int], bytes],
    where: Iterator[FileRange] | None = None,
) -> Outgoing:
    def pieces() -> Iterator[bytes]:
        for offset, length, inside in _spans(ranges):
            span = read(offset, length)
            yield span if len(inside) == 1 else b"".join(span[at - offset : at - offset + size] for at, size in inside)

    return _outgoing(instance, sum(length for _, length in ranges), pieces(), where)


def _spans(ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Offset, length and ranges of what is read at once: those with little between them, up to CHUNK bytes."""
    inside: list[tuple[int, int]] = []
    begin = end = 0
    for offset, length in ranges:
        if inside and not (0 <= offset - end <= _LITTLE and offset + length - begin <= CHUNK):
            yield begin, end - begin, inside
            inside = []
        begin = begin if inside else offset
        end = offset + length
        inside.append((offset, length))
    if inside:
        yield begin, end - begin, inside


def _outgoing(
    instance: Instance, size: int, chunks: Iterator[bytes], where: Iterator[FileRange] | None = None
) -> Outgoing:
    return Outgoing(instance, instance.transfer_syntax_uid, size, chunks, where)


def _read(read: Callable[[int, int], bytes], offset: int, length: int) -> Iterator[bytes]:
    for at in range(offset, offset + length, CHUNK):
        yield read(at, min(CHUNK, offset + length - at))


def _within(chunks: Iterator[bytes], start: int, length: int) -> Iterator[bytes]:
    """`length` bytes from `start` on."""
    for chunk in chunks:
        piece = chunk[start : start + length]
        start = max(start - len(chunk), 0)
        length -= len(piece)
        yield piece


def _chain(first: Sequence[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    yield from first
    yield from rest


def _file_chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(CHUNK):
            yield piece
