"""Encapsulated pixel data as native pixel data, and the attributes that describe it (PS3.5 A.4, PS3.3 C.7.6.3)."""

from collections.abc import Iterator
from typing import BinaryIO

from vna.model.errors import Damaged, NotAcceptable
from vna.model.transfer_syntaxes import ENCAPSULATED_UNCOMPRESSED
from vna.pixels import value_representations as vrs
from vna.pixels.codecs import CODECS
from vna.pixels.elements import PIXEL_DATA, UNDEFINED, Encoding, Header, Source, write_header
from vna.pixels.encapsulation import Fragments
from vna.pixels.image import Image, native_photometric
from vna.pixels.recode import swapped


class Decompressed:
    """Encapsulated pixel data as native pixel data, a frame at a time; icons inside sequences too."""

    def __init__(self, stream: BinaryIO, syntax_uid: str) -> None:
        self._stream = stream
        self._syntax_uid = syntax_uid

    def described(self, tag: int, value: bytes, around: vrs.Surroundings) -> bytes:
        """The value that is true of the decoded pixels."""
        if tag == vrs.PLANAR_CONFIGURATION:
            return b"\0\0"
        if tag != vrs.PHOTOMETRIC_INTERPRETATION:
            return value
        text = around.texts[tag]
        native = self._photometric(around)
        return value if native == text else (native + " " * (len(native) % 2)).encode("ascii")

    def _photometric(self, around: vrs.Surroundings) -> str:
        text = around.texts.get(vrs.PHOTOMETRIC_INTERPRETATION, "")
        return native_photometric(self._syntax_uid, text, around.numbers.get(vrs.SAMPLES_PER_PIXEL, 1))

    def write_native(
        self, source: Source, header: Header, out: BinaryIO, encoding: Encoding, around: vrs.Surroundings
    ) -> bool:
        """Pixel data that is native already goes as it is, and must not have been described anew."""
        del source, header, out, encoding
        planar = around.numbers.get(vrs.PLANAR_CONFIGURATION, 0)
        if planar or self._photometric(around) != around.texts.get(vrs.PHOTOMETRIC_INTERPRETATION, ""):
            raise Damaged("pixel data is native in a transfer syntax that encapsulates it")
        return False

    def write(self, source: Source, out: BinaryIO, encoding: Encoding, around: vrs.Surroundings) -> None:
        """Write the pixel data element with the decoded frames."""
        image = image_of(around)
        if image.frame_bits % 8:
            raise Damaged("frames that end inside a byte cannot be encapsulated")
        length = image.frame_bytes * image.number_of_frames
        if length >= UNDEFINED:
            raise NotAcceptable("without compression the pixel data would be longer than an element can be")
        vr = "OW" if image.bits_allocated > 8 else "OB"
        swap = 1 if encoding.little else vrs.SWAPPED_UNITS.get(vr, 1)
        write_header(out, encoding, PIXEL_DATA, vr, length + length % 2)
        frames = Fragments(self._stream, source).frames(image.number_of_frames)
        for decoded in self._decoded(frames, image):  # noqa: FURB122 - writelines() would fill memory before it spools
            out.write(swapped(decoded, swap))
        out.write(b"\0" * (length % 2))

    def _decoded(self, frames: Iterator[bytes], image: Image) -> Iterator[bytes]:
        if self._syntax_uid == ENCAPSULATED_UNCOMPRESSED:
            for frame in frames:
                if len(frame) < image.frame_bytes:
                    raise Damaged("a frame is shorter than rows and columns say")
                yield frame[: image.frame_bytes]
            return
        for frame in frames:
            with CODECS.one() as codec:
                decoded = codec.decode(frame, image, self._syntax_uid)
            yield decoded


def image_of(around: vrs.Surroundings) -> Image:
    """What the elements of group 0028 read so far say; Damaged when they make no image."""
    numbers, texts = around.numbers, around.texts
    try:
        image = Image(
            rows=numbers[vrs.ROWS],
            columns=numbers[vrs.COLUMNS],
            samples_per_pixel=numbers.get(vrs.SAMPLES_PER_PIXEL, 1),
            bits_allocated=numbers[vrs.BITS_ALLOCATED],
            bits_stored=numbers.get(vrs.BITS_STORED, numbers[vrs.BITS_ALLOCATED]),
            pixel_representation=numbers.get(vrs.PIXEL_REPRESENTATION, 0),
            photometric_interpretation=texts[vrs.PHOTOMETRIC_INTERPRETATION],
            planar_configuration=numbers.get(vrs.PLANAR_CONFIGURATION, 0),
            number_of_frames=int(texts.get(vrs.NUMBER_OF_FRAMES) or 1),
        )
    except (KeyError, ValueError) as exc:
        raise Damaged("the attributes that describe the pixel data are missing or malformed") from exc
    image.check()
    if "PARTIAL" in image.photometric_interpretation:
        raise NotAcceptable("subsampled colour cannot be given without compression")
    return image
