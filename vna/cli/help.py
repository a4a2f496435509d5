"""How `--help` ends: with an example that works."""


def example(*lines: str) -> str:
    """The epilog of a command; the mark keeps the lines as they are."""
    words = "Example" if len(lines) == 1 else "Examples"
    return f"\b\n{words}:\n" + "\n".join(f"  {line}" for line in lines)
