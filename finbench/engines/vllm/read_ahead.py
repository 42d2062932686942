"""The disk reads a model's weights while tasks are loaded and libraries imported: start-up overlaps without a thread's risk.

The bytes are read and dropped: what stays is the operating system's cache, which it takes back as it needs. A model that
is not on this machine is left to its engine.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

LOCAL = ("local_vllm", "served_vllm", "local_hf")  # the engines that load weights on this machine
SUFFIXES = (".safetensors", ".bin", ".gguf")
# ORG/NAME or NAME as the hub takes them (huggingface_hub's validate_repo_id), with vLLM's :QUANTIZATION of a GGUF file.
_HUB_NAME = re.compile(r"\w[\w.-]{0,95}(/\w[\w.-]{0,95})?(:[\w.-]{1,32})?")
CHUNK = 32 << 20  # bytes at once: a thread that reads little by little waits for the interpreter after every piece


def read_ahead(model: str, revision: str | None = None) -> None:
    """Begin to read the weight files of a local model, beside whatever this process does."""
    files = weight_files(model, revision)
    if files:
        threading.Thread(target=_read, args=(files,), name="finbench-weights", daemon=True).start()


def why_absent(model: str) -> str:
    """Why a model can be loaded from nowhere, in words with the next step; "" where it is here, or may be on the hub.

    >>> why_absent("./no/such/folder")
    './no/such/folder: no such folder or file here, and no name that a hub has (ORG/NAME); check --model'
    """
    if Path(model).expanduser().exists() or "://" in model:  # vLLM streams weights from s3:// and the like
        return ""
    if not _HUB_NAME.fullmatch(model):
        return f"{model}: no such folder or file here, and no name that a hub has (ORG/NAME); check --model"
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")  # as huggingface_hub reads it
    cached = _cached(model.partition(":")[0])
    if offline and not cached.is_dir() and "VLLM_USE_MODELSCOPE" not in os.environ:
        return (
            f"{model}: not in {cached.parent}, and HF_HUB_OFFLINE forbids to fetch it; run `hf download {model}` online"
        )
    return ""


def weight_files(model: str, revision: str | None = None) -> list[Path]:
    """The weight files of a folder, or of a model in the hub's cache; [] where neither is here.

    The cache is laid out as huggingface_hub does it: models--ORG--NAME with refs/REVISION naming a folder of snapshots/.
    """
    try:
        folder = _folder(model, revision)
        return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES) if folder else []
    except (OSError, ValueError):  # a name that is no path
        return []


def _folder(model: str, revision: str | None) -> Path | None:
    if Path(model).is_dir():
        return Path(model)
    cached = _cached(model)
    ref = cached / "refs" / (revision or "main")
    commit = ref.read_text("utf-8").strip() if ref.is_file() else revision
    return cached / "snapshots" / commit if commit else None


def _cached(model: str) -> Path:
    """Where the hub's cache keeps a model."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub") / f"models--{model.replace('/', '--')}"


def _read(files: list[Path]) -> None:
    room = bytearray(CHUNK)
    for path in files:
        try:
            with path.open("rb", buffering=0) as file:
                while file.readinto(room):
                    pass
        except OSError:
            return  # the engine meets the same file, and says what is wrong with it
