"""A new task from a file of rows, and the check of any task: draft.py guesses, scaffold.py writes the folder, check.py
runs it without running its code, lint.py reads its YAML, findings.py says what was found."""

__all__ = ["check", "draft", "findings", "scaffold"]
