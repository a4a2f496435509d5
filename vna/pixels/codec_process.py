"""The process that codecs run in: requests on standard input, answers on what was standard output.

Codecs are C and C++ over bytes from anywhere, and a damaged frame can make one end its process (GDCM throws where
nothing can catch). Here that costs this process only. `vna.pixels.codecs` is the other end.
"""

import json
import os
import resource
import sys
from typing import BinaryIO

from vna.model.errors import CannotUnderstand
from vna.pixels.codec_wire import ANSWER, HEAD
from vna.pixels.decode import decode
from vna.pixels.image import Image


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Decode frames until there are no more requests."""
    while len(head := requests.read(HEAD.size)) == HEAD.size:
        described, length = HEAD.unpack(head)
        description = json.loads(requests.read(described))
        try:
            decoded = decode(requests.read(length), Image(**description["image"]), description["syntax_uid"])
        except CannotUnderstand as error:
            reason = str(error).encode()
            answers.write(ANSWER.pack(False, len(reason)) + reason)
        else:
            answers.write(ANSWER.pack(True, len(decoded)))
            answers.write(decoded)
        answers.flush()


def main() -> None:
    """Keep the answers apart from what codecs print, and leave no core files."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
