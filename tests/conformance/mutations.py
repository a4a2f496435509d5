"""Servers of ours that are broken on purpose: what is changed in a running door, and what has to notice it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch


@dataclass(frozen=True, slots=True)
class Mutation:
    """`change` is a context in which our server is broken; each of `checks` has to fail in it."""

    name: str
    change: Callable[[], AbstractContextManager[Any]]
    checks: tuple[str, ...]


def constant(owner: Any, name: str, value: Any, *checks: str) -> Mutation:
    """A name that has another value."""
    shown = "another function" if callable(value) else repr(value)
    return Mutation(f"{_said(owner)}.{name} is {shown}", lambda: patch.object(owner, name, value), checks)


def entry(table: Any, key: Any, value: Any, *checks: str) -> Mutation:
    """A row of a table that says something else."""
    name = getattr(key, "__name__", str(key))
    return Mutation(f"{name} is answered {value!r}", lambda: patch.dict(table, {key: value}), checks)


def around(says: str, owner: Any, name: str, make: Callable[[Any], Any], *checks: str) -> Mutation:
    """A function that is called by another one, which `make` makes of it."""
    return Mutation(says, lambda: patch.object(owner, name, make(getattr(owner, name))), checks)


def after(says: str, owner: Any, name: str, change: Callable[[Any], Any], *checks: str) -> Mutation:
    """A function whose result is changed."""
    return around(says, owner, name, lambda real: lambda *a, **k: change(real(*a, **k)), *checks)


def asked(says: str, owner: Any, name: str, change: Callable[[Any], Any], *checks: str) -> Mutation:
    """A search whose query, its last argument, is changed."""

    def make(real: Any) -> Any:
        def search(*arguments: Any, **options: Any) -> Any:
            *first, query = arguments
            return real(*first, change(query), **options)

        return search

    return around(says, owner, name, make, *checks)


def without(*tags: str) -> Callable[[Any], Any]:
    """A query that has no key of these attributes."""
    return lambda query: replace(query, keys=tuple(key for key in query.keys if key.path[-1] not in tags))


def valued(change: Callable[[str], str]) -> Callable[[Any], Any]:
    """A query whose values are something else."""

    def changed(query: Any) -> Any:
        keys = (replace(key, values=tuple(map(change, key.values))) for key in query.keys)
        return replace(query, keys=tuple(keys))

    return changed


def _said(owner: Any) -> str:
    return str(getattr(owner, "__name__", owner))
