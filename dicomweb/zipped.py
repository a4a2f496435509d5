"""Instances as a ZIP archive, made while it is sent (PS3.18 10.4, application/zip)."""

from collections.abc import Iterator, Sequence
from io import RawIOBase
from typing import TYPE_CHECKING
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from dicomweb.instance_forms import Form
from dicomweb.service import StudiesService
from vna.model.access import Actor
from vna.model.instances import Instance

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Out(RawIOBase):
    """Takes what the archive writes until it is fetched; cannot seek, so lengths follow the files."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        self._waiting += bytes(data)
        return len(memoryview(data))

    def take(self) -> bytes:
        taken, self._waiting = bytes(self._waiting), bytearray()
        return taken


def zipped(service: StudiesService, actor: Actor, found: Sequence[Instance], form: Form) -> Iterator[bytes]:
    """The archive piece by piece; study/series/instance.dcm for each, not compressed."""
    out = _Out()
    with ZipFile(out, "w", ZIP_STORED) as archive:
        for one in found:
            instance = service.retrieval.present(actor, one)
            outgoing = service.retrieval.part10(actor, instance, form.target_of(instance.transfer_syntax_uid))
            path = f"{instance.study_instance_uid}/{instance.series_instance_uid}/{instance.sop_instance_uid}.dcm"
            entry = ZipInfo(path, instance.received_at.timetuple()[:6])
            with archive.open(entry, "w", force_zip64=outgoing.size > 1 << 31) as file:
                for chunk in outgoing.chunks:
                    file.write(chunk)
                    yield out.take()
    yield out.take()
