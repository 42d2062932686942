"""Logs of other tools, and plain files with columns: formats.py reads a row of each format, files.py the rows of a
file, whatever holds them, as documents with their replies."""

from finbench.runs.logs.files import Columns, Imported, Log, read

__all__ = ["Columns", "Imported", "Log", "read"]
