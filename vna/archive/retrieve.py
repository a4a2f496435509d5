"""Reading back: look-up, then range read; coerced or transcoded only where it must be."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import IO

import orjson

from storage.blobs.base import CHUNK, BlobStore
from storage.index import lookup
from storage.index.engine import Database
from storage.index.packing import unpack
from storage.inflate import inflated
from storage.offsets import unpack_bulk, unpack_frames
from storage.part10 import read_file_meta
from storage.rewrite import DEFLATED, rewritten
from storage.temporary import temporary_copy
from vna.archive.byte_order import PIXEL_DATA, turned, turned_reader, unit_of
from vna.archive.overlay import changes
from vna.model.access import Action, Actor
from vna.model.coercion import coercion_of
from vna.model.errors import NotAcceptable, NotFound
from vna.model.instances import Instance, Outgoing, Selection
from vna.model.transfer_syntaxes import EXPLICIT_BE, can_transcode
from vna.pixels.transcode import transcode
from vna.security.policy import Policy

_HEADERS = 200


class Retrieval:
    """Gives instances, frames, bulk data and metadata to those who may have them."""

    def __init__(self, database: Database, blobs: BlobStore, policy: Policy) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy

    def instances(self, actor: Actor, selection: Selection) -> tuple[Instance, ...]:
        """The instances meant, by study, series number and instance number; empty when there is none."""
        for study_instance_uid in selection.study_uids or ("",):
            self._policy.check(actor, Action.RETRIEVE, study_instance_uid)
        with self._database.read() as connection:
            return tuple(
                replace(held.instance, coercion=coercion_of(held.rules))
                for held in lookup.select(connection, selection)
            )

    def part10(self, actor: Actor, instance: Instance) -> Outgoing:
        """The whole file: as it is kept, or with coercions applied."""
        self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
        if instance.coercion is None:
            return _outgoing(instance, instance.size, self._blobs.stream(instance.blob))
        head = self._blobs.read(instance.blob, 0, instance.dataset_offset)
        dataset = self._coerced(instance)
        return _outgoing(instance, len(head) + dataset.size, _chain([head], dataset.chunks))

    def dataset(self, actor: Actor, instance: Instance, accepted: Sequence[str]) -> Outgoing:
        """The data set without preamble and group 2: in the stored syntax when `accepted` has it, else in the first
        it can be made.

        NotAcceptable when it can be made in none; `accepted` is in the order of preference.
        """
        self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
        if instance.transfer_syntax_uid in accepted:
            return self._stored_dataset(instance)
        for target in accepted:
            if can_transcode(instance.transfer_syntax_uid, target):
                return self._transcoded(actor, instance, target)
        raise NotAcceptable(f"cannot be given in another syntax than {instance.transfer_syntax_uid}")

    def frames(self, actor: Actor, instance: Instance, numbers: Sequence[int]) -> list[Outgoing]:
        """One answer per frame number (from 1), as stored, native ones in little endian; NotFound past the last."""
        self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
        table = unpack_frames(self._offsets(instance))
        for number in numbers:
            if not 1 <= number <= table.count:
                raise NotFound(f"there is no frame {number}: the instance has {table.count}")
        read = self._inflated_reader(instance)
        if instance.transfer_syntax_uid == EXPLICIT_BE and table.count:
            read = turned_reader(read, table.ranges(1)[0][0], self._unit(actor, instance, PIXEL_DATA))
        return [_frame(instance, table.ranges(number), read) for number in numbers]

    def bulk(self, actor: Actor, instance: Instance, tag_path: str) -> Outgoing:
        """The value of one attribute, in little endian; NotFound when it is none of those that metadata leaves out."""
        self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
        found = unpack_bulk(self._offsets(instance)).get(tag_path)
        if found is None:
            raise NotFound(f"the instance has no bulk data {tag_path}")
        offset, length = found
        if instance.transfer_syntax_uid == DEFLATED:
            return _outgoing(instance, length, iter([self._inflated_reader(instance)(offset, length)]))
        value = self._blobs.stream(instance.blob, offset, length)
        if instance.transfer_syntax_uid == EXPLICIT_BE:
            value = turned(value, self._unit(actor, instance, tag_path))
        return _outgoing(instance, length, value)

    def metadata(self, actor: Actor, instance: Instance) -> bytes:
        """The bulk-free data set as a DICOM JSON object; bulk data URIs are tag paths, to be put behind an address."""
        for _, piece in self._metadata(actor, [instance]):
            return piece
        raise NotFound("the instance is gone")

    def metadata_of(self, actor: Actor, selection: Selection) -> Iterator[tuple[Instance, bytes]]:
        """The same for many, in the order of `instances`; read in batches as it is consumed."""
        return self._metadata(actor, self.instances(actor, selection))

    def _metadata(self, actor: Actor, wanted: Sequence[Instance]) -> Iterator[tuple[Instance, bytes]]:
        for start in range(0, len(wanted), _HEADERS):
            batch = wanted[start : start + _HEADERS]
            for instance in batch:
                self._policy.check(actor, Action.RETRIEVE, instance.study_instance_uid)
            with self._database.read() as connection:
                packed = lookup.headers(connection, [instance.sop_instance_uid for instance in batch])
            for instance in batch:
                if instance.sop_instance_uid in packed:
                    yield instance, unpack(packed[instance.sop_instance_uid])

    def _stored_dataset(self, instance: Instance) -> Outgoing:
        if instance.coercion is not None:
            return self._coerced(instance)
        length = instance.size - instance.dataset_offset
        return _outgoing(instance, length, self._blobs.stream(instance.blob, instance.dataset_offset))

    def _coerced(self, instance: Instance) -> Outgoing:
        """Header read and written anew, everything from the pixel data on untouched."""
        size, chunks = rewritten(self._blobs, instance, lambda elements: changes(elements, instance.coercion))
        return _outgoing(instance, size, chunks)

    def _transcoded(self, actor: Actor, instance: Instance, target: str) -> Outgoing:
        with temporary_copy(self._blobs.spool_folder, self.part10(actor, instance).chunks) as source:
            made = transcode(source, target, folder=self._blobs.spool_folder)
        size = made.seek(0, 2)
        made.seek(0)
        return Outgoing(instance, target, size, _file_chunks(made))

    def _unit(self, actor: Actor, instance: Instance, tag_path: str) -> int:
        return unit_of(orjson.loads(self.metadata(actor, instance)), tag_path)

    def _offsets(self, instance: Instance) -> bytes:
        with self._database.glance() as connection:
            column = lookup.offsets(connection, instance.sop_instance_uid)
        if column is None:
            raise NotFound("the instance is gone")
        return column

    def _inflated_reader(self, instance: Instance) -> Callable[[int, int], bytes]:
        if instance.transfer_syntax_uid != DEFLATED:
            return lambda offset, length: self._blobs.read(instance.blob, offset, length)
        whole = self._blobs.read(instance.blob)
        plain = inflated(whole, read_file_meta(whole))
        return lambda offset, length: bytes(plain[offset : offset + length])


def _frame(instance: Instance, ranges: Sequence[tuple[int, int]], read: Callable[[int, int], bytes]) -> Outgoing:
    def pieces() -> Iterator[bytes]:
        for offset, length in ranges:
            yield read(offset, length)

    return _outgoing(instance, sum(length for _, length in ranges), pieces())


def _outgoing(instance: Instance, size: int, chunks: Iterator[bytes]) -> Outgoing:
    return Outgoing(instance, instance.transfer_syntax_uid, size, chunks)


def _chain(first: Sequence[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    yield from first
    yield from rest


def _file_chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(CHUNK):
            yield piece
