"""The commands of the `finbench` program: each module adds its flags and runs; heavy imports wait until it does."""

from __future__ import annotations
