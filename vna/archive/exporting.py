"""Export of studies, a facility, or everything: DICOM file-sets on media, with all corrections in them (PS3.10 8).

What retrieval gives is what is written; what was rejected, deleted or is in quarantine it does not give. A book beside
the files says how far it is. An export that was cut goes on: what is there with the right digest stays.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson

from storage.elements import text
from storage.index import events, handing_over
from storage.index.engine import Database
from storage.index.handing_over import Scope
from storage.media import book, checking, dicomdir, manifest, records
from storage.media.book import Book, Entry
from storage.media.checking import Checked
from vna.archive.exported_object import LEFT_OVER, Exported, write_object
from vna.archive.retrieve import Retrieval
from vna.model.access import Action, Actor
from vna.model.decoders import needed_for_class, needed_for_syntax
from vna.model.errors import BadRequest, Conflict, Damaged, NotFound, OutOfResources, Unavailable, VnaError
from vna.model.events import EventKind
from vna.model.export_form import Form
from vna.model.instances import Instance, Selection
from vna.security.policy import Policy
from vna.version import version

SUMMARY: Final = "export.json"
DATABASE: Final = "DATABASE"
_PART: Final = "export.part"
_MOST_STUDIES: Final = 5000
_MOST_FILES: Final = 1_000_000
_RESERVED: Final = 1 << 20
"""For DICOMDIR, manifest, list of decoders and the file system itself."""
_LEAST_MEDIUM: Final = 4 << 20
_MOST_NAMED: Final = 1000

Elements = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """What is exported, and how; `medium_bytes` 0 is one volume of any size. `receiver` is for the audit."""

    scope: Scope
    form: Form = Form.ORIGINAL
    medium_bytes: int = 0
    with_database: bool = False
    receiver: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many instances are written, of about how many; then bytes verified of how many."""

    step: str
    done: int
    total: int


Tell = Callable[[Progress], None]


class Exports:
    """Writes exports, and remembers what was given to whom."""

    def __init__(self, database: Database, retrieval: Retrieval, policy: Policy) -> None:
        self._database = database
        self._retrieval = retrieval
        self._policy = policy

    def run(self, actor: Actor, folder: Path, order: Order, tell: Tell) -> dict[str, Any]:
        """Write it, or go on with it; what was written, as `summary` gives it.

        Conflict where something else is in the folder. What could not be read is listed in it, and does not end it.
        """
        self._policy.check(actor, Action.ADMIN)
        _check(order)
        _prepare(folder)
        with Book(folder) as pages:
            self._begin(pages, order)
            _Writing(self._retrieval, actor, folder, pages, order, tell).run()
            rows = self._rows(folder, order)
            made = _finished(folder, pages, order, rows, tell)
        with self._database.transaction() as connection:
            detail = {"act": "export", "receiver": order.receiver, "export": made["export"], "counts": made["counts"]}
            detail |= {"scope": made["scope"], "database": order.with_database}
            events.append(connection, EventKind.EXPORTED, at=datetime.now(UTC), actor=actor.name, detail=detail)
        _write_json(folder / SUMMARY, made)
        (folder / book.NAME).unlink()
        return made

    def hand_over(
        self, actor: Actor, folder: Path, giver: str, receiver: str, media: tuple[str, ...]
    ) -> dict[str, Any]:
        """Remember to whom an export goes, on which media; what it consists of."""
        self._policy.check(actor, Action.ADMIN)
        made = summary(folder)
        detail = {"act": "hand-over", "giver": giver, "receiver": receiver, "media": media}
        detail |= {"export": made["export"], "counts": made["counts"]}
        with self._database.transaction() as connection:
            events.append(connection, EventKind.EXPORTED, at=datetime.now(UTC), actor=actor.name, detail=detail)
        return made

    def _begin(self, pages: Book, order: Order) -> None:
        """Which studies are meant is decided once."""
        plan = orjson.dumps([asdict(order.scope), order.form, order.medium_bytes]).decode()
        if begun := pages.said("plan"):
            if begun != plan:
                raise Conflict("an export of something else was begun there: give the same options, or another folder")
            pages.clear_omitted()
            return
        with self._database.read() as connection:
            pages.want(handing_over.chosen(connection, order.scope))
            total = handing_over.amount(connection, order.scope)
        if next(pages.wanted(), None) is None:
            named = order.scope.study_uids
            raise NotFound("there is no such study" if named else "no study fits: there is nothing to export")
        pages.say("total", str(total))
        pages.say("began", _now())
        pages.say("plan", plan)
        pages.commit()

    def _rows(self, folder: Path, order: Order) -> dict[str, int]:
        where = folder / DATABASE
        if where.exists():
            shutil.rmtree(where)
        if not order.with_database:
            return {}
        rows = handing_over.write(self._database, order.scope, where)
        files = sorted(path for path in where.iterdir())
        manifest.write(where, [_line(where, path) for path in files])
        return rows


def summary(folder: Path) -> dict[str, Any]:
    """What a finished export consists of; NotFound where there is none, Conflict where it is not finished."""
    path = folder / SUMMARY
    if not path.is_file():
        if (folder / book.NAME).exists():
            raise Conflict("the export is not finished: give the same `vna export` again")
        raise NotFound(f"there is no export in {folder}")
    try:
        found: dict[str, Any] = orjson.loads(path.read_bytes())
    except ValueError as exc:
        raise Damaged(f"{path} cannot be read") from exc
    return found


def verify(folder: Path, tell: Tell) -> Checked:
    """Look at a whole export, or at one medium: every file, and where the DICOMDIR leads."""
    if (folder / manifest.NAME).is_file():
        return _checked([folder], tell, {})
    made = summary(folder)
    digests = {folder / one["name"]: one["manifest_sha256"] for one in _parts(made)}
    return _checked(list(digests), tell, digests)


def _parts(made: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*made["volumes"], *([made["database"]] if made["database"] else [])]


def _checked(folders: list[Path], tell: Tell, digests: Mapping[Path, str], *, durable: bool = False) -> Checked:
    found = Checked()
    total = sum(line.size for folder in folders if (folder / manifest.NAME).is_file() for line in manifest.read(folder))

    def heard(size: int) -> None:
        heard_bytes[0] += size
        tell(Progress("verified", heard_bytes[0], total))

    heard_bytes = [0]
    for folder in folders:
        if not (folder / manifest.NAME).is_file():
            found.wrong(f"{folder.name} is missing")
            continue
        if folder in digests and manifest.digest(folder / manifest.NAME) != digests[folder]:
            found.wrong(f"the manifest of {folder.name} is not what was written")
        one = checking.check(folder, heard, durable=durable)
        found.files, found.bytes = found.files + one.files, found.bytes + one.bytes
        found.problem_count += one.problem_count
        found.problems += one.problems
    return found


def _check(order: Order) -> None:
    if len(order.scope.study_uids) > _MOST_STUDIES:
        raise BadRequest(f"at most {_MOST_STUDIES} studies can be named: name a facility, or all")
    if order.medium_bytes and order.medium_bytes < _LEAST_MEDIUM:
        raise BadRequest("a medium has at least 4 MiB")


def _prepare(folder: Path) -> None:
    if (folder / SUMMARY).exists():
        raise Conflict("a finished export is there: name another folder, or `vna export verify` it")
    if folder.exists() and not folder.is_dir():
        raise BadRequest(f"{folder} is no folder")
    if folder.exists() and any(folder.iterdir()) and not (folder / book.NAME).exists():
        raise Conflict(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in folder.glob(f"{LEFT_OVER}*"):
        shutil.rmtree(left)


class _Writing:
    """The instances, one after the other."""

    def __init__(self, retrieval: Retrieval, actor: Actor, folder: Path, pages: Book, order: Order, tell: Tell) -> None:
        self._retrieval = retrieval
        self._actor = actor
        self._folder = folder
        self._pages = pages
        self._order = order
        self._tell = tell
        self._total = int(pages.said("total"))
        self._done = 0
        volumes = pages.volumes()
        self._volume = volumes[-1] if volumes else 1
        self._files, self._filled = pages.filled(self._volume)

    def run(self) -> None:
        for number, study in self._pages.wanted():
            self._study(number, study)
            self._pages.commit()

    def _study(self, number: int, study: str) -> None:
        instances = self._retrieval.instances(self._actor, Selection(study_uids=(study,)))
        self._drop_others(study, {one.sop_instance_uid for one in instances})
        for one in instances:
            try:
                self._instance(number, one)
            except OutOfResources:
                raise
            except VnaError as exc:
                self._pages.omit(one.sop_instance_uid, str(exc))
            self._done += 1
            self._tell(Progress("written", self._done, max(self._total, self._done)))

    def _drop_others(self, study: str, uids: set[str]) -> None:
        """What was written before and has been deleted or moved since."""
        for uid, volume, path in self._pages.of_study(study):
            if uid not in uids:
                (self._folder / volume_name(volume) / path).unlink(missing_ok=True)
                self._pages.forget(uid)

    def _instance(self, number: int, one: Instance) -> None:
        source = f"{one.blob} {one.version}"
        before = self._pages.entry(one.sop_instance_uid)
        if before is not None:
            path = self._folder / volume_name(before.volume) / before.path
            if before.source == source and path.is_file() and manifest.digest(path) == before.sha256:
                return
            path.unlink(missing_ok=True)
            self._pages.forget(one.sop_instance_uid)
        if not one.is_here:
            raise Unavailable("it is kept elsewhere: `vna fetch` brings it")
        header = orjson.loads(self._retrieval.metadata(self._actor, one))
        part = self._folder / _PART
        lossless = self._order.form is Form.JPEG_LOSSLESS
        made = write_object(self._retrieval, self._actor, one, part, lossless=lossless)
        self._take_place(number, one, header, made, source)

    def _take_place(self, number: int, one: Instance, header: Elements, made: Exported, source: str) -> None:
        body = records.body(records.type_of(one.sop_class_uid), header)
        self._make_room(one, made.size, len(body))
        relative = self._free_name(number, one.study_instance_uid)
        path = self._folder / volume_name(self._volume) / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        reference = records.reference(relative, one.sop_class_uid, one.sop_instance_uid, made.transfer_syntax_uid)
        record = records.body(records.type_of(one.sop_class_uid), header, reference)
        (self._folder / _PART).replace(path)
        self._pages.put(
            Entry(
                volume=self._volume,
                path=relative,
                series=self._series(one, header),
                study=one.study_instance_uid,
                sop_instance=one.sop_instance_uid,
                sop_class=one.sop_class_uid,
                syntax=made.transfer_syntax_uid,
                size=made.size,
                sha256=made.sha256,
                created_at=_now(),
                source=source,
                note=made.note,
                record=record,
            )
        )
        self._pages.commit()

    def _make_room(self, one: Instance, size: int, record: int) -> None:
        """A new volume where this one would be too full; records of patient, study and series are thought of."""
        takes = -(-size // 2048) * 2048 + record + 4096
        most = self._order.medium_bytes
        if most and takes + _RESERVED > most:
            raise BadRequest(f"{one.sop_instance_uid} has {size} bytes: more than a medium holds")
        if (most and self._filled + takes + _RESERVED > most) or self._files >= _MOST_FILES:
            self._volume, self._files, self._filled = self._volume + 1, 0, 0
        self._files, self._filled = self._files + 1, self._filled + takes

    def _free_name(self, number: int, study: str) -> str:
        """Of at most 8 characters each (PS3.10 8.2); the next of this study."""
        stem = f"DICOM/G{number // 1000:07X}/S{number:07X}"
        last = max((int(path.rpartition("/I")[2], 16) for _, _, path in self._names(study)), default=0)
        self._last = (study, last + 1)
        return f"{stem}/I{last + 1:07X}"

    _last: tuple[str, int] = ("", 0)

    def _names(self, study: str) -> list[tuple[str, int, str]]:
        if self._last[0] == study:
            return [("", 0, f"/I{self._last[1]:07X}")]
        return self._pages.of_study(study)

    def _series(self, one: Instance, header: Elements) -> int:
        """Records of patient, study and series, written by the first instance of each."""
        patient_id, issuer = text(header, "00100020"), text(header, "00100021")
        key = f"{patient_id}\n{issuer}"
        if not patient_id.strip():  # of type 1 in a record (PS3.3 F.5.1)
            invented = "VNA-" + sha256(one.study_instance_uid.encode()).hexdigest()[:12].upper()
            header = {**header, "00100020": {"vr": "LO", "Value": [invented]}}
            key = f"{invented}\n"
        header = {
            **header,
            "0020000D": {"vr": "UI", "Value": [one.study_instance_uid]},
            "0020000E": {"vr": "UI", "Value": [one.series_instance_uid]},
        }
        patient = self._pages.patient(key, records.body("PATIENT", header))
        study = self._pages.study(patient, one.study_instance_uid, records.body("STUDY", header))
        return self._pages.series(study, one.series_instance_uid, records.body("SERIES", header))


def volume_name(number: int) -> str:
    """The folder of a volume: what goes on one medium."""
    return f"VOL{number:05d}"


def _finished(folder: Path, pages: Book, order: Order, rows: dict[str, int], tell: Tell) -> dict[str, Any]:
    (folder / _PART).unlink(missing_ok=True)
    pages.commit()
    syntaxes, decoders = _decoders(pages)
    volumes = [_volume(folder, pages, number, decoders) for number in pages.volumes()]
    database = _part(folder / DATABASE) if order.with_database else None
    parts = [folder / one["name"] for one in (*volumes, *([database] if database else []))]
    found = _checked(parts, tell, {}, durable=True)
    if found.problem_count:
        raise Damaged(f"{found.problem_count} files are not what was written; the first: {found.problems[0]}")
    count, omitted = pages.omitted(_MOST_NAMED)
    return {
        "export": pages.said("plan") and sha256(f"{pages.said('began')}{pages.said('plan')}".encode()).hexdigest()[:16],
        "version": version(),
        "scope": asdict(order.scope),
        "form": order.form.value,
        "began_at": pages.said("began"),
        "ended_at": _now(),
        "counts": pages.counts(),
        "volumes": volumes,
        "database": database,
        "rows": rows,
        "decoders": decoders,
        "syntaxes": syntaxes,
        "notes": [{"note": note, "count": number} for note, number in pages.notes()],
        "omitted_count": count,
        "omitted": [{"sop_instance_uid": uid, "reason": reason} for uid, reason in omitted],
    }


def _decoders(pages: Book) -> tuple[dict[str, int], list[dict[str, Any]]]:
    syntaxes: dict[str, int] = {}
    classes: dict[str, int] = {}
    for syntax, sop_class, count in pages.kinds():
        syntaxes[syntax] = syntaxes.get(syntax, 0) + count
        classes[sop_class] = classes.get(sop_class, 0) + count
    needed = [needed_for_syntax(uid, count) for uid, count in sorted(syntaxes.items())]
    special = [needed_for_class(uid, count) for uid, count in sorted(classes.items())]
    return syntaxes, [asdict(one) for one in (*needed, *special) if one is not None]


def _volume(folder: Path, pages: Book, number: int, decoders: list[dict[str, Any]]) -> dict[str, Any]:
    where = folder / volume_name(number)
    for path in (where / "DICOM").rglob("I*"):  # written, and not noted before the process was killed
        if not pages.has(number, path.relative_to(where).as_posix()):
            path.unlink()
    dicomdir.write(pages, number, where / dicomdir.NAME, volume_name(number))
    _write_json(where / "DECODERS.JSN", decoders)
    manifest.write(where, _lines(where, pages, number))
    return _part(where)


def _lines(where: Path, pages: Book, number: int) -> Iterator[manifest.Line]:
    yield _line(where, where / dicomdir.NAME)
    yield _line(where, where / "DECODERS.JSN")
    for one in pages.entries(number):
        yield manifest.Line(
            one.path, one.sop_instance, one.study, one.syntax, one.size, one.sha256, one.created_at, one.note
        )


def _line(where: Path, path: Path) -> manifest.Line:
    name = path.relative_to(where).as_posix()
    return manifest.Line(name, "", "", "", path.stat().st_size, manifest.digest(path), _now())


def _part(where: Path) -> dict[str, Any]:
    files = size = 0
    for line in manifest.read(where):
        files, size = files + 1, size + line.size
    digest = manifest.digest(where / manifest.NAME, durable=True)
    return {"name": where.name, "files": files, "bytes": size, "manifest_sha256": digest, "created_at": _now()}


def _write_json(path: Path, value: object) -> None:
    with path.open("wb") as file:
        file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
