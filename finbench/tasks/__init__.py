"""Benchmarks: loaded, rendered, checked and made, with their data found, fetched, verified and packed.

In go names of tasks or folders with a YAML and, by consent, Python; out come `Task` objects whose documents stream in and
whose prompts are rendered one at a time. The only room that knows lm-eval's Task objects.

Read first: task.py (one benchmark: documents, prompts), then load.py (names -> tasks). own_scoring.py is lm-eval's scoring
of tasks that bring one, decoding.py reads their `generation_kwargs`. yaml_files.py reads a YAML as text before anything of
it runs; trust/ says what lm-eval will make of it, asks for its Python and its data, and guards where lm-eval takes them in;
templates.py renders in a sandbox; documents.py turns a row into a `Document`; table_files.py and data_files.py read rows,
download.py fetches them and archive.py carries them; authoring/ makes and checks tasks; catalogue.py lists them.
"""

__all__ = [
    "archive",
    "authoring",
    "catalogue",
    "data_files",
    "documents",
    "download",
    "load",
    "table_files",
    "task",
    "yaml_files",
]
