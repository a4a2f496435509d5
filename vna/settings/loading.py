"""Reading the environment and the settings file, with errors that name what the user wrote."""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource, InitSettingsSource, SettingsError

from vna.model.access import Coercion
from vna.model.errors import VnaError
from vna.settings.root import PREFIX, Settings, fields
from vna.settings.sections import CoercionSettings

CONFIG_VARIABLE = "VNA_CONFIG"
"""Names the settings file, where it is not ./vna.toml."""


class UnusableSettings(VnaError):
    """A setting is unknown, malformed, or contradicts another; the message says which and what to set."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings in force, where each came from, and names in the environment that mean nothing to us."""

    settings: Settings
    sources: Mapping[str, str]
    unknown: tuple[str, ...] = ()


def load(config: Path | None = None) -> Loaded:
    """Read the environment and the settings file (`config`, else VNA_CONFIG, else ./vna.toml where there is one)."""
    path = config or Path(os.environ.get(CONFIG_VARIABLE) or "vna.toml")
    asked_for = config is not None or CONFIG_VARIABLE in os.environ
    from_file = _read_toml(path) if asked_for or path.is_file() else {}
    try:
        settings = Settings(**from_file)
        environment = EnvSettingsSource(Settings)()
    except ValidationError as exc:
        raise UnusableSettings(_plain(exc, from_file, path)) from exc
    except SettingsError as exc:
        raise UnusableSettings(_not_json()) from exc
    sources = {name: str(path) for name in _dotted(InitSettingsSource(Settings, from_file)())}
    sources |= dict.fromkeys(_dotted(environment), "environment")
    return Loaded(settings, sources, _unknown_variables())


def read_coercion(path: Path) -> Coercion:
    """Coercion rules from a TOML file with the tables `set` and `map.<Keyword>` and the list `remove`."""
    try:
        return CoercionSettings(**_read_toml(path)).as_coercion()
    except ValidationError as exc:
        raise UnusableSettings(f"{path}: {_words_of(exc)}") from exc


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise UnusableSettings(f"{path} cannot be read: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise UnusableSettings(f"{path} is not valid TOML: {exc}") from exc


def _dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def _unknown_variables() -> tuple[str, ...]:
    known = {field.split(".")[0] for field, _ in fields()}
    return tuple(
        sorted(
            name
            for name in os.environ
            if name.startswith(PREFIX)
            and name != CONFIG_VARIABLE
            and name.removeprefix(PREFIX).split("__")[0].lower() not in known
        )
    )


def _not_json() -> str:
    """Which variable it was: pydantic-settings names only the section."""
    for name, value in os.environ.items():
        if name.startswith(PREFIX) and value[:1] in {"[", "{"}:
            try:
                json.loads(value)
            except ValueError as exc:
                return f"{name} is not valid JSON: {exc}"
    return f'a list in the environment is written as JSON, such as {PREFIX}DIMSE__PEERS=\'[{{"ae_title": "PACS"}}]\''


def _plain(exc: ValidationError, from_file: Mapping[str, Any], path: Path) -> str:
    """The first thing wrong, by the name under which the user set it."""
    error = exc.errors(include_url=False, include_input=False)[0]
    place = error["loc"]
    if not place:
        return _message(error)
    names = list(takewhile(lambda part: isinstance(part, str), place))
    variable = PREFIX + "__".join(map(str, names)).upper()
    in_environment = any(name.upper().startswith(variable) for name in os.environ)
    dotted = ".".join(str(part) for part in place)
    name = variable if in_environment or not from_file else f"{dotted} in {path}"
    inner = place[len(names) :] if in_environment else ()
    rest = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in inner)
    return f"{name}{rest}: {_message(error)}"


def _words_of(exc: ValidationError) -> str:
    error = exc.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in error["loc"])
    return f"{place}: {_message(error)}" if place else _message(error)


def _message(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such setting"
    message = str(error["msg"])
    return message.removeprefix("Value error, ").replace("Input should be", "should be")
