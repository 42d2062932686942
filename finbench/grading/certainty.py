"""Is a verdict sure? The other reading that could be meant makes it unsure; it never changes what was extracted."""

from __future__ import annotations

from finbench.grading.asked import Asked
from finbench.grading.decide import Found
from finbench.grading.reply import Reply
from finbench.records import Document, Grade


def rival(found: Found, reply: Reply, wanted: Asked, verdict: Grade, document: Document) -> str:
    return ""
