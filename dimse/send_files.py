"""Files to another application entity (`vna send`): what can be sent, and what became of each (PS3.4 B.2)."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import pydicom

from dimse.delivery import Item, Verdict
from dimse.scu import StoreSCU
from storage.part10 import FileMeta, read_file_meta
from vna.model.errors import CannotUnderstand, NotAcceptable, VnaError
from vna.pixels.transcode import transcode
from vna.pixels.transfer_syntaxes import can_transcode

_PIECE: Final = 1 << 20
_MEDIA_DIRECTORY: Final = "1.2.840.10008.1.3.10"


class FileEnd(StrEnum):
    """What became of a file."""

    SENT = "sent"
    SENT_WITH_WARNING = "sent with a warning"
    FAILED = "failed"
    NOT_DICOM = "not DICOM"


_END_OF: Final = {
    Verdict.COMPLETED: FileEnd.SENT,
    Verdict.WARNING: FileEnd.SENT_WITH_WARNING,
    Verdict.FAILED: FileEnd.FAILED,
}


@dataclass(frozen=True, slots=True)
class SentFile:
    """The end of one file; `reason` says why it is not simply sent."""

    path: Path
    end: FileEnd
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Encoded:
    transfer_syntax_uid: str
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class _FileItem(Item):
    path: Path


def send_files(paths: Iterable[Path], scu: StoreSCU, *, transcoding: bool = False) -> Iterator[SentFile]:
    """Send files; yields each one's end as it comes: those that are no instances first, the others in no order.

    All files are looked into before the first is sent, so that every presentation context is proposed at once. With
    `transcoding` (then `scu` has to have its fallback) a receiver that refuses a file's syntax gets it in a native one.
    """
    items: list[_FileItem] = []
    for path in paths:
        try:
            items.append(_item(path, transcoding=transcoding))
        except (CannotUnderstand, OSError) as error:
            yield SentFile(path, FileEnd.NOT_DICOM, _words(error))
    for sent in scu.send(items):
        assert isinstance(sent.item, _FileItem)
        yield SentFile(sent.item.path, _END_OF[sent.verdict], sent.reason)


def _item(path: Path, *, transcoding: bool) -> _FileItem:
    meta = _read_meta(path)
    sop_class_uid, sop_instance_uid = meta.sop_class_uid, meta.sop_instance_uid
    if not (sop_class_uid and sop_instance_uid):
        sop_class_uid, sop_instance_uid = _read_uids(path)
    if sop_class_uid == _MEDIA_DIRECTORY:
        raise CannotUnderstand("a DICOMDIR is no instance")
    encode = partial(_encode, path, meta, transcoding)
    return _FileItem(sop_class_uid, sop_instance_uid, meta.transfer_syntax_uid, encode, path)


def _read_meta(path: Path) -> FileMeta:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise CannotUnderstand("the file is empty")
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            return read_file_meta(mapped)


def _read_uids(path: Path) -> tuple[str, str]:
    """From the data set, where group 2 does not say."""
    try:
        ds = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=["SOPClassUID", "SOPInstanceUID"])
        return str(ds.SOPClassUID), str(ds.SOPInstanceUID)
    except Exception as error:  # whatever pydicom raises over what is no data set
        raise CannotUnderstand("the file has no SOP Instance UID") from error


def _encode(path: Path, meta: FileMeta, transcoding: bool, accepted: Sequence[str]) -> _Encoded:
    if meta.transfer_syntax_uid in accepted:
        file = path.open("rb")
        file.seek(meta.dataset_offset)
        return _Encoded(meta.transfer_syntax_uid, _pieces(file))
    if transcoding:
        for target in accepted:
            if can_transcode(meta.transfer_syntax_uid, target):
                with path.open("rb") as source:
                    return _Encoded(target, _pieces(transcode(source, target)))
    raise NotAcceptable("the receiver does not take the file's transfer syntax")


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _words(error: VnaError | OSError) -> str:
    return f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
