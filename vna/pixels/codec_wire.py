"""What passes between the archive and a codec process: a description and a frame there, a frame or a reason back."""

import json
from dataclasses import asdict
from enum import IntEnum
from struct import Struct
from typing import Final

from vna.pixels.image import Image

HEAD: Final = Struct("<LQ")
"""Of a request: length of the description, length of the frame."""

ANSWER: Final = Struct("<BQ")
"""An `Outcome`, and the length of what follows: the frame, or the reason in UTF-8."""


class Outcome(IntEnum):
    """What became of a frame."""

    CANNOT_UNDERSTAND = 0
    DONE = 1
    NOT_ACCEPTABLE = 2


def request_head(image: Image, syntax_uid: str, target_uid: str, length: int) -> bytes:
    """What goes before the frame's bytes; no `target_uid` asks for decoding only."""
    description = json.dumps({"image": asdict(image), "syntax_uid": syntax_uid, "target_uid": target_uid}).encode()
    return HEAD.pack(len(description), length) + description
