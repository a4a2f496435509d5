"""Simulated power cuts: an archive's system calls are traced, and done again on a disk that keeps what was synced.

A disk promises no more than this (fsync(2)): bytes of a file are kept from the end of an fsync or fdatasync of it, and
a name in a folder from the end of one of the folder. Anything else may be kept, or not, in any order.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

CALLS = (
    "open,openat,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync,fdatasync,"
    "rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,sendto,sendmsg"
)
PAGE, SECTOR = 4096, 512


def strace(trace: Path) -> tuple[str, ...]:
    """The program in front of the archive's own; strings are hexadecimal and whole."""
    told = ("-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(trace))
    return ("strace", "-f", "--seccomp-bpf", "-y", "-xx", "-s", "100000000", *told)


@dataclass(frozen=True, slots=True)
class Call:
    """One system call, `begun` and `ended` at these lines of the trace. Strings among the arguments are bytes."""

    name: str
    begun: int
    ended: int
    arguments: str
    result: int


_LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>(.*)|(\w+)\((.*))", re.DOTALL)
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_PATH = re.compile(r"^(\w+)<((?:\\x[0-9a-f]{2})*)>")


def calls(trace: Path) -> Iterator[Call]:
    """In the order in which they ended; what was under way when the trace ended is left out."""
    waiting: dict[tuple[str, str], tuple[int, str]] = {}
    with trace.open() as lines:
        for number, line in enumerate(lines):
            if (found := _LINE.match(line)) is None:
                continue
            pid, resumed, rest, name, arguments = found.groups()
            begun = number
            if resumed:
                name, (begun, first) = resumed, waiting.pop((pid, resumed), (number, ""))
                arguments = first + rest
            elif arguments.endswith("<unfinished ...>\n"):
                waiting[pid, name] = (number, arguments.removesuffix("<unfinished ...>\n").rstrip())
                continue
            said, _, result = arguments.rpartition(" = ")
            if (value := result.split()[0] if result.split() else "?") != "?" and not value.startswith("-"):
                yield Call(name, begun, number, said.rstrip().removesuffix(")"), int(value.partition("<")[0], 0))


def strings(call: Call) -> list[bytes]:
    return [_unescaped(text) for text in _STRING.findall(call.arguments)]


def path(call: Call) -> str:
    """That of the descriptor which is the first argument."""
    found = _PATH.match(call.arguments)
    return _unescaped(found[2]).decode() if found else ""


def _unescaped(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


class Survival(Enum):
    """What becomes of what was not synced."""

    NONE = "nothing unsynced survives"
    ALL = "everything survives, as when only processes die"
    SOME = "each write, size and name survives or not, by chance"
    TORN = "the same, and writes survive up to any sector"


@dataclass(slots=True, eq=False)
class _File:
    content: bytearray = field(default_factory=bytearray)
    kept: bytes = b""
    pending: list[tuple[int, bytes]] = field(default_factory=list)
    """Writes since the last sync, in order; a size is written as (size, b"")."""

    def write(self, offset: int, data: bytes) -> None:
        self.pending.append((offset, data))
        _apply(self.content, offset, data)

    def after(self, how: Survival, rng: random.Random) -> bytes:
        if how is Survival.ALL:
            return bytes(self.content)
        made = bytearray(self.kept)
        for offset, data in self.pending if how is not Survival.NONE else ():
            if not data:
                if rng.random() < 0.5:
                    _apply(made, offset, data)
                continue
            for start in range(0, len(data), PAGE):
                page = data[start : start + PAGE]
                if rng.random() < 0.5:
                    _apply(made, offset + start, page)
                elif how is Survival.TORN:
                    page = page[: rng.randrange(0, len(page), SECTOR)]
                    if page:
                        _apply(made, offset + start, page)
        return bytes(made)


def _apply(content: bytearray, offset: int, data: bytes) -> None:
    if not data:
        del content[offset:]
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


@dataclass(slots=True, eq=False)
class _Folder:
    names: dict[str, _File | _Folder] = field(default_factory=dict)
    kept: dict[str, _File | _Folder] = field(default_factory=dict)

    def after(self, how: Survival, rng: random.Random) -> dict[str, _File | _Folder]:
        if how is Survival.ALL:
            return self.names
        if how is Survival.NONE:
            return self.kept
        found = dict(self.kept)
        for name in sorted(self.names.keys() | self.kept.keys()):
            if self.names.get(name) is not self.kept.get(name) and rng.random() < 0.5:
                found.pop(name, None)
                if name in self.names:
                    found[name] = self.names[name]
        return found


class Disk:
    """What is on it below `root`, of which all that is there at first was synced."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._top = _laid(root)

    def do(self, call: Call) -> None:
        """What the call changes, at its end. What an fsync keeps is taken then too: at most it keeps too much."""
        match call.name:
            case "openat" | "open" | "creat":
                self._open(call)
            case "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2":
                self._write(call)
            case "ftruncate":
                if isinstance(file := self._find(path(call)), _File):
                    file.write(int(call.arguments.rpartition(", ")[2]), b"")
            case "fsync" | "fdatasync":
                self._sync(path(call))
            case "mkdir" | "mkdirat":
                self._put(_name(call, 0), _Folder())
            case "rename" | "renameat" | "renameat2":
                moved = self._take(_name(call, 0))
                if moved is not None:
                    self._put(_name(call, -1), moved)
            case "link" | "linkat":
                if (found := self._find(_name(call, 0))) is not None:
                    self._put(_name(call, -1), found)
            case "unlink" | "unlinkat" | "rmdir":
                self._take(_name(call, 0))
            case "truncate" | "fallocate":
                if self._parts(_name(call, 0) if call.name == "truncate" else path(call)) is not None:
                    raise NotImplementedError(call.name)

    def image(self, target: Path, how: Survival, rng: random.Random) -> None:
        """Write what is found after the power came back."""
        _written(self._top, target, how, rng)

    def _open(self, call: Call) -> None:
        name = _name(call, 0)
        if "O_CREAT" in call.arguments and self._parts(name) and self._find(name) is None:
            self._put(name, _File())
        elif "O_TRUNC" in call.arguments and isinstance(file := self._find(name), _File):
            file.write(0, b"")

    def _write(self, call: Call) -> None:
        if not isinstance(file := self._find(path(call)), _File):
            return
        data = b"".join(strings(call))[: call.result]
        positioned = call.name.startswith("p")
        offset = int(call.arguments.split(", ")[-1]) if positioned else len(file.content)
        file.write(offset, data)

    def _sync(self, name: str) -> None:
        found = self._find(name)
        if isinstance(found, _File):
            found.kept = bytes(found.content)
            found.pending.clear()
        elif found is not None:
            found.kept = dict(found.names)

    def _parts(self, name: str) -> list[str] | None:
        """Below the root; None for what is elsewhere, deleted, or shared memory, which is made anew."""
        if not name.startswith(self._root) or name.endswith((" (deleted)", "-shm")):
            return None
        return [part for part in name[len(self._root) :].split("/") if part]

    def _find(self, name: str) -> _File | _Folder | None:
        found: _File | _Folder | None = self._top
        for part in self._parts(name) or (() if name == self._root else ("/",)):
            found = found.names.get(part) if isinstance(found, _Folder) else None
        return found

    def _put(self, name: str, what: _File | _Folder) -> None:
        if parts := self._parts(name):
            folder = self._find("/".join((self._root, *parts[:-1])).rstrip("/"))
            assert isinstance(folder, _Folder), name
            folder.names[parts[-1]] = what

    def _take(self, name: str) -> _File | _Folder | None:
        parts = self._parts(name)
        folder = self._find("/".join((self._root, *parts[:-1])).rstrip("/")) if parts else None
        return folder.names.pop(parts[-1], None) if isinstance(folder, _Folder) and parts else None


def _name(call: Call, which: int) -> str:
    """A path among the arguments; relative ones are to the folder in front of them."""
    said = strings(call)[which].decode()
    folders = re.findall(r"<((?:\\x[0-9a-f]{2})*)>", call.arguments)
    return said if said.startswith("/") or not folders else f"{_unescaped(folders[which]).decode()}/{said}"


def _laid(place: Path) -> _Folder:
    names: dict[str, _File | _Folder] = {}
    for one in place.iterdir():
        if one.is_dir():
            names[one.name] = _laid(one)
        elif not one.name.endswith("-shm"):
            content = one.read_bytes()
            names[one.name] = _File(bytearray(content), content)
    return _Folder(names, dict(names))


def _written(folder: _Folder, target: Path, how: Survival, rng: random.Random) -> None:
    target.mkdir(parents=True)
    for name, what in folder.after(how, rng).items():
        if isinstance(what, _Folder):
            _written(what, target / name, how, rng)
        else:
            (target / name).write_bytes(what.after(how, rng))


_STORE_RESPONSE = b"\x00\x00\x00\x01\x02\x00\x00\x00\x01\x80"
"""(0000,0100) Command Field US = 8001H, in an implicit little endian command set (PS3.7 9.3.1)."""
_SUCCESS = b"\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00"
_UID = re.compile(rb"2\.25\.1\d{33}")


def acknowledged(call: Call, sent: Collection[str]) -> list[str]:
    """The instances of which the archive says in this call that they are kept: in a C-STORE-RSP or a STOW-RS answer."""
    if call.name not in ("sendto", "sendmsg", "write", "writev"):
        return []
    said = b"".join(strings(call))
    is_answer = (_STORE_RESPONSE in said and _SUCCESS in said) or b"00081199" in said
    return [uid for uid in {found.decode() for found in _UID.findall(said)} if uid in sent] if is_answer else []
