"""Files as things to send: what each is, and its data set in a syntax that the receiver takes."""

import mmap
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dimse.scu import Destination
from storage.part10 import FileMeta, read_file_meta
from vna.cli.importing import looks_like_dicom
from vna.model.destination import Item
from vna.model.errors import BadRequest, CannotUnderstand, NotAcceptable, Unavailable
from vna.model.identifiers import entity_address, require_uid
from vna.model.transfer_syntaxes import TRANSFER_SYNTAXES, can_transcode
from vna.pixels.transcode import transcode

_PIECE = 1 << 20
_CONNECT_SECONDS = 10.0


def destination(text: str) -> Destination:
    """`AET@HOST:PORT`; an IPv6 address stands in brackets."""
    found = entity_address(text)
    if found is None:
        raise BadRequest(f"{text} is no destination: write AET@HOST:PORT, such as PACS@127.0.0.1:104")
    title, host, port = found
    return Destination(host, port, title)


def require_listener(receiver: Destination) -> None:
    """Unavailable when nobody is there at all: said once, instead of for every file."""
    try:
        socket.create_connection((receiver.host, receiver.port), timeout=_CONNECT_SECONDS).close()
    except OSError as exc:
        where = f"{receiver.ae_title}@{receiver.host}:{receiver.port}"
        raise Unavailable(f"no connection to {where}: {exc.strerror or exc}") from exc


@dataclass(frozen=True, slots=True)
class DataSet:
    """The data set of a file, piece by piece."""

    transfer_syntax_uid: str
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class DicomFile:
    """A DICOM file with what its group 2 says."""

    path: Path
    meta: FileMeta

    def item(self) -> Item:
        """The file as something to send."""
        return Item(self.meta.sop_class_uid, self.meta.sop_instance_uid, self.meta.transfer_syntax_uid, self.encode)

    def encode(self, accepted: Sequence[str]) -> DataSet:
        """As it is when the receiver takes that, else in the first native syntax."""
        if self.meta.transfer_syntax_uid in accepted:
            return DataSet(self.meta.transfer_syntax_uid, self._stored())
        for target in accepted:
            if TRANSFER_SYNTAXES[target].native and can_transcode(self.meta.transfer_syntax_uid, target):
                return DataSet(target, self._transcoded(target))
        raise NotAcceptable(f"the receiver does not take the transfer syntax {self.meta.transfer_syntax_uid}")

    def _stored(self) -> Iterator[bytes]:
        with self.path.open("rb") as source:
            source.seek(self.meta.dataset_offset)
            while piece := source.read(_PIECE):
                yield piece

    def _transcoded(self, target: str) -> Iterator[bytes]:
        with self.path.open("rb") as source, transcode(source, target) as made:
            while piece := made.read(_PIECE):
                yield piece


def open_file(path: Path) -> DicomFile | None:
    """None for what is no DICOM instance; CannotUnderstand for one that cannot be read far enough to be sent."""
    if not path.stat().st_size or path.name.upper() == "DICOMDIR":
        return None
    with path.open("rb") as source, mmap.mmap(source.fileno(), 0, prot=mmap.PROT_READ) as content:
        if not looks_like_dicom(content[:132]):
            return None
        with memoryview(content) as buffer:
            meta = read_file_meta(buffer)
    if not meta.sop_class_uid or not meta.sop_instance_uid:
        meta = _from_dataset(path, meta)
    require_uid(meta.sop_class_uid, "SOPClassUID")
    require_uid(meta.sop_instance_uid, "SOPInstanceUID")
    return DicomFile(path, meta)


def _from_dataset(path: Path, meta: FileMeta) -> FileMeta:
    """What group 2 does not say, the data set does."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        ds = dcmread(path, force=True, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"])
    except (InvalidDicomError, ValueError, OSError) as exc:
        raise CannotUnderstand("the data set cannot be read") from exc
    sop_class_uid, sop_instance_uid = str(ds.get("SOPClassUID", "")), str(ds.get("SOPInstanceUID", ""))
    return FileMeta(sop_class_uid, sop_instance_uid, meta.transfer_syntax_uid, meta.dataset_offset)
