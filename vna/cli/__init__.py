"""The command line: one module per command, thin; errors in one line of plain words.

Exit codes: 0 done; 1 not done, or done with something refused or damaged; 2 the command was written wrongly.
"""

import sys
from collections.abc import Sequence

from vna.cli.session import Session


def main(args: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code."""
    sys.exit(run(sys.argv[1:] if args is None else args))


def run(args: Sequence[str]) -> int:
    """Run one command; its exit code."""
    import typer

    from vna.cli.commands import app
    from vna.cli.output import complain
    from vna.model.errors import VnaError

    session = Session()
    try:
        code = app(list(args) or ["--help"], prog_name="vna", standalone_mode=False, obj=session)
    except typer.TyperException as exc:
        return _written_wrongly(exc)
    except typer.Abort:
        complain("stopped")
        return 1
    except VnaError as exc:
        complain(str(exc))
        return 1
    except OSError as exc:
        complain(f"{exc.filename}: {exc.strerror}" if exc.filename else str(exc.strerror or exc))
        return 1
    except Exception as exc:  # noqa: BLE001  the last resort: one line instead of a traceback
        session.unexpected(exc)
        return 1
    return 1 if code == 130 else code if isinstance(code, int) else 0


def _written_wrongly(exc: Exception) -> int:
    """One line, and where to read more; a group named without a command shows its commands."""
    from vna.cli.output import complain

    context = getattr(exc, "ctx", None)
    message = str(exc.format_message()) if hasattr(exc, "format_message") else str(exc)
    if "\n" in message.strip():
        sys.stderr.write(message + "\n")
    else:
        command = context.command_path if context is not None else "vna"
        complain(f"{message.rstrip('.')}; see {command} --help")
    return int(getattr(exc, "exit_code", 2))
