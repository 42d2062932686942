"""Packs: downloads that are checked, archives that are made to be equal, and archives that are made to hurt."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from finbench.errors import DataError, UsageError
from finbench.tasks import data_files, packs
from finbench.tasks.data_files import Pinned

ROWS = b'[{"id": 1}]'
CSV = "text,label\r\n多行,0\r\n".encode()


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def pin(dataset: str, name: str, content: bytes, standing: str = "official", url: str | None = None) -> Pinned:
    path = f"{dataset}/{name}"
    return Pinned(
        dataset=dataset,
        path=path,
        standing=standing,  # type: ignore[arg-type]
        rows=None if standing in ("licence", "archive") else 1,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        git_blob=git_blob(content),
        licence="MIT",
        url=f"https://example.org/{path}" if url is None else url,
    )


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Pinned]:
    """A small pinned table in place of the real one; no data configured."""
    files = [
        pin("finqa", "test.json", ROWS),
        pin("finqa", "test.reconstructed.jsonl", b'{"id": 1}', "reconstructed", url=""),
        pin("finqa", "LICENSE", b"MIT\n", "licence"),
        pin("tfns", "情绪/sent.csv", CSV, "copy"),
    ]
    monkeypatch.setattr(data_files, "pinned", lambda: tuple(files))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    for variable in ("FINBENCH_DATA", "HF_HUB_OFFLINE", "FINBENCH_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    return files


CONTENT = {"finqa/test.json": ROWS, "finqa/LICENSE": b"MIT\n", "tfns/情绪/sent.csv": CSV}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, content in CONTENT.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "data"


def server(files: dict[str, bytes]):
    asked: list[str] = []

    def open_url(url: str) -> io.BytesIO:
        asked.append(url)
        return io.BytesIO(files[url.removeprefix("https://example.org/")])

    return open_url, asked


def left_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


# -- fetch -----------------------------------------------------------------------------------------------------------


def test_fetched_files_lie_in_the_cache_where_tasks_look_and_are_not_fetched_twice(tmp_path):
    open_url, asked = server(CONTENT)
    paths = packs.fetch("finqa", open_url=open_url)
    assert [path.read_bytes() for path in paths] == [ROWS, b"MIT\n"]
    assert data_files.locate(["finqa/test.json"], None, task_dir=tmp_path) == paths[0]
    assert packs.fetch("finqa", open_url=open_url) == paths
    assert len(asked) == 2


def test_a_damaged_file_in_the_cache_is_fetched_again(tmp_path):
    open_url, _ = server(CONTENT)
    (path, _) = packs.fetch("finqa", tmp_path, open_url=open_url)
    path.write_bytes(b"[]")
    packs.fetch("finqa", tmp_path, open_url=open_url)
    assert path.read_bytes() == ROWS


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"[]", "2 bytes, expected 11"),
        (b'[{"id": 2}]', "sha256"),
        (ROWS + b" " * 100, "more than the expected 11 bytes"),
    ],
    ids=["short", "changed", "long"],
)
def test_other_bytes_than_the_pinned_ones_leave_nothing_behind(tmp_path, reply, words):
    open_url, _ = server(CONTENT | {"finqa/test.json": reply})
    with pytest.raises(DataError, match=words):
        packs.fetch("finqa", tmp_path, open_url=open_url)
    assert left_in(tmp_path) == []


def test_a_download_that_breaks_off_is_said_in_words_and_leaves_nothing(tmp_path):
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError("connection reset")

    with pytest.raises(DataError, match=r"https://example.org/finqa/test.json: connection reset"):
        packs.fetch("finqa", tmp_path, open_url=lambda url: Broken())
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "FINBENCH_OFFLINE"])
def test_offline_means_that_nothing_is_asked(tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    open_url, asked = server(CONTENT)
    with pytest.raises(DataError, match=f"{variable} is set.*unpack"):
        packs.fetch("finqa", tmp_path, open_url=open_url)
    assert asked == []


def test_only_https_is_fetched_also_after_a_redirect():
    with pytest.raises(DataError, match="only https"):
        packs._https("http://example.org/x")
    with pytest.raises(OSError, match="not https"):
        packs._HttpsOnly().redirect_request(None, None, 302, "", {}, "http://example.org/x")


def test_an_unknown_dataset_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match="finqa, tfns"):
        packs.fetch("fiqa", tmp_path)


def test_a_member_of_a_pinned_zip_is_taken_out_and_checked(tmp_path, table):
    archive = zipped({"data/dev.json": ROWS, "__MACOSX/data/dev.json": b"x", "../../evil": b"x"})
    table += [
        pin("convfinqa", "data.zip", archive, "archive"),
        pin("convfinqa", "dev.json", ROWS, url="convfinqa/data.zip#dev.json"),
    ]
    open_url, _ = server({"convfinqa/data.zip": archive})
    paths = packs.fetch("convfinqa", tmp_path, open_url=open_url)
    assert paths[1].read_bytes() == ROWS
    assert left_in(tmp_path) == ["convfinqa/data.zip", "convfinqa/dev.json"]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"dev.json": b"0" * 5_000_000}, "suspicious"),
        ({"train.json": ROWS}, "0 files named dev.json"),
        ({"a/dev.json": ROWS, "b/dev.json": ROWS}, "2 files named dev.json"),
    ],
    ids=["bomb", "absent", "twice"],
)
def test_a_zip_that_is_not_as_expected_is_refused(tmp_path, members, words):
    (tmp_path / "data.zip").write_bytes(zipped(members))
    with pytest.raises(DataError, match=words):
        packs._unzip(tmp_path / "data.zip", "dev.json", tmp_path / "part", 2**30)


def test_a_broken_zip_is_refused(tmp_path):
    (tmp_path / "data.zip").write_bytes(b"PK\x03\x04 not much more")
    with pytest.raises(DataError, match="not a readable zip"):
        packs._unzip(tmp_path / "data.zip", "dev.json", tmp_path / "part", 2**30)


# -- pack, unpack, verify --------------------------------------------------------------------------------------------


def test_a_pack_carries_the_files_their_licences_and_a_manifest_to_the_other_machine(tmp_path, data):
    names = packs.pack(["all"], tmp_path / "pack.tar", data=str(data))
    assert names == sorted(CONTENT)
    with tarfile.open(tmp_path / "pack.tar") as tar:
        assert tar.getnames() == ["MANIFEST.json", "LICENCES.md", *names]
        manifest = json.load(tar.extractfile("MANIFEST.json"))  # type: ignore[arg-type]
    assert manifest["files"][1]["sha256"] == hashlib.sha256(ROWS).hexdigest()
    packs.unpack(tmp_path / "pack.tar", tmp_path / "other")
    assert left_in(tmp_path / "other") == sorted([*CONTENT, "LICENCES.md"])
    assert {name: (tmp_path / "other" / name).read_bytes() for name in CONTENT} == CONTENT
    assert "MIT" in (tmp_path / "other" / "LICENCES.md").read_text(encoding="utf-8")


def test_without_a_folder_a_pack_goes_to_the_cache_where_tasks_look(tmp_path, data):
    packs.pack(["tfns"], tmp_path / "pack.tar", data=str(data))
    packs.unpack(tmp_path / "pack.tar")
    assert data_files.locate(["tfns/情绪/sent.csv"], None, task_dir=tmp_path).read_bytes() == CSV


def test_equal_files_give_equal_archives(tmp_path, data):
    packs.pack(["finqa", "tfns"], tmp_path / "a.tar", data=str(data))
    os.utime(data / "finqa" / "test.json", (1, 1))
    packs.pack(["tfns_paper", "finqa"], tmp_path / "b.tar", data=str(data))
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_packing_refuses_missing_and_damaged_data_and_leaves_no_archive(tmp_path, data):
    with pytest.raises(DataError, match="no data for tfns"):
        packs.pack(["tfns"], tmp_path / "pack.tar", data=str(tmp_path))
    (data / "finqa" / "test.json").write_bytes(b"[]")
    with pytest.raises(DataError, match="damaged, not packed"):
        packs.pack(["finqa"], tmp_path / "pack.tar", data=str(data))
    with pytest.raises(UsageError, match="no data is pinned"):
        packs.pack(["gsm8k"], tmp_path / "pack.tar", data=str(data))
    with pytest.raises(UsageError, match="sample"):
        packs.pack(["finqa"], tmp_path / "pack.tar", data="sample")
    assert left_in(tmp_path) == sorted(f"data/{name}" for name in CONTENT)


def test_a_dataset_of_which_files_are_missing_is_not_packed(tmp_path, data, table):
    table.append(pin("tfns", "more.csv", b"x"))
    with pytest.raises(DataError, match=r"1 of 2 files of tfns are missing: tfns/more\.csv"):
        packs.pack(["tfns"], tmp_path / "pack.tar", data=str(data))


def test_verify_says_ok_unknown_or_damaged_for_each_file(tmp_path, data, table):
    (data / "finqa" / "notes.txt").write_text("mine")
    (data / "tfns" / "情绪" / "sent.csv").write_bytes(CSV[:-1])
    table.append(pin("finqa", "unpinned.json", b"[]"))
    table[-1] = Pinned("finqa", "finqa/unpinned.json", "official", 1, None, "", "", "MIT", "https://example.org/x")
    (data / "finqa" / "unpinned.json").write_bytes(b"[]")
    verdicts = {verdict.path: (verdict.status, verdict.detail) for verdict in packs.verify(data)}
    assert verdicts["finqa/test.json"] == ("ok", "official")
    assert verdicts["finqa/LICENSE"] == ("ok", "licence")
    assert verdicts["finqa/notes.txt"][0] == "unknown"
    assert verdicts["finqa/unpinned.json"][0] == "unknown"
    assert verdicts["tfns/情绪/sent.csv"] == ("damaged", f"{len(CSV) - 1} bytes, expected {len(CSV)}")


def test_a_pack_can_be_verified_without_unpacking_it(tmp_path, data):
    packs.pack(["finqa"], tmp_path / "pack.tar", data=str(data))
    assert {verdict.status for verdict in packs.verify(tmp_path / "pack.tar")} == {"ok"}
    with pytest.raises(DataError, match="no such folder"):
        packs.verify(tmp_path / "nothing")


def test_the_inventory_says_what_is_here(data):
    found = {holding.dataset: holding.found for holding in packs.inventory(str(data))}
    assert found == {"finqa": data / "finqa/test.json", "tfns": data / "tfns/情绪/sent.csv"}
    assert {holding.found for holding in packs.inventory()} == {None}


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
    "negative size": ([entry(GOOD, size=-1)], [member(GOOD)], "of another version, or over"),
    "size no number": ([entry(GOOD, size="1")], [member(GOOD)], "cannot be read"),
    "too many": ([entry(f"finqa/{n}") for n in range(1001)], [], "over"),
    "no paths": ([{"sha256": "x"}], [], "cannot be read"),
}


@pytest.mark.parametrize(("entries", "members", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_archive_is_refused_and_nothing_is_put_in_place(tmp_path, entries, members, words):
    into = tmp_path / "deep" / "data"
    with pytest.raises(DataError, match=words):
        packs.unpack(archive(tmp_path / "pack.tar", entries, members), into)
    assert left_in(tmp_path) == ["pack.tar"]


@pytest.mark.parametrize(
    "manifest",
    [b"", b"[]", b"null", b"{", b'{"schema": 2, "files": []}', b'{"schema": 1}', b"[" * 100_000, b"9" * 5000, b"\xff"],
    ids=["empty", "list", "null", "broken", "other version", "no files", "deep", "long number", "not utf-8"],
)
def test_a_manifest_that_cannot_be_read_is_refused(tmp_path, manifest):
    with pytest.raises(DataError, match=r"MANIFEST\.json"):
        packs.unpack(archive(tmp_path / "pack.tar", [], [], manifest), tmp_path / "data")


def test_a_huge_manifest_is_not_read(tmp_path):
    with pytest.raises(DataError, match="does not begin with"):
        packs.unpack(archive(tmp_path / "pack.tar", [], [], b" " * (4 * 2**20 + 1)), tmp_path / "data")


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\0" * 10240, os.urandom(4096)])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "pack.tar").write_bytes(content)
    with pytest.raises(DataError):
        packs.unpack(tmp_path / "pack.tar", tmp_path / "data")


def test_a_compressed_archive_is_refused_before_a_bomb_can_grow(tmp_path):
    with tarfile.open(tmp_path / "pack.tar", "w:gz") as tar:
        info, content = member("MANIFEST.json", b" " * 1000)
        tar.addfile(info, io.BytesIO(content))
    with pytest.raises(DataError, match="plain tar"):
        packs.unpack(tmp_path / "pack.tar", tmp_path / "data")


@pytest.mark.parametrize("headers", [{"size": "-512"}, {"size": str(2**60)}, {"path": "../evil"}])
def test_extended_headers_cannot_move_or_grow_a_member(tmp_path, headers):
    info, content = member(GOOD)
    info.pax_headers = headers
    path = archive(tmp_path / "pack.tar", [entry(GOOD)], [(info, content)])
    with pytest.raises(DataError):
        packs.unpack(path, tmp_path / "data")
    assert left_in(tmp_path) == ["pack.tar"]


def test_a_sparse_member_is_refused(tmp_path):
    info, content = member(GOOD)
    info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.map": "0,1", "GNU.sparse.realsize": str(len(ROWS))}
    path = archive(tmp_path / "pack.tar", [entry(GOOD)], [(info, content)])
    with pytest.raises(DataError, match="sparse"):
        packs.unpack(path, tmp_path / "data")


def test_a_link_that_is_already_there_is_not_followed(tmp_path, data):
    packs.pack(["finqa"], tmp_path / "pack.tar", data=str(data))
    outside, into = tmp_path / "outside", tmp_path / "into"
    outside.mkdir()
    into.mkdir()
    (into / "finqa").symlink_to(outside)
    with pytest.raises(DataError, match="a link leads out"):
        packs.unpack(tmp_path / "pack.tar", into)
    assert left_in(outside) == []


def test_an_archive_cut_at_any_place_never_puts_a_part_in_place(tmp_path, data):
    packs.pack(["all"], tmp_path / "pack.tar", data=str(data))
    whole = (tmp_path / "pack.tar").read_bytes()
    end = len(whole.rstrip(b"\0"))
    for length in range(0, end, 97):
        (tmp_path / "cut.tar").write_bytes(whole[:length])
        with pytest.raises(DataError):
            packs.unpack(tmp_path / "cut.tar", tmp_path / "cut")
        assert left_in(tmp_path / "cut") == []
