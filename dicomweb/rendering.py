"""How a picture is asked for: the query parameters of rendered resources (PS3.18 8.3.5)."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import TypeVar

from starlette.datastructures import QueryParams

from vna.model.errors import BadRequest
from vna.pixels.annotation import Annotation
from vna.pixels.header import Header
from vna.pixels.profile import ColourSpace
from vna.pixels.render import RenderRules
from vna.pixels.viewport import Viewport
from vna.pixels.windowing import VoiFunction, Window

_T = TypeVar("_T")
_BEST_QUALITY = 90
_NAMES = ("window", "viewport", "quality", "annotation", "iccprofile")


def parameters_of(query: QueryParams) -> dict[str, str]:
    """The parameters of rendering that are there; BadRequest names one that is empty or given more than once."""
    found = {name: query.getlist(name) for name in _NAMES if name in query}
    for name, values in found.items():
        if len(values) > 1:
            raise BadRequest(f"{name} is given more than once")
        if not values[0].strip():
            raise BadRequest(f"{name} has no value")
    return {name: value for name, (value,) in found.items()}


def rules_of(parameters: Mapping[str, str], presentation: Header | None = None) -> RenderRules:
    """What the parameters say of a picture; BadRequest in words that name the one that makes no sense."""
    window = parameters.get("window", "")
    preset = window if window and "," not in window and window != "auto" else ""
    return RenderRules(
        window=_named("window", _window, window) if "," in window else None,
        preset=preset,
        automatic_window=window == "auto",
        viewport=_named("viewport", _viewport, parameters["viewport"]) if parameters.get("viewport") else None,
        quality=_named("quality", quality_of, parameters.get("quality") or str(_BEST_QUALITY)),
        presentation=presentation,
        annotations=_named("annotation", _annotations, parameters.get("annotation", "")),
        colour_space=_named("iccprofile", ColourSpace, parameters.get("iccprofile") or ColourSpace.NONE.value),
    )


def thumbnail_viewport(parameters: Mapping[str, str]) -> Viewport | None:
    """The size a thumbnail has to fit into; of a thumbnail no region is taken (PS3.18 8.3.5.2)."""
    text = parameters.get("viewport", "")
    if text.count(",") > 1:
        raise BadRequest("viewport: that of a thumbnail is its width and height, without a region")
    return _named("viewport", _viewport, text) if text else None


def quality_of(text: str) -> int:
    """1 to 100."""
    quality = int(text)
    if not 1 <= quality <= 100:
        raise ValueError
    return quality


def _named(name: str, read: Callable[[str], _T], text: str) -> _T:
    try:
        return read(text)
    except BadRequest as error:
        raise BadRequest(f"{name}: {error}") from error
    except ValueError as error:
        raise BadRequest(f"{name}={text[:64]} is not what PS3.18 8.3.5 says of it") from error


def _annotations(text: str) -> frozenset[Annotation]:
    return frozenset(Annotation(word.strip()) for word in text.split(",") if word.strip())


def _window(text: str) -> Window:
    center, width, *function = text.split(",")
    if len(function) > 1:
        raise ValueError
    return Window(_number(center), _number(width), VoiFunction((function or ["linear"])[0].lower()))


def _viewport(text: str) -> Viewport:
    parts = text.split(",")
    if len(parts) not in (2, 6):
        raise ValueError
    x, y, width, height = (_number(part) if part else None for part in (parts[2:] or ["", "", "", ""]))
    return Viewport(int(parts[0]), int(parts[1]), x or 0.0, y or 0.0, width, height)


def _number(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError
    return number
