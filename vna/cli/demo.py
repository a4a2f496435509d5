"""`vna demo`: the demonstration study as files."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    folder: Annotated[Path, typer.Argument(metavar="PATH", help="Folder to write to; made when missing.")],
) -> None:
    """Write the generated demonstration study (64 CT and 16 MR slices) as DICOM files into a folder."""
    from vna import demo as study
    from vna.cli.output import say

    count = 0
    for name, content in study.files():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        count += 1
    say(f"{count} files written to {folder}")
