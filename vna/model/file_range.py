"""Bytes that lie in a file of this machine: a door that can sends them without reading them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileRange:
    """`length` bytes from byte `offset` on; `len()` is the length, so that bodies of bytes and ranges count alike."""

    path: str
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length


BodyPiece = bytes | FileRange
"""What bodies are made of."""
