"""Archives that are made to be equal, and archives that are made to hurt."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from pinned_files import CONTENT, CSV, ROWS, left_in, pin

from finbench.errors import DataError, UsageError
from finbench.tasks import archive as archives
from finbench.tasks import data_files
from finbench.tasks.data_files import Pinned

# -- pack, unpack, verify --------------------------------------------------------------------------------------------

pytestmark = pytest.mark.usefixtures("table")


def test_a_pack_carries_the_files_their_licences_and_a_manifest_to_the_other_machine(tmp_path, data):
    names = archives.pack(["all"], tmp_path / "pack.tar", data=str(data))
    assert names == sorted(CONTENT)
    with tarfile.open(tmp_path / "pack.tar") as tar:
        assert tar.getnames() == ["MANIFEST.json", "LICENCES.md", *names]
        manifest = json.load(tar.extractfile("MANIFEST.json"))  # type: ignore[arg-type]
    assert manifest["files"][1]["sha256"] == hashlib.sha256(ROWS).hexdigest()
    archives.unpack(tmp_path / "pack.tar", tmp_path / "other")
    assert left_in(tmp_path / "other") == sorted([*CONTENT, "LICENCES.md"])
    assert {name: (tmp_path / "other" / name).read_bytes() for name in CONTENT} == CONTENT
    assert "MIT" in (tmp_path / "other" / "LICENCES.md").read_text(encoding="utf-8")


def test_without_a_folder_a_pack_goes_to_the_cache_where_tasks_look(tmp_path, data):
    archives.pack(["tfns"], tmp_path / "pack.tar", data=str(data))
    archives.unpack(tmp_path / "pack.tar")
    assert data_files.locate(["tfns/情绪/sent.csv"], None, task_dir=tmp_path).read_bytes() == CSV


def test_equal_files_give_equal_archives(tmp_path, data):
    archives.pack(["finqa", "tfns"], tmp_path / "a.tar", data=str(data))
    os.utime(data / "finqa" / "test.json", (1, 1))
    archives.pack(["tfns_paper", "finqa"], tmp_path / "b.tar", data=str(data))
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_packing_refuses_missing_and_damaged_data_and_leaves_no_archive(tmp_path, data):
    with pytest.raises(DataError, match="no data for tfns"):
        archives.pack(["tfns"], tmp_path / "pack.tar", data=str(tmp_path))
    (data / "finqa" / "test.json").write_bytes(b"[]")
    with pytest.raises(DataError, match="damaged, not packed"):
        archives.pack(["finqa"], tmp_path / "pack.tar", data=str(data))
    with pytest.raises(UsageError, match="no data is pinned"):
        archives.pack(["gsm8k"], tmp_path / "pack.tar", data=str(data))
    with pytest.raises(UsageError, match="sample"):
        archives.pack(["finqa"], tmp_path / "pack.tar", data="sample")
    assert left_in(tmp_path) == sorted(f"data/{name}" for name in CONTENT)


def test_a_dataset_of_which_files_are_missing_is_not_packed(tmp_path, data, table):
    table.append(pin("tfns", "more.csv", b"x"))
    with pytest.raises(DataError, match=r"1 of 2 files of tfns are missing: tfns/more\.csv"):
        archives.pack(["tfns"], tmp_path / "pack.tar", data=str(data))


def test_verify_says_ok_unknown_or_damaged_for_each_file(tmp_path, data, table):
    (data / "finqa" / "notes.txt").write_text("mine")
    (data / "tfns" / "情绪" / "sent.csv").write_bytes(CSV[:-1])
    table.append(pin("finqa", "unpinned.json", b"[]"))
    table[-1] = Pinned("finqa", "finqa/unpinned.json", "official", 1, None, "", "", "MIT", "https://example.org/x")
    (data / "finqa" / "unpinned.json").write_bytes(b"[]")
    verdicts = {verdict.path: (verdict.status, verdict.detail) for verdict in archives.verify(data)}
    assert verdicts["finqa/test.json"] == ("ok", "official")
    assert verdicts["finqa/LICENSE"] == ("ok", "licence")
    assert verdicts["finqa/notes.txt"][0] == "unknown"
    assert verdicts["finqa/unpinned.json"][0] == "unknown"
    assert verdicts["tfns/情绪/sent.csv"] == ("damaged", f"{len(CSV) - 1} bytes, expected {len(CSV)}")


def test_a_pack_can_be_verified_without_unpacking_it(tmp_path, data):
    archives.pack(["finqa"], tmp_path / "pack.tar", data=str(data))
    assert {verdict.status for verdict in archives.verify(tmp_path / "pack.tar")} == {"ok"}
    with pytest.raises(DataError, match="no such folder"):
        archives.verify(tmp_path / "nothing")


# -- hostile archives ------------------------------------------------------------------------------------------------


def entry(name: str, content: bytes = ROWS, **changes: object) -> dict[str, object]:
    return {"path": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()} | changes


def member(name: str, content: bytes = ROWS, kind: bytes = tarfile.REGTYPE, link: str = "") -> tuple:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(content)
    return info, content


def archive(path: Path, entries: list, members: list, manifest: bytes | None = None) -> Path:
    text = json.dumps({"schema": 1, "files": entries}).encode() if manifest is None else manifest
    with tarfile.open(path, "w") as tar:
        for info, content in [member("MANIFEST.json", text), *members]:
            tar.addfile(info, io.BytesIO(content))
    return path


GOOD = "finqa/test.json"
HOSTILE = {
    "parent folder": ([entry("../evil.json")], [member("../evil.json")], "no place"),
    "parent folder inside": ([entry("finqa/../../evil")], [member("finqa/../../evil")], "no place"),
    "absolute": ([entry("/tmp/evil.json")], [member("/tmp/evil.json")], "no place"),
    "drive": ([entry("finqa/C:evil")], [member("finqa/C:evil")], "no place"),
    "backslash": ([entry("finqa\\..\\evil")], [member("finqa\\..\\evil")], "no place"),
    "control bytes": ([entry("finqa/\x1b[2Jevil")], [member("finqa/\x1b[2Jevil")], "no place"),
    "not a dataset": ([entry("bin/evil")], [member("bin/evil")], "no place"),
    "dot file": ([entry(".bashrc")], [member(".bashrc")], "no place"),
    "not in the manifest": ([entry(GOOD)], [member(GOOD), member("finqa/more.json")], "no place"),
    "symbolic link": ([entry(GOOD)], [member(GOOD, b"", tarfile.SYMTYPE, "/etc/passwd")], "is a link"),
    "hard link": ([entry(GOOD)], [member(GOOD, b"", tarfile.LNKTYPE, "../../etc/passwd")], "is a link"),
    "device": ([entry(GOOD)], [member(GOOD, b"", tarfile.CHRTYPE)], "is a link, a sparse file or a device"),
    "pipe": ([entry(GOOD)], [member(GOOD, b"", tarfile.FIFOTYPE)], "is a link, a sparse file or a device"),
    "folder": ([entry(GOOD)], [member(GOOD, b"", tarfile.DIRTYPE)], "is a link, a sparse file or a device"),
    "twice": ([entry(GOOD)], [member(GOOD), member(GOOD)], "twice"),
    "twice by case": (
        [entry(GOOD), entry("finqa/TEST.json")],
        [member(GOOD), member("finqa/TEST.json")],
        "twice",
    ),
    "other bytes": ([entry(GOOD)], [member(GOOD, b'[{"id": 2}]')], "its manifest says"),
    "other size": ([entry(GOOD)], [member(GOOD, b"[]")], "its manifest says"),
    "cut off": ([entry(GOOD), entry("finqa/dev.json")], [member(GOOD)], "cut off"),
    "too much": ([entry(GOOD, size=2**50)], [member(GOOD)], "over"),
    "negative size": ([entry(GOOD, size=-1)], [member(GOOD)], "no size or hash"),
    "size no number": ([entry(GOOD, size="1")], [member(GOOD)], "cannot be read"),
    "too many": ([entry(f"finqa/{n}") for n in range(1001)], [], "over"),
    "no paths": ([{"sha256": "x"}], [], "cannot be read"),
}


@pytest.mark.parametrize(("entries", "members", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_archive_is_refused_and_nothing_is_put_in_place(tmp_path, entries, members, words):
    into = tmp_path / "deep" / "data"
    with pytest.raises(DataError, match=words):
        archives.unpack(archive(tmp_path / "pack.tar", entries, members), into)
    assert left_in(tmp_path) == ["pack.tar"]


@pytest.mark.parametrize(
    "manifest",
    [b"", b"[]", b"null", b"{", b'{"schema": 2, "files": []}', b'{"schema": 1}', b"[" * 100_000, b"9" * 5000, b"\xff"],
    ids=["empty", "list", "null", "broken", "other version", "no files", "deep", "long number", "not utf-8"],
)
def test_a_manifest_that_cannot_be_read_is_refused(tmp_path, manifest):
    with pytest.raises(DataError, match=r"MANIFEST\.json"):
        archives.unpack(archive(tmp_path / "pack.tar", [], [], manifest), tmp_path / "data")


def test_a_huge_manifest_is_not_read(tmp_path):
    with pytest.raises(DataError, match="does not begin with"):
        archives.unpack(archive(tmp_path / "pack.tar", [], [], b" " * (4 * 2**20 + 1)), tmp_path / "data")


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\0" * 10240, os.urandom(4096)])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "pack.tar").write_bytes(content)
    with pytest.raises(DataError):
        archives.unpack(tmp_path / "pack.tar", tmp_path / "data")


def test_a_compressed_archive_is_refused_before_a_bomb_can_grow(tmp_path):
    with tarfile.open(tmp_path / "pack.tar", "w:gz") as tar:
        info, content = member("MANIFEST.json", b" " * 1000)
        tar.addfile(info, io.BytesIO(content))
    with pytest.raises(DataError, match="plain tar"):
        archives.unpack(tmp_path / "pack.tar", tmp_path / "data")


@pytest.mark.parametrize("headers", [{"size": "-512"}, {"size": str(2**60)}, {"path": "../evil"}])
def test_extended_headers_cannot_move_or_grow_a_member(tmp_path, headers):
    info, content = member(GOOD)
    info.pax_headers = headers
    path = archive(tmp_path / "pack.tar", [entry(GOOD)], [(info, content)])
    with pytest.raises(DataError):
        archives.unpack(path, tmp_path / "data")
    assert left_in(tmp_path) == ["pack.tar"]


def test_a_sparse_member_is_refused(tmp_path):
    info, content = member(GOOD)
    info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.map": "0,1", "GNU.sparse.realsize": str(len(ROWS))}
    path = archive(tmp_path / "pack.tar", [entry(GOOD)], [(info, content)])
    with pytest.raises(DataError, match="sparse"):
        archives.unpack(path, tmp_path / "data")


def test_a_link_that_is_already_there_is_not_followed(tmp_path, data):
    archives.pack(["finqa"], tmp_path / "pack.tar", data=str(data))
    outside, into = tmp_path / "outside", tmp_path / "into"
    outside.mkdir()
    into.mkdir()
    (into / "finqa").symlink_to(outside)
    with pytest.raises(DataError, match="a link leads out"):
        archives.unpack(tmp_path / "pack.tar", into)
    assert left_in(outside) == []


def test_an_archive_cut_at_any_place_never_puts_a_part_in_place(tmp_path, data):
    archives.pack(["all"], tmp_path / "pack.tar", data=str(data))
    whole = (tmp_path / "pack.tar").read_bytes()
    end = len(whole.rstrip(b"\0"))
    for length in range(0, end, 97):
        (tmp_path / "cut.tar").write_bytes(whole[:length])
        with pytest.raises(DataError):
            archives.unpack(tmp_path / "cut.tar", tmp_path / "cut")
        assert left_in(tmp_path / "cut") == []
