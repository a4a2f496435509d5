"""What passes between the archive and a codec process: a description and a frame there, a frame or a reason back."""

import json
from dataclasses import asdict
from struct import Struct
from typing import Final

from vna.pixels.image import Image

HEAD: Final = Struct("<LQ")
"""Of a request: length of the description, length of the frame."""

ANSWER: Final = Struct("<?Q")
"""Whether it is decoded, and the length of what follows: the decoded frame, or the reason in UTF-8."""


def request_head(image: Image, syntax_uid: str, length: int) -> bytes:
    """What goes before the frame's bytes."""
    description = json.dumps({"image": asdict(image), "syntax_uid": syntax_uid}).encode()
    return HEAD.pack(len(description), length) + description
