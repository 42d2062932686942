"""Bring data to a machine: fetch the pinned files, carry them as one archive, and say whether they are the right ones.

A file is only ever put in its place whole and checked: it is written beside, compared with the pinned hashes (or, for
a pack, with the pack's manifest), and renamed. Archives are hostile input: see `unpack`.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

from finbench.errors import DataError, UsageError
from finbench.tasks import data_files
from finbench.tasks.data_files import CHUNK, Pinned

MANIFEST, LICENCES = "MANIFEST.json", "LICENCES.md"
MAX_DOWNLOAD = 2**30  # bytes; the largest file, Finance-Instruct-500K, has about 0.6 GB
MAX_FILES = 1000
MAX_TOTAL = 4 * 2**30  # bytes a pack may unpack to
MAX_MANIFEST = 4 * 2**20
MAX_RATIO = 200  # unpacked to packed bytes of a zip member; json text stays below 20
TIMEOUT = 60  # seconds without a byte

Open = Callable[[str], IO[bytes]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one file. "unknown": nothing to compare with; "damaged": not the file of that name."""

    path: str
    status: Literal["ok", "unknown", "damaged"]
    detail: str


@dataclass(frozen=True, slots=True)
class Holding:
    """One dataset and where its rows were found, None when they were not."""

    dataset: str
    licence: str
    rows: int
    found: Path | None


def inventory(data: str | None = None) -> list[Holding]:
    """What `finbench data list` shows: every known dataset, searched for as a task would (`data_files.locate`)."""
    holdings = []
    for dataset in data_files.datasets():
        files = [file for file in _rows_files(dataset) if file.standing != "reconstructed"]
        try:
            found = data_files.locate([file.path for file in _rows_files(dataset)], data, task_dir=Path(dataset))
        except data_files.DataMissing:
            found = None
        holdings.append(Holding(dataset, files[0].licence, sum(file.rows or 0 for file in files), found))
    return holdings


def _rows_files(dataset: str) -> list[Pinned]:
    return [file for file in data_files.pinned() if file.dataset == dataset and file.rows]


# -- verify ----------------------------------------------------------------------------------------------------------


def verify(path: Path) -> list[Verdict]:
    """One verdict for each file of the known datasets below a data folder, or in a pack."""
    if path.is_file():
        with tempfile.TemporaryDirectory() as folder:
            unpack(path, Path(folder))
            return verify(Path(folder))
    if not path.is_dir():
        raise DataError(f"{path}: no such folder or pack")
    found = (file for name in data_files.datasets() for file in sorted((path / name).rglob("*")) if file.is_file())
    return [_verdict(file, file.relative_to(path).as_posix()) for file in found]


def _verdict(file: Path, name: str) -> Verdict:
    known = {pinned.path: pinned for pinned in data_files.pinned()}.get(name)
    if known is None:
        return Verdict(name, "unknown", "not in the pinned table")
    if difference := _difference(file, known):
        return Verdict(name, "damaged", difference)
    if not (known.sha256 or known.git_blob):
        return Verdict(name, "unknown", f"no published hash to compare with; sha256 {data_files.sha256(file)}")
    return Verdict(name, "ok", known.standing)


def _difference(file: Path, known: Pinned) -> str:
    """How a file differs from the pinned one, in words; empty when it does not."""
    if known.size is not None and file.stat().st_size != known.size:
        return f"{file.stat().st_size} bytes, expected {known.size}"
    if known.sha256 and (found := data_files.sha256(file)) != known.sha256:
        return f"sha256 {found}, expected {known.sha256}"
    if known.git_blob and (found := data_files.git_blob_id(file)) != known.git_blob:
        return f"git blob id {found}, expected {known.git_blob}"
    return ""


# -- fetch -----------------------------------------------------------------------------------------------------------


def fetch(dataset: str, into: Path | None = None, *, open_url: Open | None = None) -> list[Path]:
    """Download a dataset's pinned files into a folder (the user's cache), and return where each one lies.

    Files that are there and right are kept. Raises `DataError` offline, for a failed download, and for bytes that are
    not the pinned ones; nothing is left behind then.
    """
    wanted = [file for file in data_files.pinned() if file.dataset == dataset and file.url]
    if not wanted:
        raise UsageError(f"{dataset}: no such dataset; known are {', '.join(data_files.datasets())}")
    folder = into or data_files.cache_dir()
    for variable in ("HF_HUB_OFFLINE", "FINBENCH_OFFLINE"):
        if os.environ.get(variable, "").lower() in ("1", "true", "yes", "on"):
            raise DataError(
                f"{dataset}: {variable} is set, nothing is fetched. Unset it, or make a pack on a connected machine "
                "(finbench data pack) and unpack it here (finbench data unpack PACK.tar)"
            )
    for file in wanted:
        target = folder / file.path
        if target.is_file() and not _difference(target, file):
            continue
        with _written(target) as part:
            _transfer(file, folder, part, open_url or _https)
            if difference := _difference(part, file):
                raise DataError(f"{file.url}: these are not the pinned bytes: {difference}. Nothing was kept")
    return [folder / file.path for file in wanted]


def _transfer(file: Pinned, folder: Path, part: Path, open_url: Open) -> None:
    limit = file.size or MAX_DOWNLOAD
    archive, _, member = file.url.partition("#")
    if member:
        return _unzip(folder / archive, member, part, limit)
    try:
        with open_url(file.url) as source, part.open("wb") as target:
            _copy(source, target, limit, file.url)
    except OSError as error:  # URLError, timeouts, resets, a full disk
        raise DataError(f"{file.url}: {error}. Check the network (or the disk) and run it again") from error


def _https(url: str) -> IO[bytes]:
    if not url.startswith("https://"):
        raise DataError(f"{url}: only https is fetched")
    request = urllib.request.Request(url, headers={"User-Agent": "finbench"})  # noqa: S310  # https, two lines above
    reply: IO[bytes] = urllib.request.build_opener(_HttpsOnly).open(request, timeout=TIMEOUT)
    return reply


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.startswith("https://"):
            raise urllib.error.URLError(f"redirected to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _unzip(archive: Path, member: str, part: Path, limit: int) -> None:
    """The one member of that base name (whatever its folder), within the limits."""
    try:
        with zipfile.ZipFile(archive) as zipped:
            found = [
                info
                for info in zipped.infolist()
                if PurePosixPath(info.filename).name == member and not info.filename.startswith("__MACOSX")
            ]
            if len(found) != 1:
                raise DataError(f"{archive}: holds {len(found)} files named {member}, expected one")
            if found[0].file_size > min(limit, MAX_RATIO * max(found[0].compress_size, 1)):
                raise DataError(f"{archive}: {member} would unpack to {found[0].file_size} bytes, which is suspicious")
            with zipped.open(found[0]) as source, part.open("wb") as target:
                _copy(source, target, limit, f"{archive}#{member}")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(f"{archive}: not a readable zip archive: {error}") from error


# -- pack ------------------------------------------------------------------------------------------------------------


def pack(tasks: Sequence[str], output: Path, *, data: str | None = None) -> list[str]:
    """Write the files that tasks need, their licences and a manifest with hashes into one tar; returns the names.

    Equal files give an equal archive, byte for byte. Raises `DataError` for data that is missing or damaged.
    """
    if (data or os.environ.get("FINBENCH_DATA")) == data_files.SAMPLE:
        raise UsageError("a pack holds the benchmarks' data, not the sample rows: point --data at a folder")
    files: dict[str, tuple[Pinned, Path]] = {}
    for dataset in _datasets_of(tasks):
        files |= {file.path: (file, path) for file, path in _present(dataset, data)}
    entries = [
        {
            "path": name,
            "size": path.stat().st_size,
            "sha256": data_files.sha256(path),
            "dataset": file.dataset,
            "standing": file.standing,
            "licence": file.licence,
            "source": file.url,
        }
        for name, (file, path) in sorted(files.items())
    ]
    manifest = json.dumps({"schema": 1, "files": entries}, ensure_ascii=False, indent=1).encode()
    with _written(output) as part, tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, MANIFEST, len(manifest), io.BytesIO(manifest))
        licences = _licences(entries).encode()
        _add(tar, LICENCES, len(licences), io.BytesIO(licences))
        for name, (_, path) in sorted(files.items()):
            with path.open("rb") as content:
                _add(tar, name, path.stat().st_size, content)
    return sorted(files)


def _datasets_of(tasks: Sequence[str]) -> list[str]:
    names = data_files.datasets()
    chosen = set()
    for task in tasks:
        if task in ("all", "finbench", "paper"):
            return list(names)
        owners = [name for name in names if task == name or task.startswith(f"{name}_")]
        if not owners:
            raise UsageError(f"{task}: no data is pinned for it; packs hold {', '.join(names)}")
        chosen.add(owners[0])
    return [name for name in names if name in chosen]


def _present(dataset: str, data: str | None) -> list[tuple[Pinned, Path]]:
    """The dataset's files in the first folder that holds one; all of its rows have to be there."""
    rows = _rows_files(dataset)
    files = rows + [file for file in data_files.pinned() if file.dataset == dataset and file.standing == "licence"]
    folder = data_files.locate([file.path for file in rows], data, task_dir=Path(dataset))
    for _ in PurePosixPath(rows[0].path).parts:
        folder = folder.parent
    there = [(file, folder / file.path) for file in files if (folder / file.path).is_file()]
    published = [file.path for file in rows if file.standing != "reconstructed"]
    missing = sorted(set(published) - {file.path for file, _ in there})
    if missing and not any(file.standing == "reconstructed" for file, _ in there):
        raise DataError(
            f"{folder}: {len(missing)} of {len(published)} files of {dataset} are missing: {missing[0]}, ..."
        )
    for file, path in there:
        if difference := _difference(path, file):
            raise DataError(f"{path}: damaged, not packed: {difference}")
    return there


def _licences(entries: Sequence[dict[str, Any]]) -> str:
    lines = ["# Licences of the files in this pack", ""]
    for dataset in dict.fromkeys(entry["dataset"] for entry in entries):
        of_it = [entry for entry in entries if entry["dataset"] == dataset]
        lines += [f"## {dataset}: {of_it[0]['licence']}", ""]
        lines += [f"- {entry['path']} ({entry['standing']}) {entry['source']}".rstrip() for entry in of_it] + [""]
    return "\n".join(lines)


def _add(tar: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    info = tarfile.TarInfo(name)  # owner, group and time stay zero
    info.size, info.mode = size, 0o644
    tar.addfile(info, content)


# -- unpack ----------------------------------------------------------------------------------------------------------


def unpack(path: Path, into: Path | None = None) -> list[Path]:
    """Put a pack's files into a data folder (the user's cache) and return where they lie.

    Refused, with nothing put in place: anything but a plain tar of regular files that its manifest lists with size and
    SHA-256, below the folders of known datasets; links, sparse files and devices; too many, too large or repeated
    members; names that leave the folder, also through a link that is there already.
    """
    folder = into or data_files.cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".unpack-", dir=folder))
    try:
        names = _unpack_checked(path, staging)
        for name in names:
            _inside(folder, name)
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).replace(folder / name)
        return [folder / name for name in names]
    except (tarfile.TarError, EOFError, UnicodeError, RecursionError) as error:
        raise DataError(f"{path}: not a readable pack (a plain tar made by `finbench data pack`): {error}") from error
    except OSError as error:
        raise DataError(f"{path}: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unpack_checked(path: Path, staging: Path) -> list[str]:
    """Write the members into an empty folder, each checked against the manifest; returns their names."""
    # Mode "r:" takes no compression, so that a member cannot be larger than the archive (sparse files are refused).
    with tarfile.open(path, "r:") as tar:
        members = iter(tar)
        expected = _manifest(tar, next(members, None), path)
        room = path.stat().st_size
        names: list[str] = []
        for member in members:
            _check_member(member, expected, names, path)
            room -= member.size
            if room < 0 or len(names) >= MAX_FILES:
                raise DataError(f"{path}: more content than the archive can hold, or over {MAX_FILES} files")
            target = staging / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            source = tar.extractfile(tarfile.data_filter(member, str(staging)))
            if source is None:
                raise DataError(f"{path}: {member.name} has no content")
            with source, target.open("wb") as file:
                _copy(source, file, member.size, member.name)
            entry = expected.get(member.name)
            if entry and (found := data_files.sha256(target)) != entry["sha256"]:
                raise DataError(f"{path}: {member.name} has sha256 {found}, its manifest says {entry['sha256']}")
            names.append(member.name)
    if missing := sorted(expected.keys() - set(names)):
        raise DataError(f"{path}: {missing[0]} is in the manifest but not in the pack; it may be cut off")
    return names


def _manifest(tar: tarfile.TarFile, member: tarfile.TarInfo | None, path: Path) -> dict[str, dict[str, Any]]:
    """The manifest's entries by path."""
    plain = member is not None and member.name == MANIFEST and member.isreg()
    source = tar.extractfile(member) if member and plain and 0 <= member.size <= MAX_MANIFEST else None
    if source is None:
        raise DataError(f"{path}: does not begin with a {MANIFEST}; it was not made by `finbench data pack`")
    try:
        read = json.loads(source.read())
        entries: dict[str, dict[str, Any]] = {entry["path"]: entry for entry in read["files"]}
        total = sum(entry["size"] for entry in entries.values())
        ours = read["schema"] == 1 and all(entry["size"] >= 0 and entry["sha256"] for entry in entries.values())
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: its {MANIFEST} cannot be read: {error!r}") from error
    if not ours or total > MAX_TOTAL or len(entries) > MAX_FILES:
        raise DataError(f"{path}: {MANIFEST} of another version, or over {MAX_TOTAL} bytes or {MAX_FILES} files")
    return entries


def _check_member(member: tarfile.TarInfo, expected: dict[str, Any], seen: Sequence[str], path: Path) -> None:
    name = member.name
    parts = name.split("/")
    plain = all(
        part not in ("", ".", "..") and part.isprintable() and not set(part) & set('\\:*?"<>|') for part in parts
    )
    if not plain or (name != LICENCES and (name not in expected or parts[0] not in data_files.datasets())):
        raise DataError(f"{path}: {name!r} has no place in a data folder")
    if not member.isreg() or member.issparse():
        raise DataError(f"{path}: {name} is a link, a sparse file or a device; packs hold plain files only")
    if name.casefold() in {other.casefold() for other in seen}:
        raise DataError(f"{path}: {name} stands in it twice")
    if name in expected and member.size != expected[name]["size"]:
        raise DataError(f"{path}: {name} has {member.size} bytes, its manifest says {expected[name]['size']}")


def _inside(folder: Path, name: str) -> None:
    """Refuse a target that a link in the folder leads elsewhere."""
    target = folder / name
    if not target.parent.resolve().is_relative_to(folder.resolve()) or target.is_symlink():
        raise DataError(f"{target}: a link leads out of {folder}; remove it first")
    if target.is_dir():
        raise DataError(f"{target}: a folder stands where the pack has a file; remove it first")


# -- files -----------------------------------------------------------------------------------------------------------


def _copy(source: IO[bytes], target: IO[bytes], limit: int, name: str) -> None:
    left = limit
    while block := source.read(CHUNK):
        left -= len(block)
        if left < 0:
            raise DataError(f"{name}: more than the expected {limit} bytes")
        target.write(block)


@contextmanager
def _written(target: Path) -> Iterator[Path]:
    """A path to write to that becomes `target` when all went well, and is removed otherwise."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
