"""Downloads that are checked, and what is said of the data on this machine."""

from __future__ import annotations

import io
import zipfile

import pytest
from pinned_files import CONTENT, ROWS, left_in, pin

from finbench.errors import DataError, UsageError
from finbench.tasks import data_files, download

pytestmark = pytest.mark.usefixtures("table")


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def server(files: dict[str, bytes]):
    asked: list[str] = []

    def open_url(url: str) -> io.BytesIO:
        asked.append(url)
        return io.BytesIO(files[url.removeprefix("https://example.org/")])

    return open_url, asked


# -- fetch -----------------------------------------------------------------------------------------------------------


def test_fetched_files_lie_in_the_cache_where_tasks_look_and_are_not_fetched_twice(tmp_path):
    open_url, asked = server(CONTENT)
    paths = download.fetch("finqa", open_url=open_url)
    assert [path.read_bytes() for path in paths] == [ROWS, b"MIT\n"]
    assert data_files.locate(["finqa/test.json"], None, task_dir=tmp_path) == paths[0]
    assert download.fetch("finqa", open_url=open_url) == paths
    assert len(asked) == 2


def test_a_damaged_file_in_the_cache_is_fetched_again(tmp_path):
    open_url, _ = server(CONTENT)
    (path, _) = download.fetch("finqa", tmp_path, open_url=open_url)
    path.write_bytes(b"[]")
    download.fetch("finqa", tmp_path, open_url=open_url)
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
        download.fetch("finqa", tmp_path, open_url=open_url)
    assert left_in(tmp_path) == []


def test_a_download_that_breaks_off_is_said_in_words_and_leaves_nothing(tmp_path):
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError("connection reset")

    with pytest.raises(DataError, match=r"https://example.org/finqa/test.json: connection reset"):
        download.fetch("finqa", tmp_path, open_url=lambda url: Broken())
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "FINBENCH_OFFLINE"])
def test_offline_means_that_nothing_is_asked(tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    open_url, asked = server(CONTENT)
    with pytest.raises(DataError, match=f"{variable} is set.*unpack"):
        download.fetch("finqa", tmp_path, open_url=open_url)
    assert asked == []


def test_only_https_is_fetched_also_after_a_redirect():
    with pytest.raises(DataError, match="only https"):
        download._https("http://example.org/x")
    with pytest.raises(OSError, match="not https"):
        download._HttpsOnly().redirect_request(None, None, 302, "", {}, "http://example.org/x")


def test_an_unknown_dataset_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match="finqa, tfns"):
        download.fetch("fiqa", tmp_path)


def test_a_member_of_a_pinned_zip_is_taken_out_and_checked(tmp_path, table):
    archive = zipped({"data/dev.json": ROWS, "__MACOSX/data/dev.json": b"x", "../../evil": b"x"})
    table += [
        pin("convfinqa", "data.zip", archive, "archive"),
        pin("convfinqa", "dev.json", ROWS, url="convfinqa/data.zip#dev.json"),
    ]
    open_url, _ = server({"convfinqa/data.zip": archive})
    paths = download.fetch("convfinqa", tmp_path, open_url=open_url)
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
        download._unzip(tmp_path / "data.zip", "dev.json", tmp_path / "part", 2**30)


def test_a_broken_zip_is_refused(tmp_path):
    (tmp_path / "data.zip").write_bytes(b"PK\x03\x04 not much more")
    with pytest.raises(DataError, match="not a readable zip"):
        download._unzip(tmp_path / "data.zip", "dev.json", tmp_path / "part", 2**30)


def test_the_inventory_says_what_is_here(data):
    found = {holding.dataset: holding.found for holding in download.inventory(str(data))}
    assert found == {"finqa": data / "finqa/test.json", "tfns": data / "tfns/情绪/sent.csv"}
    assert {holding.found for holding in download.inventory()} == {None}
