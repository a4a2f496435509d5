"""What every command needs: settings, the log, and the archive itself."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vna.model.errors import VnaError

if TYPE_CHECKING:
    from vna.app.wiring import Application
    from vna.settings import Loaded, Settings

log = logging.getLogger(__name__)


@dataclass
class Session:
    """One run of the command line."""

    config: Path | None = None
    _loaded: "list[Loaded]" = field(default_factory=list)

    def loaded(self) -> "Loaded":
        """The settings in force, read once."""
        if not self._loaded:
            from vna.settings import load

            self._loaded.append(load(self.config))
        return self._loaded[0]

    @property
    def settings(self) -> "Settings":
        """Their values."""
        return self.loaded().settings

    def start_log(self, *, least: Literal["error"] | None = None) -> None:
        """Open the log; `least` is the level of commands that say themselves what they do, unless one was set."""
        from vna import logs

        style = self.settings.log.format
        if least is None or "log.level" in self.loaded().sources:
            logs.configure(level=self.settings.log.level, style=style)
            return
        logs.configure(level=least, style=style)
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # the command has the reason, and says it once

    @contextmanager
    def archive(self) -> "Iterator[Application]":
        """The archive, opened for one command."""
        from vna.app.wiring import build, make_ready

        self.start_log(least="error")
        make_ready(self.settings)
        application = build(self.settings)
        try:
            yield application
        finally:
            with suppress(VnaError):
                application.catch_up()
            application.close()

    def unexpected(self, error: Exception) -> None:
        """A fault of ours: one line for the user, the way to it in the log for those who asked."""
        from vna.cli.output import complain

        level = self._loaded[0].settings.log.level if self._loaded else "info"
        if level == "debug":
            log.error("command failed", exc_info=error)
        complain(f"an error inside vna ({type(error).__name__}); VNA_LOG__LEVEL=debug shows where")
