"""Frames as pictures that anybody can show: grey scale applied, colour as RGB (PS3.18 8.3.5, 10.4.1.1.3)."""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np
from PIL import Image as Pillow
from pydicom.pixels.processing import _expand_segmented_lut

from vna.model.errors import BadRequest, Damaged, NotAcceptable
from vna.model.transfer_syntaxes import TRANSFER_SYNTAXES
from vna.pixels.annotation import Annotation, annotated
from vna.pixels.frame import decoded_frames
from vna.pixels.gif import animated
from vna.pixels.header import Bulk, Header, Json, image_of_header, is_float, no_bulk
from vna.pixels.image import Image, decoded_image, interleaved, samples_of
from vna.pixels.presentation import Presentation, presentation_of
from vna.pixels.profile import ColourSpace, profiled
from vna.pixels.viewport import Shown, Viewport, fitted, placed
from vna.pixels.windowing import (
    Modality,
    Table,
    Values,
    Voi,
    VoiFunction,
    Window,
    automatic,
    modality_of,
    table_from,
    vois_of,
)

JPEG: Final = "image/jpeg"
PNG: Final = "image/png"
GIF: Final = "image/gif"
MEDIA_TYPES: Final = (JPEG, PNG, GIF)

_GREY: Final = ("MONOCHROME1", "MONOCHROME2")
_TABLE_BITS: Final = 16
_DEFAULT_DELAY: Final = 100.0
_PNG_LEVEL: Final = 3


@dataclass(frozen=True, slots=True)
class RenderRules:
    """What is asked of a picture. Of grey scale the first that is there counts: `window`, `preset` (the explanation of
    a stored window or VOI LUT), `automatic_window`, the presentation state, what the image stores; else automatic.

    `presentation` is the header of a presentation state, with its own bulk; `quality` (1 to 100) is JPEG's.
    `annotations` are burned in, and `colour_space` says which ICC profile goes along.
    """

    window: Window | None = None
    preset: str = ""
    automatic_window: bool = False
    viewport: Viewport | None = None
    quality: int = 90
    presentation: Header | None = None
    annotations: frozenset[Annotation] = frozenset()
    colour_space: ColourSpace = ColourSpace.NONE

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise BadRequest("quality goes from 1 to 100")


DEFAULT: Final = RenderRules()
THUMBNAIL: Final = Viewport(128, 128)


def thumbnail_rules(viewport: Viewport = THUMBNAIL) -> RenderRules:
    """A picture to find something by."""
    return RenderRules(viewport=viewport, quality=80)


def render(
    header: Json,
    transfer_syntax_uid: str,
    frames: Iterable[bytes],
    rules: RenderRules = DEFAULT,
    media_type: str = JPEG,
    *,
    numbers: Iterable[int] = (),
    bulk: Bulk = no_bulk,
) -> bytes:
    """One file out of frames; see `render_pieces`."""
    pieces = render_pieces(header, transfer_syntax_uid, frames, rules, media_type, numbers=numbers, bulk=bulk)
    return b"".join(pieces)


def render_pieces(
    header: Json,
    transfer_syntax_uid: str,
    frames: Iterable[bytes],
    rules: RenderRules = DEFAULT,
    media_type: str = JPEG,
    *,
    numbers: Iterable[int] = (),
    bulk: Bulk = no_bulk,
) -> Iterator[bytes]:
    """Frames as stored, native ones in little endian, into one file: the first, or for GIF all of them, a piece each.

    `numbers` are those of the frames, from 1 on without them; `bulk` gives the look-up tables that the header leaves
    out. Frames are taken one at a time. NotAcceptable: no pixels, or none that can be shown; BadRequest: rules that
    do not fit; Damaged: damaged.
    """
    if media_type not in MEDIA_TYPES:
        raise NotAcceptable(f"images are rendered as {', '.join(MEDIA_TYPES)}")
    read = Header(header, bulk)
    pictures = _pictures(read, transfer_syntax_uid, frames, rules, list(numbers))
    if media_type == GIF:
        if rules.colour_space is not ColourSpace.NONE:
            raise BadRequest("iccprofile: a GIF holds no profile")
        yield from animated(pictures, milliseconds=_delay(read))
        return
    try:
        picture = next(pictures)
    except StopIteration as exc:
        raise BadRequest("no frame to render") from exc
    out = io.BytesIO()
    picture, profile = profiled(picture, read, rules.colour_space)
    if media_type == JPEG:
        picture.save(out, "JPEG", quality=rules.quality, icc_profile=profile)
    else:
        picture.save(out, "PNG", compress_level=_PNG_LEVEL, icc_profile=profile)
    yield out.getvalue()


def _delay(header: Header) -> float:
    """Milliseconds from frame to frame."""
    if (time := header.number("00181063")) and time > 0:
        return time
    rate = header.number("00082144") or header.number("00180040")
    return 1000.0 / rate if rate and rate > 0 else _DEFAULT_DELAY


def _pictures(
    header: Header, syntax_uid: str, frames: Iterable[bytes], rules: RenderRules, numbers: list[int]
) -> Iterator[Pillow.Image]:
    syntax = TRANSFER_SYNTAXES.get(syntax_uid)
    if syntax is None or not syntax.can_decode:
        raise NotAcceptable("pixels in the stored transfer syntax are not decoded")
    stored = image_of_header(header)
    image = decoded_image(stored, syntax_uid)
    _check_shown(image)
    renderer = _Renderer(header, image, rules)
    decoded = decoded_frames(stored, syntax_uid, frames, numbers)
    for number, frame in zip(numbers or count(1), decoded, strict=False):
        native = frame if syntax.encapsulated or image.bits_allocated == 1 else interleaved(frame, stored)
        yield renderer.picture(native, number)


def _check_shown(image: Image) -> None:
    photometric, samples = image.photometric_interpretation, image.samples_per_pixel
    if photometric in (*_GREY, "PALETTE COLOR") and samples == 1:
        return
    if photometric in ("RGB", "YBR_FULL") and samples == 3 and image.bits_allocated in (8, 16, 32):
        return
    raise NotAcceptable(f"pixels of {samples} samples that are {photometric or 'undescribed'} cannot be rendered")


class _Renderer:
    """Pictures of one instance: what its frames share is worked out once."""

    def __init__(self, header: Header, image: Image, rules: RenderRules) -> None:
        self._header = header
        self._image = image
        self._rules = rules
        self._signed = bool(image.pixel_representation)
        self._float = is_float(header)
        self._automatic: Window | None = None
        self._palette: Table | None = None
        self._aspect = _aspect(header)

    def picture(self, frame: bytes, number: int) -> Pillow.Image:
        """One frame."""
        presentation = self._presentation(number)
        samples = self._samples(frame)
        reduced = 1 if presentation else self._reducible()
        samples = samples[::reduced, ::reduced]
        shown = presentation.shown if presentation else Shown()
        picture = placed(self._coloured(samples, number, presentation), shown)
        aspect = 1 / self._aspect if shown.rotation % 180 == 90 else self._aspect
        picture = fitted(picture, self._rules.viewport, aspect=aspect, reduced=reduced)
        return annotated(picture, self._header, self._rules.annotations) if self._rules.annotations else picture

    def _presentation(self, number: int) -> Presentation | None:
        if self._rules.presentation is None:
            return None
        uid = self._header.text("00080018")
        return presentation_of(self._rules.presentation, uid, frame=number, signed=self._signed)

    def _reducible(self) -> int:
        """Every how many rows and columns are enough for a much smaller picture."""
        viewport = self._rules.viewport
        if viewport is None:
            return 1
        left, top, right, bottom = viewport.box(self._image.columns, self._image.rows)
        return max(1, int(max((right - left) / viewport.width, (bottom - top) / viewport.height) // 2))

    def _samples(self, frame: bytes) -> Values:
        image = self._image
        if image.bits_allocated == 1:
            bits = np.unpackbits(np.frombuffer(frame, "u1"), bitorder="little")
            return bits[: image.rows * image.columns].reshape(image.rows, image.columns)
        if self._float:
            return np.frombuffer(frame, f"<f{image.bits_allocated // 8}").reshape(image.rows, image.columns)
        if image.bits_allocated == 64:
            raise NotAcceptable("whole numbers of 64 bits cannot be rendered")
        samples = samples_of(frame, image)
        shift = image.bits_allocated - image.bits_stored
        return (samples << shift) >> shift if shift else samples

    def _coloured(self, samples: Values, number: int, presentation: Presentation | None) -> Pillow.Image:
        photometric = self._image.photometric_interpretation
        if photometric == "PALETTE COLOR":
            if self._palette is None:
                self._palette = _palette(self._header, self._image)
            return Pillow.fromarray(self._palette.look_up(samples))
        if photometric in _GREY:
            return Pillow.fromarray(self._grey(samples, number, presentation))
        if self._image.bits_stored > 8:
            samples = samples >> (self._image.bits_stored - 8)
        colour = np.ascontiguousarray(samples.astype("u1"))
        if photometric == "YBR_FULL":
            return Pillow.fromarray(colour, "YCbCr").convert("RGB")
        return Pillow.fromarray(colour)

    def _grey(self, samples: Values, number: int, presentation: Presentation | None) -> Values:
        shared, own = self._header.item("52009229"), self._header.item("52009230", number - 1)
        if presentation and presentation.modality:
            modality = presentation.modality
        else:
            transformations = (groups.item("00289145") for groups in (own, shared))
            modality = modality_of(*transformations, self._header, signed=self._signed)
        stored_vois: list[Voi] = []
        for groups in (own.item("00289132"), shared.item("00289132"), self._header):
            stored_vois = stored_vois or vois_of(groups, signed=self._signed and modality.slope > 0)
        voi = self._voi(samples, modality, stored_vois, presentation)
        inverse = presentation.inverse if presentation else self._image.photometric_interpretation == "MONOCHROME1"

        def grey(stored: Values) -> Values:
            shade = voi.grey(modality.values(stored))
            if presentation and presentation.table:
                table = presentation.table
                shade = table.grey(shade * (len(table.entries) - 1) + table.first)
            return np.rint((1.0 - shade if inverse else shade) * 255.0).astype("u1")

        if samples.dtype.kind == "f" or self._image.bits_stored > _TABLE_BITS:
            return grey(np.nan_to_num(samples.astype("f8")) if samples.dtype.kind == "f" else samples)
        return _by_table(samples, grey, self._image.bits_stored, signed=self._signed)

    def _voi(self, samples: Values, modality: Modality, stored: list[Voi], presentation: Presentation | None) -> Voi:
        rules = self._rules
        if rules.window:
            return rules.window
        if rules.preset:
            for voi in stored:
                if voi.explanation.casefold() == rules.preset.casefold():
                    return voi
            raise BadRequest("the image stores no window by that name")
        if rules.automatic_window:
            return self._automatic_window(samples, modality)
        if presentation and presentation.voi:
            return presentation.voi
        if stored:
            return stored[0]
        return self._whole_range(modality) or self._automatic_window(samples, modality)

    def _whole_range(self, modality: Modality) -> Window | None:
        """Of bytes and bits: they are meant as they are; so is a Modality LUT."""
        if self._image.bits_stored > 8 or self._float or self._header.text("00080060") == "SEG":
            return None
        lowest = -(1 << self._image.bits_stored - 1) if self._signed else 0
        ends = modality.values(np.asarray([lowest, lowest + (1 << self._image.bits_stored) - 1]))
        if modality.table is not None:
            ends = np.asarray([modality.table.entries.min(), modality.table.entries.max()], "f8")
        low, high = float(ends.min()), float(ends.max())
        return Window((low + high) / 2, high - low, VoiFunction.LINEAR_EXACT) if high > low else None

    def _automatic_window(self, samples: Values, modality: Modality) -> Window:
        """Of the first frame, for all: an animation does not flicker."""
        if self._automatic is None:
            padding, limit = self._header.number("00280120"), self._header.number("00280121")
            if padding is not None:
                low, high = sorted((padding, padding if limit is None else limit))
                kept = samples[(samples < low) | (samples > high)]
                samples = kept if kept.size else samples
            self._automatic = automatic(modality.values(samples))
        return self._automatic


def _by_table(samples: Values, grey: Callable[[Values], Values], bits: int, *, signed: bool) -> Values:
    """Every value that there can be is looked at once, and not every pixel."""
    lowest = -(1 << bits - 1) if signed else 0
    if samples.size < 1 << bits:
        return grey(samples)
    table = grey(np.arange(lowest, lowest + (1 << bits)))
    return np.asarray(table[samples.astype(np.int32) - lowest] if lowest else table[samples])


def _palette(header: Header, image: Image) -> Table:
    """Entries of red, green and blue (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6)."""
    channels = []
    for colour in ("1", "2", "3"):
        if f"0028122{colour}" in header:
            channels.append(_segmented(header, f"0028110{colour}", f"0028122{colour}"))
            continue
        signed = bool(image.pixel_representation)
        table = table_from(header, f"0028110{colour}", f"0028120{colour}", signed=signed)
        if table is None:
            raise Damaged("the palette is missing or malformed")
        channels.append(_as_bytes(table.entries, table.bits))
    shortest = min(len(channel) for channel in channels)
    descriptor = header.numbers("00281101")
    first = int(descriptor[1]) if len(descriptor) == 3 else 0
    if image.pixel_representation and first >= 1 << 15:
        first -= 1 << 16
    return Table(first, 8, np.stack([channel[:shortest] for channel in channels], axis=1))


def _segmented(header: Header, descriptor: str, segments: str) -> Values:
    numbers = header.numbers(descriptor)
    bits = int(numbers[2]) if len(numbers) == 3 else 16
    words = header.words(segments)
    words = words.view("u1") if bits <= 8 and words.itemsize == 2 else words
    try:
        entries = _expand_segmented_lut(tuple(int(word) for word in words), "B" if bits <= 8 else "H")
    except Exception as exc:
        raise Damaged("the segmented palette is malformed") from exc
    return _as_bytes(np.asarray(entries[: 1 << 16], "<u2"), bits)


def _as_bytes(entries: Values, bits: int) -> Values:
    if bits > 8:
        entries = entries >> (bits - 8)
    elif len(entries) and int(entries.max()) > 255:  # bytes kept as the high ones of words
        entries = entries >> 8
    return entries.astype("u1")


def _aspect(header: Header) -> float:
    """Height of a pixel by its width; 1 where nothing, or nonsense, is said (PS3.3 C.7.6.3.1.7)."""
    spacing = header.numbers("00280034")
    for tag in ("00280030", "00181164"):
        spacing = spacing if len(spacing) == 2 else header.numbers(tag)
    for groups in ("52009230", "52009229"):
        spacing = spacing if len(spacing) == 2 else header.item(groups).item("00289110").numbers("00280030")
    if len(spacing) != 2 or min(spacing) <= 0:
        return 1.0
    aspect = spacing[0] / spacing[1]
    return aspect if 1 / 16 <= aspect <= 16 and abs(aspect - 1) > 0.005 else 1.0
