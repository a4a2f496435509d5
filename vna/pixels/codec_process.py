"""The process that codecs run in: requests on standard input, answers on what was standard output.

Codecs are C and C++ over bytes from anywhere, and a damaged frame can make one end its process (GDCM throws where
nothing can catch). Here that costs this process only. `vna.pixels.codecs` is the other end.
"""

import json
import os
import resource
import sys
from typing import BinaryIO, Final

from vna.model.errors import Damaged, NotAcceptable, TooLarge
from vna.pixels.codec_wire import ANSWER, HEAD, Outcome
from vna.pixels.decode import decode
from vna.pixels.encode import encode
from vna.pixels.image import Image, decoded_image

MOST_MEMORY: Final = 8 << 30
"""Address space: what a damaged frame makes a codec ask for beyond it, it does not get."""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Decode and encode frames until there are no more requests."""
    while len(head := requests.read(HEAD.size)) == HEAD.size:
        described, length = HEAD.unpack(head)
        description = json.loads(requests.read(described))
        image, syntax_uid, target_uid = (
            Image(**description["image"]),
            description["syntax_uid"],
            description["target_uid"],
        )
        try:
            outcome, content = Outcome.DONE, _made(requests.read(length), image, syntax_uid, target_uid)
        except NotAcceptable as error:
            outcome, content = Outcome.NOT_ACCEPTABLE, str(error).encode()
        except (Damaged, TooLarge) as error:
            outcome, content = Outcome.CANNOT_UNDERSTAND, str(error).encode()
        except MemoryError:
            outcome, content = Outcome.CANNOT_UNDERSTAND, b"a frame needs more memory than a codec may have"
        answers.write(ANSWER.pack(outcome, len(content)))
        answers.write(content)
        answers.flush()


def _made(frame: bytes, image: Image, syntax_uid: str, target_uid: str) -> bytes:
    decoded = decode(frame, image, syntax_uid)
    return encode(decoded, decoded_image(image, syntax_uid), target_uid) if target_uid else decoded


def main() -> None:
    """Keep the answers apart from what codecs print, and leave no core files."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
