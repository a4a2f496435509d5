"""Pixel data of any kind as compressed pixel data, and the attributes that describe it (PS3.5 A.4, PS3.3 C.7.6.3)."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import pack
from typing import BinaryIO, Final

from typing_extensions import Buffer

from vna.model.errors import Damaged, NotAcceptable
from vna.model.transfer_syntaxes import EXPLICIT_LE, TRANSFER_SYNTAXES
from vna.pixels import value_representations as vrs
from vna.pixels.codecs import CODECS
from vna.pixels.decompress import Decompressed, image_of
from vna.pixels.elements import ITEM, PIXEL_DATA, SEQUENCE_END, UNDEFINED, Encoding, Header, Source, write_header
from vna.pixels.encapsulation import Fragments
from vna.pixels.held import HOLDS, held_as
from vna.pixels.image import Image, decoded_image
from vna.pixels.recode import swapped

LOSSY: Final = 0x00282110
LOSSY_RATIO: Final = 0x00282112
LOSSY_METHOD: Final = 0x00282114
EXTENDED_OFFSETS: Final = 0x7FE00001
EXTENDED_LENGTHS: Final = 0x7FE00002
_HISTORY: Final = (LOSSY, LOSSY_RATIO, LOSSY_METHOD)
_PIECE: Final = 1 << 20
_MOST_OFFSET: Final = 0xFFFFFFFE


class PixelsRead(Exception):
    """The pixel data is read; what comes behind it does not matter yet."""


class Nowhere(io.BytesIO):
    """Where the first reading writes to."""

    def write(self, written: Buffer, /) -> int:
        """Forget it."""
        return len(memoryview(written))


@dataclass(frozen=True, slots=True)
class CompressedFrames:
    """What all frames have become: their lengths, and what describes them."""

    image: Image
    target_uid: str
    native_bytes: int
    lengths: tuple[int, ...]
    history: dict[int, str] = field(default_factory=dict)
    """What the object says already of losses, by tag."""

    def elements(self) -> dict[int, tuple[str, bytes]]:
        """Those that go out instead of the object's own."""
        made = {vrs.PHOTOMETRIC_INTERPRETATION: _text("CS", self.image.photometric_interpretation)}
        if self.image.samples_per_pixel > 1:
            made[vrs.PLANAR_CONFIGURATION] = ("US", b"\0\0")
        if TRANSFER_SYNTAXES[self.target_uid].lossy:
            made |= self._loss()
        if self.extended:
            made[EXTENDED_OFFSETS] = ("OV", pack(f"<{len(self.lengths)}Q", *self.offsets()))
            made[EXTENDED_LENGTHS] = ("OV", pack(f"<{len(self.lengths)}Q", *self.lengths))
        return made

    def _loss(self) -> dict[int, tuple[str, bytes]]:
        """This loss behind those before it (PS3.3 C.7.6.1.1.5)."""
        ratio = f"{self.native_bytes / max(1, sum(self.lengths)):.2f}"
        before = self.history if self.history.get(LOSSY) == "01" else {}
        now = {LOSSY_RATIO: ratio, LOSSY_METHOD: HOLDS[self.target_uid].method}
        values = {tag: "\\".join(filter(None, (before.get(tag, ""), value))) for tag, value in now.items()}
        return {
            LOSSY: _text("CS", "01"),
            LOSSY_RATIO: _text("DS", values[LOSSY_RATIO]),
            LOSSY_METHOD: _text("CS", values[LOSSY_METHOD]),
        }

    @property
    def extended(self) -> bool:
        """Whether offsets are beyond what a Basic Offset Table can say (PS3.5 A.4)."""
        return sum(self.lengths) + 8 * len(self.lengths) > _MOST_OFFSET

    def offsets(self) -> Iterator[int]:
        """Of each frame's item from the first."""
        at = 0
        for length in self.lengths:
            yield at
            at += 8 + length


def _text(vr: str, value: str) -> tuple[str, bytes]:
    return vr, (value + " " * (len(value) % 2)).encode("ascii")


class Compressing:
    """The first reading: every frame into a file; raises PixelsRead behind them."""

    def __init__(self, stream: BinaryIO, syntax_uid: str, target_uid: str, frames: BinaryIO, *, little: bool) -> None:
        self._stream = stream
        self._syntax_uid = syntax_uid
        self._target_uid = target_uid
        self._frames = frames
        self._little = little
        self._history: dict[int, str] = {}
        self._found: CompressedFrames | None = None

    def result(self) -> CompressedFrames:
        """NotAcceptable when there was no pixel data."""
        if self._found is None:
            raise NotAcceptable("an object without pixels cannot be given in a transfer syntax that compresses them")
        return self._found

    def described(self, tag: int, value: bytes, around: vrs.Surroundings) -> bytes:
        """Remembers what is said of losses."""
        if around.parent is None and tag in _HISTORY:
            self._history[tag] = value.decode("latin-1").strip(" \0")
        return value

    def write(self, source: Source, out: BinaryIO, encoding: Encoding, around: vrs.Surroundings) -> None:
        """Frames that are encapsulated; an icon is passed over."""
        del out, encoding
        fragments = Fragments(self._stream, source)
        if around.parent is None:
            image = image_of(around)
            self._compress(fragments.frames(image.number_of_frames), image, self._syntax_uid)

    def write_native(
        self, source: Source, header: Header, out: BinaryIO, encoding: Encoding, around: vrs.Surroundings
    ) -> bool:
        """Frames that are not."""
        del out, encoding
        if around.parent is None:
            image = image_of(around)
            held_as(decoded_image(image, EXPLICIT_LE), self._target_uid)
            if header.length < image.native_bytes * image.number_of_frames:
                raise Damaged("the pixel data is shorter than rows, columns and frames say")
            word = image.bits_allocated > 8 or header.vr not in ("OB", "UN")
            self._compress(_native(source, header.length, image, 1 if self._little or not word else 2), image)
        return False

    def _compress(self, frames: Iterator[bytes], image: Image, syntax_uid: str = EXPLICIT_LE) -> None:
        target = held_as(decoded_image(image, syntax_uid), self._target_uid)
        lengths = []
        for frame in frames:
            with CODECS.one() as codec:  # for each anew: others have their turn between two frames
                encoded = codec.recode(frame, image, syntax_uid, self._target_uid)
            self._frames.write(encoded)
            lengths.append(len(encoded))
        native_bytes = image.frame_bytes * image.number_of_frames
        self._found = CompressedFrames(target, self._target_uid, native_bytes, tuple(lengths), self._history)
        raise PixelsRead


def _native(source: Source, length: int, image: Image, unit: int) -> Iterator[bytes]:
    """Little endian frames of native pixel data."""
    waiting, size, left = bytearray(), image.native_bytes, image.number_of_frames
    for piece in source.pieces(length - length % unit):  # whole megabytes: pieces end between words
        waiting += swapped(piece, unit)
        while left and len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
            left -= 1
        if not left:
            return


class Compressed:
    """The second reading: what the first has made, in the place of the pixel data; icons become native."""

    def __init__(self, stream: BinaryIO, syntax_uid: str, made: CompressedFrames, frames: BinaryIO) -> None:
        self._stream = stream
        self._made = made
        self._frames = frames
        self._icons = Decompressed(stream, syntax_uid) if TRANSFER_SYNTAXES[syntax_uid].encapsulated else None

    def described(self, tag: int, value: bytes, around: vrs.Surroundings) -> bytes:
        """Of an icon: true of the decoded pixels."""
        return self._icons.described(tag, value, around) if self._icons and around.parent else value

    def write(self, source: Source, out: BinaryIO, encoding: Encoding, around: vrs.Surroundings) -> None:
        """In the place of encapsulated pixel data."""
        if around.parent is not None and self._icons:
            self._icons.write(source, out, encoding, around)
            return
        Fragments(self._stream, source)
        self._write_frames(out)

    def write_native(
        self, source: Source, header: Header, out: BinaryIO, encoding: Encoding, around: vrs.Surroundings
    ) -> bool:
        """In the place of native pixel data."""
        if around.parent is not None:
            return self._icons.write_native(source, header, out, encoding, around) if self._icons else False
        source.skip(header.length)
        self._write_frames(out)
        return True

    def _write_frames(self, out: BinaryIO) -> None:
        little, made = Encoding(), self._made
        write_header(out, little, PIXEL_DATA, "OB", UNDEFINED)
        table = b"" if made.extended else pack(f"<{len(made.lengths)}L", *made.offsets())
        write_header(out, little, ITEM, "", len(table))
        out.write(table)
        for length in made.lengths:
            write_header(out, little, ITEM, "", length)
            while length and (piece := self._frames.read(min(length, _PIECE))):
                out.write(piece)
                length -= len(piece)
        write_header(out, little, SEQUENCE_END, "", 0)
