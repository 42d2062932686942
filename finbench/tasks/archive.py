"""Data of the benchmarks in one archive, to be carried to a machine without a network; and whether files are the right ones.

Archives are hostile input: see `unpack`. download.py says what is here and fetches it.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

from finbench.errors import DataError, UsageError
from finbench.tasks import data_files
from finbench.tasks.data_files import Pinned
from finbench.tasks.download import copy, difference, remove_remains, rows_files, written

MANIFEST, LICENCES = "MANIFEST.json", "LICENCES.md"
MAX_FILES = 1000
MAX_TOTAL = 4 * 2**30  # bytes a pack may unpack to
MAX_MANIFEST = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one file. "unknown": nothing to compare with; "damaged": not the file of that name."""

    path: str
    status: Literal["ok", "unknown", "damaged"]
    detail: str


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
    if found := difference(file, known):
        return Verdict(name, "damaged", found)
    if not (known.sha256 or known.git_blob):
        return Verdict(name, "unknown", f"no published hash to compare with; sha256 {data_files.sha256(file)}")
    return Verdict(name, "ok", known.standing)


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
    with written(output) as part, tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
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
    rows = rows_files(dataset)
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
        if found := difference(path, file):
            raise DataError(f"{path}: damaged, not packed: {found}")
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
    remove_remains(folder, ".unpack-*")
    staging = Path(tempfile.mkdtemp(prefix=f".unpack-{os.getpid()}-", dir=folder))
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
                copy(source, file, member.size, member.name)
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
    entries = _entries(source.read(), path)
    total = sum(entry["size"] for entry in entries.values())
    if total > MAX_TOTAL or len(entries) > MAX_FILES:
        raise DataError(f"{path}: {MANIFEST} of over {MAX_TOTAL} bytes or {MAX_FILES} files")
    return entries


def _entries(text: bytes, path: Path) -> dict[str, dict[str, Any]]:
    """What a manifest says of each file, by path."""
    try:
        read = json.loads(text)
        entries: dict[str, dict[str, Any]] = {entry["path"]: entry for entry in read["files"]}
        ours = read["schema"] == 1 and all(entry["size"] >= 0 and entry["sha256"] for entry in entries.values())
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: its {MANIFEST} cannot be read: {error!r}") from error
    if not ours:
        raise DataError(f"{path}: {MANIFEST} of another version, or with entries that have no size or hash")
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
