"""finbench: evaluation of language models on financial reasoning."""

from __future__ import annotations

__version__ = "0.1.0"
