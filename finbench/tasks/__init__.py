"""Benchmarks: loaded, rendered, checked and made, with their data found, fetched, verified and packed.

In go names of tasks or folders with a YAML and, by consent, Python; out come `Task` objects whose documents stream in and
whose prompts are rendered one at a time. The only room that knows lm-eval's Task objects.

Read first: task.py (one benchmark: documents, prompts, lm-eval's own scoring), then load.py (names -> tasks).
yaml_files.py reads a YAML as text before anything of it runs, merged.py says what lm-eval will make of it, consent.py asks
for its Python and its data, doors.py guards where lm-eval takes them in; templates.py renders in a sandbox, rendering.py
a stranger's templates in a process with limits; documents.py turns a row into a `Document`; table_files.py and data_files.py
read rows, download.py fetches them and archive.py carries them; authoring/ makes and checks tasks; catalogue.py lists them.
"""

__all__ = [
    "archive",
    "authoring",
    "catalogue",
    "consent",
    "data_files",
    "documents",
    "download",
    "load",
    "table_files",
    "task",
    "yaml_files",
]
