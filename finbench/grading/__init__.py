"""From a reply to a verdict.

In go a document (question, golds, what its task declares of the answer) and the text of a reply; out comes a `Grade`:
right or wrong, the reason, what was read as the answer and where it stands. Pure: no engine, no run, no file, and no
text makes it raise.

Read first: verdict.py (which grader a document gets), then decide.py (the printed table: which place of a reply is its
answer), then one of kinds/ (what that place says and when it is right). reply.py takes thinking and chat marks off;
claims.py, arranged.py and sentences.py say where an answer can stand, discourse.py what a sentence does; question.py and
asked.py what the question wants; equality.py when two numbers are one; certainty.py whether that is sure; lines.py is
the line protocol. The words stand in finbench/text/lexicon. The rules in words: docs/grading.md.
"""

from finbench.grading.verdict import grade, stated_answer

__all__ = ["grade", "lines", "reference", "reply", "stated_answer"]
