"""`finbench doctor`: what this machine has, what is missing, and the command that mends it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path

from finbench.engines.choose import install

EPILOG = """\
examples:
  finbench doctor
  finbench doctor --json > machine.json      to send along with a question
  finbench doctor --network                  also: can the publishers and the model hub be reached?

Keys are named as set or not set, and never shown. Nothing is sent anywhere without --network.
exit codes: 0 nothing is broken; 1 something that every run needs is broken
"""

REQUIRED = (
    "lm-eval",
    "aiohttp",
    "jinja2",
    "pyyaml",
    "numpy",
    "scipy",
    "pandas",
    "matplotlib",
    "rich",
    "sympy",
    "uvloop",
)
OPTIONAL = {
    "vllm": f"{install('vllm')}   for models in this process, on a GPU",
    "torch": f"{install('hf')}   for models without vLLM",
    "transformers": install("hf"),
    "ray": f"{install('ray')}   for several machines",
    "shtab": install("completion"),
}
KEYS = ("OPENAI_API_KEY", "VLLM_API_KEY", "HF_TOKEN")
SETTINGS = ("FINBENCH_DATA", "FINBENCH_OFFLINE", "HF_HUB_OFFLINE", "HF_HOME", "XDG_CACHE_HOME", "CUDA_VISIBLE_DEVICES")
HOSTS = ("https://huggingface.co", "https://raw.githubusercontent.com")
LOW_DISK = 20e9  # bytes; the weights of a 7B model in bfloat16 take 15 GB


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing looked at. "broken": no run works; "missing": some do not; "fix" is a command, or empty."""

    what: str
    status: str  # ok | missing | broken
    detail: str
    fix: str = ""


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `finbench doctor`."""
    parser.description = "What this machine has and what is missing, with the command that mends each finding."
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--network", action="store_true", help="also try to reach the publishers and the model hub")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def main(args: argparse.Namespace) -> int:
    """Look around; the exit code."""
    from finbench.sanitize import shown

    findings = list(examine(network=args.network))
    if args.json:
        print(json.dumps({"schema": 1, "findings": [asdict(finding) for finding in findings]}))
    else:
        width = max(len(finding.what) for finding in findings)
        for finding in findings:
            print(f"{finding.status:<8}{finding.what:<{width}}  {shown(finding.detail)}")
            if finding.fix:
                print(f"{'':<8}{'':<{width}}  -> {finding.fix}")
    return 1 if any(finding.status == "broken" for finding in findings) else 0


def examine(*, network: bool = False) -> Iterator[Probe]:
    """Every finding, cheapest first. No heavy package is imported."""
    yield _python()
    yield from _packages()
    yield _gpu()
    yield from _disk()
    yield from _data()
    for key in KEYS:
        present = bool(os.environ.get(key, "").strip())
        yield Probe(key, "ok" if present else "missing", "set" if present else "not set",
                      "" if present else f"export {key}=...   (only for servers that ask for it)")  # fmt: skip
    for name in SETTINGS:
        if name in os.environ:
            yield Probe(name, "ok", os.environ[name])
    if network:
        yield from map(_reached, HOSTS)


def _python() -> Probe:
    version = f"{platform.python_version()} at {sys.executable}, {platform.system()} {platform.machine()}"
    return Probe("Python", "ok", version)


def _packages() -> Iterator[Probe]:
    from finbench import __version__

    yield Probe("finbench", "ok", f"{__version__} at {Path(__file__).parent.parent}")
    for name in REQUIRED:
        version = _version(name)
        if version is None:
            yield Probe(name, "broken", "not installed", "pip install --upgrade finbench")
        elif name == "lm-eval" and not version.startswith("0.4."):
            yield Probe(
                name,
                "broken",
                f"{version}: finbench works with 0.4.13 and later of 0.4",
                "pip install 'lm-eval>=0.4.13,<0.5'",
            )
        else:
            yield Probe(name, "ok", version)
    for name, fix in OPTIONAL.items():
        version = _version(name)
        yield Probe(name, "ok", version) if version else Probe(name, "missing", "not installed", fix)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _gpu() -> Probe:
    """From nvidia-smi; torch is not imported for it (seconds, and it would take GPU memory)."""
    program = shutil.which("nvidia-smi")
    if program is None:
        how = "use --base-url URL for a server elsewhere, or the built-in baselines"
        built = " (torch is installed)" if util.find_spec("torch") else ""
        return Probe("GPU", "missing", f"no nvidia-smi here{built}", how)
    query = [program, "--query-gpu=name,memory.total,memory.used,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as err:
        return Probe("GPU", "missing", f"nvidia-smi does not answer ({err})", "check the driver: nvidia-smi")
    if done.returncode != 0:
        return Probe("GPU", "missing", (done.stdout or done.stderr).strip()[:300], "check the driver: nvidia-smi")
    cards = "; ".join(line.strip() for line in done.stdout.splitlines() if line.strip())
    return Probe("GPU", "ok", f"{cards} (name, memory, used, driver)")


def _disk() -> Iterator[Probe]:
    from finbench.tasks import data_files

    hub = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    for what, path in (("disk: runs", Path("reports")), ("disk: data", data_files.cache_dir()), ("disk: models", hub)):
        there = path.absolute()
        while not there.exists():
            there = there.parent
        free = shutil.disk_usage(there).free
        if not os.access(there, os.W_OK):
            yield Probe(
                what, "missing", f"{there} cannot be written to", "choose another folder with --output, or set HF_HOME"
            )
        elif what == "disk: models" and free < LOW_DISK:
            yield Probe(what, "missing", f"{free / 1e9:,.0f} GB free at {there}", "export HF_HOME=/a/larger/disk")
        else:
            yield Probe(what, "ok", f"{free / 1e9:,.0f} GB free at {there}")


def _data() -> Iterator[Probe]:
    from finbench.errors import FinbenchError
    from finbench.tasks import download

    try:
        holdings = download.inventory()
    except FinbenchError as err:  # FINBENCH_DATA names something unusable
        yield Probe("data", "missing", str(err), "finbench data list")
        return
    for holding in holdings:
        what = f"data: {holding.dataset}"
        if holding.found:
            yield Probe(what, "ok", str(holding.found))
        else:
            yield Probe(
                what, "missing", "not found; --data sample works without", f"finbench data fetch {holding.dataset}"
            )


def _reached(url: str) -> Probe:
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "finbench"})  # noqa: S310 -- HOSTS, https
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
            return Probe(f"network: {url}", "ok", f"answers with {reply.status}")
    except urllib.error.HTTPError as err:
        return Probe(f"network: {url}", "ok", f"answers with {err.code}")
    except (OSError, ValueError) as err:
        fix = "set https_proxy, or carry the data over: finbench data pack"
        return Probe(f"network: {url}", "missing", f"cannot be reached ({err})", fix)
