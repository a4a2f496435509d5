"""Pictures: every sample or why not, grey scale against pydicom's, places by hand-made images of 4 x 4."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut, apply_windowing
from pydicom.sequence import Sequence

from tests.peers import samples
from vna.model import transfer_syntaxes as ts
from vna.model.errors import BadRequest, CannotUnderstand, NotAcceptable, VnaError
from vna.pixels.header import Header
from vna.pixels.render import GIF, JPEG, PNG, RenderRules, render, thumbnail_rules
from vna.pixels.viewport import Viewport
from vna.pixels.windowing import VoiFunction, Window

from .objects import compressed, encoded, image, ramp, rle
from .stored import Stored, stored

Pixels = np.ndarray[Any, Any]

PIXEL_TAGS = ("7FE00010", "7FE00008", "7FE00009")
NOT_RENDERED = {
    "JPEG2000-embedded-sequence-delimiter.dcm": "size that rows and columns say",
    "made__made_video_h264.dcm": "not decoded",
    "meta_missing_tsyntax.dcm": "make no frames",  # has no rows
    "nested_priv_SQ.dcm": "make no frames",  # has no rows
}


def kept(ds: Dataset) -> Stored:
    return stored(encoded(ds, ts.EXPLICIT_LE))


def shown(source: Stored, rules: RenderRules = RenderRules(), media_type: str = PNG) -> Pixels:  # noqa: B008
    made = render(source.header, source.syntax_uid, source.frames, rules, media_type, bulk=source.bulk)
    return np.asarray(Pillow.open(io.BytesIO(made)))


def test_every_sample_is_rendered_or_refused_for_a_reason() -> None:
    rendered = 0
    for path in samples.all_files():
        try:
            source = stored(path.read_bytes())
        except VnaError:
            continue
        if not any(tag in source.header for tag in PIXEL_TAGS):
            continue
        if reason := NOT_RENDERED.get(path.name):
            with pytest.raises(VnaError, match=reason):
                shown(source)
            continue
        picture = render(source.header, source.syntax_uid, source.frames[:1], media_type=PNG, bulk=source.bulk)
        assert picture.startswith(b"\x89PNG"), path.name
        rendered += 1
    assert rendered > 80


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("kind", ["<u2", "<i2", "u1", "i1"])
@pytest.mark.claim("PS3.3-C.11.2.1")
def test_windows_are_applied_as_pydicom_applies_them(kind: str, function: str) -> None:
    pixels = ramp(1, 40, 60, kind)
    ds = image(pixels, RescaleSlope=2, RescaleIntercept=-100)
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = 60, 150, function
    values = apply_windowing(apply_modality_lut(pixels[0], ds), ds)
    bits, signed = ds.BitsStored, ds.PixelRepresentation
    ends = np.asarray([-(1 << bits - 1) if signed else 0, (1 << bits - signed) - 1]) * 2.0 - 100
    expected = (values - ends[0]) / (ends[1] - ends[0]) * 255
    assert np.abs(shown(kept(ds)) - expected).max() <= 0.51


def test_a_voi_lut_is_applied_as_pydicom_applies_it() -> None:
    item = Dataset()
    item.LUTDescriptor, item.LUTExplanation = [200, 50, 16], "Bone"
    item.add_new(0x00283006, "OW", (np.arange(200) ** 2).astype("<u2").tobytes())
    ds = image(ramp(1, 40, 60), VOILUTSequence=Sequence([item]))
    source = kept(ds)  # and the file meta information that pydicom asks for
    expected = apply_voi_lut(ramp(1, 40, 60)[0], ds) / 65535 * 255
    assert np.abs(shown(source) - expected).max() <= 0.51
    assert np.array_equal(shown(source, RenderRules(preset="bone")), shown(source))


def test_a_table_that_the_header_leaves_out_is_asked_for() -> None:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 16]
    item.add_new(0x00283006, "OW", (np.arange(4096) * 16).astype("<u2").tobytes())
    source = kept(image(ramp(1, 40, 60), ModalityLUTSequence=Sequence([item]), WindowCenter=32768, WindowWidth=65536))
    with pytest.raises(CannotUnderstand):
        render(source.header, source.syntax_uid, source.frames)
    values = {uri: source.content[at : at + size] for uri, (at, size) in source.scanned.bulk.items()}
    made = render(source.header, source.syntax_uid, source.frames, media_type=PNG, bulk=values.__getitem__)
    expected = ramp(1, 40, 60)[0] * 16 / 65535 * 255
    assert np.abs(np.asarray(Pillow.open(io.BytesIO(made))) - expected).max() <= 1


def test_the_named_window_is_taken_and_an_unknown_name_refused() -> None:
    names: dict[str, Any] = {
        "WindowCenter": [50, 500],
        "WindowWidth": [100, 200],
        "WindowCenterWidthExplanation": ["SOFT", "BONE"],
    }
    source = kept(image(ramp(1, 40, 60), **names))
    assert np.array_equal(
        shown(source, RenderRules(preset="BONE")), shown(source, RenderRules(window=Window(500, 200)))
    )
    assert np.array_equal(shown(source), shown(source, RenderRules(window=Window(50, 100))))
    with pytest.raises(BadRequest, match="no window by that name"):
        shown(source, RenderRules(preset="LUNG"))


@pytest.mark.parametrize(
    ("width", "function"), [(0.5, VoiFunction.LINEAR), (0, VoiFunction.SIGMOID), (-1, VoiFunction.LINEAR_EXACT)]
)
def test_a_window_without_width_is_refused(width: float, function: VoiFunction) -> None:
    with pytest.raises(BadRequest, match="wide"):
        Window(0, width, function)


def test_without_a_stored_window_most_values_use_the_whole_range_of_grey() -> None:
    pixels = ramp(1, 100, 100)
    pixels[0, 0, 0] = 65535
    made = shown(kept(image(pixels)))
    assert made.min() == 0
    assert np.median(made) > 100


def test_padding_has_no_say_in_an_automatic_window() -> None:
    pixels = ramp(1, 40, 40) + 1000
    padded = pixels.copy()
    padded[0, :20] = 65000
    made = shown(kept(image(padded, PixelPaddingValue=65000)))
    assert made[25].max() - made[25].min() > 50


def test_bytes_without_a_window_are_shown_as_they_are() -> None:
    pixels = ramp(1, 16, 16, "u1")
    assert np.array_equal(shown(kept(image(pixels))), pixels[0])
    assert np.array_equal(shown(kept(image(pixels, "MONOCHROME1"))), 255 - pixels[0])


def test_single_bits_are_black_and_white_in_every_frame() -> None:
    pixels = np.random.default_rng(0).integers(0, 2, (3, 3, 5), "u1")
    ds = image(pixels, BitsAllocated=1, BitsStored=1, HighBit=0)
    ds.PixelData = np.packbits(pixels.reshape(-1), bitorder="little").tobytes() + b""
    source = kept(ds)
    for number in (1, 2, 3):
        made = render(source.header, source.syntax_uid, [source.frames[number - 1]], media_type=PNG, numbers=[number])
        assert np.array_equal(np.asarray(Pillow.open(io.BytesIO(made))), pixels[number - 1] * 255)


@pytest.mark.parametrize(("keyword", "kind"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
def test_floating_point_pixels_are_rendered(keyword: str, kind: str) -> None:
    ds = image(ramp(1, 20, 20))
    del ds.PixelData
    setattr(ds, keyword, np.linspace(-1, 1, 400).astype(kind).tobytes())
    ds.BitsAllocated = int(kind[-1]) * 8
    made = shown(kept(ds), RenderRules(window=Window(0, 2, VoiFunction.LINEAR_EXACT)))
    assert np.abs(made.reshape(-1) - np.linspace(0, 255, 400)).max() <= 1


def test_palette_colour_becomes_the_colours_of_the_palette() -> None:
    pixels = np.arange(16, dtype="u1").reshape(1, 4, 4)
    ds = image(pixels, "PALETTE COLOR")
    for colour, factor in (("Red", 1), ("Green", 2), ("Blue", 16)):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [16, 0, 16])
        data = (np.arange(16) * factor * 256).astype("<u2").tobytes()
        setattr(ds, f"{colour}PaletteColorLookupTableData", data)
    made = shown(kept(ds))
    assert np.array_equal(made.reshape(-1, 3), np.arange(16)[:, None] * [1, 2, 16])


@pytest.mark.parametrize("planar", [0, 1])
def test_colour_is_shown_as_rgb_whatever_it_is_kept_as(planar: int) -> None:
    rgb = np.random.default_rng(3).integers(0, 256, (1, 6, 8, 3), "u1")
    ds = image(rgb, "RGB", PlanarConfiguration=planar)
    ds.PixelData = (np.moveaxis(rgb, 3, 1) if planar else rgb).tobytes()
    assert np.array_equal(shown(kept(ds)), rgb[0])
    ybr = np.asarray(Pillow.fromarray(rgb[0]).convert("YCbCr"))[None]
    assert np.abs(shown(kept(image(ybr, "YBR_FULL"))).astype(int) - rgb[0]).max() <= 3


FOUR = np.arange(16, dtype="u1").reshape(1, 4, 4) * 10


@pytest.mark.parametrize(
    ("viewport", "expected"),
    [
        (Viewport(4, 4), FOUR[0]),
        (Viewport(2, 2, 0, 0, 2, 2), FOUR[0, :2, :2]),
        (Viewport(2, 2, 2, 1, 2, 2), FOUR[0, 1:3, 2:]),
        (Viewport(2, 3, 2, 1), FOUR[0, 1:, 2:]),
        (Viewport(4, 4, 0, 0, -4, 4), FOUR[0, :, ::-1]),
        (Viewport(4, 4, 0, 0, 4, -4), FOUR[0, ::-1]),
        (Viewport(2, 2, 1, 1, -2, -2), FOUR[0, 2:0:-1, 2:0:-1]),
        (Viewport(1, 4, 3, 0, 9, 4), FOUR[0, :, 3:]),
    ],
)
@pytest.mark.claim("PS3.18-8.3.5.1.3")
def test_the_region_of_a_viewport_is_shown(viewport: Viewport, expected: Pixels) -> None:
    assert np.array_equal(shown(kept(image(FOUR)), RenderRules(viewport=viewport)), expected)


@pytest.mark.parametrize(
    ("viewport", "size"), [(Viewport(40, 40), (20, 40)), (Viewport(10, 200), (10, 20)), (Viewport(3, 1), (1, 1))]
)
def test_a_picture_fits_into_its_viewport_and_keeps_its_shape(viewport: Viewport, size: tuple[int, int]) -> None:
    made = shown(kept(image(ramp(1, 60, 30, "u1"))), RenderRules(viewport=viewport))
    assert made.shape[::-1] == size


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Viewport(0, 10),
        lambda: Viewport(100_000, 100_000),
        lambda: Viewport(4, 4, 0, 0, 0, 4),
        lambda: RenderRules(quality=0),
        lambda: RenderRules(quality=101),
        lambda: shown(kept(image(FOUR)), RenderRules(viewport=Viewport(4, 4, 4, 0))),
    ],
)
def test_rules_that_make_no_picture_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(BadRequest):
        wrong()


def test_pixels_that_are_not_square_make_a_picture_that_is_right() -> None:
    assert shown(kept(image(FOUR, PixelAspectRatio=["2", "1"]))).shape == (8, 4)
    assert shown(kept(image(FOUR, PixelSpacing=["1", "3"]))).shape == (4, 12)
    assert shown(kept(image(FOUR, PixelSpacing=["0.5", "0.5"]))).shape == (4, 4)


def test_lower_quality_is_smaller_and_a_jpeg_says_nothing_about_the_patient() -> None:
    source = kept(image(np.random.default_rng(0).integers(0, 256, (1, 200, 200), "u1")))
    best, worst = (
        render(source.header, source.syntax_uid, source.frames, RenderRules(quality=quality)) for quality in (100, 5)
    )
    assert len(worst) < len(best) / 4
    assert b"Deneme" not in best
    assert not Pillow.open(io.BytesIO(best)).getexif()


def test_several_frames_are_an_animation_at_their_own_pace() -> None:
    pixels = ramp(5, 20, 20, "u1")
    source = kept(image(pixels, FrameTime="40"))
    made = Pillow.open(io.BytesIO(render(source.header, source.syntax_uid, source.frames, media_type=GIF)))
    assert (getattr(made, "n_frames", 1), made.info["duration"]) == (5, 40)
    for number in range(5):
        made.seek(number)
        assert np.array_equal(np.asarray(made.convert("L")), pixels[number])


def test_an_animation_in_colour_keeps_the_palette_of_each_frame() -> None:
    pixels = np.zeros((2, 20, 20, 3), "u1")
    pixels[0, :, :, 0] = pixels[1, :, :, 2] = 255
    source = kept(image(pixels, "RGB"))
    made = Pillow.open(io.BytesIO(render(source.header, source.syntax_uid, source.frames, media_type=GIF)))
    for number in range(2):
        made.seek(number)
        assert np.array_equal(np.asarray(made.convert("RGB")), pixels[number])


def test_memory_does_not_grow_with_the_number_of_frames_of_an_animation() -> None:
    source = kept(image(np.zeros((1, 256, 256), "<u2"), WindowCenter=50, WindowWidth=100))
    tracemalloc.start()
    try:
        render(source.header, source.syntax_uid, (source.frames[0] for _ in range(200)), media_type=GIF)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20  # of 13 MB of pictures


def test_a_thumbnail_is_small_and_shows_the_whole() -> None:
    made = shown(kept(image(ramp(1, 1000, 2000, "<u2"))), thumbnail_rules(Viewport(100, 100)))
    assert made.shape == (50, 100)
    assert made[0, 0] < 10 < 240 < made[-1, -1]


def test_frames_of_an_enhanced_image_have_windows_of_their_own() -> None:
    groups = []
    for center in (10, 200):
        item, window, transformation = Dataset(), Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = center, 2
        transformation.RescaleSlope, transformation.RescaleIntercept, transformation.RescaleType = 2, 0, "US"
        item.FrameVOILUTSequence = Sequence([window])
        item.PixelValueTransformationSequence = Sequence([transformation])
        groups.append(item)
    source = kept(image(np.full((2, 4, 4), 50, "<u2"), PerFrameFunctionalGroupsSequence=Sequence(groups)))
    greys = [
        np.asarray(
            Pillow.open(io.BytesIO(render(source.header, source.syntax_uid, [frame], media_type=PNG, numbers=[number])))
        ).max()
        for number, frame in enumerate(source.frames, 1)
    ]
    assert greys == [255, 0]


def state(**attributes: Any) -> Header:
    """The header of a presentation state."""
    ds = Dataset()
    ds.SOPInstanceUID = "1.2.3.5"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return Header(stored(encoded(ds, ts.EXPLICIT_LE)).header)


def area(left: int, top: int, right: int, bottom: int) -> Any:
    item = Dataset()
    item.DisplayedAreaTopLeftHandCorner, item.DisplayedAreaBottomRightHandCorner = [left, top], [right, bottom]
    item.PresentationSizeMode = "SCALE TO FIT"
    return Sequence([item])


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, FOUR[0]),
        ({"ImageRotation": 90, "ImageHorizontalFlip": "N"}, np.rot90(FOUR[0], -1)),
        ({"ImageRotation": 180, "ImageHorizontalFlip": "N"}, np.rot90(FOUR[0], 2)),
        ({"ImageRotation": 270, "ImageHorizontalFlip": "Y"}, np.rot90(FOUR[0], 1)[:, ::-1]),
        ({"PresentationLUTShape": "INVERSE"}, 255 - FOUR[0]),
        ({"DisplayedAreaSelectionSequence": area(2, 1, 4, 3)}, FOUR[0, :3, 1:]),
    ],
)
@pytest.mark.claim("PS3.3-C.10.6")
def test_a_presentation_state_says_how_an_image_is_shown(attributes: dict[str, Any], expected: Pixels) -> None:
    rules = RenderRules(presentation=state(**attributes))
    assert np.array_equal(shown(kept(image(FOUR)), rules), expected)


def test_a_displayed_area_without_measure_is_refused() -> None:
    rules = RenderRules(presentation=state(DisplayedAreaSelectionSequence=area(1, 1, 100_000, 100_000)))
    with pytest.raises(CannotUnderstand, match="too large"):
        shown(kept(image(FOUR)), rules)


def test_a_presentation_state_has_the_window_of_the_image_that_it_names() -> None:
    items = []
    for uid, center in (("1.2.3.9", 500), ("1.2.3.4", 50)):
        item, reference = Dataset(), Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = "1.2", uid
        item.ReferencedImageSequence = Sequence([reference])
        item.WindowCenter, item.WindowWidth = center, 100
        items.append(item)
    source = kept(image(ramp(1, 40, 60), WindowCenter=5, WindowWidth=10))
    made = shown(source, RenderRules(presentation=state(SoftcopyVOILUTSequence=Sequence(items))))
    assert np.array_equal(made, shown(source, RenderRules(window=Window(50, 100))))


def test_a_damaged_frame_is_the_only_one_without_a_picture() -> None:
    pixels = ramp(2, 16, 16)
    source = stored(compressed(image(pixels), ts.RLE, [rle(pixels[0]), b"\x01" * 64]))
    with pytest.raises(CannotUnderstand):
        render(source.header, source.syntax_uid, [source.frames[1]])
    assert render(source.header, source.syntax_uid, [source.frames[0]]).startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("attributes", "media_type", "error"),
    [
        ({}, "image/jp2", NotAcceptable),
        ({"PhotometricInterpretation": "HSV"}, PNG, NotAcceptable),
        ({"Rows": 60000, "Columns": 60000}, PNG, VnaError),
        ({"Rows": 5}, PNG, VnaError),
        ({"BitsStored": 0}, PNG, CannotUnderstand),
        ({"Columns": 0}, JPEG, CannotUnderstand),
    ],
)
def test_what_makes_no_picture_is_refused(attributes: dict[str, Any], media_type: str, error: type[VnaError]) -> None:
    source = kept(image(FOUR))
    replaced = kept(image(FOUR, **attributes))
    with pytest.raises(error):
        render(replaced.header, source.syntax_uid, source.frames, media_type=media_type)
