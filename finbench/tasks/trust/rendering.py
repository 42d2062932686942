"""Templates of strangers, rendered in a process that a loop or a gigabyte ends.

A template can work without writing: nested loops, `~` chains, a regular expression that backtracks, `batch` and `slice` of
a hundred million. No limit inside jinja sees that, so the system's does: each rendering may take `SECONDS` of CPU time and
the process `MEMORY` bytes of address space. What breaks a limit is a SecurityError, at once for every further document.

Both sides speak lines of JSON: [template, fields] there, {"text"} or {"error"} back. A row's dates come as their text.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from jinja2.exceptions import SecurityError

SECONDS = 1.0  # of CPU time for one prompt; a page of FinQA takes less than a millisecond
MEMORY = 384 * 2**20  # bytes of address space; Python with jinja takes some 60 MB of it
MAX_LIST = 200_000  # characters of a text that lm-eval would parse as a list: its values take thirty times as much


class Confined:
    """A template that is rendered beside this process."""

    def __init__(self, source: str) -> None:
        self._source = source

    def render(self, **fields: Any) -> str:
        """The text. TemplateError for a template that fails, SecurityError for one that takes too long or too much."""
        return _worker().render(self._source, fields)


class Worker:
    """The process beside: started when first asked, and again after a template has ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._refused: dict[str, str] = {}
        self._lock = threading.Lock()

    def render(self, source: str, fields: Any) -> str:
        """One template with its fields."""
        with self._lock:
            if source in self._refused:
                raise SecurityError(self._refused[source])
            reply = self._ask(source, fields)
        if "error" in reply:
            raise TemplateError(reply["error"])
        text: str = reply["text"]
        if text[:1] == "[" and len(text) > MAX_LIST:
            raise SecurityError(f"the template writes a list of more than {MAX_LIST:,} characters")
        return text

    def _ask(self, source: str, fields: Any) -> dict[str, str]:
        try:
            line = json.dumps([source, fields], default=_plain).encode() + b"\n"
        except (ValueError, TypeError, RecursionError) as err:
            raise TemplateError(f"a row holds what cannot be handed to a template ({err})") from err
        process = self._started()
        assert process.stdin and process.stdout
        try:
            process.stdin.write(line)
            process.stdin.flush()
            said = process.stdout.readline()
        except OSError:
            said = b""
        if said.endswith(b"\n"):
            reply: dict[str, str] = json.loads(said)
            return reply
        self._refused[source] = self._ended(process)
        raise SecurityError(self._refused[source])

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            package = Path(__file__).parents[3]
            path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", f"from {__name__} import serve; serve()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # a MemoryError on the way out is no news
                env={"PYTHONPATH": path, "PYTHONUTF8": "1", "PATH": os.environ.get("PATH", "")},  # no keys in there
                start_new_session=True,  # Ctrl+C is for the run
            )
        return self._process

    def _ended(self, process: subprocess.Popen[bytes]) -> str:
        """What ended the process, in words."""
        self._process = None
        process.kill() if process.poll() is None and not _leaves(process) else None
        code = process.wait()
        process.communicate()
        if code == -signal.SIGPROF:
            return f"the template takes more than {SECONDS:g} s for one document"
        return f"the template takes more than {MEMORY // 2**20} MB of memory"

    def close(self) -> None:
        """End the process; harmless when called again."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _leaves(process: subprocess.Popen[bytes]) -> bool:
    """Does a process that has closed its output end by itself?"""
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return False
    return True


def _plain(value: Any) -> Any:
    """A value that JSON has not, as a template would show it: numpy's numbers and arrays as Python's, the rest as text."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, set | frozenset | tuple) else str(value)


_WORKERS: list[Worker] = []


def _worker() -> Worker:
    if not _WORKERS:
        _WORKERS.append(Worker())
        atexit.register(_WORKERS[0].close)
    return _WORKERS[0]


# -- the process beside ----------------------------------------------------------------------------------------------


def serve() -> None:
    """Render what comes on standard input until it ends."""
    from finbench.tasks import templates

    _limit()
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # its signal ends the process, also inside a regular expression
        try:
            source, fields = json.loads(line)
            reply = {"text": templates.environment().from_string(source).render(**fields)}
        except MemoryError:
            os._exit(1)
        except Exception as err:  # whatever a stranger's template raises: it is the reader's to know
            reply = {"error": f"{err}" if isinstance(err, TemplateError) else f"{type(err).__name__}: {err}"}
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n")
        sys.stdout.buffer.flush()


def _limit() -> None:
    import resource

    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ValueError, OSError):  # macOS has no limit on address space; the limit on time holds
        pass
