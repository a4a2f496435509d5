"""One frame of an instance, decoded or in another compression (PS3.18 8.7.3, 10.4)."""

from collections.abc import Iterable, Iterator
from itertools import count

import numpy as np

from vna.model.errors import Damaged, NotAcceptable
from vna.model.transfer_syntaxes import EXPLICIT_BE, EXPLICIT_LE, TRANSFER_SYNTAXES, can_transcode_lossily
from vna.pixels.codecs import CODECS
from vna.pixels.header import Header, Json, image_of_header, is_float
from vna.pixels.held import held_as
from vna.pixels.image import Image, decoded_image


def transcode_frame(header: Json, transfer_syntax_uid: str, frame: bytes, target_uid: str, *, number: int = 1) -> bytes:
    """One frame as `target_uid` keeps it; `header` is of the instance, `number` counts from 1.

    Native frames are little endian, coming and going, whatever the syntax; one of single bits comes as the bytes that
    cover it and goes from the first bit of the first byte. NotAcceptable: not from this syntax to that one, or not
    these pixels. Damaged: damaged.
    """
    return next(transcode_frames(header, transfer_syntax_uid, [frame], target_uid, numbers=[number]))


def transcode_frames(
    header: Json, transfer_syntax_uid: str, frames: Iterable[bytes], target_uid: str, *, numbers: Iterable[int] = ()
) -> Iterator[bytes]:
    """The same for many, one at a time; without `numbers` they are all, in order."""
    if not can_transcode_lossily(transfer_syntax_uid, target_uid):
        raise NotAcceptable(f"frames cannot be given in the transfer syntax {target_uid}")
    if transfer_syntax_uid == target_uid:
        return iter(frames)
    read = Header(header)
    image = image_of_header(read)
    if TRANSFER_SYNTAXES[target_uid].native:
        return decoded_frames(image, transfer_syntax_uid, frames, numbers)
    if is_float(read):
        raise NotAcceptable("floating point pixels cannot be compressed")
    held_as(decoded_image(image, transfer_syntax_uid), target_uid)
    return _recoded(image, transfer_syntax_uid, frames, target_uid)


def _recoded(image: Image, syntax_uid: str, frames: Iterable[bytes], target_uid: str) -> Iterator[bytes]:
    source_uid = EXPLICIT_LE if syntax_uid == EXPLICIT_BE else syntax_uid
    for frame in frames:
        with CODECS.one() as codec:  # for each anew: who takes them slowly must not keep it
            made = codec.recode(frame, image, source_uid, target_uid)
        yield made


def decoded_frames(
    image: Image, syntax_uid: str, frames: Iterable[bytes], numbers: Iterable[int] = ()
) -> Iterator[bytes]:
    """Frames without compression: decoded ones by pixel, native ones as they are kept."""
    if TRANSFER_SYNTAXES[syntax_uid].encapsulated:
        for frame in frames:
            with CODECS.one() as codec:
                decoded = codec.decode(frame, image, syntax_uid)
            yield decoded
        return
    for frame, number in zip(frames, numbers or count(1), strict=False):
        yield _native(frame, image, number)


def _native(frame: bytes, image: Image, number: int) -> bytes:
    if image.bits_allocated == 1:
        frame = _from_first_bit(frame, image, number)
    needed = (image.frame_bits + 7) // 8 if image.bits_allocated == 1 else image.native_bytes
    if len(frame) < needed:
        raise Damaged("a frame is shorter than rows and columns say")
    return frame[:needed]


def _from_first_bit(frame: bytes, image: Image, number: int) -> bytes:
    """Frames of single bits follow one another without gaps (PS3.5 8.1.1)."""
    begin = (number - 1) * image.frame_bits % 8
    if not begin and not image.frame_bits % 8:
        return frame
    bits = np.unpackbits(np.frombuffer(frame, "u1"), bitorder="little")[begin : begin + image.frame_bits]
    return np.packbits(bits, bitorder="little").tobytes()
