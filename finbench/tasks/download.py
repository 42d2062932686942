"""The pinned files of the benchmarks on this machine: which are here, and fetched from their publishers.

A file is only ever put in its place whole and checked: it is written beside, compared with the pinned hashes, and renamed.
archive.py carries what is here to another machine.
"""

from __future__ import annotations

import os
import shutil
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from finbench.errors import DataError, UsageError
from finbench.tasks import data_files
from finbench.tasks.data_files import CHUNK, Pinned

MAX_DOWNLOAD = 2**30  # bytes; the largest file, Finance-Instruct-500K, has about 0.6 GB
MAX_RATIO = 200  # unpacked to packed bytes of a zip member; json text stays below 20
TIMEOUT = 60  # seconds without a byte
STALE = 86_400  # seconds after which what another machine's process left is taken for remains

Open = Callable[[str], IO[bytes]]


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
        files = [file for file in rows_files(dataset) if file.standing != "reconstructed"]
        try:
            found = data_files.locate([file.path for file in rows_files(dataset)], data, task_dir=Path(dataset))
        except data_files.DataMissing:
            found = None
        holdings.append(Holding(dataset, files[0].licence, sum(file.rows or 0 for file in files), found))
    return holdings


def rows_files(dataset: str) -> list[Pinned]:
    """The pinned files of a dataset that hold rows."""
    return [file for file in data_files.pinned() if file.dataset == dataset and file.rows]


def difference(file: Path, known: Pinned) -> str:
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
        if target.is_file() and not difference(target, file):
            continue
        with written(target) as part:
            _transfer(file, folder, part, open_url or _https)
            if found := difference(part, file):
                raise DataError(f"{file.url}: these are not the pinned bytes: {found}. Nothing was kept")
    return [folder / file.path for file in wanted]


def _transfer(file: Pinned, folder: Path, part: Path, open_url: Open) -> None:
    limit = file.size or MAX_DOWNLOAD
    archive, _, member = file.url.partition("#")
    if member:
        return _unzip(folder / archive, member, part, limit)
    try:
        with open_url(file.url) as source, part.open("wb") as target:
            copy(source, target, limit, file.url)
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
                copy(source, target, limit, f"{archive}#{member}")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(f"{archive}: not a readable zip archive: {error}") from error


# -- files -----------------------------------------------------------------------------------------------------------


def copy(source: IO[bytes], target: IO[bytes], limit: int, name: str) -> None:
    """All bytes of a file into another; DataError for more than `limit`."""
    left = limit
    while block := source.read(CHUNK):
        left -= len(block)
        if left < 0:
            raise DataError(f"{name}: more than the expected {limit} bytes")
        target.write(block)


@contextmanager
def written(target: Path) -> Iterator[Path]:
    """A path to write to that becomes `target` when all went well, and is removed otherwise."""
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_remains(target.parent, f".{target.name}.*.part")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def remove_remains(folder: Path, pattern: str) -> None:
    """Remove what killed processes left: entries of that pattern whose number is no process here, or that are a day old.

    The number of the process stands between points or hyphens of the name (`.unpack-123-x`, `.test.json.123.part`).
    """
    for path in folder.glob(pattern):
        numbers = [int(part) for part in path.name.replace("-", ".").split(".") if part.isdecimal() and len(part) < 10]
        with suppress(OSError):
            old = time.time() - path.lstat().st_mtime > STALE
            if old or not any(map(_is_running, numbers)):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
