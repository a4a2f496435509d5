"""Whether two objects have the same pixels, one after the other."""

from itertools import zip_longest
from pathlib import Path

import numpy as np
from pydicom.pixels.utils import iter_pixels


def same_pixels(one: Path, other: Path) -> bool:
    """Two Part 10 files in native transfer syntaxes; a frame of each is in memory.

    Colours are compared as they are kept, samples whatever their planar configuration.
    """
    frames = zip_longest(iter_pixels(one, raw=True), iter_pixels(other, raw=True))
    return all(a is not None and b is not None and np.array_equal(a, b) for a, b in frames)
