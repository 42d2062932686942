"""Reasoning checked: stated arithmetic, where numbers come from, the program behind a reply, contamination.

In goes a document with its page and the text of a reply; out come its calculations, each right or wrong, the origin of
every number, the recovered program, and seven marks on the reasoning. Nothing here changes a verdict.

Read first: reply.py (the audit of one reply: what it finds and the metrics that follow). calculations.py finds claims of
arithmetic, equations.py reads their syntax and recompute.py their truth; page_index.py and provenance.py say where a
number comes from, recovered_program.py which operations lead to the answer; quality.py marks; contamination.py looks
for benchmark rows in training files.
"""

__all__ = ["contamination", "page_index", "provenance", "quality", "reply"]
