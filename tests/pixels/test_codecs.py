"""Codec processes: damaged frames cost a process, never ours."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from tests.peers import samples
from vna.model.errors import CannotUnderstand, Unavailable
from vna.model.transfer_syntaxes import EXPLICIT_LE, JPEG_BASELINE, RLE
from vna.pixels import codecs
from vna.pixels.codecs import Codec, Codecs
from vna.pixels.image import Image
from vna.pixels.transcode import transcode

from .objects import ramp, rle

IMAGE = Image(16, 16, 1, 16, 16, 0, "MONOCHROME2")
FRAME = rle(ramp(1, 16, 16)[0])
DECODED = ramp(1, 16, 16).tobytes()


@pytest.fixture
def pool() -> Iterator[Codecs]:
    made = Codecs(2)
    yield made
    made.close()


def deadly_file() -> bytes:
    """A JPEG that makes GDCM end its process, by one wrong byte in its Huffman tables."""
    (path,) = (path for path in samples.pydicom_files() if path.name == "SC_rgb_small_odd_jpeg.dcm")
    content = bytearray(path.read_bytes())
    (frame,) = generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1)
    content[content.index(frame) + 177] = 81
    return bytes(content)


def pid(codec: Codec) -> int:
    return codec._process.pid


def test_a_frame_that_kills_its_codec_is_damaged_and_nothing_else_happens() -> None:
    for _ in range(3):
        with pytest.raises(CannotUnderstand, match="does not survive"):
            transcode(io.BytesIO(deadly_file()), EXPLICIT_LE)
    (path,) = (path for path in samples.pydicom_files() if path.name == "SC_rgb_small_odd_jpeg.dcm")
    with path.open("rb") as source:
        transcode(source, EXPLICIT_LE).close()


def test_a_codec_is_used_again(pool: Codecs) -> None:
    with pool.one() as first:
        assert first.decode(FRAME, IMAGE, RLE) == DECODED
        number = pid(first)
    with pool.one() as second:
        assert second.decode(FRAME, IMAGE, RLE) == DECODED
        assert pid(second) == number


def test_after_a_frame_that_cannot_be_decoded_the_codec_goes_on(pool: Codecs) -> None:
    with pool.one() as codec:
        with pytest.raises(CannotUnderstand, match="cannot be decoded"):
            codec.decode(b"\x01" * 100, IMAGE, RLE)
        assert codec.decode(FRAME, IMAGE, RLE) == DECODED


def test_a_codec_that_died_is_replaced(pool: Codecs) -> None:
    with pool.one() as codec:
        number = pid(codec)
        os.kill(number, signal.SIGKILL)
        with pytest.raises(CannotUnderstand):
            codec.decode(FRAME, IMAGE, RLE)
    with pool.one() as codec:
        assert pid(codec) != number
        assert codec.decode(FRAME, IMAGE, RLE) == DECODED


def test_a_codec_that_takes_too_long_is_ended(pool: Codecs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "SECONDS_PER_FRAME", 0.2)
    with pool.one() as codec:
        os.kill(pid(codec), signal.SIGSTOP)
        with pytest.raises(CannotUnderstand, match="too long"):
            codec.decode(FRAME, IMAGE, RLE)
        assert not codec.usable


def test_a_codec_that_reads_no_more_is_ended_too(pool: Codecs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "SECONDS_PER_FRAME", 0.2)
    with pool.one() as codec:
        os.kill(pid(codec), signal.SIGSTOP)
        with pytest.raises(CannotUnderstand, match="too long"):
            codec.decode(bytes(10 << 20), IMAGE, RLE)  # more than a pipe holds
        assert not codec.usable


def test_no_more_threads_wait_for_a_codec_than_may(pool: Codecs) -> None:
    pool.bound(2)
    with pool.one(), pool.one(), pytest.raises(Unavailable, match="ask again"), pool.one():
        pass
    with pool.one() as codec:
        assert codec.usable


def test_two_objects_are_decoded_in_two_processes(pool: Codecs) -> None:
    with pool.one() as first, pool.one() as second:
        assert pid(first) != pid(second)


def test_a_forked_process_leaves_its_parents_codecs_alone(pool: Codecs, monkeypatch: pytest.MonkeyPatch) -> None:
    with pool.one() as codec:
        parents = pid(codec)
        assert codec.usable
    monkeypatch.setattr(pool, "_pid", -1)
    with pool.one() as codec:
        assert pid(codec) != parents
    assert os.waitpid(parents, 0)[1] == 0  # without anybody at its pipes it has ended in order


def test_samples_are_little_endian_and_by_pixel(pool: Codecs) -> None:
    pixels = np.random.default_rng(2).integers(0, 65535, (5, 7, 3), "<u2")
    colour = Image(5, 7, 3, 16, 16, 0, "RGB", 1)
    with pool.one() as codec:
        assert codec.decode(rle(pixels), colour, RLE) == pixels.tobytes()


def test_a_frame_of_another_size_is_refused(pool: Codecs) -> None:
    with pool.one() as codec, pytest.raises(CannotUnderstand):
        codec.decode(FRAME, Image(16, 17, 1, 16, 16, 0, "MONOCHROME2"), RLE)


def test_a_frame_that_is_nothing_is_refused(pool: Codecs) -> None:
    with pool.one() as codec, pytest.raises(CannotUnderstand):
        codec.decode(b"", Image(16, 16, 3, 8, 8, 0, "YBR_FULL_422"), JPEG_BASELINE)
