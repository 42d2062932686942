"""The disk reads a model's weights while tasks are loaded and libraries imported: start-up overlaps without a thread's risk.

The bytes are read and dropped: what stays is the operating system's cache, which it takes back as it needs. A model that
is not on this machine is left to its engine.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

LOCAL = ("local_vllm", "served_vllm", "local_hf")  # the engines that load weights on this machine
SUFFIXES = (".safetensors", ".bin", ".gguf")
CHUNK = 32 << 20  # bytes at once: a thread that reads little by little waits for the interpreter after every piece


def read_ahead(model: str, revision: str | None = None) -> None:
    """Begin to read the weight files of a local model, beside whatever this process does."""
    files = weight_files(model, revision)
    if files:
        threading.Thread(target=_read, args=(files,), name="finbench-weights", daemon=True).start()


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
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cached = Path(os.environ.get("HF_HUB_CACHE") or home / "hub") / f"models--{model.replace('/', '--')}"
    ref = cached / "refs" / (revision or "main")
    commit = ref.read_text("utf-8").strip() if ref.is_file() else revision
    return cached / "snapshots" / commit if commit else None


def _read(files: list[Path]) -> None:
    room = bytearray(CHUNK)
    for path in files:
        try:
            with path.open("rb", buffering=0) as file:
                while file.readinto(room):
                    pass
        except OSError:
            return  # the engine meets the same file, and says what is wrong with it
