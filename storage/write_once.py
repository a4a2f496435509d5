"""Small files that are made once, by whichever process comes first, and read by all."""

import os
import secrets
from pathlib import Path

from storage.blobs.filesystem import sync_folder


def write_once(path: Path, text: str) -> None:
    """A file for this user alone, where there is none: whoever comes first makes it, whole or not at all; durable."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)
